#include "replica/log_clock.hpp"

#include <gtest/gtest.h>

namespace cleat::replica {
namespace {

TEST(LogClock, BeginsAtTheLastEntryAndCountsFromTheFirstReadingAfterTheElection) {
  LogClock clock;
  clock.turn(1'000'000);  // before leadership: nothing counts
  clock.lead(5'000);
  clock.turn(9'000'000);
  EXPECT_EQ(clock.stamp_ms(), 5'000);
  clock.turn(9'040'000);
  EXPECT_EQ(clock.stamp_ms(), 5'040);
  EXPECT_EQ(clock.elected_ms(), 5'000);
}

TEST(LogClock, CountsAtMostATenthOfASecondATurn) {
  LogClock clock;
  clock.lead(0);
  clock.turn(0);
  clock.turn(100'000);
  EXPECT_EQ(clock.stamp_ms(), 100);
  EXPECT_EQ(clock.stalls(), 0u);
  clock.turn(60'000'000);
  EXPECT_EQ(clock.stamp_ms(), 200);
  EXPECT_EQ(clock.stalls(), 1u);
  clock.turn(60'010'000);
  EXPECT_EQ(clock.stamp_ms(), 210);
}

TEST(LogClock, StampsRoundDownAndHeardRoundsUp) {
  LogClock clock;
  clock.lead(7);
  clock.turn(0);
  EXPECT_EQ(clock.stamp_ms(), 7);
  EXPECT_EQ(clock.heard_ms(), 7);
  clock.turn(1);
  EXPECT_EQ(clock.stamp_ms(), 7);
  EXPECT_EQ(clock.heard_ms(), 8);
}

TEST(LogClock, ANewTermForgetsWhatWasNotLogged) {
  LogClock clock;
  clock.lead(100);
  clock.turn(0);
  clock.turn(90'000);
  EXPECT_EQ(clock.stamp_ms(), 190);
  clock.follow();
  clock.turn(180'000);
  clock.lead(120);
  clock.turn(270'000);
  EXPECT_EQ(clock.stamp_ms(), 120);
}

TEST(LogClock, AClockThatStepsBackCountsNothing) {
  LogClock clock;
  clock.lead(10);
  clock.turn(50'000);
  clock.turn(20'000);
  EXPECT_EQ(clock.stamp_ms(), 10);
  clock.turn(50'000);
  EXPECT_EQ(clock.stamp_ms(), 10) << "what was counted once is not counted again";
}

}  // namespace
}  // namespace cleat::replica
