#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "raft/testing.hpp"

namespace cleat::raft {
namespace {

using testing::one_voter;
using testing::TempDir;

constexpr size_t kRemembered = 32;

std::vector<uint64_t> start(Options o, uint64_t id) {
  o.start_id = id;
  return testing::open(o)->starts();
}

std::vector<uint64_t> filled(std::vector<uint64_t> starts) {
  starts.resize(kRemembered);
  return starts;
}

TEST(Starts, TheLatestAreRemembered) {
  TempDir dir("/dev/shm");
  const Options o = one_voter(dir);
  EXPECT_EQ(start(o, 11), filled({11}));
  EXPECT_EQ(start(o, 12), filled({12, 11}));
  for (uint64_t id = 13; id <= 60; ++id) start(o, id);
  const auto starts = start(o, 61);
  ASSERT_EQ(starts.size(), kRemembered);
  for (size_t i = 0; i < starts.size(); ++i) EXPECT_EQ(starts[i], 61 - i);
}

TEST(Starts, OnAFullDiskToo) {
  TempDir dir("/dev/shm");
  VirtualDisk disk;
  const Options o = one_voter(dir, &disk);
  start(o, 11);
  disk.crash(1);
  disk.set_capacity(disk.used_bytes());
  EXPECT_EQ(start(o, 12), filled({12, 11}));
  disk.crash(2);
  EXPECT_EQ(start(o, 13), filled({13, 12, 11}));
}

TEST(Starts, OfACopyThatWasPutBackAreOthers) {
  TempDir dir("/dev/shm");
  VirtualDisk disk;
  const Options o = one_voter(dir, &disk);
  start(o, 11);
  disk.keep_copy();
  EXPECT_EQ(start(o, 12), filled({12, 11}));
  ASSERT_TRUE(disk.put_copy_back());
  EXPECT_EQ(start(o, 22), filled({22, 11}));
}

// Of a torn slot the starts before it stay known; the torn one has a number and no id.
TEST(Starts, ATornSlotLosesOne) {
  TempDir dir("/dev/shm");
  const Options o = one_voter(dir);
  for (const uint64_t id : {11, 12, 13}) start(o, id);
  std::fstream bound(o.dir + "/bound", std::ios::binary | std::ios::in | std::ios::out);
  bound.seekp(3 * 512 + 30);  // slot of 3
  bound.put('x');
  bound.close();
  EXPECT_EQ(start(o, 14), filled({14, 0, 12, 11}));
}

// A directory from before there were ids: its count goes on.
TEST(Starts, OfAnOlderBuildHaveNumbersAlone) {
  TempDir dir("/dev/shm");
  Options o = one_voter(dir);
  o.group_id = 7;
  start(o, 11);
  // As it was written in the slot of start number 1: magic, group, count, 0, CRC-32.
  std::string old("CLBOOTS1\7\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x2e\x40\x91\x1b", 36);
  old.resize(512);
  std::fstream bound(o.dir + "/bound", std::ios::binary | std::ios::in | std::ios::out);
  bound.seekp(3 * 512);
  bound << old;
  bound.close();
  EXPECT_EQ(start(o, 12), filled({12}));
  EXPECT_EQ(testing::open(o)->status().boot, 3u);
}

}  // namespace
}  // namespace cleat::raft
