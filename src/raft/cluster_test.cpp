// Three members over the port: election, replication, leader change, truncation, snapshot, reads, determinism.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "raft/cluster_testing.hpp"

namespace cleat::raft {
namespace {

using testing::Cluster;
using ::testing::Contains;
using ::testing::Not;

void expect_same(Cluster& c, size_t payloads) {
  for (uint64_t id = 1; id <= 3; ++id) {
    EXPECT_EQ(c.at(id).applied.payloads().size(), payloads) << "member " << id;
    EXPECT_EQ(c.at(id).applied.payloads(), c.at(1).applied.payloads()) << "member " << id;
  }
}

TEST(Cluster, ElectsAndReplicates) {
  Cluster c;
  const uint64_t leader = c.leader();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(c.propose(leader, "v" + std::to_string(i)));
  c.settle();
  c.ticks(2);
  expect_same(c, 20);
}

TEST(Cluster, FollowersDoNotPropose) {
  Cluster c;
  const uint64_t leader = c.leader();
  for (uint64_t id = 1; id <= 3; ++id) {
    if (id == leader) continue;
    EXPECT_FALSE(c.propose(id, "x"));
    EXPECT_FALSE(c.at(id).group->read_index().has_value());
  }
  c.ticks(3);
  expect_same(c, 0);
}

TEST(Cluster, NewLeaderTakesOverAndTheOldOneLosesWhatWasNotCommitted) {
  Cluster c;
  const uint64_t old = c.leader();
  ASSERT_TRUE(c.propose(old, "kept"));
  c.settle();
  c.cut_off = {old};
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(c.propose(old, "lost"));
  c.settle();
  const uint64_t last_before = c.at(old).group->status().last;
  const uint64_t next = c.leader();
  ASSERT_NE(next, old);
  ASSERT_TRUE(c.propose(next, "new"));
  c.settle();
  c.ticks(25);
  EXPECT_NE(c.at(old).group->status().role, Role::kLeader) << "a leader without a quorum steps down";
  c.cut_off = {};
  c.ticks(5);
  expect_same(c, 2);
  EXPECT_THAT(c.at(old).applied.payloads(), Not(Contains("lost")));
  // The suffix was cut, below what the bound said; a restart must take that for right (rule 12).
  ASSERT_LT(c.at(old).group->status().last, last_before);
  c.crash(old, 3);
  c.restart(old);
  c.ticks(5);
  expect_same(c, 2);
}

TEST(Cluster, SuffixCutThenKilledAtOnce) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    Cluster c(seed + 1);
    const uint64_t old = c.leader();
    c.cut_off = {old};
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(c.propose(old, "lost" + std::to_string(i)));
    c.settle();
    const uint64_t next = c.leader();
    ASSERT_TRUE(c.propose(next, "new"));
    c.settle();
    c.cut_off = {};
    // The write that cuts the suffix meets the end of the power: its sync fails.
    c.at(old).disk.fail_syncs(true);
    c.ticks(3);
    c.crash(old, seed);
    c.at(old).disk.fail_syncs(false);
    c.restart(old);
    c.ticks(40);
    c.leader();
    c.ticks(3);
    expect_same(c, 1);
  }
}

struct Behind {
  uint64_t leader, lagging, index;
};

// A member is cut off, and all that was proposed since is compacted away, up to `index`.
Behind leave_one_behind(Cluster& c) {
  const uint64_t leader = c.leader();
  const uint64_t lagging = leader % 3 + 1;
  c.cut_off = {lagging};
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(c.propose(leader, "early" + std::to_string(i)));
    c.settle();
  }
  Group& group = *c.at(leader).group;
  const uint64_t index = group.status().applied;
  EXPECT_TRUE(group.compact({index, 0, group.members()}, index + 1).ok());
  return {leader, lagging, index};
}

TEST(Cluster, LaggingMemberGetsASnapshotAndSurvivesARestart) {
  Cluster c;
  const auto [leader, lagging, index] = leave_one_behind(c);
  c.cut_off = {};
  c.ticks(10);
  EXPECT_EQ(c.at(lagging).snapshots, 1u);
  ASSERT_TRUE(c.propose(leader, "late"));
  c.settle();
  c.ticks(2);
  EXPECT_EQ(c.at(lagging).applied.payloads(), std::vector<std::string>{"late"});
  EXPECT_EQ(c.at(lagging).group->status().first, index + 1);
  c.crash(lagging, 5);
  c.restart(lagging);
  c.ticks(3);
  EXPECT_EQ(c.at(lagging).applied.payloads(), std::vector<std::string>{"late"});
}

