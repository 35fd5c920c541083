#include "storage/snapshot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/bytes.hpp"
#include "storage/fake_file_system.hpp"
#include "storage/snapshot_format.hpp"

namespace cleat::storage {
namespace {

using base::Code;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

SnapshotHeader some_header() {
  return {.group = 7, .incarnation = 3, .index = 42, .term = 5, .members = "\x08\x01"};
}

std::string write(FileSystem& fs, const SnapshotHeader& header, const std::vector<std::string>& blocks) {
  auto writer = SnapshotWriter::begin(fs, "dir", header);
  EXPECT_TRUE(writer.ok());
  for (const auto& b : blocks) EXPECT_TRUE((*writer)->add(b).ok());
  auto path = (*writer)->finish();
  EXPECT_TRUE(path.ok()) << path.status().message();
  return path.ok() ? *path : std::string();
}

TEST(Snapshot, GivesBackWhatWasWritten) {
  FakeFileSystem fs;
  const std::vector<std::string> blocks = {"one", std::string(1u << 20, 'x'), "three"};
  const std::string path = write(fs, some_header(), blocks);
  auto reader = SnapshotReader::open(fs, path);
  ASSERT_TRUE(reader.ok()) << reader.status().message();
  EXPECT_EQ((*reader)->header(), some_header());
  for (const auto& expected : blocks) {
    auto block = (*reader)->next();
    ASSERT_TRUE(block.ok());
    ASSERT_TRUE(block->has_value());
    EXPECT_EQ(**block, expected);
  }
  auto end = (*reader)->next();
  ASSERT_TRUE(end.ok());
  EXPECT_FALSE(end->has_value());
}

TEST(Snapshot, GoldenBytes) {
  FakeFileSystem fs;
  const std::string content = fs.content(write(fs, some_header(), {"abc"}));
  std::string hex;
  for (unsigned char c : content) {
    char two[3];
    snprintf(two, sizeof two, "%02x", c);
    hex += two;
  }
  EXPECT_EQ(hex,
            "434c454154534e31"  // CLEATSN1
            "0127000000"        // header, 39 bytes
            "01000000"          // version
            "0700000000000000"
            "0300000000000000"  // group, incarnation
            "2a00000000000000"
            "0500000000000000"  // index, term
            "020801"            // members
            "c055647bf6bde39f"
            "0203000000"
            "616263"
            "6e3eeb4965c0ce9b"
            "0310000000"
            "0100000000000000"
            "0300000000000000"
            "83cdeee6228dcc58");
}

TEST(Snapshot, EveryDamagedByteIsFound) {
  FakeFileSystem fs;
  const std::string path = write(fs, some_header(), {"abc", "defg"});
  const size_t size = fs.content(path).size();
  ASSERT_TRUE(verify_snapshot(fs, path).ok());
  for (size_t i = 0; i < size; ++i) {
    for (uint8_t mask : {0x01, 0x80}) {
      ASSERT_TRUE(fs.flip(path, i, mask));
      const base::Status s = verify_snapshot(fs, path);
      EXPECT_EQ(s.code(), Code::kCorrupt) << "byte " << i << ": " << s.message();
      EXPECT_THAT(s.message(), HasSubstr(path));
      ASSERT_TRUE(fs.flip(path, i, mask));
    }
  }
}

TEST(Snapshot, EveryCutAndAnyAdditionIsFound) {
  FakeFileSystem fs;
  const std::string path = write(fs, some_header(), {"abc", "defg"});
  const std::string whole = fs.content(path);
  for (size_t n = 0; n < whole.size(); ++n) {
    fs.put(path, whole.substr(0, n));
    EXPECT_EQ(verify_snapshot(fs, path).code(), Code::kCorrupt) << "cut to " << n;
  }
  fs.put(path, whole + '\0');
  EXPECT_THAT(verify_snapshot(fs, path).message(), HasSubstr("bytes after its end"));
}

TEST(Snapshot, BlocksCannotChangePlacesOrBeDropped) {
  FakeFileSystem fs;
  const std::string whole = fs.content(write(fs, some_header(), {"abc", "def"}));
  const size_t frame = 5 + 3 + 8, first = 8 + 5 + 39 + 8;
  std::string swapped = whole;
  swapped.replace(first, frame, whole.substr(first + frame, frame));
  swapped.replace(first + frame, frame, whole.substr(first, frame));
  fs.put("dir/swapped", swapped);
  EXPECT_EQ(verify_snapshot(fs, "dir/swapped").code(), Code::kCorrupt);
  std::string dropped = whole;
  dropped.erase(first + frame, frame);
  fs.put("dir/dropped", dropped);
  EXPECT_EQ(verify_snapshot(fs, "dir/dropped").code(), Code::kCorrupt);
}

TEST(Snapshot, SyncedBeforeRenamedBeforeDirectorySynced) {
  FakeFileSystem fs;
  const std::string path = write(fs, some_header(), {"abc"});
  EXPECT_THAT(fs.calls(), ElementsAre("create " + path + ".aside", "sync " + path + ".aside",
                                      "rename " + path + ".aside " + path, "sync_dir dir"));
}

TEST(Snapshot, AfterACrashItIsThereWholeOrNotThere) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    FakeFileSystem fs;
    const std::string old = write(fs, some_header(), {"old"});
    SnapshotHeader next = some_header();
    next.index = 50;
    auto writer = SnapshotWriter::begin(fs, "dir", next);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->add(std::string(600 << 10, 'y')).ok());
    const bool finished = seed % 2 == 0;
    if (finished) {
      ASSERT_TRUE((*writer)->finish().ok());
    }
    fs.crash(seed);
    auto found = list_snapshots(fs, "dir");
    ASSERT_TRUE(found.ok());
    ASSERT_FALSE(found->empty());
    EXPECT_EQ(found->front().index, finished ? 50u : 42u) << "seed " << seed;
    for (const auto& f : *found) EXPECT_TRUE(verify_snapshot(fs, f.path).ok()) << "seed " << seed;
  }
}

