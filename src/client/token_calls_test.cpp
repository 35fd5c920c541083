// A TokenLock against a server that answers by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <thread>

#include "cleat/token_lock.hpp"
#include "client/listener_testing.hpp"

namespace cleat::client {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kHello = "%1\r\n+server\r\n+redis\r\n";
constexpr auto kGranted = "%3\r\n+granted\r\n:1\r\n+fence\r\n:5\r\n+ttl\r\n:30000\r\n";

// Hears one request after the other, on one connection after the other, and says what it was given for each; nothing:
// it closes the connection.
class Server {
 public:
  explicit Server(std::vector<std::string> answers) {
    thread_ = std::thread([this, answers = std::move(answers)] { serve(answers); });
  }
  ~Server() { thread_.join(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(listener_.port()); }
  // When all was said.
  std::vector<std::string> heard() {
    thread_.join();
    thread_ = std::thread([] {});
    return heard_;
  }

 private:
  void serve(const std::vector<std::string>& answers) {
    Fd client;
    for (const std::string& answer : answers) {
      if (!client) client = listener_.accept();
      char bytes[4096];
      const ssize_t n = ::recv(client.get(), bytes, sizeof bytes, 0);
      heard_.emplace_back(bytes, n > 0 ? static_cast<size_t>(n) : 0);
      if (answer.empty()) {
        client = Fd();
      } else {
        EXPECT_EQ(::send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(answer.size()));
      }
    }
  }

  testing::Listener listener_;
  std::vector<std::string> heard_;
  std::thread thread_;
};

TEST(TokenCalls, WhatLetsGoNamesNoOlderFenceWhenALockMayHaveBeenTaken) {
  Server server({kHello, kGranted, ":0\r\n", "", kHello, "-DENIED for now\r\n", ":0\r\n"});
  TokenLock lock(server.address(), "a", {.token = "t"});
  ASSERT_TRUE(lock.try_lock());
  EXPECT_EQ(lock.fence(), 5u);
  ASSERT_TRUE(lock.unlock());
  EXPECT_THROW(lock.try_lock(), Error);
  EXPECT_EQ(lock.fence(), 5u);
  EXPECT_TRUE(lock.unlock());
  const auto heard = server.heard();
  EXPECT_THAT(heard.at(2), HasSubstr("UNLOCK\r\n$1\r\na\r\n$5\r\nTOKEN\r\n$1\r\nt\r\n$5\r\nFENCE\r\n$1\r\n5\r\n"));
  EXPECT_THAT(heard.at(3), HasSubstr("LOCK"));
  EXPECT_THAT(heard.at(6), HasSubstr("UNLOCK\r\n$1\r\na\r\n$5\r\nTOKEN\r\n$1\r\nt\r\n"));
  EXPECT_THAT(heard.at(6), Not(HasSubstr("FENCE")));
}

TEST(Wait, AnyTimeCanBeWaitedFor) {
  const auto end = Wait::until(boot_clock::time_point::max());
  EXPECT_GT(*end.time, boot_clock::now() + std::chrono::hours(24 * 365));
  EXPECT_GT(*end.time + std::chrono::hours(1), *end.time) << "there is room to add to it";
}

}  // namespace
}  // namespace cleat::client
