#include "base/rate_watch.hpp"

#include <gtest/gtest.h>

namespace cleat::base {
namespace {

constexpr int64_t kSecond = 1'000'000;

// Readings each second for so long, of a clock that runs at 1 + ppm/1e6.
void watch(RateWatch& w, int64_t from_s, int64_t seconds, int64_t& theirs_us, int64_t ppm, int64_t round_us = 200) {
  for (int64_t s = from_s; s < from_s + seconds; ++s) {
    w.sample(s * kSecond, theirs_us, round_us);
    theirs_us += kSecond + ppm;
  }
}

TEST(RateWatch, TellsNothingBeforeAMinute) {
  RateWatch w;
  int64_t theirs_us = 5;
  watch(w, 0, 60, theirs_us, 50'000);
  EXPECT_FALSE(w.known());
  watch(w, 60, 2, theirs_us, 50'000);
  EXPECT_TRUE(w.known());
  EXPECT_NEAR(w.ppm(), 50'000, 20);
}

TEST(RateWatch, WhatTheNetworkMayExplainIsNone) {
  RateWatch w;
  int64_t theirs_us = 5;
  watch(w, 0, 100, theirs_us, 100, 10'000);
  EXPECT_TRUE(w.known());
  EXPECT_EQ(w.ppm(), 0);
  watch(w, 100, 480, theirs_us, -400, 10'000);
  EXPECT_LT(w.ppm(), -200);
}

TEST(RateWatch, SeesAClockThatChangesAfterDays) {
  RateWatch w;
  int64_t theirs_us = 5;
  watch(w, 0, 100'000, theirs_us, 0);
  EXPECT_EQ(w.ppm(), 0);
  watch(w, 100'000, 601, theirs_us, 8'000);
  EXPECT_NEAR(w.ppm(), 8'000, 20);
}

TEST(RateWatch, BeginsAnewWhenTheOtherClockDid) {
  RateWatch w;
  int64_t theirs_us = 1'000'000'000;
  watch(w, 0, 100, theirs_us, 9'000);
  theirs_us = 7;
  watch(w, 100, 30, theirs_us, 0);
  EXPECT_FALSE(w.known());
  EXPECT_EQ(w.ppm(), 0);
  watch(w, 130, 60, theirs_us, 0);
  EXPECT_TRUE(w.known());
  EXPECT_EQ(w.ppm(), 0);
}

}  // namespace
}  // namespace cleat::base
