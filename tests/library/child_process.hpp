// A process that a test starts. Start all of a test's from one thread that lives as long as they: they die with it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "client/socket.hpp"

namespace cleat::tests {

class ChildProcess {
 public:
  struct Files {  // -1: what the test itself has
    int input = -1;
    int output = -1;
    int errors = -1;
  };
  ChildProcess(const std::vector<std::string>& command, Files files,
               const std::vector<std::string>& more_environment = {});
  ~ChildProcess();  // SIGKILL, if it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void send(int signal);
  // SIGKILL, and waits for its end.
  void kill();
  // Its exit status; 128 + the signal that ended it, as a shell tells it. None: it still runs after `limit`.
  std::optional<int> wait(std::chrono::milliseconds limit);
  // Can be read once it has ended.
  int ended_fd() const { return pid_fd_.get(); }

 private:
  pid_t pid_ = 0;
  client::Fd pid_fd_;
  std::optional<int> status_;
};

}  // namespace cleat::tests
