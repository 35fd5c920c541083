// When the pairs of `cleat bench` are due. Pure.
#pragma once

#include <algorithm>
#include <optional>

#include "cli/bench_tally.hpp"

namespace cleat::cli {

// Open loop: pair i is due at start + i / rate, whatever became of those before it. Closed loop: nothing is ever due,
// pairs are begun until over().
class BenchSchedule {
 public:
  BenchSchedule(client::TimePoint start, const BenchCommand& asked)
      : start_(start), warm_(start + asked.warm_up), end_(warm_ + asked.duration), rate_(asked.rate) {}

  client::TimePoint warm() const { return warm_; }
  client::TimePoint end() const { return end_; }
  bool over(client::TimePoint now) const { return now >= end_; }
  void end_at(client::TimePoint now) { end_ = std::min(end_, now); }

  // The first that was not taken, which may lie in the future; none: no more are due before the end.
  std::optional<client::TimePoint> due() const {
    if (!rate_) return std::nullopt;
    const client::TimePoint at = due_of(taken_);
    return at < end_ ? std::optional(at) : std::nullopt;
  }
  void took() { ++taken_; }

 private:
  // Exact for as long as a run may take: a day at a million a second is 2^37 pairs.
  client::TimePoint due_of(uint64_t i) const {
    const auto rate = static_cast<uint64_t>(*rate_);
    return start_ + std::chrono::seconds(i / rate) + std::chrono::nanoseconds(i % rate * 1'000'000'000 / rate);
  }

  client::TimePoint start_, warm_, end_;
  std::optional<int64_t> rate_;
  uint64_t taken_ = 0;
};

}  // namespace cleat::cli