// The disk is full or slow: the member may not stand for election meanwhile (raft-rs would panic).
TEST(Cluster, TimePassesWhileASnapshotWaitsForTheDisk) {
  Cluster c;
  const auto [leader, lagging, index] = leave_one_behind(c);
  std::string snapshot;
  c.lose = [&](const Cluster::Letter& letter) {
    if (letter.snapshot) snapshot = letter.wire;
    return letter.snapshot;
  };
  c.cut_off = {};
  for (int i = 0; i < 20 && snapshot.empty(); ++i) c.ticks(1);
  ASSERT_FALSE(snapshot.empty());
  Group& group = *c.at(lagging).group;
  ASSERT_EQ(group.step(leader, testing::bytes(snapshot), Group::kAnySnapshot), Dropped::kNot);
  {
    Ready ready = group.ready();
    ASSERT_TRUE(ready.has_snapshot());
    for (int i = 0; i < 100; ++i) group.tick();
    ASSERT_EQ(group.persist(ready), Persisted::kDone);
    for (int i = 0; i < 100; ++i) group.tick();
    c.at(lagging).options.snapshot = ready.snapshot();
  }
  group.applied(index);
  c.lose = nullptr;
  c.at(leader).group->report_snapshot(lagging, true);
  c.ticks(5);
  ASSERT_TRUE(c.propose(c.leader(), "late"));
  c.settle();
  c.ticks(2);
  EXPECT_EQ(c.at(lagging).applied.payloads(), std::vector<std::string>{"late"});
}

TEST(Cluster, AfterAReceivedSnapshotOldFilesGoAndRestartsWork) {
  Cluster c;
  const uint64_t leader = c.leader();
  const uint64_t lagging = leader % 3 + 1;
  auto& l = c.at(leader);
  auto& m = c.at(lagging);
  for (int round = 0; round < 3; ++round) {
    c.cut_off = {lagging};
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(c.propose(leader, "gap"));
      c.settle();
    }
    const uint64_t index = l.group->status().applied;
    ASSERT_TRUE(l.group->compact({index, 0, l.group->members()}, index + 1).ok());
    c.cut_off = {};
    c.ticks(10);
    ASSERT_EQ(m.snapshots, static_cast<size_t>(round) + 1);
    // Enough to turn over several log files, so that the one with the cleaned group is purged.
    for (int i = 0; i < 120; ++i) {
      ASSERT_TRUE(c.propose(leader, std::string(60'000, 'x')));
      c.settle();
    }
    c.ticks(2);
    m.options.snapshot = SnapshotMark{m.group->status().applied, l.group->status().term, m.group->members()};
    ASSERT_TRUE(m.group->compact(*m.options.snapshot, m.options.snapshot->index - 2).ok());
    m.group->purge().run();
    ASSERT_TRUE(c.propose(leader, "after the purge"));
    c.settle();
    c.ticks(2);
    c.crash(lagging, static_cast<uint64_t>(round));
    c.restart(lagging);
    c.ticks(3);
    EXPECT_EQ(m.applied.payloads(), std::vector<std::string>{"after the purge"});
    EXPECT_EQ(m.group->status().last, l.group->status().last);
  }
}

TEST(Cluster, ANewMemberIsSentASnapshotOnceThereIsOne) {
  Cluster c;
  const uint64_t leader = c.leader();
  auto& l = c.at(leader);
  ASSERT_TRUE(c.propose(leader, "before"));
  c.settle();
  EXPECT_FALSE(l.group->status().snapshot_wanted);
  c.join(4);
  EXPECT_EQ(c.at(4).group->status().voters, 0u);
  const char add_learner_4[] = {0x12, 0x04, 0x08, 0x02, 0x10, 0x04};  // eraftpb.ConfChangeV2
  ASSERT_TRUE(l.group->propose_members(testing::bytes({add_learner_4, sizeof add_learner_4})));
  c.settle();
  c.ticks(5);
  EXPECT_TRUE(l.group->status().snapshot_wanted);
  EXPECT_EQ(c.at(4).snapshots, 0u);
  const uint64_t index = l.group->status().applied;
  ASSERT_TRUE(l.group->compact({index, 0, l.group->members()}, index + 1).ok());
  EXPECT_FALSE(l.group->status().snapshot_wanted);
  c.ticks(10);
  EXPECT_EQ(c.at(4).snapshots, 1u);
  EXPECT_EQ(c.at(4).group->members(), l.group->members());
  ASSERT_TRUE(c.propose(leader, "after"));
  c.settle();
  EXPECT_EQ(c.at(4).applied.payloads(), std::vector<std::string>{"after"});
}

TEST(Cluster, ReadsNeedAQuorumAndTheirContextsNeverRepeat) {
  Cluster c;
  const uint64_t leader = c.leader();
  c.settle();
  auto& m = c.at(leader);
  std::set<ReadContext> seen;
  for (int i = 0; i < 10; ++i) {
    auto context = m.group->read_index();
    ASSERT_TRUE(context);
    EXPECT_TRUE(seen.insert(*context).second);
  }
  EXPECT_TRUE(m.reads.empty());
  c.settle();
  EXPECT_EQ(m.reads.size(), 10u);
  m.reads.clear();
  for (uint64_t id = 1; id <= 3; ++id) {
    if (id != leader) c.cut_off.insert(id);
  }
  ASSERT_TRUE(m.group->read_index());
  c.ticks(40);
  EXPECT_TRUE(m.reads.empty()) << "a leader alone confirms nothing";
  c.cut_off = {};
  c.crash(leader, 1);
  c.restart(leader);
  c.ticks(40);
  const uint64_t next = c.leader();
  c.settle();
  if (auto context = c.at(next).group->read_index()) {
    EXPECT_TRUE(seen.insert(*context).second);
  }
}

TEST(Cluster, SameSeedSameBytes) {
  const auto run = [](uint64_t seed) {
    Cluster c(seed);
    std::string bytes;
    c.on_letter = [&](const Cluster::Letter& l) { bytes += l.wire; };
    const uint64_t leader = c.leader();
    for (int i = 0; i < 10; ++i) (void)c.propose(leader, "v" + std::to_string(i));
    c.settle();
    c.cut_off = {leader};
    c.leader();
    c.cut_off = {};
    c.ticks(30);
    c.crash(leader, seed);
    c.restart(leader);
    c.ticks(30);
    return bytes;
  };
  const std::string first = run(7);
  EXPECT_EQ(first, run(7));
  EXPECT_NE(first, run(8));
}

TEST(Cluster, LostAndRepeatedMessagesDoNotHarm) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster c(seed);
    uint64_t x = seed * 77777;
    c.lose = [&](const Cluster::Letter&) { return x = x * 6364136223846793005 + 1442695040888963407, (x >> 60) < 4; };
    int proposed = 0;
    for (int i = 0; i < 200; ++i) {
      proposed += c.propose(c.leader(), "v" + std::to_string(i));
      c.ticks(1);
    }
    c.lose = nullptr;
    c.ticks(60);
    expect_same(c, c.at(1).applied.payloads().size());
    EXPECT_GT(c.at(1).applied.payloads().size(), static_cast<size_t>(proposed) / 2);
  }
}

