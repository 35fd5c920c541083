// What was persisted comes back; what was damaged is refused, never silently dropped (engine.md rules 4, 12, 13).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "raft/hooks.hpp"
#include "raft/testing.hpp"

namespace cleat::raft {
namespace {

namespace fs = std::filesystem;
using testing::Applied;
using testing::bytes;
using testing::drain;
using ::testing::HasSubstr;
using testing::one_voter;
using testing::propose;
using testing::reopen;
using testing::TempDir;

const char* const kMemory = "/dev/shm";

// A closed group with `count` entries of `size` bytes.
std::vector<std::string> fill(const Options& o, int count, size_t size = 100) {
  auto group = testing::open(o);
  Applied applied;
  drain(*group, &applied);
  for (int i = 0; i < count; ++i) {
    std::string payload = std::to_string(i);
    payload.resize(size, '.');
    propose(*group, payload);
    drain(*group, &applied);
  }
  return applied.payloads();
}

std::string last_log(const Options& o) {
  std::string last;
  for (const auto& e : fs::directory_iterator(o.dir + "/log")) {
    if (e.path().extension() == ".raftlog") last = std::max(last, e.path().string());
  }
  return last;
}

std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void spit(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

TEST(Durability, EveryFlippedByteIsRefusedOrHarmlessAndTheFileIsLeftAlone) {
  TempDir dir(kMemory);
  const Options o = one_voter(dir);
  const auto payloads = fill(o, 6, 40);
  const std::string log = last_log(o), bound = slurp(o.dir + "/bound");
  const std::string whole = slurp(log);
  int refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string bad = whole;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    spit(log, bad);
    auto group = Group::open(o);
    if (group.ok()) {
      Applied applied;
      drain(**group, &applied);
      ASSERT_EQ(applied.payloads(), payloads) << "byte " << i;
    } else {
      ++refused;
      ASSERT_EQ(group.status().code(), base::Code::kCorrupt) << group.status().message();
      ASSERT_EQ(slurp(log), bad) << "byte " << i;
    }
    spit(log, whole);
    spit(o.dir + "/bound", bound);
  }
  EXPECT_GT(refused, static_cast<int>(whole.size()) * 9 / 10);
  EXPECT_EQ(reopen(o), payloads);
}

TEST(Durability, FlipInTheMiddleOfManyFilesIsRefused) {
  TempDir dir(kMemory);
  Options o = one_voter(dir);
  const auto payloads = fill(o, 3000, 1000);
  const std::string log = o.dir + "/log/0000000000000001.raftlog";
  const std::string whole = slurp(log);
  ASSERT_GT(whole.size(), 1u << 20);
  for (size_t at : {size_t{100}, whole.size() / 2, whole.size() - 100}) {
    std::string bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    spit(log, bad);
    auto group = Group::open(o);
    ASSERT_FALSE(group.ok());
    EXPECT_EQ(group.status().code(), base::Code::kCorrupt);
    EXPECT_THAT(group.status().message(), HasSubstr("Restore the directory from a backup"));
  }
  spit(log, whole);
  EXPECT_EQ(reopen(o), payloads);
}

// raft-engine makes room for padding up to the alignment that a file's header names, or panics, when a bad record
// follows.
TEST(Durability, AbsurdAlignmentIsRefusedBeforeTheEngineBelievesIt) {
  TempDir dir(kMemory);
  const Options o = one_voter(dir);
  const auto payloads = fill(o, 5);
  for (const std::string& file : {last_log(o), o.dir + "/log/0000000000000001.rewrite"}) {
    const std::string whole = slurp(file);
    ASSERT_GE(whole.size(), 69u) << file;
    for (size_t at = 61; at < 69; ++at) {
      std::string bad = whole + std::string(3000, 'g');
      bad[at] = 0x10;
      spit(file, bad);
      auto group = Group::open(o);
      ASSERT_FALSE(group.ok()) << file << " byte " << at;
      EXPECT_EQ(group.status().code(), base::Code::kCorrupt);
      EXPECT_THAT(group.status().message(), HasSubstr("has a bad header"));
      EXPECT_EQ(slurp(file), bad);
    }
    spit(file, whole);
  }
  EXPECT_EQ(reopen(o), payloads);
}

TEST(Durability, CutTailIsRefusedUntilTheBoundIsGivenUp) {
  TempDir dir(kMemory);
  const Options o = one_voter(dir);
  auto payloads = fill(o, 5);
  const std::string log = last_log(o);
  const std::string whole = slurp(log);
  spit(log, whole.substr(0, whole.size() - 10));
  auto group = Group::open(o);
  ASSERT_FALSE(group.ok());
  EXPECT_EQ(group.status().code(), base::Code::kCorrupt);
  EXPECT_THAT(group.status().message(), HasSubstr("delete " + o.dir + "/bound"));
  EXPECT_EQ(slurp(log).size(), whole.size() - 10);
  fs::remove(o.dir + "/bound");
  payloads.pop_back();
  EXPECT_EQ(reopen(o), payloads);
  EXPECT_EQ(reopen(o), payloads);
}

// Killed while the log turns over to a new file: the file is there, its header is not.
TEST(Durability, FileWithoutHeaderAtTheEndIsBegunAnewAndReadForEver) {
  TempDir dir(kMemory);
  const Options o = one_voter(dir);
  auto payloads = fill(o, 5);
  spit(o.dir + "/log/0000000000000002.raftlog", "");
  {
    auto group = testing::open(o);
    Applied applied;
    drain(*group, &applied);
    ASSERT_EQ(applied.payloads(), payloads);
    for (int i = 0; i < 30; ++i) {
      payloads.push_back(std::string(100'000, 'p'));
      propose(*group, payloads.back());
      drain(*group, &applied);
    }
  }
  ASSERT_TRUE(fs::exists(o.dir + "/log/0000000000000004.raftlog"));
  EXPECT_EQ(reopen(o), payloads);
}

TEST(Durability, GarbageAboveTheBoundIsCut) {
  TempDir dir(kMemory);
  const Options o = one_voter(dir);
  const auto payloads = fill(o, 5);
  std::ofstream(last_log(o), std::ios::app | std::ios::binary) << std::string(3000, 'g');
  EXPECT_EQ(reopen(o), payloads);
}

TEST(Durability, LostFilesAreRefused) {
  TempDir dir(kMemory);
  const Options o = one_voter(dir);
  fill(o, 3000, 1000);
  const std::string saved = dir.path() + "/saved";
  fs::copy(o.dir, saved, fs::copy_options::recursive);
  const auto expect_refused = [&](const char* what) {
    auto group = Group::open(o);
    ASSERT_FALSE(group.ok()) << what;
    EXPECT_EQ(group.status().code(), base::Code::kCorrupt) << what;
    fs::remove_all(o.dir);
    fs::copy(saved, o.dir, fs::copy_options::recursive);
  };
  fs::remove(o.dir + "/log/0000000000000001.raftlog");
  expect_refused("the first file is gone");
  fs::remove(o.dir + "/log/0000000000000002.raftlog");
  expect_refused("a middle file is gone");
  fs::remove(last_log(o));
  expect_refused("the last file is gone");
  fs::remove_all(o.dir + "/log");
  expect_refused("the whole log is gone");
  std::string bound = slurp(o.dir + "/bound");
  bound[10] ^= 1, bound[512 + 10] ^= 1;
  spit(o.dir + "/bound", bound);
  expect_refused("the bound is unreadable");
  EXPECT_TRUE(Group::open(o).ok());
}

TEST(Durability, BoundFileGoldenBytes) {
  TempDir dir(kMemory);
  Options o = one_voter(dir);
  o.group_id = 7;
  o.start_id = 0x0102030405060708;
  fill(o, 2);  // entries 1 (bootstrap), 2 (leader), 3, 4: five writes with the one that made the file
  const std::string bound = slurp(o.dir + "/bound");
  ASSERT_EQ(bound.size(), 2048u);
  const auto hex = [&](size_t at, size_t size = 36) {
    std::string out;
    for (size_t i = at; i < at + size; ++i) {
      char two[3];
      snprintf(two, sizeof two, "%02x", static_cast<unsigned char>(bound[i]));
      out += two;
    }
    return out;
  };
  EXPECT_EQ(hex(0),
            "434c424f554e4431"
            "0700000000000000"
            "0400000000000000"
            "0300000000000000"
            "da32a3c9");
  EXPECT_EQ(hex(512),
            "434c424f554e4431"
            "0700000000000000"
            "0500000000000000"
            "0400000000000000"
            "52aa0e6d");
  EXPECT_EQ(hex(1536, 32),
            "434c424f4f545332"
            "0700000000000000"
            "0100000000000000"
            "0807060504030201");
  EXPECT_EQ(hex(1536 + 32, 31 * 8), std::string(31 * 16, '0'));
  EXPECT_EQ(hex(1536 + 24 + 32 * 8, 4), "974245f8");
  o.group_id = 8;
  auto other = Group::open(o);
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.status().message(), HasSubstr("belongs to group 7, not to group 8"));
}

// No block is needed to start: the boot is counted in place. Nothing is written until there is room, and nothing is
// lost.
TEST(Durability, StartsOnAFullDiskAndCountsEveryStart) {
  TempDir dir(kMemory);
  VirtualDisk disk;
  const Options o = one_voter(dir, &disk);
  auto expected = fill(o, 5);
  disk.crash(1);
  disk.set_capacity(disk.used_bytes());
  for (uint64_t boot = 2; boot <= 6; ++boot) {
    {
      auto group = testing::open(o);
      EXPECT_EQ(group->status().boot, boot);
      Ready ready = group->ready();
      EXPECT_EQ(group->persist(ready), Persisted::kNoSpace);
    }
    disk.crash(boot);
  }
  auto group = testing::open(o);
  EXPECT_EQ(group->status().boot, 7u);
  disk.set_capacity(VirtualDisk::kUnlimited);
  Applied applied;
  drain(*group, &applied);
  EXPECT_EQ(applied.payloads(), expected);
  propose(*group, "more");
  drain(*group, &applied);
  expected.emplace_back("more");
  EXPECT_EQ(applied.payloads(), expected);
  group.reset();
  EXPECT_EQ(reopen(o), expected);
}

// Of a torn boot count the older one stays; a data directory from before it has one continues the log's.
TEST(Durability, BootCountOutlivesATornSlotAndIsNotNeeded) {
  TempDir dir(kMemory);
  const Options o = one_voter(dir);
  const auto boot = [&] { return testing::open(o)->status().boot; };
  EXPECT_EQ(boot(), 1u);
  EXPECT_EQ(boot(), 2u);
  std::string bound = slurp(o.dir + "/bound");
  bound[1024 + 20] ^= 1;  // slot of 2
  spit(o.dir + "/bound", bound);
  EXPECT_EQ(boot(), 3u);
  spit(o.dir + "/bound", slurp(o.dir + "/bound").substr(0, 1024));
  EXPECT_EQ(boot(), 4u);
}

TEST(Durability, WhatWasPersistedSurvivesAnyCrash) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    TempDir dir(kMemory);
    VirtualDisk disk;
    const Options o = one_voter(dir, &disk);
    std::vector<std::string> acknowledged;
    for (int life = 0; life < 4; ++life) {
      auto group = testing::open(o);
      Applied applied;
      ASSERT_EQ(drain(*group, &applied), Persisted::kDone);
      ASSERT_GE(applied.payloads().size(), acknowledged.size()) << "seed " << seed;
      for (size_t i = 0; i < acknowledged.size(); ++i) ASSERT_EQ(applied.payloads()[i], acknowledged[i]);
      for (uint64_t i = 0; i < 1 + (seed + static_cast<uint64_t>(life)) % 7; ++i) {
        propose(*group, "s" + std::to_string(seed) + "." + std::to_string(life) + "." + std::to_string(i));
        ASSERT_EQ(drain(*group, &applied), Persisted::kDone);
      }
      acknowledged = applied.payloads();
      // The last batch meets a sync that fails: written, not durable, not acknowledged; a torn tail at the crash.
      disk.fail_syncs(true);
      propose(*group, std::string(700, 't'));
      EXPECT_EQ(drain(*group, &applied), Persisted::kStopped);
      EXPECT_EQ(applied.payloads(), acknowledged);
      disk.crash(seed * 10 + static_cast<uint64_t>(life));
      disk.fail_syncs(false);
    }
  }
}

TEST(Durability, FullDiskIsRetriedWithTheSameReady) {
  for (uint64_t room = 0; room < 1500; room += 60) {
    TempDir dir(kMemory);
    VirtualDisk disk;
    const Options o = one_voter(dir, &disk);
    Applied applied;
    std::vector<std::string> expected;
    {
      auto group = testing::open(o);
      drain(*group, &applied);
      propose(*group, "before");
      drain(*group, &applied);
      const size_t files = disk.files().size();
      disk.set_capacity(disk.used_bytes() + room);
      propose(*group, std::string(1500, 'x'));
      Ready ready = group->ready();
      for (int i = 0; i < 30; ++i) ASSERT_EQ(group->persist(ready), Persisted::kNoSpace) << room;
      EXPECT_EQ(disk.files().size(), files);
      disk.set_capacity(VirtualDisk::kUnlimited);
      ASSERT_EQ(group->persist(ready), Persisted::kDone);
      drain(*group, &applied);
      propose(*group, "after");
      drain(*group, &applied);
      expected = {"before", std::string(1500, 'x'), "after"};
      EXPECT_EQ(applied.payloads(), expected);
      disk.crash(room);
    }
    EXPECT_EQ(reopen(o), expected);
  }
}

TEST(Durability, FullDiskWhenTheLogTurnsToANewFile) {
  TempDir dir(kMemory);
  VirtualDisk disk;
  Options o = one_voter(dir, &disk);
  Applied applied;
  {
    auto group = testing::open(o);
    drain(*group, &applied);
    for (int i = 0; i < 40; ++i) {
      propose(*group, std::string(60 << 10, static_cast<char>('a' + i % 26)));
      Ready ready = group->ready();
      disk.set_capacity(disk.used_bytes() + static_cast<uint64_t>(i) * 10);
      ASSERT_EQ(group->persist(ready), Persisted::kNoSpace);
      ASSERT_EQ(group->persist(ready), Persisted::kNoSpace);
      disk.set_capacity(VirtualDisk::kUnlimited);
      ASSERT_EQ(group->persist(ready), Persisted::kDone);
      drain(*group, &applied);
    }
    EXPECT_EQ(applied.payloads().size(), 40u);
    EXPECT_LE(disk.files().size(), 6u);
    disk.crash(1);
  }
  EXPECT_EQ(reopen(o), applied.payloads());
}

TEST(Durability, StateRecordGoldenBytes) {
  TempDir dir(kMemory);
  const Options o = one_voter(dir);
  testing::open(o);
  std::string expected("state");
  const auto fixed = [&](uint64_t v, int n) {
    for (int i = 0; i < n; ++i) expected.push_back(static_cast<char>(v >> (8 * i)));
  };
  fixed(71, 1);  // raft-engine's: length of the value
  fixed(1, 1);   // version; then boot, term, vote, commit, cut (index, term), snapshot (index, term)
  for (uint64_t v : {1, 1, 0, 1, 1, 1, 1, 1}) fixed(v, 8);
  fixed(2, 4);
  expected += "\x08\x01";  // ConfState: voter 1
  EXPECT_NE(slurp(last_log(o)).find(expected), std::string::npos);
}

TEST(Durability, ASnapshotThatTheLogContradictsReplacesIt) {
  TempDir dir(kMemory);
  Options o = one_voter(dir);
  std::string members;
  {
    auto group = testing::open(o);
    drain(*group, nullptr);
    members = group->members();
  }
  fill(o, 10);
  o.snapshot = SnapshotMark{100, 50, members};
  auto group = testing::open(o);
  EXPECT_EQ(group->status().first, 101u);
  Applied applied;
  drain(*group, &applied);
  EXPECT_TRUE(applied.payloads().empty());
  propose(*group, "goes on");
  drain(*group, &applied);
  EXPECT_EQ(applied.payloads(), std::vector<std::string>{"goes on"});
  EXPECT_GT(group->status().term, 50u);
}

TEST(Durability, ProposalsBeyondTheUncommittedLimitAreRefused) {
  TempDir dir(kMemory);
  Options o = one_voter(dir);
  o.max_uncommitted_bytes = 1000;
  o.max_message_bytes = 500;
  auto group = testing::open(o);
  drain(*group, nullptr);
  propose(*group, std::string(900, 'x'));
  EXPECT_FALSE(group->propose(bytes(std::string(900, 'y'))));
  Applied applied;
  drain(*group, &applied);
  EXPECT_EQ(applied.payloads().size(), 1u);
  EXPECT_TRUE(group->propose(bytes(std::string(900, 'z'))));
}

}  // namespace
}  // namespace cleat::raft
