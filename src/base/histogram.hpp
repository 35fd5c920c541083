// A log-linear histogram of whole numbers: with 4 step bits 16 steps to each doubling, so that a percentile is right
// within 6%, in some 8 KiB; with 6 within 1.6%, in 30 KiB. No allocation after construction.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace cleat::base {

template <int kStepBits>
class Histogram {
 public:
  void add(int64_t value) {
    const uint64_t v = value < 0 ? 0 : static_cast<uint64_t>(value);
    ++buckets_[index_of(v)];
    ++count_;
    sum_ += v;
    if (v > max_) max_ = v;
  }
  uint64_t count() const { return count_; }
  uint64_t sum() const { return sum_; }
  uint64_t max() const { return max_; }
  // Smallest value that at least `share` of all are not above, within a step; 0 when empty.
  uint64_t percentile(double share) const {
    if (count_ == 0) return 0;
    auto left = static_cast<int64_t>(share * static_cast<double>(count_));
    for (size_t i = 0; i < buckets_.size(); ++i) {
      left -= static_cast<int64_t>(buckets_[i]);
      if (left < 0) return upper_end(i) < max_ ? upper_end(i) : max_;
    }
    return max_;
  }

 private:
  static constexpr size_t index_of(uint64_t v) {
    if (v < (1u << kStepBits)) return static_cast<size_t>(v);
    const int shift = std::bit_width(v) - 1 - kStepBits;
    return (static_cast<size_t>(shift) << kStepBits) + static_cast<size_t>(v >> shift);
  }
  static constexpr uint64_t upper_end(size_t index) {
    if (index < (1u << kStepBits)) return index;
    const size_t shift = (index >> kStepBits) - 1;
    const uint64_t step = (index & ((1u << kStepBits) - 1)) + (1u << kStepBits);
    return ((step + 1) << shift) - 1;
  }

  std::array<uint64_t, (64 - kStepBits + 1) << kStepBits> buckets_{};
  uint64_t count_ = 0, sum_ = 0, max_ = 0;
};

}  // namespace cleat::base
