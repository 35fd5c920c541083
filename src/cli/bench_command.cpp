// cleat bench: pairs of lock and unlock over many connections, one after the other (closed loop) or at a fixed rate
// (open loop). One thread, one poll(2).
#include <poll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <memory>

#include "cli/bench_peer.hpp"
#include "cli/bench_schedule.hpp"
#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/talk.hpp"
#include "client/connection.hpp"

namespace cleat::cli {
namespace {

using base::Code;
using base::Status;
using client::TimePoint;

constexpr milliseconds kInterruptedDrain{1'000};  // what is under way may be answered for so long after Ctrl-C

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

class Bench {
 public:
  Bench(const Common& common, const BenchCommand& asked, const std::string& password, int interrupt_fd)
      : common_(common),
        asked_(asked),
        how_{client::hello_words({.password = password}), common.timeout},
        schedule_(boot_clock::now(), asked),
        tally_({schedule_.end(), schedule_.end()}) {
    const std::string prefix = asked.prefix.empty() ? "bench/" + client::random_hex(4) : asked.prefix;
    for (int64_t i = 0; i < asked.connections; ++i) {
      BenchTalk talk({prefix, std::to_string(i), asked.contend}, asked.pipeline, client::random_seed(), tally_);
      client::Members members(common.servers, client::Random(client::random_seed()));
      peers_.push_back(std::make_unique<BenchPeer>(how_, std::move(talk), std::move(members), tally_));
    }
    fds_.push_back({alarm_.fd(), POLLIN, 0});
    fds_.push_back({interrupt_fd, POLLIN, 0});
    fds_.resize(fds_.size() + peers_.size());
  }

  int run() {
    if (const auto status = connect_all()) return *status;
    started_ = boot_clock::now();
    schedule_ = BenchSchedule(started_, asked_);
    tally_ = BenchTally({schedule_.warm(), schedule_.end()});
    const double cpu_before = cpu_seconds();
    drain_by_ = schedule_.end() + common_.timeout;
    next_progress_ = started_ + asked_.progress;
    while (!over(boot_clock::now())) turn();
    const double wall = std::chrono::duration<double>(boot_clock::now() - started_).count();
    const double cpu_share = (cpu_seconds() - cpu_before) / wall;
    for (const auto& peer : peers_) peer->talk().lost("no answer in time");
    for (const TimePoint now = boot_clock::now(); schedule_.due(); schedule_.took())
      tally_.unsent(*schedule_.due(), now);
    return tell(cpu_share);
  }

 private:
  // The exit status if that did not work.
  std::optional<int> connect_all() {
    const TimePoint deadline = boot_clock::now() + common_.timeout;
    for (;;) {
      const TimePoint now = boot_clock::now();
      size_t there = 0;
      Status trouble(Code::kNotFound, "no answer in time");
      for (const auto& peer : peers_) {
        there += peer->connected() ? 1 : 0;
        if (peer->connected() || peer->trouble().ok()) continue;
        trouble = peer->trouble();
        const bool for_good = trouble.code() == Code::kInvalid || trouble.code() == Code::kCorrupt;
        if (for_good) return failed(common_, trouble);
      }
      if (there == peers_.size()) return std::nullopt;
      if (interrupted_) return kSignalBase + SIGINT;
      if (now >= deadline) return failed(common_, not_all(there, trouble));
      wait(now, deadline);
    }
  }

  Status not_all(size_t there, const Status& trouble) const {
    if (there == 0) return {trouble.code(), "can't reach a server: " + trouble.message()};
    return {Code::kIo, "only " + std::to_string(there) + " of " + std::to_string(peers_.size()) +
                           " connections could be made: " + trouble.message()};
  }

  void turn() {
    const TimePoint now = boot_clock::now();
    begin_pairs(now);
    if (asked_.progress.count() > 0 && now >= next_progress_ && !schedule_.over(now)) {
      const std::string line = tally_.progress(started_, now);
      std::fwrite(line.data(), 1, line.size(), stderr);
      next_progress_ = std::max(next_progress_ + asked_.progress, now);
    }
    TimePoint until = schedule_.over(now) ? drain_by_ : schedule_.end();
    if (asked_.progress.count() > 0 && !schedule_.over(now)) until = std::min(until, next_progress_);
    // Those who can't be served yet wait for an answer, not for a time.
    if (const auto due = schedule_.due(); due && *due > now) until = std::min(until, *due);
    wait(now, until);
  }

  // Each connection in turn, so that all have their share of what is due.
  void begin_pairs(TimePoint now) {
    size_t refused = 0;
    while (refused < peers_.size()) {
      const auto due = schedule_.due();
      if (asked_.rate ? !due || *due > now : schedule_.over(now)) return;
      BenchTalk& talk = peers_[next_peer_]->talk();
      if (talk.ready(now)) {
        talk.begin(due.value_or(now), now);
        schedule_.took();
        refused = 0;
        if (!asked_.rate && talk.ready(now)) continue;
      } else {
        ++refused;
      }
      next_peer_ = (next_peer_ + 1) % peers_.size();
    }
  }

  // Sends, polls once, receives.
  void wait(TimePoint now, TimePoint until) {
    for (size_t i = 0; i < peers_.size(); ++i) {
      BenchPeer& peer = *peers_[i];
      peer.drive(now);
      until = std::min(until, peer.next_wake());
      if (peer.talk().not_before() > now) until = std::min(until, peer.talk().not_before());
      fds_[kFixed + i] = {peer.fd(), peer.wanted(), 0};
    }
    alarm_.set(until, now);
    if (::poll(fds_.data(), fds_.size(), -1) < 0) return;  // a signal
    if (fds_[0].revents != 0) alarm_.drain();
    if (fds_[1].revents != 0) interrupt();
    for (size_t i = 0; i < peers_.size(); ++i) {
      if (fds_[kFixed + i].revents != 0) peers_[i]->ready(fds_[kFixed + i].revents, boot_clock::now());
    }
  }

  // A second one ends the process at once.
  void interrupt() {
    interrupted_ = true;
    const TimePoint now = boot_clock::now();
    schedule_.end_at(now);
    tally_.end_window(now);
    drain_by_ = std::min(drain_by_, now + kInterruptedDrain);
    signalfd_siginfo taken{};  // out of the queue, or it would count again as soon as it is let through
    if (::read(fds_[1].fd, &taken, sizeof taken) < 0) return;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_UNBLOCK, &all, nullptr);
    fds_[1].fd = -1;
  }

  bool over(TimePoint now) const {
    if (!schedule_.over(now)) return false;
    const bool idle = std::all_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer->talk().idle(); });
    return now >= drain_by_ || (idle && !schedule_.due());
  }

