// The keeper half of `cleat run` (run_parts.hpp): takes the lock, starts the command, keeps the session alive, acts
// when the lock is lost or its end comes near, lets go.
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "cli/duration.hpp"
#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/lock_words.hpp"
#include "cli/loss_plan.hpp"
#include "cli/process_tree.hpp"
#include "cli/run_parts.hpp"
#include "cli/talk.hpp"
#include "client/session_io.hpp"
#include "client/socket.hpp"

namespace cleat::cli {
namespace {

using base::Status;
using client::HoldBelief;
using client::Notice;
using client::Reply;
using client::Session;
using client::SessionIo;
using client::TimePoint;

constexpr milliseconds kReleaseLimit{5'000};
const std::string kLockReq = "lock", kUnlockReq = "unlock";

int refusal_status(base::Code code) {
  if (code == base::Code::kCorrupt) return kWrongProtocol;
  return code == base::Code::kInvalid ? kNoPermission : kRefused;
}

// "host pid command", as far as it fits into a label's 64 bytes.
std::string label_for(const std::vector<std::string>& command) {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  std::string label = std::string(host) + " " + std::to_string(::getppid());
  for (const std::string& word : command) label += " " + escaped(word);
  if (label.size() <= 64) return label;
  size_t end = 61;
  while (end > 0 && (static_cast<unsigned char>(label[end]) & 0xc0) == 0x80) --end;
  return label.substr(0, end) + "...";
}

class Keeper {
 public:
  Keeper(KeeperStart start, std::string password)
      : common_(start.common),
        run_(start.run),
        shared_(start.shared),
        wrapper_(std::move(start.wrapper)),
        mask_(start.signal_mask),
        password_(std::move(password)),
        label_(label_for(run_.command)),
        began_(boot_clock::now()) {
    sigset_t set;
    sigemptyset(&set);
    for (const int s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT}) sigaddset(&set, s);
    signals_.reset(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  }

  int live() {
    new_session(boot_clock::now());
    while (!exit_status_) turn();
    return *exit_status_;
  }

 private:
  enum class Stage { kAcquiring, kHeld, kStarted, kRunning, kReleasing };

  void turn() {
    TimePoint now = boot_clock::now();
    io_->drive(now);
    if (session().connected()) told_trouble_ = false;
    while (auto notice = session().next_notice()) on_notice(*notice, now);
    watch(now);
    if (exit_status_) return;
    io_->drive(now);  // what the notices made
    poll_once(now);
  }

  // ---- connection

  Session& session() { return io_->session(); }
  const Session& session() const { return io_->session(); }

  void new_session(TimePoint now) {
    client::SessionOptions options{.servers = common_.servers,
                                   .ttl = run_.lock.ttl,
                                   .label = label_,
                                   .credentials = {.password = password_},
                                   .first_contact = common_.timeout,
                                   .seed = client::random_seed()};
    io_.reset();
    io_ = std::make_unique<SessionIo>(std::move(options), socket_, now);
    LockRequest lock = run_.lock;
    if (lock.wait) {  // what is left of it, if this is not the first session
      const auto left = std::chrono::duration_cast<milliseconds>(began_ + *lock.wait - now);
      if (connected_once_) lock.wait = std::max(left, milliseconds(0));
    }
    client::Words words = lock_words(lock);
    words.insert(words.end(), {"ASYNC", "FULL"});
    session().request(kLockReq, std::move(words), now);
  }

  void poll_once(TimePoint now) {
    std::optional<TimePoint> wake = session().next_wake();
    for (const auto& other : {act_at_, give_up_at()}) {
      if (other) wake = std::min(wake.value_or(TimePoint::max()), *other);
    }
    alarm_.set(wake, now);
    pollfd fds[] = {{signals_.get(), POLLIN, 0},
                    {wrapper_gone_ ? -1 : wrapper_.get(), POLLIN, 0},
                    {alarm_.fd(), POLLIN, 0},
                    {socket_.fd(), socket_.wanted(io_->has_output()), 0}};
    ::poll(fds, 4, killing_ ? 5 : -1);
    now = boot_clock::now();
    alarm_.drain();
    if (fds[3].revents != 0) io_->ready(fds[3].revents, now);
    if (fds[1].revents != 0) on_wrapper();
    if (fds[0].revents != 0) on_signals();
  }

  // ---- what the service says

  void on_notice(const Notice& n, TimePoint now) {
    switch (n.kind) {
      case Notice::Kind::kOpened:
        connected_once_ = true;
        break;
      case Notice::Kind::kAnswered:
        if (n.req == kLockReq) on_lock_answer(n, now);
        break;
      case Notice::Kind::kPush:
        on_push(n.reply, now);
        break;
      case Notice::Kind::kLosses:
        on_losses(n.reply, now);
        break;
      case Notice::Kind::kDisconnected:
        troubles_[n.server] = escaped_line(n.status.message());
        if (connected_once_ && !told_trouble_ && stage_ != Stage::kReleasing) {
          const std::string next = session().server().text();
          complain(common_, "lost contact with " + n.server + " (" + troubles_[n.server] + "), trying " +
                                (next == n.server ? "again" : next));
          told_trouble_ = true;
        }
        break;
      case Notice::Kind::kRefused:
        return finish(refusal_status(n.status.code()),
                      n.server + ": " + escaped_line(n.status.message()) + hint(n.status));
      case Notice::Kind::kSessionLost:
        if (stage_ == Stage::kAcquiring) return queue_again(now);
        on_lost("the session ended: " + n.status.message(), now);
        break;
      case Notice::Kind::kClockRate:
        complain(common_, n.status.message());
        break;
      case Notice::Kind::kUndecided:  // our requests have no deadline of their own
      case Notice::Kind::kClosed:
        break;  // seen in watch()
    }
  }

  void queue_again(TimePoint now) {
    complain(common_, "the session ended while waiting; waiting again, at the end of the queue");
    new_session(now);
  }

  void on_lock_answer(const Notice& n, TimePoint now) {
    if (n.reply.is_error()) return finish_error(n.reply.text);
    const bool pushed = n.reply.type == Reply::Type::kPush;
    const Reply& map = pushed ? n.reply.items[4] : n.reply;
    if (const std::string_view error = map.text_at("error"); !error.empty()) return finish_error(std::string(error));
    const bool granted = pushed ? n.reply.items[1].text == "granted" : map.integer_at("granted") != 0;
    if (!granted) return finish(run_.not_acquired, why_not_acquired(run_.lock.name, map));
    fence_ = map.integer_at("fence");
    hold_.emplace(client::GrantTerms{.first_sent = n.first_sent,
                                     .waited = milliseconds(map.integer_at("waited_ms")),
                                     .ttl = std::nullopt,
                                     .max_hold = run_.lock.max_hold});
    stage_ = Stage::kHeld;
    watch(now);
  }

  void finish_error(const std::string& error) {
    const Reply reply{.type = Reply::Type::kError, .integer = 0, .text = error, .items = {}};
    const int status = refused(common_, reply);
    finish(status, "");
  }

  // Ends before a command ran: nothing to wait for but the CLOSE.
  void finish(int status, const std::string& message) {
    if (!message.empty()) complain(common_, message);
    release(status);
  }

  void on_push(const Reply& push, TimePoint now) {
    const Reply& map = push.items[4];
    if (push.items[1].text == "lost" && hold_ && map.integer_at("fence") == fence_) {
      on_lost(std::string(map.text_at("why")), now);
    }
  }

  void on_losses(const Reply& session, TimePoint now) {
    const Reply* losses = session.find("last_losses");
    if (losses == nullptr || !hold_) return;
    for (const Reply& loss : losses->items) {
      if (loss.integer_at("fence") == fence_) on_lost(std::string(loss.text_at("why")), now);
    }
  }

  void on_lost(const std::string& why, TimePoint now) {
    if (lost_at_ || !hold_ || stage_ == Stage::kReleasing) return;
    hold_->end();
    lost_at_ = now;
    complain(common_, one_word(run_.lock.name) + " was lost: " + escaped_line(why) + consequence());
  }

  std::string consequence() const {
    if (child_ == 0) return "";
    switch (run_.on_loss) {
      case OnLoss::kTerm:
        return "; ending the command";
      case OnLoss::kKill:
        return "; killing the command";
      default:
        return "; the command goes on without it (--on-loss ignore)";
    }
  }

  // ---- what time says

  std::optional<TimePoint> give_up_at() const {
    if (stage_ == Stage::kReleasing) return release_by_;
    if (stage_ != Stage::kAcquiring) return std::nullopt;
    if (!connected_once_) return began_ + common_.timeout;
    if (!run_.lock.wait) return std::nullopt;
    return began_ + *run_.lock.wait + 2 * common_.timeout;
  }

  void watch(TimePoint now) {
    act_at_.reset();
    if (const auto end = give_up_at(); end && now >= *end) return give_up();
    if (stage_ == Stage::kReleasing && (session().over() || child_ != 0)) {
      if (child_ == 0) exit_status_ = release_status_;
      return;
    }
    if (killing_) return kill_round();
    if (!hold_ || stage_ == Stage::kReleasing) return;
    make_plan(now);
    if (stage_ == Stage::kHeld) return start_if_sure(now);
    if (plan_.kill_at && now >= *plan_.kill_at) return begin_kill(lost_at_ ? "" : "no contact");
    if (plan_.term_at && now >= *plan_.term_at) {
      if (!termed_) terminate();
    } else {
      termed_ = false;  // contact came back in time
    }
    for (const auto& at : {termed_ ? std::nullopt : plan_.term_at, plan_.kill_at}) {
      if (at) act_at_ = std::min(act_at_.value_or(TimePoint::max()), *at);
    }
  }

  milliseconds ttl() const { return session().belief().ttl(); }

  void make_plan(TimePoint now) {
    if (lost_at_) {
      plan_ = plan_after_loss(*lost_at_, plan_, ttl(), run_.on_loss);
    } else if (const auto deadline = hold_->deadline(session().belief())) {
      plan_ = plan_before(*deadline, ttl(), run_.on_loss);
    } else {
      on_lost("the session ended", now);
      return make_plan(now);
    }
    shared_.kill_at_ns = plan_.kill_at ? plan_.kill_at->time_since_epoch().count() : 0;
  }

  void give_up() {
    if (stage_ == Stage::kReleasing) {
      complain(common_, "could not tell the server that the lock is free: it is when its TTL of " +
                            format_duration(run_.lock.ttl) + " is over");
      exit_status_ = release_status_;
      return;
    }
    const Status unreached(base::Code::kNotFound,
                           "can't reach a server at " + text_of(common_.servers) + ": " + troubles());
    finish(kUnreachable, unreached.message() + hint(unreached));
    if (!connected_once_) exit_status_ = kUnreachable;
  }

  // The last of each server, or the one that all have.
  std::string troubles() const {
    std::string each;
    std::set<std::string> kinds;
    for (const auto& [server, trouble] : troubles_) {
      kinds.insert(trouble);
      each += (each.empty() ? "" : "; ") + server + ": " + trouble;
    }
    return kinds.empty() ? "no answer in time" : kinds.size() == 1 ? *kinds.begin() : each;
  }

  void terminate() {
    termed_ = true;
    if (!lost_at_) {
      complain(common_, "no contact with " + text_of(common_.servers) + ", " + one_word(run_.lock.name) +
                            " can't be kept" + consequence());
    }
    signal_group(SIGTERM);
    signal_group(SIGCONT);  // a stopped process would not hear it
  }

  // ---- the command

  void start_if_sure(TimePoint now) {
    const auto deadline = hold_->deadline(session().belief());
    if (lost_at_ || !deadline) return finish(run_.not_acquired, "");
    // Not enough time left to be sure of: the next keep-alive's answer brings more.
    if (now + ttl() / 2 > session().belief().deadline() && run_.on_loss != OnLoss::kIgnore) {
      act_at_ = *deadline;
      if (now >= *deadline) on_lost("no contact with the server", now);
      return;
    }
    ChildStart start{.command = run_.command,
                     .environment = {"CLEAT_NAME=" + run_.lock.name, "CLEAT_FENCE=" + std::to_string(fence_),
                                     "CLEAT_SESSION=" + session().id()},
                     .signal_mask = mask_};
    child_ = start_child(start, go_);
    if (child_ < 0) {
      child_ = 0;
      return finish(kRefused, std::string("can't start a process: ") + std::strerror(errno));
    }
    shared_.group = child_;
    stage_ = Stage::kStarted;
    send_message(wrapper_.get(), RunMessage::kStarted, child_);
  }

  void signal_group(int signal) {
    if (child_ > 0) ::kill(-child_, signal);
  }

  void begin_kill(const std::string& why) {
    if (!why.empty())
      complain(common_, one_word(run_.lock.name) + " may be given to others soon (" + why + "); killing the command");
    killing_ = true;
    kill_round();
  }

  // Again and again until nothing is left: what was being forked escapes a single round.
  void kill_round() {
    kill_descendants(child_, 0);
    reap();
    if (child_ == 0 && live_descendants().empty()) {
      killing_ = false;
      if (stage_ != Stage::kReleasing) release(child_status_);
    }
  }

  void reap() {
    int status = 0;
    pid_t pid;
    while ((pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED | WCONTINUED)) > 0) {
      if (pid != child_) continue;  // an orphan of the command's
      if (WIFSTOPPED(status)) {
        send_message(wrapper_.get(), RunMessage::kStopped, WSTOPSIG(status));
      } else if (WIFCONTINUED(status)) {
        send_message(wrapper_.get(), RunMessage::kContinued);
      } else {
        child_ended(WIFEXITED(status) ? WEXITSTATUS(status) : kSignalBase + WTERMSIG(status));
      }
    }
  }

  void child_ended(int status) {
    const bool lost = termed_ || killing_ || (lost_at_ && run_.on_loss != OnLoss::kIgnore);
    child_ = 0;
    child_status_ = status;
    send_message(wrapper_.get(), RunMessage::kEnded);
    // The command is gone because the lock is: so must be what it left behind.
    if (lost && !live_descendants().empty()) killing_ = true;
    shared_.group = 0;
    if (!killing_) release(status);
  }

  void release(int status) {
    if (stage_ == Stage::kReleasing) return;
    const TimePoint now = boot_clock::now();
    stage_ = Stage::kReleasing;
    release_status_ = status;
    release_by_ = now + std::min<milliseconds>(kReleaseLimit, run_.lock.ttl);
    shared_.kill_at_ns = 0;
    if (hold_ && !lost_at_) {
      hold_->end();
      session().request(kUnlockReq, {"UNLOCK", run_.lock.name, "FENCE", std::to_string(fence_)}, now);
    }
    session().close(now);
  }

  // ---- the wrapper

  void on_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo != SIGCHLD) pass_on(static_cast<int>(info.ssi_signo));
    }
    reap();
  }

  void on_wrapper() {
    RunMessage message{};
    for (;;) {
      const Received got = receive_message(wrapper_.get(), message);
      if (got == Received::kNothing) return;
      if (got == Received::kGone) return on_wrapper_gone();
      if (message.kind == RunMessage::kSignal) pass_on(message.value);
      if (message.kind == RunMessage::kGo && stage_ == Stage::kStarted) {
        stage_ = Stage::kRunning;
        if (::write(go_.get(), "g", 1) != 1) signal_group(SIGKILL);
        go_.reset();
      }
    }
  }

  void on_wrapper_gone() {
    wrapper_gone_ = true;
    if (child_ > 0) {
      begin_kill("");
    } else if (stage_ != Stage::kReleasing) {
      release(kRefused);
    }
  }

  void pass_on(int signal) {
    if (child_ > 0) return signal_group(signal);
    const bool ends = signal == SIGTERM || signal == SIGINT || signal == SIGHUP || signal == SIGQUIT;
    if (!ends) return;
    if (stage_ == Stage::kReleasing) {
      exit_status_ = release_status_;  // told twice: don't wait for the server
    } else {
      release(kSignalBase + signal);
    }
  }

  const Common& common_;
  const RunCommand& run_;
  RunShared& shared_;
  client::Fd wrapper_;
  sigset_t mask_;
  std::string password_, label_;
  TimePoint began_;
  client::Fd signals_, go_;
  client::Alarm alarm_;
  client::Socket socket_;
  std::unique_ptr<SessionIo> io_;

  Stage stage_ = Stage::kAcquiring;
  std::optional<HoldBelief> hold_;
  std::optional<TimePoint> lost_at_;
  LossPlan plan_;
  std::optional<TimePoint> act_at_;
  int64_t fence_ = 0;
  pid_t child_ = 0;
  int child_status_ = 0;
  bool termed_ = false, killing_ = false, wrapper_gone_ = false;
  bool connected_once_ = false, told_trouble_ = false;
  std::map<std::string, std::string> troubles_;  // by server
  int release_status_ = 0;
  TimePoint release_by_{};
  std::optional<int> exit_status_;
};

}  // namespace

int keep(KeeperStart start) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const auto password = read_password(start.common.password_file);
  if (!password.ok()) return failed(start.common, password.status());
  return Keeper(std::move(start), *password).live();
}

}  // namespace cleat::cli
