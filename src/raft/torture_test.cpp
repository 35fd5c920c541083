// A random life on a disk that loses power, fills up and turns its log files over: whatever was acknowledged stays.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "raft/testing.hpp"

namespace cleat::raft {
namespace {

class Life {
 public:
  explicit Life(uint64_t seed) : x_(seed * 0x9e3779b97f4a7c15 + 1) {
    options_ = testing::one_voter(dir_, &disk_);
    options_.log_file_bytes = 64u << 10;
    options_.log_keep_bytes = 256u << 10;
    options_.memory_keep_bytes = 32u << 10;
  }

  void run(int lives) {
    for (int i = 0; i < lives && !::testing::Test::HasFailure(); ++i) {
      live();
      disk_.set_capacity(VirtualDisk::kUnlimited);
      disk_.crash(roll(1u << 30));
      disk_.fail_syncs(false);
    }
  }

  uint64_t compactions = 0, purges = 0, refusals = 0, stops = 0, deaths_in_open = 0, full_starts = 0, acknowledged = 0;

 private:
  uint64_t roll(uint64_t n) {
    x_ ^= x_ << 13, x_ ^= x_ >> 7, x_ ^= x_ << 17;
    return x_ % n;
  }

  void live() {
    if (roll(4) == 0) disk_.stop_after(roll(12));
    const bool is_full = roll(4) == 0;
    if (is_full) disk_.set_capacity(disk_.used_bytes() + roll(600));
    auto opened = Group::open(options_);
    const bool needs_room = !disk_.stopped() && !opened.ok() && opened.status().code() == base::Code::kNoSpace;
    if (needs_room) {
      // Only a log that is new, or older than its snapshot, needs room to be opened.
      ASSERT_TRUE(is_full && (acknowledged_.empty() || options_.snapshot)) << opened.status().message();
      disk_.set_capacity(VirtualDisk::kUnlimited);
      opened = Group::open(options_);
    }
    if (disk_.stopped()) {
      ++deaths_in_open;
      return;
    }
    full_starts += is_full && !needs_room;
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    Group& group = **opened;
    seen_.clear();
    if (!turn(group)) return;
    for (const auto& [index, payload] : acknowledged_) {
      if (options_.snapshot && index <= options_.snapshot->index) continue;
      ASSERT_TRUE(seen_.contains(index)) << "entry " << index << " is gone";
      ASSERT_EQ(seen_[index], payload) << "entry " << index;
    }
    acknowledged_ = seen_;
    for (uint64_t n = roll(60); n > 0; --n) {
      ASSERT_TRUE(group.propose(testing::bytes(std::string(1 + roll(roll(8) ? 300 : 30'000), 'a' + n % 26))));
      if (roll(40) == 0) disk_.fail_syncs(true);
      if (roll(40) == 0) disk_.stop_after(roll(20));
      if (roll(20) == 0) disk_.set_capacity(disk_.used_bytes() + roll(2000));
      if (!turn(group)) return;
      acknowledged_ = seen_;
      if (roll(12) == 0 && !compact(group)) return;
    }
    if (roll(3) == 0) opened->reset();  // a clean end before the power goes
  }

  // False: the member died.
  bool turn(Group& group) {
    while (group.has_ready()) {
      Ready ready = group.ready();
      Persisted p = group.persist(ready);
      if (p == Persisted::kNoSpace) {
        ++refusals;
        disk_.set_capacity(VirtualDisk::kUnlimited);
        p = group.persist(ready);
      }
      if (p == Persisted::kStopped) return ++stops, false;
      for (size_t i = 0; i < ready.committed_count(); ++i) {
        const EntryView e = ready.committed(i);
        seen_[e.index] = testing::text(e.data);
        group.applied(e.index);
      }
    }
    acknowledged += 1;
    return true;
  }

  bool compact(Group& group) {
    const GroupStatus s = group.status();
    // The snapshot's file stands before the log hears of it.
    options_.snapshot = SnapshotMark{s.applied, s.term, group.members()};
    const uint64_t keep = roll(3) ? 0 : roll(40);
    const base::Status done =
        group.compact(*options_.snapshot, std::max(s.first, s.applied + 1 - std::min(keep, s.applied)));
    if (done.code() == base::Code::kNoSpace) return true;
    if (!done.ok()) return ++stops, false;
    ++compactions;
    purges += group.purge().run();
    return true;
  }

  testing::TempDir dir_{"/dev/shm"};
  VirtualDisk disk_;
  Options options_;
  uint64_t x_;
  std::map<uint64_t, std::string> acknowledged_, seen_;
};

TEST(Torture, WhateverWasAcknowledgedStays) {
  const char* more = std::getenv("CLEAT_TORTURE_SEEDS");
  const uint64_t seeds = more ? std::strtoull(more, nullptr, 10) : 30;
  const char* only = std::getenv("CLEAT_TORTURE_SEED");
  uint64_t compactions = 0, purges = 0, refusals = 0, stops = 0, deaths_in_open = 0, full_starts = 0;
  for (uint64_t seed = only ? std::strtoull(only, nullptr, 10) : 1; seed <= seeds; ++seed) {
    Life life(seed);
    life.run(20);
    ASSERT_FALSE(HasFailure()) << "again with CLEAT_TORTURE_SEED=" << seed << " --gtest_filter=Torture.*";
    compactions += life.compactions, purges += life.purges, refusals += life.refusals, stops += life.stops;
    deaths_in_open += life.deaths_in_open, full_starts += life.full_starts;
    if (only) break;
  }
  if (only) return;
  EXPECT_GT(compactions, seeds);
  EXPECT_GT(purges, seeds);
  EXPECT_GT(refusals, seeds);
  EXPECT_GT(stops, seeds);
  EXPECT_GT(deaths_in_open, seeds / 2);
  EXPECT_GT(full_starts, seeds);
}

}  // namespace
}  // namespace cleat::raft