  int tell(double cpu_share) {
    const std::string out =
        common_.json ? tally_.json(asked_, cpu_share, interrupted_) : tally_.text(asked_, cpu_share);
    if (const int status = print(common_, out); status != kOk) return status;
    const auto away =
        std::find_if(peers_.begin(), peers_.end(), [](const auto& peer) { return !peer->trouble().ok(); });
    const bool some_there =
        std::any_of(peers_.begin(), peers_.end(), [](const auto& peer) { return peer->trouble().ok(); });
    if (!some_there)
      return failed(common_, {Code::kIo, "lost contact and did not find it again: " + (*away)->trouble().message()});
    return tally_.clean() ? kOk : kRefused;
  }

  static constexpr size_t kFixed = 2;  // of fds_: alarm, signals

  const Common& common_;
  const BenchCommand& asked_;
  const BenchPeer::How how_;
  BenchSchedule schedule_;
  BenchTally tally_;
  client::Alarm alarm_;
  std::vector<std::unique_ptr<BenchPeer>> peers_;
  std::vector<pollfd> fds_;
  size_t next_peer_ = 0;
  bool interrupted_ = false;
  TimePoint started_{}, drain_by_{}, next_progress_{};
};

}  // namespace

int execute(const Common& common, const BenchCommand& command) {
  const auto password = read_password(common.password_file);
  if (!password.ok()) return failed(common, password.status());
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  sigset_t interrupts;
  sigemptyset(&interrupts);
  for (const int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&interrupts, s);
  sigprocmask(SIG_BLOCK, &interrupts, nullptr);
  const client::Fd interrupted(signalfd(-1, &interrupts, SFD_CLOEXEC | SFD_NONBLOCK));
  BenchCommand asked = command;
  if (isatty(STDERR_FILENO) == 0 && !asked.progress_asked) asked.progress = milliseconds(0);
  return Bench(common, asked, *password, interrupted.get()).run();
}

}  // namespace cleat::cli
