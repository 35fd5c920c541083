// The clock on which a client counts its deadlines: CLOCK_MONOTONIC_RAW, which NTP does not slew, plus the time the
// machine was suspended. std::chrono::steady_clock counts neither right, so no deadline of ours uses it.
#pragma once

#include <chrono>
#include <cstdint>

namespace cleat {

struct boot_clock {
  using rep = int64_t;
  using period = std::nano;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<boot_clock>;
  static constexpr bool is_steady = true;

  // Never goes back within a process. Thread-safe.
  static time_point now() noexcept;
};

namespace client {

using TimePoint = boot_clock::time_point;
using std::chrono::milliseconds;

// Where a part takes its time from, so that tests can hand in their own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return boot_clock::now(); }
};

}  // namespace client
}  // namespace cleat
