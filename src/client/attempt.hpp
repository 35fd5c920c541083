// One call of lock() or try_lock(), or one LockCall: what it asks, and what came of it.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

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

  // Written by the engine before done.
  std::shared_ptr<HoldState> hold;  // none and no error: not granted in time
  std::optional<errc> error;
  std::string message;

  std::atomic<int> done{0};  // 1: it is. An int is a futex of its own, a bool shares one with all that wait
  // Without a thread that waits for done: called instead, once, in a turn of the engine.
  std::function<void(Attempt&)> on_done;

  uint64_t number = 0;  // the LockTable's name for it

  void finish();
  void fail(errc code, std::string why);
};

using AttemptPtr = std::shared_ptr<Attempt>;

constexpr milliseconds kLongestWait{31'536'000'000};  // of the service

// The LOCK that asks for it at `now`.
Words lock_words(const Attempt& attempt, TimePoint now);
// What the first word of an error line is to the caller.
errc lock_errc(std::string_view word);

}  // namespace cleat::client
