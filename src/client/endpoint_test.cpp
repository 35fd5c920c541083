#include "client/endpoint.hpp"

#include <gtest/gtest.h>

namespace cleat::client {
namespace {

TEST(Endpoint, ReadsWhatPeopleWrite) {
  const auto read = [](const char* text) {
    const auto e = parse_endpoint(text);
    return e.ok() ? e->host + " " + std::to_string(e->port) : e.status().message();
  };
  EXPECT_EQ(read("127.0.0.1:7000"), "127.0.0.1 7000");
  EXPECT_EQ(read("db1"), "db1 7420");
  EXPECT_EQ(read("[::1]:7000"), "::1 7000");
  EXPECT_EQ(read("[::1]"), "::1 7420");
  const std::string hint = ": write HOST:PORT, such as 127.0.0.1:7420 or [::1]:7420";
  EXPECT_EQ(read(""), "'' has no host" + hint);
  EXPECT_EQ(read(":7000"), "':7000' has no host" + hint);
  EXPECT_EQ(read("a:"), "'a:' has no port from 1 to 65535" + hint);
  EXPECT_EQ(read("a:0"), "'a:0' has no port from 1 to 65535" + hint);
  EXPECT_EQ(read("a:65536"), "'a:65536' has no port from 1 to 65535" + hint);
  EXPECT_EQ(read("a:7x"), "'a:7x' has no port from 1 to 65535" + hint);
  EXPECT_EQ(read("::1"), "'::1' has more than one colon" + hint);
  EXPECT_EQ(read("[::1"), "'[::1' has no closing ]" + hint);
  for (const std::string odd : {"[[::1]", "a]", " a", "a\r"}) {
    EXPECT_EQ(read(odd.c_str()), "'" + odd + "' has a blank, a bracket or a control character in its host" + hint);
  }
  EXPECT_EQ(read("[::1]7"), "'[::1]7' has something other than :PORT behind the ]" + hint);
}

TEST(Endpoint, WritesWhatItReads) {
  EXPECT_EQ((Endpoint{.host = "::1", .port = 7}).text(), "[::1]:7");
  EXPECT_EQ((Endpoint{.host = "db1", .port = 7}).text(), "db1:7");
}

TEST(Endpoint, SeveralWithCommas) {
  const auto read = [](const char* text) {
    const auto all = parse_endpoints(text);
    return all.ok() ? text_of(*all) : all.status().message();
  };
  EXPECT_EQ(read("a"), "a:7420");
  EXPECT_EQ(read("a:1,b,[::1]:3"), "a:1,b:7420,[::1]:3");
  const std::string hint = ": write HOST:PORT, such as 127.0.0.1:7420 or [::1]:7420";
  EXPECT_EQ(read("a:1,"), "'' has no host" + hint);
  EXPECT_EQ(read("a:1,b:x"), "'b:x' has no port from 1 to 65535" + hint);
}

}  // namespace
}  // namespace cleat::client
