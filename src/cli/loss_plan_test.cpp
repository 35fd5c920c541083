#include "cli/loss_plan.hpp"

#include <gtest/gtest.h>

namespace cleat::cli {
namespace {

using namespace std::chrono_literals;
using client::TimePoint;

constexpr TimePoint kDeadline{100s};

TEST(LossPlan, TermThenKillBeforeTheDeadline) {
  const auto plan = plan_before(kDeadline, 6s, OnLoss::kTerm);
  EXPECT_EQ(plan.term_at, kDeadline - 2s);
  EXPECT_EQ(plan.kill_at, kDeadline - 600ms);
}

TEST(LossPlan, TermComesThreeSecondsBeforeAtMost) {
  const auto plan = plan_before(kDeadline, 60s, OnLoss::kTerm);
  EXPECT_EQ(plan.term_at, kDeadline - 3s);
  EXPECT_EQ(plan.kill_at, kDeadline - 1s) << "so that there is time between the two";
  EXPECT_EQ(plan_before(kDeadline, 10s, OnLoss::kTerm).term_at, kDeadline - 3s);
}

TEST(LossPlan, AShortTtlKeepsTwoTenthsOfASecondForTheKill) {
  const auto plan = plan_before(kDeadline, 500ms, OnLoss::kTerm);
  EXPECT_EQ(plan.kill_at, kDeadline - 200ms);
  EXPECT_EQ(plan.term_at, kDeadline - 200ms);
}

TEST(LossPlan, KillSendsNoTermAndIgnoreNothing) {
  EXPECT_EQ(plan_before(kDeadline, 6s, OnLoss::kKill).term_at, std::nullopt);
  EXPECT_EQ(plan_before(kDeadline, 6s, OnLoss::kKill).kill_at, kDeadline - 600ms);
  EXPECT_EQ(plan_before(kDeadline, 6s, OnLoss::kIgnore).kill_at, std::nullopt);
  EXPECT_EQ(plan_after_loss(kDeadline, {}, 6s, OnLoss::kIgnore).kill_at, std::nullopt);
}

TEST(LossPlan, ALossThatWasToldTermsAtOnce) {
  const auto planned = plan_before(kDeadline, 6s, OnLoss::kTerm);
  const auto plan = plan_after_loss(kDeadline - 5s, planned, 6s, OnLoss::kTerm);
  EXPECT_EQ(plan.term_at, kDeadline - 5s);
  EXPECT_EQ(plan.kill_at, kDeadline - 5s + 1400ms);
  EXPECT_EQ(plan_after_loss(kDeadline - 1s, planned, 6s, OnLoss::kTerm).kill_at, kDeadline - 600ms)
      << "not later than planned";
  EXPECT_EQ(plan_after_loss(kDeadline - 5s, planned, 6s, OnLoss::kKill).kill_at, kDeadline - 5s);
}

}  // namespace
}  // namespace cleat::cli
