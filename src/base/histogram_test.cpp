#include "base/histogram.hpp"

#include <gtest/gtest.h>

namespace cleat::base {
namespace {

template <int kBits>
void percentiles_are_within_a_step(double above) {
  Histogram<kBits> h;
  EXPECT_EQ(h.percentile(0.5), 0u);
  for (int i = 1; i <= 100'000; ++i) h.add(i);
  for (const double share : {0.1, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = share * 100'000;
    EXPECT_GE(h.percentile(share), exact * 0.99);
    EXPECT_LE(h.percentile(share), exact * above);
  }
  EXPECT_EQ(h.max(), 100'000u);
  EXPECT_EQ(h.percentile(1), 100'000u);
  EXPECT_EQ(h.count(), 100'000u);
}

TEST(Histogram, PercentilesAreWithinAStep) {
  percentiles_are_within_a_step<4>(1.07);
  percentiles_are_within_a_step<6>(1.017);
}

TEST(Histogram, TakesAnyNumber) {
  Histogram<6> h;
  for (const int64_t v : {int64_t{-5}, int64_t{0}, int64_t{1}, int64_t{15}, int64_t{16}, INT64_MAX}) h.add(v);
  EXPECT_EQ(h.percentile(0.99), static_cast<uint64_t>(INT64_MAX));
  EXPECT_EQ(h.percentile(0.3), 0u);
}

}  // namespace
}  // namespace cleat::base
