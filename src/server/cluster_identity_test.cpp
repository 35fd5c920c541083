#include "server/cluster_identity.hpp"

#define XXH_INLINE_ALL
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <xxhash.h>

#include "base/bytes.hpp"
#include "storage/fake_file_system.hpp"

namespace cleat::server {
namespace {

using base::Code;
using ::testing::HasSubstr;

ClusterIdentity sample() {
  ClusterIdentity id;
  for (size_t i = 0; i < id.cluster.size(); ++i) id.cluster[i] = static_cast<uint8_t>(i + 1);
  id.incarnation = 2;
  id.member = 3;
  id.name = "c";
  id.members = {{1, "a", "127.0.0.1:1"}, {2, "b", "127.0.0.1:2"}, {3, "c", "127.0.0.1:3"}};
  id.nonces.assign(3, FoundingNonce{});
  for (uint8_t i = 0; i < 3; ++i) id.nonces[i].fill(static_cast<uint8_t>('A' + i));
  return id;
}

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) {
    char text[3];
    snprintf(text, sizeof text, "%02x", static_cast<uint8_t>(c));
    out += text;
  }
  return out;
}

TEST(ClusterIdentity, Golden) {
  EXPECT_EQ(hex(encode(sample())),
            "434c454154434c31"                      // CLEATCL1
            "03100102030405060708090a0b0c0d0e0f10"  // cluster id
            "0402"                                  // incarnation
            "0603"                                  // member
            "090163"                                // name
            "0b2d"                                  // members
            "0101610b3132372e302e302e313a31"
            "0201620b3132372e302e302e313a32"
            "0301630b3132372e302e302e313a33"
            "0d30"  // nonces
            "41414141414141414141414141414141"
            "42424242424242424242424242424242"
            "43434343434343434343434343434343"
            "00"
            "293ad88fe6ebdcda");
}

TEST(ClusterIdentity, ComesBackAsItWasStored) {
  storage::FakeFileSystem files;
  auto none = load_identity(files, "d");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(*none);
  ASSERT_TRUE(store_identity(files, "d", sample()).ok());
  files.crash(1);  // stored means stored
  auto back = load_identity(files, "d");
  ASSERT_TRUE(back.ok()) << back.status().message();
  EXPECT_EQ(**back, sample());
  ClusterIdentity joined = sample();
  joined.nonces.clear();
  ASSERT_TRUE(store_identity(files, "d", joined).ok());
  EXPECT_EQ(**load_identity(files, "d"), joined);
  EXPECT_FALSE(joined.founder());
}

TEST(ClusterIdentity, OfARestoredGroup) {
  ClusterIdentity id = sample();
  id.restored.emplace();
  id.restored->cluster = id.cluster;
  id.restored->incarnation = id.incarnation;
  id.restored->backup.fill('B');
  id.restored->above = 300;
  const std::string bytes = encode(id);
  EXPECT_EQ(hex(bytes.substr(encode(sample()).size() - 9)),
            "0f1042424242424242424242424242424242"  // backup
            "10ac02"                                // above
            "00"
            "e44bbf03ef006517");
  auto back = decode_cluster_identity(bytes, "d/cluster");
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, id);
}

TEST(PendingRestore, GoldenAndBack) {
  PendingRestore pending;
  pending.origin.cluster.fill('C');
  pending.origin.backup.fill('B');
  pending.origin.incarnation = 300;
  pending.origin.above = 5;
  pending.name = "a";
  pending.list = {{"a", "h:1"}, {"b", "h:2"}};
  EXPECT_EQ(hex(encode(pending)),
            "434c454154524531"                      // CLEATRE1
            "031043434343434343434343434343434343"  // cluster
            "051042424242424242424242424242424242"  // backup
            "06ac02"                                // incarnation
            "0805"                                  // above
            "0b0161"                                // name
            "0d0c"                                  // list
            "016103683a31"
            "016203683a32"
            "00"
            "ea853354728a3c35");
  storage::FakeFileSystem files;
  EXPECT_FALSE(*load_pending_restore(files, "d"));
  ASSERT_TRUE(store_pending_restore(files, "d", pending).ok());
  files.crash(1);
  EXPECT_EQ(**load_pending_restore(files, "d"), pending);
  const std::string good = encode(pending);
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_FALSE(decode_pending_restore(bad, "d/restored").ok()) << i;
  }
}

TEST(ClusterIdentity, EveryDamagedByteIsFound) {
  const std::string good = encode(sample());
  for (size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    EXPECT_EQ(decode_cluster_identity(bad, "d/cluster").status().code(), Code::kCorrupt) << i;
    EXPECT_EQ(decode_cluster_identity(good.substr(0, i), "d/cluster").status().code(), Code::kCorrupt) << i;
  }
  const auto damaged = decode_cluster_identity("", "d/cluster");
  EXPECT_THAT(damaged.status().message(), HasSubstr("d/cluster is damaged"));
  EXPECT_THAT(damaged.status().message(), HasSubstr("cleat cluster remove"));
}

