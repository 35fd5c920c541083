// The clock on which deadlines of holds are counted: CLOCK_MONOTONIC_RAW, which NTP does not slew, plus the time the
// machine was suspended. std::chrono::steady_clock counts neither right, so compare no deadline with it.
#pragma once

#include <chrono>
#include <cstdint>

namespace cleat {

struct boot_clock {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::duration<rep, period>;
  using time_point = std::chrono::time_point<boot_clock>;
  static constexpr bool is_steady = true;

  // Never goes back within a process. Thread-safe.
  static time_point now() noexcept;
};

}  // namespace cleat
