// What the pump says to the other members of its group, as opaque messages. Implemented over sockets by server/ and
// over a virtual network by sim/. Called during Replica::step() only, on its thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace cleat::replica {

class Outbox {
 public:
  virtual ~Outbox() = default;
  // In order for each member, at most once. The bytes are copied. Dropped without a word when there is no connection to
  // that member or its buffer is full: what matters is said again by those who need it.
  virtual void send(uint32_t member, std::string_view message) = 0;
  // What was sent should leave now: called before the pump waits for its disk, so that disk and network work at the
  // same time, and at the end of a step.
  virtual void flush() = 0;
};

}  // namespace cleat::replica
