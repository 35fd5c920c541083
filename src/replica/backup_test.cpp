// Backup files: their bytes, that what was written is what is read, and that nothing damaged is taken for whole.
#include "replica/backup.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/fake_file_system.hpp"

namespace cleat::replica {
namespace {

using ::testing::HasSubstr;

BackupHead head_of(uint64_t image_bytes) {
  BackupHead head;
  for (uint8_t i = 0; i < head.cluster.size(); ++i) head.cluster[i] = i;
  head.incarnation = 3;
  head.index = 42;
  head.member = "a";
  head.made_ms = 1'800'000'000'000;
  head.version = "0.1.0";
  head.image_bytes = image_bytes;
  return head;
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    const auto b = static_cast<unsigned char>(c);
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
  }
  return out;
}

class Backups : public ::testing::Test {
 protected:
  Backups() {
    lock::EntryBuilder b;
    b.begin_run({1, 1, 1});
    lock::Command c;
    c.verb = lock::Verb::kLock;
    c.seq = 1;
    c.name = "orders";
    c.token = "t";
    c.ttl_ms = 10'000;
    b.add(c);
    lock::NullSink sink;
    EXPECT_TRUE(machine.apply(b.finish(1000, 1'700'000'000'000), sink).ok());
    const std::vector<Member> members = {{1, "a", "h:1"}, {2, "b", "h:2"}};
    const storage::SnapshotHeader header = {1, 3, 42, 7, Members(members).encode(conf_state_of(members))};
    EXPECT_TRUE(write_image(files, "d", header, machine).ok());
    const std::string image = files.content(storage::snapshot_path("d", 42));
    whole = encode(head_of(image.size())) + image;
  }

  base::Result<Backup> read(const std::string& content) {
    files.put("backup", content);
    lock::Machine into;
    auto backup = read_backup(files, "backup", into);
    digest = backup.ok() ? into.digest() : 0;
    return backup;
  }
  std::string error(const std::string& content) { return read(content).status().message(); }

  storage::FakeFileSystem files;
  lock::Machine machine;
  std::string whole;
  uint64_t digest = 0;
};

TEST_F(Backups, TheHeadHasTheseBytes) {
  EXPECT_EQ(hex(encode(head_of(1000))),
            "434c454154424131"                      // CLEATBA1
            "2b000000"                              // length of the fields
            "0310000102030405060708090a0b0c0d0e0f"  // cluster
            "0403062a0901610a80a0f1c2b134"          // incarnation, index, member, made
            "0d05302e312e300ee80700"                // version, size of the image
            "a7047d081f84d526");                    // checksum
}

TEST_F(Backups, WhatWasWrittenIsRead) {
  auto backup = read(whole);
  ASSERT_TRUE(backup.ok()) << backup.status().message();
  EXPECT_EQ(backup->head, head_of(backup->head.image_bytes));
  EXPECT_EQ(backup->bytes, whole.size());
  EXPECT_EQ(backup->members.all().size(), 2u);
  EXPECT_EQ(digest, machine.digest());
  auto again = read(whole);
  EXPECT_EQ(backup->id, again->id);
}

TEST_F(Backups, EveryChangedByteIsFoundOut) {
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 4);
    EXPECT_FALSE(read(changed).ok()) << i;
  }
  for (const size_t length : {size_t{0}, size_t{7}, size_t{30}, whole.size() / 2, whole.size() - 1}) {
    EXPECT_FALSE(read(whole.substr(0, length)).ok()) << length;
  }
  EXPECT_FALSE(read(whole + "x").ok());
}

TEST_F(Backups, WhatIsWrongIsSaid) {
  EXPECT_THAT(error("CLEATSN1 is a snapshot"), HasSubstr("backup is no backup"));
  EXPECT_THAT(error(""), HasSubstr("is no backup"));
  EXPECT_THAT(error("CLEATBA2 of a time to come"), HasSubstr("or a newer one"));
  EXPECT_THAT(error(whole.substr(0, whole.size() - 9)), HasSubstr("and should have"));
  std::string rotten = whole;
  rotten[rotten.size() - 60] = static_cast<char>(rotten[rotten.size() - 60] ^ 1);
  EXPECT_THAT(error(rotten), HasSubstr("Use another copy of it, or another backup"));
  lock::Machine into;
  EXPECT_EQ(read_backup(files, "nowhere", into).status().code(), base::Code::kNotFound);
}

}  // namespace
}  // namespace cleat::replica
