// Which key has which name. Programs of different versions rely on it: a failure here is a break of the library's
// promise.
#include "cleat/striped.hpp"

#include <gtest/gtest.h>

#include <map>

#include "cleat/error.hpp"

namespace cleat {
namespace {

TEST(StripedTest, EachKeyHasItsNameForEver) {
  const auto accounts = striped("accounts", 64);
  EXPECT_EQ(accounts.size(), 64u);
  EXPECT_EQ(accounts.names().front(), "accounts/0");
  EXPECT_EQ(accounts.names().back(), "accounts/63");
  const std::map<std::string, std::string> golden = {{"", "accounts/37"},     {"a", "accounts/12"},
                                                     {"alice", "accounts/7"}, {"foobar", "accounts/40"},
                                                     {"0", "accounts/47"},    {"1", "accounts/60"},
                                                     {"2", "accounts/21"},    {"4711", "accounts/18"},
                                                     {"Jörg", "accounts/63"}, {"customer/4711/invoice", "accounts/25"}};
  for (const auto& [key, name] : golden) EXPECT_EQ(accounts(key), name) << key;
  EXPECT_EQ(accounts(std::string_view("a\0b", 3)), "accounts/50");
  EXPECT_EQ(striped("accounts", 1'000)("alice"), "accounts/183") << "the name plays no part, n does";
  EXPECT_EQ(striped("x", 1'000).index("alice"), 183u);
}

TEST(StripedTest, KeysThatCountSpreadOverAllNames) {
  const auto stripes = striped("s", 16);
  std::map<size_t, int> keys;
  for (int i = 0; i < 16'000; ++i) ++keys[stripes.index("user-" + std::to_string(i))];
  ASSERT_EQ(keys.size(), 16u);
  for (const auto& [index, n] : keys) {
    EXPECT_GT(n, 800) << index;
    EXPECT_LT(n, 1'200) << index;
  }
}

TEST(StripedTest, OneNameTakesAllAndNoneIsAnError) {
  EXPECT_EQ(striped("one", 1)("anything"), "one/0");
  EXPECT_THROW(striped("none", 0), Error);
}

}  // namespace
}  // namespace cleat
