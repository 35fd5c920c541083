// A short slice of the fault runs for each primitive; `make library-faults` is the long form.
#include "fault_run.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <iostream>
#include <random>

namespace cleat::tests {
namespace {

using namespace std::chrono_literals;

uint64_t seed() {
  const char* given = ::getenv("CLEAT_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

void run_and_expect_nothing(FaultPlan plan) {
  plan.seed = seed();
  const FaultReport report = run_faults(plan);
  std::cout << "seed " << plan.seed << ": " << report.text() << "\n";
  EXPECT_EQ(report.wrong, "") << "repeat with CLEAT_TEST_SEED=" << plan.seed
                              << " (the timing of processes differs from run to run)";
  EXPECT_GT(report.counts.grants, 20u) << "the run is empty";
}

TEST(FaultTest, MutexOfPrograms) {
  run_and_expect_nothing({.primitive = "mutex"});
}

TEST(FaultTest, RecursiveMutexOfPrograms) {
  run_and_expect_nothing({.primitive = "recursive"});
}

TEST(FaultTest, SharedMutexOfPrograms) {
  run_and_expect_nothing({.primitive = "shared"});
}

TEST(FaultTest, GrantsOfTasks) {
  run_and_expect_nothing({.primitive = "task"});
}

TEST(FaultTest, TokenLocks) {
  run_and_expect_nothing({.primitive = "token"});
}

TEST(FaultTest, AllKindsOnTheSameNamesOfThreeMembers) {
  run_and_expect_nothing({.primitive = "mixed", .cluster = true, .ttl = 1'000ms});
}

// What the runs above are worth: programs that believe for longer than the library says are found.
TEST(FaultTest, ALengthenedDeadlineIsFound) {
  FaultPlan plan{.duration = 20s, .lengthened = 1'000ms};
  plan.seed = seed();
  const FaultReport report = run_faults(plan);
  std::cout << "seed " << plan.seed << ": " << report.wrong.substr(0, report.wrong.find('\n')) << "\n";
  EXPECT_NE(report.wrong, "") << "nothing was found in: " << report.text();
}

}  // namespace
}  // namespace cleat::tests
