#include "replica/log_writer.hpp"

#include <atomic>

#include "replica/testing.hpp"

namespace cleat::replica {
namespace {

using raft::testing::bytes;

// A group whose first Readys are done, and one Ready for each payload that it is given.
class LogWriterTest : public ::testing::Test {
 protected:
  LogWriterTest() { raft::testing::drain(*group_, nullptr); }

  raft::Ready ready(std::string_view payload) {
    EXPECT_TRUE(group_->propose(bytes(payload)));
    return group_->ready();
  }
  // How many of them are written, in order; the rest found no room.
  size_t take_all(LogWriter& writer) {
    size_t written = 0;
    bool refused = false;
    while (auto one = writer.take()) {
      refused = refused || one->result == raft::Persisted::kNoSpace;
      if (refused) {
        EXPECT_EQ(one->result, raft::Persisted::kNoSpace) << "what comes behind is not written before it";
        left_.push_back(std::move(one->ready));
      } else {
        EXPECT_EQ(one->result, raft::Persisted::kDone);
        group_->written(one->ready);
        ++written;
      }
    }
    EXPECT_FALSE(writer.busy());
    return written;
  }

  raft::testing::TempDir dir_{"/dev/shm"};
  raft::VirtualDisk disk_;
  std::unique_ptr<raft::Group> group_ = raft::testing::open(raft::testing::one_voter(dir_, &disk_));
  testing::ManualClock clock_;
  std::vector<raft::Ready> left_;
};

TEST_F(LogWriterTest, AThreadWritesInOrderAndWakesWhoWaits) {
  std::atomic<int> woken = 0;
  LogWriter writer(clock_, true, [&] {
    ++woken;
    woken.notify_all();
  });
  writer.wake_when_tried(true);
  for (const char* payload : {"a", "b", "c"}) writer.begin(ready(payload));
  EXPECT_TRUE(writer.busy());
  for (int seen = woken; seen < 3; seen = woken) woken.wait(seen);
  EXPECT_TRUE(writer.due());
  EXPECT_EQ(take_all(writer), 3u);
  EXPECT_EQ(group_->status().durable, group_->status().last);
  EXPECT_FALSE(writer.due());
}

TEST_F(LogWriterTest, WhatFindsNoRoomComesBackWithAllThatIsBehindIt) {
  for (const bool own_thread : {true, false}) {
    LogWriter writer(clock_, own_thread, [] {});
    disk_.set_capacity(disk_.used_bytes());
    for (const char* payload : {"a", "b", "c"}) writer.begin(ready(payload));
    EXPECT_EQ(take_all(writer), 0u);
    ASSERT_EQ(left_.size(), 3u);
    disk_.set_capacity(raft::VirtualDisk::kUnlimited);
    for (raft::Ready& one : left_) ASSERT_EQ(group_->persist(one), raft::Persisted::kDone);
    left_.clear();
    writer.begin(ready("d"));
    EXPECT_EQ(take_all(writer), 1u) << "after that it writes again";
  }
}

TEST_F(LogWriterTest, WithoutAThreadAWriteIsDoneWhenItIsTaken) {
  LogWriter writer(clock_, false, [] { FAIL() << "there is nobody to wake"; });
  writer.wake_when_tried(true);
  const uint64_t durable = group_->status().durable;
  writer.begin(ready("a"));
  EXPECT_EQ(group_->status().durable, durable);
  EXPECT_TRUE(writer.due());
  EXPECT_EQ(take_all(writer), 1u);
  EXPECT_EQ(group_->status().durable, durable + 1);
}

}  // namespace
}  // namespace cleat::replica
