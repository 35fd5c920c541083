// How many log files there are while the log is compacted, in one life and over many.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "raft/testing.hpp"

namespace cleat::raft {
namespace {

namespace fs = std::filesystem;
using testing::Applied;
using testing::drain;
using ::testing::HasSubstr;
using testing::one_voter;
using testing::propose;
using testing::TempDir;

const char* const kMemory = "/dev/shm";

// Names of the log files in use or kept for reuse; fails if one holds rewritten entries.
size_t count_files(const Options& o) {
  size_t files = 0;
  for (const auto& e : fs::directory_iterator(o.dir + "/log")) {
    if (e.path().extension() == ".rewrite") {
      EXPECT_LT(fs::file_size(e), 200u) << "something was rewritten";
    }
    ++files;
  }
  return files;
}

TEST(Durability, CompactionKeepsFewFilesAndRewritesNothing) {
  TempDir dir(kMemory);
  Options o = one_voter(dir);
  uint64_t last = 0;
  size_t most = 0;
  for (int life = 0; life < 3; ++life) {
    Applied applied;
    auto group = testing::open(o);
    drain(*group, &applied);
    ASSERT_GE(applied.last(), last);
    for (int i = 0; i < 10'000; ++i) {
      propose(*group, std::string(1000, 'x'));
      drain(*group, &applied);
      if (group->status().log_bytes > 3u << 20) {
        o.snapshot = SnapshotMark{applied.last(), group->status().term, group->members()};
        ASSERT_TRUE(group->compact(*o.snapshot, applied.last() - 500).ok());
        group->purge().run();
        EXPECT_EQ(group->status().first, applied.last() - 500);
      }
      if (i % 500 == 0) most = std::max(most, count_files(o));
    }
    last = applied.last();
  }
  EXPECT_LE(most, 16u);  // of 1 MiB: up to 8 in use, 6 for reuse, the other queue's, the lock
  SnapshotMark older = *o.snapshot;
  --older.index;
  for (const auto& wrong : {std::optional<SnapshotMark>(), std::optional(older)}) {
    Options bad = o;
    bad.snapshot = wrong;
    auto group = Group::open(bad);
    ASSERT_FALSE(group.ok());
    EXPECT_EQ(group.status().code(), base::Code::kCorrupt);
    EXPECT_THAT(group.status().message(), HasSubstr("snapshot"));
  }
}

// What a life writes is less than what its compaction keeps.
TEST(Durability, CompactionKeepsFewFilesOfAMemberThatIsOftenStarted) {
  TempDir dir(kMemory);
  Options o = one_voter(dir);
  Applied applied;
  size_t most = 0;
  for (int life = 0; life < 30; ++life) {
    auto group = testing::open(o);
    for (int i = 0; i < 800; ++i) {
      propose(*group, std::string(1000, 'x'));
      drain(*group, &applied);
    }
    o.snapshot = SnapshotMark{applied.last(), group->status().term, group->members()};
    ASSERT_TRUE(group->compact(*o.snapshot, std::max<uint64_t>(1502, applied.last()) - 1500).ok());
    group->purge().run();
    most = std::max(most, count_files(o));
  }
  EXPECT_LE(most, 16u);
}

}  // namespace
}  // namespace cleat::raft
