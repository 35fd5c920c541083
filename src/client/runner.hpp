// What runs an Engine: its clock, its wire, and whoever makes its turns.
#pragma once

#include <cstdint>
#include <memory>

#include "client/attempt.hpp"
#include "client/boot_clock.hpp"
#include "client/wire.hpp"

namespace cleat::client {

class Engine;

class Runner {
 public:
  virtual ~Runner() = default;

  virtual std::shared_ptr<const Clock> clock() const = 0;
  virtual Wire& wire() = 0;
  virtual uint64_t seed() = 0;  // of what the engine leaves to chance

  // From now on it makes the engine's turns, one at a time: after wake(), when its wire is ready, and at its
  // next_wake(). Until end(), which returns when the engine is over, or should be.
  virtual void begin(Engine& engine) = 0;
  virtual void end() = 0;

  // Any thread may call these.
  virtual void wake() noexcept = 0;
  // As wake(), when there is nothing to be waited for but that it is sent: that may be done on the calling thread.
  virtual void send() noexcept = 0;
  // Waits until it is done; `must_wake`: nobody has been woken for it yet.
  virtual void await(const Attempt& attempt, bool must_wake) = 0;
  virtual bool in_turn() const noexcept = 0;  // the calling thread makes a turn now: this is a callback
};

}  // namespace cleat::client
