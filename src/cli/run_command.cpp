// The wrapper half of `cleat run` (run_parts.hpp).
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "cli/commands.hpp"
#include "cli/exit_status.hpp"
#include "cli/process_tree.hpp"
#include "cli/run_parts.hpp"
#include "cli/talk.hpp"

namespace cleat::cli {
namespace {

constexpr int kPassedOn[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP};

// The terminal the user sits at, if the command is to have it: in the foreground, and not one part of a pipeline, whose
// other parts would lose it.
class Terminal {
 public:
  Terminal() {
    struct stat out {};
    const bool piped = ::fstat(STDOUT_FILENO, &out) == 0 && S_ISFIFO(out.st_mode);
    tty_.reset(::open("/dev/tty", O_RDWR | O_CLOEXEC));
    may_give_ = tty_ && !piped && ::isatty(STDIN_FILENO) == 1;
  }
  bool there() const { return static_cast<bool>(tty_); }
  void give(pid_t group) const {
    if (may_give_ && ::tcgetpgrp(tty_.get()) == ::getpgrp()) ::tcsetpgrp(tty_.get(), group);
  }
  void take_back(pid_t group) const {
    if (may_give_ && group > 0 && ::tcgetpgrp(tty_.get()) == group) ::tcsetpgrp(tty_.get(), ::getpgrp());
  }

 private:
  client::Fd tty_;
  bool may_give_ = false;
};

class Wrapper {
 public:
  Wrapper(const Common& common, pid_t keeper, client::Fd socket, client::Fd signals, RunShared& shared)
      : common_(common), keeper_(keeper), socket_(std::move(socket)), signals_(std::move(signals)), shared_(shared) {}

  int run() {
    for (;;) {
      const auto now = boot_clock::now();
      const int64_t kill_at = shared_.kill_at_ns.load();
      const bool due =
          kill_at != 0 && shared_.group.load() != 0 && now.time_since_epoch().count() >= kill_at + kSlackNs;
      if (due) return keeper_late();
      const client::TimePoint wake{std::chrono::nanoseconds(kill_at + kSlackNs)};
      alarm_.set(kill_at != 0 && shared_.group.load() != 0 ? std::optional(wake) : std::nullopt, now);
      pollfd fds[] = {{signals_.get(), POLLIN, 0}, {socket_.get(), POLLIN, 0}, {alarm_.fd(), POLLIN, 0}};
      // The keeper moves the time on without a message, so it is looked at now and then.
      ::poll(fds, 3, kill_at == 0 && group_ != 0 ? 100 : 1'000);
      alarm_.drain();
      if (fds[1].revents != 0) read_socket();
      if (fds[0].revents != 0) read_signals();
      if (const auto status = keeper_status()) return *status;
    }
  }

 private:
  // The keeper acts first; only if it does not, we do.
  static constexpr int64_t kSlackNs = 50'000'000;

  std::optional<int> keeper_status() {
    int status = 0;
    if (::waitpid(keeper_, &status, WNOHANG) != keeper_) return std::nullopt;
    terminal_.take_back(group_);
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    return keeper_failed("was killed");
  }

  // A keeper that is only slow does the rest itself, once the command is dead: it knows the status, and lets the lock
  // go.
  int keeper_late() {
    const auto end = boot_clock::now() + milliseconds(1'000);
    while (boot_clock::now() < end) {
      kill_descendants(shared_.group.load(), keeper_);
      ::poll(nullptr, 0, 5);
      if (const auto status = keeper_status()) return *status;
    }
    return keeper_failed("does not answer");
  }

  int keeper_failed(const char* what) {
    const pid_t group = shared_.group.load();
    // SIGKILL takes a moment to be carried out and what is being forked escapes a single round.
    for (int round = 0; round < 200; ++round) {
      kill_descendants(group, 0);
      while (::waitpid(-1, nullptr, WNOHANG) > 0) {
      }
      if (live_descendants().empty()) break;
      ::poll(nullptr, 0, 5);
    }
    const char* next = group != 0
                           ? "; the command was killed, and the lock is free when its TTL is over"
                           : " before the command began; what it waited for or held is free when its TTL is over";
    complain(common_, std::string("the process that kept the session ") + what + next);
    terminal_.take_back(group);
    return kRefused;
  }

  void read_socket() {
    RunMessage message{};
    for (;;) {
      const Received got = receive_message(socket_.get(), message);
      if (got == Received::kGone) ::poll(nullptr, 0, 1);  // its exit status comes next
      if (got != Received::kMessage) return;
      switch (message.kind) {
        case RunMessage::kStarted:
          group_ = message.value;
          terminal_.give(group_);
          send_message(socket_.get(), RunMessage::kGo);
          break;
        case RunMessage::kStopped:
          if (terminal_.there()) stop_too();
          break;
        case RunMessage::kEnded:
          terminal_.take_back(group_);
          break;
        default:
          break;
      }
    }
  }

  // The shell waits for us, not for the command: stop as it did, and wake it when we are woken.
  void stop_too() {
    terminal_.take_back(group_);
    ::kill(::getpid(), SIGSTOP);
    terminal_.give(group_);
    send_message(socket_.get(), RunMessage::kSignal, SIGCONT);
  }

  void read_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGCHLD) continue;
      if (signal == SIGTSTP && group_ == 0) {
        ::kill(::getpid(), SIGSTOP);
      } else {
        if (signal == SIGCONT && group_ != 0) terminal_.give(group_);
        send_message(socket_.get(), RunMessage::kSignal, signal);
      }
    }
  }

  const Common& common_;
  pid_t keeper_;
  pid_t group_ = 0;
  client::Fd socket_, signals_;
  RunShared& shared_;
  client::Alarm alarm_;
  Terminal terminal_;
};

}  // namespace

int execute(const Common& common, const RunCommand& run) {
  void* memory = ::mmap(nullptr, sizeof(RunShared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int ends[2];
  if (memory == MAP_FAILED || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    complain(common, std::string("can't start: ") + std::strerror(errno));
    return kRefused;
  }
  auto& shared = *new (memory) RunShared;
  client::Fd ours(ends[0]), theirs(ends[1]);
  sigset_t handled, before;
  sigemptyset(&handled);
  for (const int s : kPassedOn) sigaddset(&handled, s);
  for (const int s : {SIGCHLD, SIGTTOU, SIGTTIN, SIGPIPE}) sigaddset(&handled, s);
  ::sigprocmask(SIG_BLOCK, &handled, &before);
  const pid_t wrapper = ::getpid();
  const pid_t keeper = ::fork();
  if (keeper == 0) {
    ours.reset();
    ::setpgid(0, 0);
    ::prctl(PR_SET_NAME, "cleat-keeper");
    ::_exit(::getppid() == wrapper ? keep({common, run, shared, std::move(theirs), before}) : kRefused);
  }
  if (keeper < 0) {
    complain(common, std::string("can't start a process: ") + std::strerror(errno));
    return kRefused;
  }
  theirs.reset();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  sigdelset(&handled, SIGTTOU);
  sigdelset(&handled, SIGTTIN);
  sigdelset(&handled, SIGPIPE);
  client::Fd signals(::signalfd(-1, &handled, SFD_NONBLOCK | SFD_CLOEXEC));
  return Wrapper(common, keeper, std::move(ours), std::move(signals), shared).run();
}

}  // namespace cleat::cli
