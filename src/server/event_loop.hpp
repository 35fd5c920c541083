// Drives a Service with real sockets: one thread for I/O, log and apply. Client sockets lie in a poller of our own
// (net/poller.hpp), which is where the loop waits: one system call a turn, where waiting in Asio for the poller's own
// descriptor took four. What is Asio's (signals; nothing yet that hurries) is looked at whenever no client keeps the
// loop busy, at least every 100 ms; a signal interrupts the wait.
#pragma once

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <cstdint>

#include "net/listener.hpp"
#include "net/poller.hpp"
#include "net/service_notify.hpp"
#include "server/peer_link.hpp"
#include "server/service.hpp"

namespace cleat::server {

class EventLoop {
 public:
  EventLoop(Service&, net::Listener&, replica::Clock&, const net::ServiceNotify&);
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // For net::Peers, which lie beside the clients in the same poller and are to go before the loop does.
  net::Poller& poller() { return poller_; }
  // Drives the connections to other members from now on; null: there are none. What came over them is taken before the
  // replica's step.
  void drive(PeerLink* members) { members_ = members; }

  // Until SIGTERM, SIGINT or stop(); then hands over leadership, if it can, and says good-bye to the clients.
  void run();
  // From the loop's own thread, or by post() of its io_context.
  void stop();
  asio::io_context& io() { return io_; }
  // One turn, waiting for input if `may_wait`.
  void turn(bool may_wait);
  // For Service: sends what was written for clients so far in this turn.
  void send_touched();
  // For Service: the socket of a connection that ended.
  void close_socket(Connection&);

 private:
  std::span<net::Ready> wait(bool may_wait);
  void await_signal();
  void take(std::span<net::Ready> ready);
  void accept_all();
  void read_from(Connection&);
  void flush(Connection&);
  void tell_watchdog();
  void hand_over();

  Service& service_;
  net::Listener* listener_;
  replica::Clock& clock_;
  const net::ServiceNotify& notify_;
  asio::io_context io_;
  asio::signal_set signals_;
  net::Poller poller_;
  PeerLink* members_ = nullptr;
  bool stopping_ = false;
  unsigned turns_ = 0;
  int64_t next_watchdog_us_ = 0;
};

}  // namespace cleat::server
