#include <gtest/gtest.h>

#include "model.hpp"
#include "runner.hpp"
#include "shrink.hpp"

namespace cleat::auditor {
namespace {

using lock::Mode;

// Some seconds of work; under a sanitizer less, or it would be a minute.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kSeeds = 30;
#else
constexpr uint64_t kSeeds = 150;
#endif

TEST(AuditorModel, CompatibilityIsSymmetricAndXCoversAll) {
  for (int a = 0; a < lock::kModes; ++a) {
    for (int b = 0; b < lock::kModes; ++b) {
      EXPECT_EQ(may_both_hold(Mode(a), Mode(b)), may_both_hold(Mode(b), Mode(a)));
      EXPECT_EQ(may_both_hold(Mode(a), Mode(b)), lock::compatible(Mode(a), Mode(b)));
      EXPECT_EQ(is_covered_by(Mode(a), Mode(b)), lock::covers(Mode(b), Mode(a)));
    }
    EXPECT_TRUE(is_covered_by(Mode(a), Mode::kExclusive));
  }
}

TEST(Auditor, PromisesHoldAndRestoredMachinesGoOn) {
  RunCounts counts;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const auto failure = run_plan(make_plan(seed, 300), {/*model=*/false, /*properties=*/true}, false, &counts);
    ASSERT_FALSE(failure) << "seed " << seed << " step " << failure->step << ": " << failure->check << ": "
                          << failure->what << "\nreplay: auditor --promises-only --seeds " << seed << ".." << seed
                          << " --steps 300";
  }
  EXPECT_GT(counts.grants, 1'000u);
  EXPECT_GT(counts.restores, 10u);
}

TEST(Auditor, MachineAndModelAgree) {
  RunCounts counts;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto failure = run_plan(make_plan(seed, 2000), {}, false, &counts);
    ASSERT_FALSE(failure) << "seed " << seed << " step " << failure->step << ": " << failure->check << ": "
                          << failure->what << "\nreplay: auditor --seeds " << seed << ".." << seed << " --steps 2000";
  }
  // An empty comparison would agree too: everything must have happened.
  EXPECT_EQ(counts.steps, kSeeds * 2000);
  EXPECT_GT(counts.grants, kSeeds * 200);
  EXPECT_GT(counts.waits, kSeeds * 300);
  EXPECT_GT(counts.expiries, kSeeds * 80);
  EXPECT_GT(counts.ghosts, kSeeds * 20);
  EXPECT_GT(counts.repeats, kSeeds * 70);
  EXPECT_GT(counts.refusals, kSeeds * 1500);
  EXPECT_GT(counts.restores, kSeeds * 5);
  EXPECT_GT(counts.crowded, kSeeds * 50);
}

TEST(Auditor, ShrinksToWhatMatters) {
  Plan plan = make_plan(7, 300);
  const auto has_put_and_renew = [](const Plan& p) {
    bool put = false, renew = false;
    for (const auto& step : p.steps) {
      for (const auto& run : step.runs) {
        for (const auto& op : run.ops) {
          put |= op.verb == lock::Verb::kPut;
          renew |= put && op.verb == lock::Verb::kRenew;
        }
      }
    }
    return renew;
  };
  ASSERT_TRUE(has_put_and_renew(plan));
  const Plan less = shrink(plan, has_put_and_renew);
  size_t ops = 0;
  for (const auto& step : less.steps) {
    for (const auto& run : step.runs) ops += run.ops.size();
  }
  EXPECT_EQ(ops, 2u);
  EXPECT_TRUE(has_put_and_renew(less));
}

}  // namespace
}  // namespace cleat::auditor
