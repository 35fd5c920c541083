// What virtual clients and the virtual server say to each other.
#pragma once

#include <cstdint>
#include <string>

#include "lock/outcome.hpp"
#include "replica/replica.hpp"

namespace cleat::sim {

enum class Kind : uint8_t { kCommand, kKeepAlive, kCheck, kQuit, kGone };

struct Request {
  Kind kind = Kind::kCommand;
  uint64_t number = 0;  // of the client's; comes back
  lock::Command c;      // its views are set by command()
  std::string name, owner, token, req, data, key{};

  lock::Command command() const {
    lock::Command out = c;
    out.name = name;
    out.owner = owner;
    out.token = token;
    out.req = req;
    out.data = data;
    out.key = key;
    return out;
  }
};

struct Reply {
  uint64_t number = 0;
  Kind kind = Kind::kCommand;
  replica::Trouble trouble = replica::Trouble::kNone;
  lock::Result result = lock::Result::kDone;
  lock::Why why = lock::Why::kNone;
  lock::Verb verb = lock::Verb::kTick;
  uint64_t fence = 0, session = 0, losses = 0, count = 0;
  uint32_t epoch = 0, depth = 0;
  int64_t waited_ms = 0, ttl_ms = 0, ms_left = 0;
  bool repeated = false, pushed = false, alive = false;
  bool lost = false;  // a push: the hold `fence` is gone
  std::string key{};
};

class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void on_reply(uint64_t connection, const Reply&) = 0;
  virtual void on_disconnected(uint64_t connection) = 0;
  // False: it has gone elsewhere, and what still arrives on this connection is late.
  virtual bool speaks_on(uint64_t connection) const = 0;
};

}  // namespace cleat::sim