// Power goes at every moment of the first and of a later store: afterwards the old state or the new one, never a third.
TEST(SeenBoots, ComeBackAsTheyWereStoredAndFromAnOlderBuild) {
  storage::FakeFileSystem files;
  EXPECT_TRUE(load_boots(files, "d")->empty());
  const SeenBoots boots = {{2, {5, 0x0102030405060708}}, {300, {70'000, 0}}};
  ASSERT_TRUE(store_boots(files, "d", boots).ok());
  EXPECT_EQ(*load_boots(files, "d"), boots);
  EXPECT_EQ(files.content("d/boots").substr(0, 8), "CLEATBO2");
  std::string old = "CLEATBO1\x02\x05";
  base::Writer(old).fixed64(XXH3_64bits(old.data(), old.size()));
  files.put("d/boots", old);
  EXPECT_EQ(*load_boots(files, "d"), (SeenBoots{{2, {5, 0}}}));
}

TEST(ClusterIdentity, PowerCuts) {
  ClusterIdentity second = sample();
  second.incarnation = 3;
  for (const bool had_one : {false, true}) {
    int olds = 0, news = 0;
    for (uint64_t seed = 1; seed <= 400; ++seed) {
      storage::FakeFileSystem files;
      if (had_one) files.put("d/cluster", encode(sample()));
      files.fail_syncs(seed % 2 == 0);  // it comes before anything was renamed
      const bool stored = store_identity(files, "d", second).ok();
      // Up to here all is durable; what a crash within leaves is that of the calls before it, so cut there.
      files.crash(seed);
      auto back = load_identity(files, "d");
      ASSERT_TRUE(back.ok()) << back.status().message();
      const bool is_new = *back && **back == second;
      const bool is_old = had_one ? *back && **back == sample() : !*back;
      ASSERT_TRUE(is_new || is_old);
      ASSERT_TRUE(is_new || !stored);
      ++(is_new ? news : olds);
    }
    EXPECT_GT(olds, 0);
    EXPECT_GT(news, 0);
  }
}

// A file system whose power goes at the n-th call.
class CutAt : public storage::FakeFileSystem {
 public:
  CutAt(int calls, uint64_t seed) : left_(calls), seed_(seed) {}
  base::Result<std::unique_ptr<storage::WritableFile>> create(const std::string& path) override {
    count();
    return FakeFileSystem::create(path);
  }
  base::Status rename(const std::string& from, const std::string& to) override {
    count();
    return cut_ ? base::Status(Code::kIo, "off") : FakeFileSystem::rename(from, to);
  }
  base::Status sync_dir(const std::string& dir) override {
    count();
    return cut_ ? base::Status(Code::kIo, "off") : FakeFileSystem::sync_dir(dir);
  }

 private:
  void count() {
    if (!cut_ && left_-- == 0) {
      crash(seed_);
      cut_ = true;
    }
  }
  int left_;
  uint64_t seed_;
  bool cut_ = false;
};

TEST(ClusterIdentity, PowerCutBetweenAnyTwoCalls) {
  for (int calls = 0; calls < 3; ++calls) {
    for (uint64_t seed = 1; seed < 50; ++seed) {
      CutAt files(calls, seed);
      files.put("d/cluster", encode(sample()));
      ClusterIdentity second = sample();
      second.incarnation = 9;
      (void)store_identity(files, "d", second).ok();
      auto back = load_identity(files, "d");
      ASSERT_TRUE(back.ok()) << back.status().message();
      ASSERT_TRUE(*back);
      EXPECT_TRUE(**back == sample() || **back == second);
    }
  }
}

TEST(ClusterIdentity, OfAnotherVersionSaysSo) {
  storage::FakeFileSystem files;
  std::string other = encode(sample());
  other[7] = '2';
  other.resize(other.size() - 8);
  base::Writer(other).fixed64(XXH3_64bits(other.data(), other.size()));
  files.put("d/cluster", other);
  const auto loaded = load_identity(files, "d");
  EXPECT_EQ(loaded.status().code(), Code::kInvalid);
  EXPECT_THAT(loaded.status().message(), HasSubstr("another version of cleat"));
}

TEST(Nonce, IsMadeOnceAndKept) {
  storage::FakeFileSystem files;
  FoundingNonce first, second;
  first.fill(1), second.fill(2);
  EXPECT_EQ(*load_or_make_nonce(files, "d", first), first);
  files.crash(7);  // it was on disk before anybody heard of it
  EXPECT_EQ(*load_or_make_nonce(files, "d", second), first);
  ASSERT_TRUE(files.flip("d/nonce", 12, 1));
  const auto damaged = load_or_make_nonce(files, "d", second);
  EXPECT_EQ(damaged.status().code(), Code::kCorrupt);
  EXPECT_THAT(damaged.status().message(), HasSubstr("d/nonce is damaged"));
}

TEST(Nonce, NothingIsSaidThatIsNotOnDisk) {
  storage::FakeFileSystem files;
  files.fail_syncs(true);
  EXPECT_EQ(load_or_make_nonce(files, "d", FoundingNonce{}).status().code(), Code::kIo);
}

}  // namespace
}  // namespace cleat::server
