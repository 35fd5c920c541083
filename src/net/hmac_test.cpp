#include "net/hmac.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

namespace cleat::net {
namespace {

std::string hex(const Digest& digest) {
  std::string out;
  for (const uint8_t byte : digest) out += fmt::format("{:02x}", byte);
  return out;
}

// FIPS 180-4 and RFC 4231, test cases 2 and 6.
TEST(Hmac, GivesWhatTheStandardsSay) {
  EXPECT_EQ(hex(sha256({"abc"})), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(sha256({"a", "", "bc"})), hex(sha256({"abc"})));
  EXPECT_EQ(hex(hmac_sha256("Jefe", {"what do ya want ", "for nothing?"})),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hex(hmac_sha256(std::string(131, '\xaa'), {"Test Using Larger Than Block-Size Key - Hash Key First"})),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(hmac_sha256("", {""})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Hmac, RandomBytesDiffer) {
  Digest a{}, b{};
  fill_random(a);
  fill_random(b);
  EXPECT_FALSE(same_digest(a, b));
  EXPECT_FALSE(same_digest(a, Digest{}));
  EXPECT_TRUE(same_digest(a, a));
}

}  // namespace
}  // namespace cleat::net
