// The small parts: event ring, input buffer, password, log lines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "server/event_ring.hpp"
#include "server/input_buffer.hpp"
#include "server/logging.hpp"
#include "server/password.hpp"

namespace cleat::server {
namespace {

using ::testing::HasSubstr;

lock::Event event(uint64_t revision, std::string_view name, std::string_view data = {}) {
  lock::Event e;
  e.revision = base::Revision{revision};
  e.name = name;
  e.owner = "o";
  e.req = "req";
  e.data = data;
  return e;
}

TEST(EventRing, KeepsTheLastOnes) {
  EventRing ring(4);
  ring.begin_after(base::Revision{9});
  EXPECT_EQ(ring.dropped_through().value, 9u);
  for (uint64_t r = 10; r < 20; ++r) ring.add(event(r, "name" + std::to_string(r), "data"));
  EXPECT_EQ(ring.end() - ring.begin(), 4u);
  EXPECT_EQ(ring.dropped_through().value, 15u);
  const lock::Event first = ring.at(ring.begin());
  EXPECT_EQ(first.revision.value, 16u);
  EXPECT_EQ(first.name, "name16");
  EXPECT_EQ(first.owner, "o");
  EXPECT_EQ(first.req, "req");
  EXPECT_EQ(first.data, "data");
  EXPECT_EQ(ring.position_after(base::Revision{17}), ring.begin() + 2);
  EXPECT_EQ(ring.position_after(base::Revision{0}), ring.begin());
  EXPECT_EQ(ring.position_after(base::Revision{99}), ring.end());
}

TEST(EventRing, IsBoundedByBytesToo) {
  EventRing ring(1'000, 10'000);
  const std::string data(1'000, 'd');
  for (uint64_t r = 1; r <= 100; ++r) ring.add(event(r, "n", data));
  EXPECT_EQ(ring.end() - ring.begin(), 9u);
  EXPECT_EQ(ring.dropped_through().value, 91u);
  EXPECT_EQ(ring.at(ring.end() - 1).data, data);
}

class InputBufferTest : public ::testing::Test {
 protected:
  void receive(std::string_view bytes) {
    const auto space = buffer_.space();
    ASSERT_GE(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), bytes.size());
    buffer_.received(bytes.size());
  }
  Config config_;
  InputPool pool_{config_};
  InputBuffer buffer_{pool_};
};

TEST_F(InputBufferTest, AnIdleOneHasNoMemory) {
  EXPECT_EQ(buffer_.capacity(), 0u);
  receive("PING\r\n");
  EXPECT_EQ(pool_.bytes_kept(), kInputBlock);
  buffer_.advance(6);
  buffer_.settle();
  EXPECT_EQ(buffer_.capacity(), 0u);
  EXPECT_EQ(pool_.bytes_kept(), 0u);
}

TEST_F(InputBufferTest, ASmallRestMovesOutOfItsBlock) {
  receive("PING\r\nECH");
  buffer_.advance(6);
  buffer_.settle();
  EXPECT_EQ(buffer_.unread(), "ECH");
  EXPECT_LE(pool_.bytes_kept(), 512u);
  receive("O x\r\n");
  EXPECT_EQ(buffer_.unread(), "ECHO x\r\n");
}

TEST_F(InputBufferTest, AFullOneHasNoSpaceUnlessOneRequestNeedsIt) {
  const std::string many(kInputBlock, 'x');
  receive(many);
  EXPECT_FALSE(buffer_.has_space());
  EXPECT_TRUE(buffer_.space().empty());
  buffer_.advance(kInputBlock);
  buffer_.settle();
  receive("*2\r\n$4\r\nECHO\r\n$50000\r\n" + std::string(kInputBlock - 23, 'x'));
  EXPECT_EQ(buffer_.parser().next(buffer_.unread()), resp::RequestParser::Step::kNeedMore);
  EXPECT_TRUE(buffer_.has_space());
  EXPECT_FALSE(buffer_.space().empty());
  EXPECT_LE(buffer_.capacity(), 50'100u);
}

TEST_F(InputBufferTest, WhatIsCountedAheadIsReadAgainFromItsFront) {
  receive("LOCK x\r\nPING\r\nECHO a\r\n\r\nECH");
  const size_t first = buffer_.read_position();
  buffer_.advance(8);
  buffer_.look_ahead();
  EXPECT_EQ(buffer_.ahead(), 2u);
  const std::string rest(kInputBlock - 29, 'y');
  receive("O " + rest);
  EXPECT_EQ(buffer_.ahead(), 2u);
  EXPECT_TRUE(buffer_.has_space());
  receive("\r\nPING\r\n");
  buffer_.look_ahead();
  EXPECT_EQ(buffer_.ahead(), 4u);
  EXPECT_EQ(buffer_.capacity(), 2 * kInputBlock);
  EXPECT_EQ(buffer_.between(first, first + 6), "LOCK x") << "positions stay";
  buffer_.look_back();
  EXPECT_EQ(buffer_.ahead(), 0u);
  EXPECT_EQ(buffer_.parser().next(buffer_.unread()), resp::RequestParser::Step::kRequest);
  EXPECT_EQ(buffer_.parser().arguments()[0], "PING");
}

class PasswordFile : public ::testing::Test {
 protected:
  ~PasswordFile() override { std::filesystem::remove(path_); }
  std::string write(std::string_view text, mode_t mode) {
    std::ofstream(path_) << text;
    chmod(path_.c_str(), mode);
    const auto password = read_password(path_);
    return password.ok() ? *password : password.status().message();
  }
  const std::string path_ = "/tmp/cleat_password_" + std::to_string(getpid());
};

TEST_F(PasswordFile, IsItsFirstLine) {
  EXPECT_EQ(write("se cret\nmore\n", 0600), "se cret");
  EXPECT_EQ(write("secret", 0640), "secret");
  EXPECT_EQ(write("secret\r\n", 0600), "secret");
}

TEST_F(PasswordFile, MustBeClosedToOthersAndNotEmpty) {
  EXPECT_EQ(write("secret\n", 0644),
            "password-file: " + path_ + " can be read or written by everybody: chmod 600 " + path_);
  EXPECT_EQ(write("", 0600), "password-file: " + path_ + " is empty: write it into the first line");
  EXPECT_EQ(write("\nsecret", 0600), "password-file: " + path_ + " is empty: write it into the first line");
  EXPECT_THAT(read_password("/nonexistent/x").status().message(), HasSubstr("cannot be read: No such file"));
}

TEST_F(PasswordFile, TheSecretOfAClusterIsLong) {
  ASSERT_EQ(write("0123456789abcdef\n", 0600), "0123456789abcdef");
  EXPECT_EQ(*read_cluster_secret(path_), "0123456789abcdef");
  ASSERT_EQ(write("0123456789abcde\n", 0600), "0123456789abcde");
  EXPECT_EQ(
      read_cluster_secret(path_).status().message(),
      "cluster-secret-file: " + path_ +
          " holds a secret of 15 characters, and one of at least 16 is needed: (umask 077; openssl rand -hex 32 > " +
          path_ + "), then copy it to every member");
  EXPECT_THAT(read_cluster_secret("/nonexistent/x").status().message(), HasSubstr("cluster-secret-file: "));
}

TEST(Password, ComparesWhole) {
  EXPECT_TRUE(same_secret("abc", "abc"));
  for (const char* other : {"", "ab", "abcd", "abd", "abcabc", "xbc"}) EXPECT_FALSE(same_secret(other, "abc")) << other;
  EXPECT_FALSE(same_secret("", ""));
}

TEST(Logging, JsonTextIsOneLine) {
  EXPECT_EQ(json_text("a \"b\"\\\n\x01"), "\"a \\\"b\\\"\\\\\\u000a\\u0001\"");
  EXPECT_FALSE(set_log_level("loud").ok());
}

}  // namespace
}  // namespace cleat::server
