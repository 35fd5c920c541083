// The connection to the service that all locks of a program share.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cleat/boot_clock.hpp"
#include "cleat/error.hpp"
#include "cleat/rank.hpp"

namespace cleat {

namespace client {
class Engine;
}
namespace testing {
class FakeService;
}

// What happened to a Client.
struct ClientEvent {
  enum class Kind {
    connected,     // and the session is known there: at the beginning, and after each disconnected
    disconnected,  // or could not connect; it tries again by itself, elsewhere if there are several servers
    session_lost,  // all that was held is lost; a new session follows
    refused,       // every server refuses us; the calls that wait end with it
    clock_rate,  // a server's clock and ours differ by more than half of what deadlines allow for; told once a session
  };
  Kind kind;
  std::string server;   // HOST:PORT
  std::string message;  // why, for people; empty where there is nothing to say
};

struct Options {
  // HOST:PORT, [IPV6]:PORT or HOST (port 7420). One that answers is enough, it tells of the others.
  std::vector<std::string> servers{"127.0.0.1:7420"};
  std::string password{};
  // How long holds outlive the last sign of life of this program. 500 ms to 24 h.
  std::chrono::milliseconds ttl{10'000};
  // For people who look at sessions; at most 64 bytes. Empty: host name and process number.
  std::string label{};
  // After so long without any contact since the Client was made, calls give up with errc::unreachable; so long
  // try_lock() waits for an answer.
  std::chrono::milliseconds connect_timeout{5'000};
  // The destructor waits at most so long for the service to confirm that all is let go.
  std::chrono::milliseconds close_timeout{2'000};
  // For logs and metrics. Called on the Client's thread, or one that is inside of a call of the library: it must not
  // block, throw, nor lock anything of this Client.
  std::function<void(const ClientEvent&)> on_event{};
  // A thread takes locks against their ranks (LockOptions::rank). Called on that thread, before it waits: may throw,
  // out of its lock(), or return, then it waits after all. Empty: the process ends with the message.
  std::function<void(const RankViolation&)> on_rank_violation{};
};

// One session with the service: everything locked through it lives as long as this program gives signs of life. Owns
// one thread and, at a time, one connection, which carries all its locks. It goes to another server when one is silent
// or gone, and comes back by itself; holds and places in queues survive that as long as the session does.
//
// Thread-safe. Mutexes made with it may outlive it, but can't be locked any more. The destructor lets go of all that is
// still held and ends calls that still wait with errc::closed. In a child of fork(2) it is of no use: locking throws
// errc::forked, and destroying it there touches nothing of the parent's.
class Client {
 public:
  // Does not wait for the connection: the first lock does. Throws Error (errc::invalid) for a malformed address or
  // option.
  explicit Client(const Options& options = {});
  // One address, or several with commas between.
  explicit Client(const std::string& servers);
  explicit Client(const char* servers) : Client(std::string(servers)) {}
  // In tests: without a server, and on the clock of the FakeService (cleat/testing.hpp). Options::servers says nothing.
  explicit Client(testing::FakeService& service, const Options& options = {});
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // On the clock on which the deadlines of its holds and its own waits are counted: boot_clock, or a test's own.
  boot_clock::time_point now() const noexcept;

  // The service's number of the session now; empty while there is none.
  std::string session_id() const;

 private:
  friend class Handle;
  friend class testing::FakeService;
  std::shared_ptr<client::Engine> engine_;
};

}  // namespace cleat
