// A seeded generator (splitmix64): the same seed gives the same run everywhere.
#pragma once

#include <cstdint>

namespace cleat::sim {

class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed * kStep + 0x2545f4914f6cdd1dull) {}

  uint64_t next() {
    state_ += kStep;
    return mixed(state_);
  }
  int64_t in(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(next() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(double p) { return static_cast<double>(next() >> 11) * 0x1p-53 < p; }
  size_t below(size_t n) { return static_cast<size_t>(next() % n); }

  static uint64_t mixed(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

 private:
  static constexpr uint64_t kStep = 0x9e3779b97f4a7c15ull;
  uint64_t state_;
};

}  // namespace cleat::sim