TEST(Snapshot, FullDiskAndFailedSyncLeaveTheOldOne) {
  FakeFileSystem fs;
  write(fs, some_header(), {"old"});
  SnapshotHeader next = some_header();
  next.index = 50;
  for (bool full : {true, false}) {
    fs.set_capacity(full ? 1000 : UINT64_MAX);
    fs.fail_syncs(!full);
    {
      auto writer = SnapshotWriter::begin(fs, "dir", next);
      ASSERT_TRUE(writer.ok());
      base::Status s = (*writer)->add(std::string(2000, 'z'));
      if (s.ok()) s = (*writer)->finish().status();
      EXPECT_EQ(s.code(), full ? Code::kNoSpace : Code::kIo);
    }
    auto names = fs.list("dir");
    EXPECT_THAT(*names, ElementsAre("snapshot-00000000000000000042"));
  }
}

TEST(Snapshot, CleaningRemovesOldAndUnfinishedOnes) {
  FakeFileSystem fs;
  for (uint64_t index : {10, 20, 30}) {
    SnapshotHeader h = some_header();
    h.index = index;
    write(fs, h, {"x"});
  }
  fs.put("dir/snapshot-00000000000000000040.aside", "half");
  fs.put("dir/LOCK", "");
  ASSERT_TRUE(clean_snapshots(fs, "dir", 20).ok());
  EXPECT_THAT(*fs.list("dir"), ElementsAre("LOCK", "snapshot-00000000000000000020", "snapshot-00000000000000000030"));
  EXPECT_EQ(fs.calls().back(), "sync_dir dir");
  auto found = list_snapshots(fs, "dir");
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ(found->front().index, 30u);
}

TEST(Snapshot, NewerVersionIsRefusedWithTheReason) {
  FakeFileSystem fs;
  std::string file(kSnapshotMagic), frame("\x01\x04\x00\x00\x00\x02\x00\x00\x00", 9);
  const uint64_t sum = frame_sum(frame, 0);
  frame.append(reinterpret_cast<const char*>(&sum), sizeof sum);
  fs.put("dir/newer", file + frame);
  const base::Status s = verify_snapshot(fs, "dir/newer");
  EXPECT_EQ(s.code(), Code::kInvalid);
  EXPECT_THAT(s.message(), HasSubstr("has version 2, this program knows 1"));
  EXPECT_EQ(verify_snapshot(fs, "dir/none").code(), Code::kNotFound);
}

// Frames of any kind and content, with right checksums: what a hostile or foreign file could hold.
TEST(Snapshot, RandomFramesAreReadOrRefused) {
  uint64_t x = 88172645463325252;
  const auto roll = [&](uint64_t n) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x % n;
  };
  FakeFileSystem fs;
  int whole = 0, refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string file(kSnapshotMagic);
    const uint64_t frames = 1 + roll(4);
    uint64_t block_bytes = 0;
    for (uint64_t i = 0; i < frames; ++i) {
      const auto kind = static_cast<uint8_t>(i == 0 ? 1 : roll(8) == 0 ? roll(256) : i + 1 == frames ? 3 : 2);
      std::string payload;
      base::Writer w(payload);
      if (kind == 1) {
        w.fixed32(static_cast<uint32_t>(1 + roll(50) / 49));
        for (int k = 0; k < 4; ++k) w.fixed64(roll(1000));
        w.varint(roll(3));
      } else if (kind == 3 && roll(2)) {
        w.fixed64(frames - 2), w.fixed64(roll(4) ? block_bytes : roll(20));
      }
      const bool extra = kind == 2 || roll(3) == 0;
      for (uint64_t n = extra ? roll(6) : 0; n > 0; --n) w.u8(static_cast<uint8_t>(roll(256)));
      if (kind == 2) block_bytes += payload.size();
      std::string frame;
      base::Writer f(frame);
      f.u8(kind);
      f.fixed32(static_cast<uint32_t>(roll(40) ? payload.size() : roll(UINT32_MAX)));
      frame += payload;
      f.fixed64(frame_sum(frame, i));
      file += frame;
    }
    fs.put("dir/random", file);
    const base::Status s = verify_snapshot(fs, "dir/random");
    (s.ok() ? whole : refused)++;
    EXPECT_TRUE(s.ok() || s.code() == Code::kCorrupt || s.code() == Code::kInvalid) << s.message();
  }
  EXPECT_GT(whole, 10);
  EXPECT_GT(refused, 1000);
}

TEST(Snapshot, OnTheRealFileSystem) {
  auto& fs = FileSystem::real();
  std::string dir = std::filesystem::temp_directory_path() / "cleat-snapshot-XXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  const std::string data = dir + "/a/b";
  auto writer = SnapshotWriter::begin(fs, data, some_header());
  ASSERT_TRUE(writer.ok()) << writer.status().message();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE((*writer)->add(std::string(1u << 20, static_cast<char>('a' + i))).ok());
  auto path = (*writer)->finish();
  ASSERT_TRUE(path.ok()) << path.status().message();
  EXPECT_TRUE(verify_snapshot(fs, *path).ok());
  EXPECT_EQ(std::filesystem::file_size(*path), (*writer)->bytes());
  EXPECT_TRUE(clean_snapshots(fs, data, 100).ok());
  EXPECT_TRUE(list_snapshots(fs, data)->empty());
  EXPECT_TRUE(list_snapshots(fs, dir + "/none")->empty());
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace cleat::storage
