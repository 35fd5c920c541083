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
  virtual void await(const Attempt& attempt) = 0;  // waits until it is done
  virtual bool in_turn() const noexcept = 0;       // the calling thread makes a turn now: this is a callback
};

}  // namespace cleat::client
