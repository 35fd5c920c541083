// Feature levels: in force once every member knows them, for good, and for all alike.
#include "replica/cluster_testing.hpp"

namespace cleat::replica {
namespace {

using lock::Result;
using testing::Cluster;
using testing::lock_of;

uint32_t level_at(Cluster& c, uint32_t id) {
  return c.at(id).replica->status().level;
}

void restart_with(Cluster& c, uint32_t id, uint32_t level) {
  c.kill(id);
  c.at(id).options.level = level;
  c.pass_ms(3000);
  c.open(id);
}

void upgrade(Cluster& c, uint32_t id) {
  restart_with(c, id, 2);
  c.pass_ms(3000);
}

TEST(Levels, RisesWhenTheLastMemberKnowsIt) {
  Cluster c;
  ASSERT_EQ(c.answer(c.leader(), lock_of("a"))->result, Result::kGranted);
  upgrade(c, 1);
  upgrade(c, 2);
  for (uint32_t id = 1; id <= 3; ++id) EXPECT_EQ(level_at(c, id), 1u);
  restart_with(c, 3, 2);
  c.pass_ms(1500);
  EXPECT_EQ(level_at(c, 1), 1u) << "who has just begun may still go back";
  c.pass_ms(2000);
  for (uint32_t id = 1; id <= 3; ++id) EXPECT_EQ(level_at(c, id), 2u);
  EXPECT_EQ(c.at(1).replica->status().known_level, 2u);
  EXPECT_EQ(c.answer(2, lock_of("b"))->result, Result::kGranted);
  EXPECT_TRUE(c.same_state_after_ms(200));
}

TEST(Levels, AMemberThatIsAwayKeepsItDown) {
  Cluster c;
  ASSERT_TRUE(c.answer(c.leader(), lock_of("a")));
  for (uint32_t id = 1; id <= 3; ++id) c.at(id).options.level = 2;
  c.kill(3);
  for (uint32_t id = 1; id <= 2; ++id) c.kill(id), c.open(id), c.pass_ms(3000);
  c.pass_ms(5000);
  EXPECT_EQ(level_at(c, 1), 1u);
  c.open(3);
  c.pass_ms(4000);
  EXPECT_EQ(level_at(c, 1), 2u);
}

TEST(Levels, AGroupWithoutAPastBeginsWithWhatAllKnow) {
  Cluster c(1);
  c.kill(1);
  c.at(1).options.level = 2;
  c.open(1);
  c.leader();
  EXPECT_EQ(level_at(c, 1), 2u) << "alone it need not wait for anybody";
}

// Both ways a directory can tell: by its log, and by its snapshot.
TEST(Levels, AnOlderBuildRefusesTheDirectory) {
  for (const bool with_snapshot : {false, true}) {
    Cluster c(1);
    c.kill(1);
    c.at(1).options.level = 2;
    c.open(1);
    ASSERT_TRUE(c.answer(c.leader(), lock_of("a")));
    if (with_snapshot) {
      c.at(1).replica->begin_snapshot();
      for (int i = 0; i < 100 && c.at(1).replica->status().snapshot_index == 0; ++i) c.pass_ms(50);
      ASSERT_GT(c.at(1).replica->status().snapshot_index, 0u);
    }
    c.kill(1);
    c.at(1).options.level = 1;
    auto opened = Replica::open(c.at(1).options, c.clock, c.at(1).heard);
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.status().code(), base::Code::kInvalid);
    EXPECT_NE(opened.status().message().find("moved to feature level 2, and this one knows 1 at most"),
              std::string::npos)
        << opened.status().message();
    c.at(1).options.level = 2;
    c.open(1);
    EXPECT_EQ(c.answer(c.leader(), lock_of("a"))->result, Result::kGranted) << "the same token holds it still";
  }
}

// The transport refuses such a member; should one hear of the rise nevertheless, it applies nothing of what follows.
TEST(Levels, AMemberThatKnowsLessStopsAtTheEntry) {
  Cluster c;
  ASSERT_TRUE(c.answer(c.leader(), lock_of("a")));
  const uint32_t old = 3;
  upgrade(c, 1);
  upgrade(c, 2);
  if (c.leader() == old) {
    ASSERT_TRUE(c.at(old).replica->transfer(1).ok());
  }
  c.pass_ms(500);
  ASSERT_NE(c.leader(), old);
  c.at(old).options.level = 2;  // what it says of itself is not true
  for (uint32_t id = 1; id <= 3; ++id)
    if (id != old) c.connect(id, old);
  c.pass_ms(4000);
  EXPECT_NE(c.at(old).heard.unfit.find("feature level 2"), std::string::npos);
  const uint64_t stands = c.at(old).replica->status().applied;
  for (uint32_t id = 1; id <= 3; ++id) {
    if (id == old) continue;
    EXPECT_EQ(c.answer(id, lock_of("b" + std::to_string(id)))->result, Result::kGranted);
  }
  EXPECT_EQ(c.at(old).replica->status().applied, stands);
}

TEST(Levels, WhatNeedsMoreIsNotTakenFromAnotherMember) {
  Cluster c;
  const uint32_t leader = c.leader(), other = c.follower();
  ASSERT_EQ(c.answer(other, lock_of("a"))->result, Result::kGranted);
  lock::Command renew = lock_of("a");
  renew.verb = lock::Verb::kRenew;
  renew.data = "d";
  renew.has_data = true;
  ASSERT_EQ(c.ask(other, 7, renew), Trouble::kNone) << "the door refuses it, not the pump";
  c.pass_ms(300);
  EXPECT_FALSE(c.at(leader).replica->machine().show("a", {}).holders.at(0).data.has_value());
}

}  // namespace
}  // namespace cleat::replica
