// What stands behind a mutex of the public headers: which thread has which grant of its name.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "cleat/mutex.hpp"
#include "client/attempt.hpp"
#include "client/engine.hpp"

namespace cleat::client {

// The calling thread, as OWNER tells it to the service: unique in the process, never used again.
const std::string& this_owner();

// All threads may call.
class LockHandle {
 public:
  LockHandle(std::shared_ptr<Engine> engine, std::string name, LockOptions options, const char* type, bool recursive);
  ~LockHandle();

  // Throws Error. False: not granted.
  bool acquire(bool shared, Wait wait);
  void release(bool shared) noexcept;
  std::shared_ptr<HoldState> hold() const;  // of the calling thread; throws Error (errc::not_held)
  const std::string& name() const { return name_; }
  const std::shared_ptr<Engine>& engine() const { return engine_; }
  // What `owner` asks when it locks this.
  AttemptPtr attempt(std::string owner, bool shared, Wait wait) const;

 private:
  struct Held {
    std::shared_ptr<HoldState> hold;
    bool shared;
    int depth;
  };
  enum class Own { kNone, kEntered, kRefused };
  Own enter_again(bool for_ever);
  [[noreturn]] void misused(const std::string& what) const noexcept;

  const std::shared_ptr<Engine> engine_;
  const std::string name_;
  const LockOptions options_;
  const char* const type_;
  const bool recursive_;
  mutable std::mutex mutex_;
  std::map<std::string, Held> held_;  // by owner
};

}  // namespace cleat::client
