// The service in memory, for tests of programs that lock: no server, no disk, no network, and a clock that only the
// test moves. Of a library of its own: CMake's cleat::testing.
//
//   cleat::testing::FakeService service;
//   cleat::Client client(service);
//   cleat::Mutex orders(client, "orders");
//   orders.lock();
//   service.set_network(cleat::testing::Network::cut);
//   service.advance(11s);
//   assert(!orders.hold().held() && orders.stop_token().stop_requested());
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "cleat/boot_clock.hpp"
#include "cleat/client.hpp"

namespace cleat::testing {

class World;

enum class Network {
  up,
  // Nothing gets through either way and nobody is told, as with a pulled cable. What was said meanwhile arrives when it
  // is up again, unless the Client gave its connection up before.
  cut,
  // What the Clients say arrives and is done, what the service answers does not: it arrives later in the same way.
  answers_cut,
};

// One service of which all Clients made with it are clients. Behind it works what works in a server: the real lock
// machine, command table and wire protocol, so that queues, fences, deadlines, modes and errors are the real ones.
//
// It is deterministic. No thread runs: whoever calls advance(), or anything else of the service, a Client or a mutex,
// first lets everything happen that is due, in one fixed order, until nothing is left to do; only then does the call
// return. So after unlock() the next one has the lock, and after advance(11s) every keep-alive, time-out, expiry and
// grant of these 11 s has happened at its time, on both sides, and callbacks on stop tokens have run (on the calling
// thread). A call that must wait blocks its thread until another thread's call decides it, or time is moved.
//
// Deadlines and waits of its Clients are counted on now(), which begins at boot_clock::now() and then stands still.
// Programs that compare deadlines themselves should ask Client::now() or Hold::time_left(), which are right everywhere.
//
// Thread-safe; but callbacks on stop tokens may only ask now(). Clients may outlive it.
class FakeService {
 public:
  FakeService();
  ~FakeService();
  FakeService(const FakeService&) = delete;
  FakeService& operator=(const FakeService&) = delete;

  boot_clock::time_point now() const noexcept;
  // Lets this time pass. The clock goes from one thing that is due to the next.
  void advance(boot_clock::duration time);
  // The same, and that Client's program stands still meanwhile: it is stopped, or its machine is suspended. At the end
  // it finds that much time gone.
  void stall(Client& client, boot_clock::duration time);
  // While it is on, a call that must wait lets time pass until it is decided: so a test with one thread can see
  // try_lock_for(2s) time out. Off at first.
  void set_auto_advance(bool on);

  void set_network(Network network);
  // Every connection breaks, and both ends notice. Clients connect again by themselves, after a pause on the clock.
  void disconnect();

  // As a server that is killed: connections break, new ones are refused. What was decided is kept.
  void stop();
  // As one that is started again. No session's time has passed meanwhile.
  void start();
  // As `cleat cluster restore`: all sessions are gone with their holds and places; fences go on growing.
  void restore();
  // Ends that session (Client::session_id()) as if it had expired; what it held is lost.
  void end_session(const std::string& id);

  // How things stand in the service, also while Clients are cut off.
  struct State {
    std::size_t holders = 0, waiters = 0;
    std::uint64_t fence = 0;  // of the latest of these holds; 0: none
  };
  State state(const std::string& name) const;
  // Waits until at least so many calls wait for the lock in the service's queue: for tests with threads. False: they
  // did not within `patience`, which is real time.
  bool await_waiters(const std::string& name, std::size_t waiters,
                     std::chrono::milliseconds patience = std::chrono::seconds(10)) const;

 private:
  friend class cleat::Client;
  std::shared_ptr<World> world_;
};

}  // namespace cleat::testing
