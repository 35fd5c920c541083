// The judge of the fault runs finds what is wrong, and nothing else.
#include "judge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cleat::tests {
namespace {

using ::testing::HasSubstr;
using Kind = Event::Kind;

struct JudgeTest : ::testing::Test {
  Event event(uint32_t worker, Kind kind, uint64_t fence, int64_t at_us, int64_t deadline_us = -1) const {
    return {.kind = kind,
            .shared = shared,
            .worker = worker,
            .fence = fence,
            .at_ns = at_us * 1'000,
            .deadline_ns = deadline_us < 0 ? INT64_MIN : deadline_us * 1'000};
  }
  void see(uint32_t worker, Kind kind, uint64_t fence, int64_t at_us, int64_t deadline_us = -1) {
    judge.see(event(worker, kind, fence, at_us, deadline_us));
  }
  std::string verdict() const { return judge.verdict().value_or("fine"); }

  Judge judge;
  bool shared = false;
};

TEST_F(JudgeTest, GrantsOneAfterTheOtherAreFine) {
  see(1, Kind::kGranted, 1, 10, 100);
  see(1, Kind::kReleasing, 1, 20);
  see(2, Kind::kGranted, 2, 20, 110);
  see(2, Kind::kBelieved, 2, 30, 120);
  see(3, Kind::kGranted, 3, 120, 200);  // 2 was killed
  EXPECT_EQ(verdict(), "fine");
  EXPECT_EQ(judge.counts().grants, 3u);
  EXPECT_EQ(judge.greatest_fence(0), 3u);
}

TEST_F(JudgeTest, AGrantBeforeTheDeadlineOfAnother) {
  see(1, Kind::kGranted, 1, 10, 100);
  see(2, Kind::kGranted, 2, 99, 200);
  EXPECT_EQ(
      verdict(),
      "name 0: worker 2 thread 0 was granted fence 2 1 us before the deadline that was believed by worker 1 thread 0 "
      "with fence 1");
}

TEST_F(JudgeTest, ADeadlineThatWasMovedBehindAGrant) {
  see(1, Kind::kGranted, 1, 10, 100);
  see(2, Kind::kGranted, 2, 100, 200);
  EXPECT_EQ(verdict(), "fine");
  see(1, Kind::kBelieved, 1, 99, 101);
  EXPECT_THAT(verdict(), HasSubstr("before the deadline"));
}

TEST_F(JudgeTest, AGrantBeforeTheOtherLetGo) {
  see(1, Kind::kGranted, 1, 10, 100);
  see(1, Kind::kReleasing, 1, 30);
  see(2, Kind::kGranted, 2, 29, 200);
  EXPECT_THAT(verdict(), HasSubstr("before it was let go"));
}

TEST_F(JudgeTest, ASmallerFenceAfterAGreaterOne) {
  see(2, Kind::kGranted, 2, 10, 100);
  see(2, Kind::kReleasing, 2, 20);
  see(1, Kind::kGranted, 1, 30, 100);
  EXPECT_THAT(verdict(), HasSubstr("was granted fence 2"));
}

TEST_F(JudgeTest, AFenceTwiceAlsoOfAnotherName) {
  see(1, Kind::kGranted, 1, 10, 20);
  Event other = event(2, Kind::kGranted, 1, 100, 200);
  other.name = 1;
  judge.see(other);
  EXPECT_THAT(verdict(), HasSubstr("fence 1 was granted twice"));
}

TEST_F(JudgeTest, ReadersShareAndExcludeAWriter) {
  shared = true;
  see(1, Kind::kGranted, 1, 10, 100);
  see(2, Kind::kGranted, 2, 20, 100);
  EXPECT_EQ(verdict(), "fine");
  EXPECT_EQ(judge.counts().most_at_once, 2u);
  shared = false;
  see(3, Kind::kGranted, 3, 90, 100);
  EXPECT_THAT(verdict(), HasSubstr("fence 3"));
}

TEST_F(JudgeTest, NamesAreApart) {
  see(1, Kind::kGranted, 1, 10, 100);
  Event other = event(2, Kind::kGranted, 2, 20, 100);
  other.name = 1;
  judge.see(other);
  EXPECT_EQ(verdict(), "fine");
}

TEST_F(JudgeTest, WhatAWorkerFoundItself) {
  Event event{.kind = Kind::kWrong, .worker = 7, .text = "the register refused"};
  judge.see(event);
  EXPECT_EQ(verdict(), "worker 7 thread 0: the register refused");
}

}  // namespace
}  // namespace cleat::tests
