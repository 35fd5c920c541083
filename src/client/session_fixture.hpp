// For the tests of a session: the session, and a server that answers by hand.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/session.hpp"

namespace cleat::client {

using namespace std::chrono_literals;
using Kind = Notice::Kind;
using ::testing::HasSubstr;

inline constexpr auto kHello = "%1\r\n+server\r\n+redis\r\n";
inline constexpr auto kOpened = "%3\r\n+id\r\n:7\r\n+key\r\n$3\r\nabc\r\n+ttl\r\n:9000\r\n";
inline constexpr auto kAlone = "-ERR MEMBERS is not supported by this version\r\n";
inline constexpr auto kAlive = "*2\r\n:9000\r\n:0\r\n";

// A session and a server that answers by hand; time stands still unless moved.
struct SessionFixture : ::testing::Test {
  TimePoint now{1'000s};
  Session session;

  explicit SessionFixture(std::vector<Endpoint> servers = {Endpoint{}}) : session(options(std::move(servers)), now) {}
  static SessionOptions options(std::vector<Endpoint> servers) {
    return {.servers = std::move(servers), .ttl = 9s, .label = "test", .credentials = {}, .seed = 1};
  }

  std::string sent() {
    std::string out;
    out.swap(session.output());
    return out;
  }
  void connect() {
    ASSERT_TRUE(session.wants_connect(now));
    session.connecting(now);
    session.connected(now);
  }
  void answer(std::string_view bytes) { session.received(bytes, now); }
  void open() {
    connect();
    answer(kHello);
    answer(kOpened);
    answer(kAlone);
    EXPECT_EQ(notice().kind, Kind::kOpened);
    sent();
  }
  // The connection breaks, and is there again once the session wants it.
  void reconnect() {
    session.disconnected({base::Code::kIo, "gone"}, now);
    EXPECT_EQ(notice().kind, Kind::kDisconnected);
    now = *session.next_wake();
    connect();
    answer(kHello);
  }
  Notice notice() {
    auto n = session.next_notice();
    EXPECT_TRUE(n.has_value());
    return n.value_or(Notice{});
  }
  void quiet() { EXPECT_FALSE(session.next_notice().has_value()); }
};

struct SessionTest : SessionFixture {};

}  // namespace cleat::client
