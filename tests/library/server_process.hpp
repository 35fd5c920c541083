// A real `cleat serve` for the tests of the library: a process of its own on a port of its own, data in a folder that
// goes with it. And three of them that are a cluster.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "temporary_folder.hpp"

namespace cleat::tests {

struct ServerSettings {
  std::vector<std::string> options{};  // of `cleat serve`
  // Not empty: clients must give it, and are not told where the server is (it listens on all interfaces, on another
  // port after each start), so that they go on through the address that they were given, such as that of a Network.
  std::string password{};
};

std::string new_password();

class ServerProcess {
 public:
  explicit ServerProcess(ServerSettings settings = {}, bool start_now = true);
  ~ServerProcess();  // kills it and removes its data
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& address() const { return address_; }  // stays the same over restarts, unless it has a password
  int port() const;
  const std::string& password() const { return settings_.password; }
  void start();   // returns when it listens
  void launch();  // start() in two steps
  void wait_ready();
  void kill();                                           // SIGKILL, and waits for its end
  void forget();                                         // kill(), and its data are gone; start() begins anew
  void pause();                                          // SIGSTOP
  void go_on();                                          // SIGCONT
  std::string operator()(const std::string& arguments);  // what `cleat ARGUMENTS` printed, asked of this server
  std::string log() const;                               // of all its lives

 private:
  const TemporaryFolder folder_{"cleat-library-test"};
  ServerSettings settings_;
  std::string address_;
  client::Fd ready_;  // where it tells that it listens
  std::unique_ptr<ChildProcess> process_;
};

// Three members on loopback. Until they have chosen a leader clients wait.
class ClusterProcess {
 public:
  static constexpr size_t kMembers = 3;
  explicit ClusterProcess(const std::string& password = {});

  ServerProcess& operator[](size_t member) { return *members_[member]; }
  std::vector<std::string> addresses() const;
  size_t wait_leader();  // which of those that run leads

 private:
  std::array<std::unique_ptr<ServerProcess>, kMembers> members_;
};

}  // namespace cleat::tests
