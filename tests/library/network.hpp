// What stands for the network between one program and its servers: it passes bytes on until it is cut.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include "client/socket.hpp"

namespace cleat::tests {

class Network {
 public:
  // port_of: where on 127.0.0.1 each server listens now; asked at each new connection, on the thread that passes them
  // on.
  explicit Network(std::vector<std::function<int()>> port_of);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Where the program finds the servers.
  std::vector<std::string> addresses() const;

  // What a cut keeps back comes when it heals, as TCP would send it again, also of connections that were closed
  // meanwhile. Connections can still be made, and stay silent.
  enum class Cut { kNone, kToServer, kToClient, kBoth };
  void cut(Cut cut);
  // Breaks all connections that there are.
  void reset();

 private:
  struct Way {  // one direction of a connection
    std::string bytes;
    bool ended = false;   // its sender will send no more
    bool passed = false;  // and its receiver was told so
  };
  struct Passage {
    client::Fd client, server;
    Way to_server, to_client;
    bool broken = false;
  };
  struct Door {
    client::Fd fd;
    std::function<int()> port_of;
    std::string address;
  };

  void run();
  void wake();
  void open(const Door& door);
  static void read(const client::Fd& from, Way& way, Passage& passage);
  static void write(const client::Fd& to, Way& way, Passage& passage);
  static void serve(Passage& passage, short client_events, short server_events, Cut cut);

  std::vector<Door> doors_;
  client::Fd wake_fd_;
  std::atomic<Cut> cut_{Cut::kNone};
  std::atomic<bool> reset_{false};
  std::atomic<bool> over_{false};
  std::list<Passage> passages_;  // the thread's own
  std::thread thread_;           // last: it begins when the rest is there
};

}  // namespace cleat::tests
