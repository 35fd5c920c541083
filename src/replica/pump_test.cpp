#include <gtest/gtest.h>

#include <algorithm>

#include "replica/testing.hpp"
#include "storage/snapshot.hpp"

namespace cleat::replica {
namespace {

using testing::Node;

TEST(Pump, ProposesPersistsAppliesAnswersInOneTurn) {
  Node node;
  node.start();
  const uint64_t syncs = node.replica->status().syncs;
  ASSERT_EQ(node.ask(7, Node::lock_token("a", "t", 5000)), Trouble::kNone);
  ASSERT_EQ(node.ask(8, Node::lock_token("b", "t", 5000)), Trouble::kNone);
  node.pass_ms(1);
  ASSERT_EQ(node.heard.outcomes.size(), 2u);
  EXPECT_EQ(node.heard.outcomes[0].connection, 7u);
  EXPECT_EQ(node.heard.outcomes[0].result, lock::Result::kGranted);
  EXPECT_EQ(node.heard.outcomes[1].connection, 8u);
  EXPECT_EQ(node.replica->status().syncs, syncs + 1) << "one synced write for what two connections asked";
}

TEST(Pump, AnIdleNodeWritesNothing) {
  Node node;
  node.start();
  const uint64_t syncs = node.disk.syncs();
  node.run_ms(30'000);
  EXPECT_EQ(node.disk.syncs(), syncs);
  EXPECT_GT(*node.replica->next_wake_us(), node.clock.now_us);
}

TEST(Pump, WhatWasAnsweredIsThereAfterACrashAndBootsCount) {
  Node node;
  node.start();
  EXPECT_EQ(node.replica->boot(), 1u);
  node.ask(1, Node::lock_token("a", "t", 60'000));
  node.pass_ms(1);
  const uint64_t fence = node.answer()->fence, digest = node.replica->machine().digest();
  node.crash();
  node.start();
  EXPECT_EQ(node.replica->boot(), 2u);
  EXPECT_TRUE(node.heard.outcomes.empty()) << "what was decided before the start is told to nobody";
  EXPECT_TRUE(node.replica->machine().check("a", {fence}));
  EXPECT_NE(digest, 0u);
}

TEST(Pump, LogTimeStandsStillOverARestartAndNeverGoesBack) {
  Node node;
  node.start();
  node.ask(1, Node::lock_token("a", "t", 10'000));
  node.pass_ms(50);
  const int64_t before_ms = node.replica->machine().log_ms();
  node.crash();
  node.clock.now_us += 3'600'000'000;
  node.start();
  node.ask(1, Node::lock_token("b", "t", 10'000));
  node.pass_ms(1);
  EXPECT_GE(node.replica->machine().log_ms(), before_ms);
  EXPECT_LE(node.replica->machine().log_ms(), before_ms + 10);
}

TEST(Pump, TicksEndHoldsInTimeAndEverySecondOtherwise) {
  Node node;
  node.start();
  node.ask(1, Node::lock_token("a", "t", 5000));
  node.pass_ms(1);
  node.run_ms(3500);
  EXPECT_EQ(node.heard.count(lock::Verb::kTick), 3u) << "an idle log is stamped once a second while a timer runs";
  EXPECT_EQ(node.replica->machine().totals().holds, 1u);
  node.run_ms(1600);
  EXPECT_EQ(node.replica->machine().totals().holds, 0u);
  const uint64_t entries = node.replica->status().entries;
  node.run_ms(5000);
  EXPECT_EQ(node.replica->status().entries, entries) << "no timer, no tick";
}

TEST(Pump, SettingsThatDifferAreProposed) {
  Node node;
  node.options.settings.waiters_per_name = 7;
  node.start();
  EXPECT_EQ(node.replica->machine().settings().waiters_per_name, 7u);
  node.crash();
  node.options.settings.waiters_per_name = 8;
  node.start();
  EXPECT_EQ(node.replica->machine().settings().waiters_per_name, 8u);
}

TEST(Pump, ASnapshotCutsTheLogAndIsWhereAStartBegins) {
  Node node;
  node.start();
  for (int i = 0; i < 200; ++i) {
    node.ask(1, Node::lock_token("name" + std::to_string(i), "t", 600'000));
    node.pass_ms(1);
  }
  node.replica->begin_snapshot();
  for (int i = 0; i < 500 && node.replica->status().snapshot_index <= 1; ++i) {
    node.ask(1, Node::lock_token("late" + std::to_string(i), "t", 600'000));
    node.pass_ms(1);
  }
  ASSERT_GT(node.replica->status().snapshot_index, 200u);
  node.ask(1, Node::lock_token("last", "t", 600'000));
  node.pass_ms(1);
  const uint64_t digest = node.replica->machine().digest();
  node.crash();
  ASSERT_TRUE(node.open().ok());
  EXPECT_EQ(node.replica->machine().digest(), digest);
  EXPECT_LT(node.heard.entries.size(), 300u) << "the snapshot stands for the entries before it";
}

TEST(Pump, ADamagedSnapshotIsRefused) {
  Node node;
  node.start();
  node.ask(1, Node::lock_token("a", "t", 600'000));
  node.pass_ms(1);
  node.replica->begin_snapshot();
  for (int i = 0; i < 500 && node.replica->status().snapshot_index <= 1; ++i) node.pass_ms(1);
  const uint64_t index = node.replica->status().snapshot_index;
  ASSERT_GT(index, 1u);
  node.crash();
  ASSERT_TRUE(node.files.flip(storage::snapshot_path(node.options.dir + "/snapshots", index), 60, 1));
  EXPECT_EQ(node.open().code(), base::Code::kCorrupt);
}

TEST(Pump, ADirectoryOfAnotherVersionIsRefusedInWords) {
  Node node;
  node.files.put(node.options.dir + "/format", "cleat data 9\n");
  const base::Status s = node.open();
  EXPECT_EQ(s.code(), base::Code::kInvalid);
  EXPECT_NE(s.message().find("another version"), std::string::npos) << s.message();
}

TEST(Pump, ANodeThatStartsWithLittleFreeSpaceSaysSo) {
  Node node;
  node.options.min_free_bytes = 2 << 20;
  node.files.set_capacity(1 << 20);
  node.start();
  EXPECT_TRUE(node.replica->status().disk_full);
  EXPECT_EQ(std::count_if(node.heard.lines.begin(), node.heard.lines.end(),
                          [](const auto& line) { return line.starts_with("little free space in "); }),
            1);
}

TEST(Pump, AFullLogAnswersNothingUntilThereIsRoom) {
  Node node;
  node.start();
  node.disk.set_capacity(node.disk.used_bytes());
  ASSERT_EQ(node.ask(1, Node::lock_token("a", "t", 60'000)), Trouble::kNone);
  node.run_ms(1000);
  EXPECT_TRUE(node.heard.outcomes.empty());
  EXPECT_TRUE(node.replica->status().disk_full);
  EXPECT_EQ(node.ask(1, Node::lock_token("b", "t", 60'000)), Trouble::kDiskFull);
  node.disk.set_capacity(raft::VirtualDisk::kUnlimited);
  node.run_ms(100);
  ASSERT_EQ(node.heard.outcomes.size(), 1u);
  EXPECT_EQ(node.heard.outcomes[0].result, lock::Result::kGranted);
  EXPECT_FALSE(node.replica->status().disk_full);
}

TEST(Pump, LogTimeStandsStillWhileTheLogMeetsAFullDisk) {
  Node node;
  node.start();
  const auto s = node.open_session(1000);
  node.disk.set_capacity(node.disk.used_bytes());
  node.say_something(s);
  node.run_ms(5000);
  node.disk.set_capacity(raft::VirtualDisk::kUnlimited);
  node.run_ms(100);
  EXPECT_TRUE(node.heard.ended.empty());
}

TEST(Pump, LittleSpaceRefusesNewLocksOnly) {
  Node node;
  node.start();
  node.ask(1, Node::lock_token("a", "t", 60'000));
  node.files.set_capacity(500);
  node.run_ms(400);
  EXPECT_EQ(node.ask(1, Node::lock_token("b", "t", 60'000)), Trouble::kDiskFull);
  EXPECT_EQ(node.ask(1, Node::lock_token("a", "t", 60'000)), Trouble::kNone) << "said again";
  lock::Command unlock;
  unlock.verb = lock::Verb::kUnlock;
  unlock.name = "a";
  unlock.token = "t";
  EXPECT_EQ(node.ask(1, unlock), Trouble::kNone);
  node.files.set_capacity(UINT64_MAX);
  node.run_ms(400);
  EXPECT_EQ(node.ask(1, Node::lock_token("b", "t", 60'000)), Trouble::kNone);
}

TEST(Pump, AFailedSyncSaysNothingMore) {
  Node node;
  node.start();
  node.disk.fail_syncs(true);
  node.ask(1, Node::lock_token("a", "t", 60'000));
  node.run_ms(200);
  EXPECT_TRUE(node.heard.outcomes.empty());
  EXPECT_EQ(node.ask(1, Node::lock_token("b", "t", 60'000)), Trouble::kNoQuorum);
}

TEST(Pump, AFullTurnSaysBusy) {
  Node node;
  node.options.max_entry_bytes = 300;
  node.start();
  Trouble trouble = Trouble::kNone;
  int taken = 0;
  for (; trouble == Trouble::kNone && taken < 100; ++taken)
    trouble = node.ask(1, Node::lock_token("name" + std::to_string(taken), "t", 60'000));
  EXPECT_EQ(trouble, Trouble::kBusy);
  node.pass_ms(1);
  EXPECT_EQ(node.heard.outcomes.size(), static_cast<size_t>(taken - 1));
  EXPECT_EQ(node.ask(1, Node::lock_token("more", "t", 60'000)), Trouble::kNone);
}

TEST(Pump, ReadsWaitForAProofAndSeeWhatWasAnsweredBefore) {
  Node node;
  node.start();
  node.replica->read(5);
  EXPECT_EQ(node.heard.reads.count(5), 0u);
  node.pass_ms(1);
  ASSERT_EQ(node.heard.reads.count(5), 1u);
  EXPECT_EQ(node.heard.reads[5], Trouble::kNone);
}

}  // namespace
}  // namespace cleat::replica
