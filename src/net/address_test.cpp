#include "net/address.hpp"

#include <gtest/gtest.h>

namespace cleat::net {
namespace {

TEST(Address, ReadsWhatPeopleWrite) {
  for (const char* text : {"127.0.0.1:7420", "0.0.0.0:0", "localhost:65535", "[::1]:7420", "[::]:1"}) {
    const auto address = parse_address(text);
    ASSERT_TRUE(address.ok()) << address.status().message();
    EXPECT_EQ(address->text(), text);
  }
}

TEST(Address, RefusesWhatIsNone) {
  for (const char* text : {"", ":", "7420", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
                           "127.0.0.1:7x", "::1:7420", "[127.0.0.1]:1", "example.org:1", "256.0.0.1:1", ":7420"}) {
    EXPECT_FALSE(parse_address(text).ok()) << text;
  }
  EXPECT_FALSE(parse_address(std::string_view("127.0.0.1\0x:1", 13)).ok());
  EXPECT_FALSE(parse_named_address(std::string_view("[::1\0]:1", 8)).ok());
}

TEST(Address, TakesNamesWhereTheyAreAllowed) {
  for (const char* text : {"node-1.example.org:7430", "a:1", "cleat_a:7430", "10.0.0.1:1", "localhost:2", "[::1]:3"}) {
    const auto address = parse_named_address(text);
    ASSERT_TRUE(address.ok()) << address.status().message();
    EXPECT_EQ(address->text(), text);
    EXPECT_EQ(is_name(*address), text[0] == 'n' || text[0] == 'a' || text[0] == 'c') << text;
  }
  for (const char* text : {"", ":1", "a", "256.0.0.1:1", "1:1", "a b:1", "[a]:1", "-a:1", "a:99999"}) {
    EXPECT_FALSE(parse_named_address(text).ok()) << text;
  }
}

TEST(Address, KnowsLoopback) {
  EXPECT_TRUE(is_loopback(*parse_address("127.8.9.10:1")));
  EXPECT_TRUE(is_loopback(*parse_address("localhost:1")));
  EXPECT_TRUE(is_loopback(*parse_address("[::1]:1")));
  EXPECT_FALSE(is_loopback(*parse_address("0.0.0.0:1")));
  EXPECT_FALSE(is_loopback(*parse_address("[::]:1")));
  EXPECT_FALSE(is_loopback(*parse_address("10.0.0.1:1")));
}

}  // namespace
}  // namespace cleat::net
