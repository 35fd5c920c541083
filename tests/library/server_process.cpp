#include "server_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <regex>
#include <stdexcept>

namespace cleat::tests {
namespace {

constexpr int kStartLimitMs = 30'000;  // sanitizers and busy machines

std::string cleat_binary() {
  const char* other = ::getenv("CLEAT_TEST_BINARY");
  return other != nullptr ? other : CLEAT_BINARY;
}

// Reads until the server says where it listens.
std::string listening_address(int output) {
  static const std::regex kReady("listening on (\\S+:[0-9]+)");
  std::string said;
  for (;;) {
    pollfd readable{output, POLLIN, 0};
    char buffer[4096];
    if (::poll(&readable, 1, kStartLimitMs) <= 0) throw std::runtime_error("the server does not start: " + said);
    const ssize_t n = ::read(output, buffer, sizeof buffer);
    if (n <= 0) throw std::runtime_error("the server stopped: " + said);
    said.append(buffer, static_cast<size_t>(n));
    std::smatch found;
    const size_t line_end = said.rfind('\n');
    const std::string lines = said.substr(0, line_end == std::string::npos ? 0 : line_end);
    if (std::regex_search(lines, found, kReady)) return found[1];
  }
}

}  // namespace

ServerProcess::ServerProcess() {
  char folder[] = "/tmp/cleat-library-test-XXXXXX";
  if (::mkdtemp(folder) == nullptr) throw std::runtime_error("no folder for the server's data in /tmp");
  folder_ = folder;
  start();
}

ServerProcess::~ServerProcess() {
  kill();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void ServerProcess::start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const std::string data = folder_ + "/data";
  const std::string binary = cleat_binary();
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // also when the test dies, as those of misuse do
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(ends[1], STDERR_FILENO);
    ::close_range(STDERR_FILENO + 1, ~0U, 0);  // what a dying test must not leave open
    ::execl(binary.c_str(), "cleat", "serve", "--data", data.c_str(), "--listen", address_.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ends[1]);
  output_ = ends[0];
  address_ = listening_address(output_);
}

void ServerProcess::kill() {
  if (process_ == 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
  ::close(output_);
  process_ = 0;
}

void ServerProcess::forget() {
  kill();
  std::filesystem::remove_all(folder_ + "/data");
}

void ServerProcess::pause() {
  ::kill(process_, SIGSTOP);
}
void ServerProcess::go_on() {
  ::kill(process_, SIGCONT);
}

std::string ServerProcess::operator()(const std::string& arguments) {
  const std::string command = cleat_binary() + " " + arguments + " --server " + address_ + " 2>&1";
  FILE* out = ::popen(command.c_str(), "r");
  if (out == nullptr) throw std::runtime_error("can't run " + command);
  std::string said;
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, out)) said.append(buffer, n);
  ::pclose(out);
  return said;
}

}  // namespace cleat::tests