TEST(Cluster, LeadershipIsHandedOver) {
  Cluster c;
  const uint64_t old = c.leader();
  const uint64_t next = old % 3 + 1;
  c.at(old).group->transfer(next);
  EXPECT_TRUE(c.at(old).group->status().handing_over);
  c.settle();
  EXPECT_EQ(c.at(next).group->status().role, Role::kLeader);
  EXPECT_EQ(c.at(old).group->status().role, Role::kFollower);
}

// Its membership is left while answers to what it sent since are on their way: they are no longer its to count.
TEST(Cluster, ALeaderThatIsNoMemberAnyMoreStepsDown) {
  Cluster c;
  const uint64_t goes = c.leader();
  Group& group = *c.at(goes).group;
  const auto propose = [&](std::span<const MemberEdit> edits) {
    return group.propose_members(testing::bytes(group.make_change(edits, {})));
  };
  const MemberEdit removal{MemberEdit::Kind::kRemove, goes};
  c.settle();
  ASSERT_TRUE(propose(std::span(&removal, 1)));
  c.settle();
  ASSERT_EQ(group.status().role, Role::kLeader) << "it leads the joint membership";
  ASSERT_EQ(group.member_ids().outgoing.size(), 3u);
  ASSERT_TRUE(propose({}));
  c.speak(goes);
  ASSERT_TRUE(c.propose(goes, "sent by one that goes"));
  c.speak(goes);
  c.settle();
  EXPECT_EQ(group.status().role, Role::kFollower);
  EXPECT_FALSE(group.member_ids().contains(goes));
  const uint64_t next = c.leader();
  ASSERT_NE(next, goes);
  ASSERT_TRUE(c.propose(next, "after"));
  c.ticks(3);
  EXPECT_EQ(c.at(next).group->member_ids().voters.size(), 2u);
  for (const uint64_t id : c.at(next).group->member_ids().voters)
    EXPECT_THAT(c.at(id).applied.payloads(), Contains("after")) << "member " << id;
}

TEST(ClusterDeathTest, LateMessagesBeforeThePersistAreABug) {
  Cluster c;
  c.at(1).group->campaign();
  Ready ready = c.at(1).group->ready();
  ASSERT_EQ(ready.message_count(), 0u);
  ASSERT_EQ(ready.late_message_count(), 2u);
  EXPECT_DEATH((void)ready.late_message(0), "on disk");
}

}  // namespace
}  // namespace cleat::raft
