#include "client/boot_clock.hpp"

#include <time.h>

#include <atomic>

#include "base/check.hpp"

namespace cleat {
namespace {

int64_t read_ns(clockid_t id) noexcept {
  timespec t{};
  CLEAT_CHECK(clock_gettime(id, &t) == 0, "Linux has had this clock since 2.6.39");
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// Time spent suspended. Both clocks tick alike while the machine runs, so boot - monotonic only grows, in steps, at
// each suspend. Reading monotonic last gives a lower bound (a pause between the reads makes it smaller), and the
// greatest lower bound seen is kept: so the sum never goes back, and a pause here is not taken for a suspend.
int64_t suspended_ns() noexcept {
  static std::atomic<int64_t> most{0};
  const int64_t boot = read_ns(CLOCK_BOOTTIME);
  const int64_t bound = boot - read_ns(CLOCK_MONOTONIC);
  int64_t seen = most.load(std::memory_order_relaxed);
  while (bound > seen && !most.compare_exchange_weak(seen, bound, std::memory_order_relaxed)) {
  }
  return bound > seen ? bound : seen;
}

}  // namespace

boot_clock::time_point boot_clock::now() noexcept {
  const int64_t suspended = suspended_ns();
  return time_point(duration(read_ns(CLOCK_MONOTONIC_RAW) + suspended));
}

}  // namespace cleat
