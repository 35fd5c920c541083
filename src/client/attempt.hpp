// One call of lock() or try_lock(): what it asks, and what came of it.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "cleat/error.hpp"
#include "client/hold_state.hpp"
#include "client/request.hpp"

namespace cleat::client {

struct Attempt {
  // Written by the caller before it is handed over.
  std::string name;
  std::string owner;
  bool shared = false;
  int priority = 0;
  milliseconds max_hold{0};
  milliseconds delay{0};
  bool only_try = false;           // not to wait in the queue
  std::optional<TimePoint> until;  // the caller waits no longer than this; none: for ever

  // Written by the I/O thread before done.
  std::shared_ptr<HoldState> hold;  // none and no error: not granted in time
  std::optional<errc> error;
  std::string message;

  std::atomic<bool> done{false};
  void finish() {
    done.store(true, std::memory_order_release);
    done.notify_one();
  }
};

using AttemptPtr = std::shared_ptr<Attempt>;

}  // namespace cleat::client
