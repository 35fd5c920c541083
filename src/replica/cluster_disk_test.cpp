// Several members whose leader writes to its disk beside its turns.
#include "replica/cluster_testing.hpp"

namespace cleat::replica {
namespace {

using lock::Result;
using testing::Cluster;
using testing::lock_of;

// What others acknowledged while more was asked is answered before the disk has the next entry.
TEST(Cluster, AnswersDoNotWaitForTheNextEntrysSync) {
  Cluster c;
  const uint32_t leader = c.leader();
  auto& heard = c.at(leader).heard;
  ASSERT_EQ(c.ask(leader, 7, lock_of("first", "t")), Trouble::kNone);
  c.turn();
  c.turn();
  ASSERT_TRUE(heard.outcomes.empty());
  ASSERT_TRUE(heard.waits.empty());
  ASSERT_EQ(c.ask(leader, 8, lock_of("second", "t")), Trouble::kNone);
  c.turn();
  EXPECT_EQ(heard.outcomes.size(), 1u);
  EXPECT_EQ(heard.waits, std::vector<size_t>{1});
}

// What several clients asked is written beside the leader's turns: they end before it is on the disk.
void ask_in_one_entry(Cluster& c, uint32_t leader) {
  ASSERT_EQ(c.ask(leader, 7, lock_of("first", "t")), Trouble::kNone);
  ASSERT_EQ(c.ask(leader, 8, lock_of("second", "t")), Trouble::kNone);
}

TEST(Cluster, ALeaderGoesOnWhileItsDiskWrites) {
  Cluster c;
  const uint32_t leader = c.leader();
  Replica& replica = *c.at(leader).replica;
  const uint64_t last = replica.status().durable;
  ask_in_one_entry(c, leader);
  c.turn();
  EXPECT_EQ(replica.status().durable, last);
  EXPECT_EQ(replica.next_wake_us(), c.clock.now_us);
  // Meanwhile the next entry gathers, and is proposed when the disk is done.
  ASSERT_EQ(c.ask(leader, 9, lock_of("third", "t")), Trouble::kNone);
  c.turn();
  EXPECT_EQ(replica.status().durable, last + 1);
  c.turn();
  EXPECT_EQ(replica.status().durable, last + 2);
  c.pass_ms(5);
  EXPECT_EQ(c.at(leader).heard.outcomes.size(), 3u);
}

TEST(Cluster, WhatALeaderHadNotWrittenWhenItDiedIsKeptByTheOthers) {
  Cluster c;
  const uint32_t leader = c.leader();
  const uint32_t other = c.follower();
  ask_in_one_entry(c, leader);
  c.turn();  // the others have it, its own disk has not
  c.kill(leader);
  ASSERT_NE(c.leader(), leader);
  EXPECT_EQ(c.answer(other, lock_of("first", "u"))->result, Result::kNotGranted);
  c.open(leader);
  EXPECT_TRUE(c.same_state_after_ms(500));
}

TEST(Cluster, ALeaderThatIsDeposedFinishesItsWritesFirst) {
  Cluster c;
  const uint32_t leader = c.leader();
  ask_in_one_entry(c, leader);
  c.cut_off = {leader};
  c.turn();
  c.pass_ms(2000);  // another leads, with another entry in that place
  const uint32_t next = c.leader();
  ASSERT_NE(next, leader);
  EXPECT_EQ(c.answer(next, lock_of("first", "u"))->result, Result::kGranted);
  c.cut_off.clear();
  EXPECT_TRUE(c.same_state_after_ms(500));
  EXPECT_EQ(c.answer(leader, lock_of("second", "u"))->result, Result::kGranted);
}

TEST(Cluster, ALeaderWhoseDiskIsFullWritesInOrderWhenThereIsRoom) {
  Cluster c;
  const uint32_t leader = c.leader();
  auto& node = c.at(leader);
  c.cut_off = {leader};  // nobody else decides meanwhile
  node.disk.set_capacity(node.disk.used_bytes());
  ask_in_one_entry(c, leader);
  c.turn();
  c.turn();
  EXPECT_TRUE(node.replica->status().disk_full);
  EXPECT_EQ(c.ask(leader, 9, lock_of("third", "t")), Trouble::kDiskFull);
  node.disk.set_capacity(raft::VirtualDisk::kUnlimited);
  c.cut_off.clear();
  c.pass_ms(100);
  EXPECT_FALSE(node.replica->status().disk_full);
  ASSERT_EQ(node.heard.outcomes.size(), 2u);
  EXPECT_EQ(node.heard.outcomes[1].result, Result::kGranted);
  EXPECT_TRUE(c.same_state_after_ms(500));
}

}  // namespace
}  // namespace cleat::replica
