// A real `cleat serve` for the tests of the library: a process of its own on a port of its own, data in a folder that
// goes with it.
#pragma once

#include <sys/types.h>

#include <string>

namespace cleat::tests {

class ServerProcess {
 public:
  ServerProcess();   // starts it
  ~ServerProcess();  // kills it and removes its data
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }  // stays the same over restarts
  void start();                                            // returns when it listens
  void kill();                                             // SIGKILL, and waits for its end
  void forget();                                           // kill(), and its data are gone; start() begins anew
  void pause();                                            // SIGSTOP
  void go_on();                                            // SIGCONT
  std::string operator()(const std::string& arguments);    // what `cleat ARGUMENTS` printed, asked of this server

 private:
  std::string folder_;
  std::string address_ = "127.0.0.1:0";
  pid_t process_ = 0;
  int output_ = -1;
};

}  // namespace cleat::tests
