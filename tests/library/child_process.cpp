#include "child_process.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace cleat::tests {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, Files files,
                           const std::vector<std::string>& more_environment) {
  std::vector<std::string> environment = more_environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
  // Between fork and exec nothing may be allocated.
  const std::vector<char*> arguments = pointers(command), variables = pointers(environment);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // also when the test dies, as those of misuse do
    if (files.input >= 0) ::dup2(files.input, STDIN_FILENO);
    if (files.output >= 0) ::dup2(files.output, STDOUT_FILENO);
    if (files.errors >= 0) ::dup2(files.errors, STDERR_FILENO);
    ::close_range(STDERR_FILENO + 1, ~0U, 0);  // what a dying test must not leave open
    ::execve(arguments[0], arguments.data(), variables.data());
    ::_exit(127);
  }
  if (pid_ < 0) throw std::runtime_error("can't make a process for " + command[0]);
  pid_fd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
}

ChildProcess::~ChildProcess() {
  kill();
}

void ChildProcess::send(int signal) {
  if (!status_) ::kill(pid_, signal);
}

void ChildProcess::kill() {
  send(SIGKILL);
  (void)wait(std::chrono::milliseconds(-1));
}

std::optional<int> ChildProcess::wait(std::chrono::milliseconds limit) {
  if (status_) return status_;
  pollfd ended{pid_fd_.get(), POLLIN, 0};
  if (::poll(&ended, 1, static_cast<int>(limit.count())) == 0) return std::nullopt;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

}  // namespace cleat::tests
