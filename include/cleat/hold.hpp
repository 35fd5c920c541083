// What a holder may know of a lock that was granted.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "cleat/boot_clock.hpp"

namespace cleat {

namespace client {
class HoldState;
}

// One grant, from lock() until unlock() or its loss. A copy is cheap, speaks of the same grant, may be given to other
// threads, and may outlive the mutex and the Client. Thread-safe.
class Hold {
 public:
  explicit Hold(std::shared_ptr<client::HoldState> state) noexcept : state_(std::move(state)) {}

  // Grows with each grant of the name and is never used again. A resource that refuses a smaller fence than it has
  // seen is safe whatever clocks and networks do; nothing else is safe in the same way. Stays what it was after a loss.
  std::uint64_t fence() const noexcept;

  // Nobody else is granted the lock before this time, if no server's clock runs more than 1% faster than ours, and the
  // hold is not ended by force. It moves on with each sign of life that the service confirms. Once the hold is lost or
  // released: time_point::min().
  boot_clock::time_point deadline() const noexcept;

  // From now until the deadline, on the Client's own clock; 0 once the hold is lost or released.
  boot_clock::duration time_left() const noexcept;

  // Stops when the hold is lost, or when its deadline is near (a third of the session's TTL, 3 s at most) and there is
  // no contact: time to bring the work to an end. Callbacks on it run on the Client's thread, or on one that waits in
  // a lock() of the same Client or found the deadline passed: they must not block, nor lock anything of that Client.
  std::stop_token stop_token() const noexcept;

  // Held, and its deadline has not passed. Once false it stays false. Since anything may happen between this answer
  // and its use, it replaces no fence.
  bool held() const noexcept;
  // Why it was lost; empty while it is held, and after unlock().
  std::string why_lost() const;

 private:
  std::shared_ptr<client::HoldState> state_;
};

}  // namespace cleat
