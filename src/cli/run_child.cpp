#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/run_parts.hpp"

namespace cleat::cli {

void send_message(int fd, RunMessage::Kind kind, int value) {
  const RunMessage message{kind, value};
  if (::send(fd, &message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
}

Received receive_message(int fd, RunMessage& out) {
  const ssize_t n = ::recv(fd, &out, sizeof out, MSG_DONTWAIT);
  if (n == sizeof out) return Received::kMessage;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? Received::kNothing : Received::kGone;
}

namespace {

[[noreturn]] void become(const ChildStart& start, int go, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(kRefused);
  char byte;
  ssize_t n;
  while ((n = ::read(go, &byte, 1)) < 0 && errno == EINTR) {
  }
  if (n != 1) ::_exit(kRefused);
  for (const std::string& variable : start.environment) ::putenv(const_cast<char*>(variable.c_str()));
  std::vector<char*> arguments;
  for (const std::string& word : start.command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::sigprocmask(SIG_SETMASK, &start.signal_mask, nullptr);
  ::execvp(arguments[0], arguments.data());
  const int error = errno;
  const std::string line = "cleat run: can't run " + one_word(start.command[0]) + ": " + std::strerror(error) + "\n";
  if (::write(STDERR_FILENO, line.data(), line.size()) < 0) ::_exit(kCannotExecute);
  ::_exit(error == ENOENT ? kNotFound : kCannotExecute);
}

}  // namespace

pid_t start_child(const ChildStart& start, client::Fd& go) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return -1;
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[1]);
    become(start, ends[0], parent);
  }
  ::close(ends[0]);
  go.reset(ends[1]);
  if (pid > 0) ::setpgid(pid, pid);
  return pid;
}

}  // namespace cleat::cli
