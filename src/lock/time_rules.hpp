// D(d) and its inverse, from design note "time": a server counts an end late enough, a client is told it early enough.
#pragma once

#include <cstdint>

namespace cleat::lock {

inline constexpr int64_t kForever = -1;

// ceil(d * (1 + margin)) + 1 ms: how long the service keeps what it promised for d ms.
constexpr int64_t kept_ms(int64_t d_ms, uint32_t margin_ppm) {
  return (d_ms * (1'000'000 + static_cast<int64_t>(margin_ppm)) + 999'999) / 1'000'000 + 1;
}

// floor(t / (1 + margin)): how much of t ms of log time a client with the slowest clock may count on. Not below zero.
constexpr int64_t told_ms(int64_t t_ms, uint32_t margin_ppm) {
  return t_ms <= 0 ? 0 : t_ms * 1'000'000 / (1'000'000 + static_cast<int64_t>(margin_ppm));
}

// What is left of an end that kept_ms() set, for its client: the + 1 ms is not given away, so never more than was
// asked.
constexpr int64_t told_left_ms(int64_t left_ms, uint32_t margin_ppm) {
  return told_ms(left_ms - 1, margin_ppm);
}

}  // namespace cleat::lock
