#include "lock/mode.hpp"

#include <gtest/gtest.h>

namespace cleat::lock {
namespace {

// The table of the guarantees, row by row: y = both may hold. Written out again on purpose.
constexpr std::string_view kTable[kModes] = {
    //   IS IX S U SIX X
    "yyyyyn",  // IS
    "yynnnn",  // IX
    "ynyynn",  // S
    "ynynnn",  // U
    "ynnnnn",  // SIX
    "nnnnnn",  // X
};

Mode mode(int i) {
  return static_cast<Mode>(i);
}

TEST(Mode, CompatibilityIsTheTable) {
  for (int a = 0; a < kModes; ++a)
    for (int b = 0; b < kModes; ++b)
      EXPECT_EQ(compatible(mode(a), mode(b)), kTable[a][static_cast<size_t>(b)] == 'y')
          << short_name(mode(a)) << " with " << short_name(mode(b));
}

TEST(Mode, CompatibilityIsSymmetric) {
  for (int a = 0; a < kModes; ++a)
    for (int b = 0; b < kModes; ++b) EXPECT_EQ(compatible(mode(a), mode(b)), compatible(mode(b), mode(a)));
}

TEST(Mode, CoversIsAnOrderWithExclusiveOnTop) {
  for (int a = 0; a < kModes; ++a) {
    EXPECT_TRUE(covers(mode(a), mode(a)));
    EXPECT_TRUE(covers(Mode::kExclusive, mode(a)));
    EXPECT_TRUE(covers(mode(a), Mode::kIntentShared));
    for (int b = 0; b < kModes; ++b) {
      if (a != b) {
        EXPECT_FALSE(covers(mode(a), mode(b)) && covers(mode(b), mode(a)));
      }
      for (int c = 0; c < kModes; ++c)
        if (covers(mode(a), mode(b)) && covers(mode(b), mode(c))) {
          EXPECT_TRUE(covers(mode(a), mode(c)));
        }
    }
  }
  EXPECT_TRUE(covers(Mode::kUpdate, Mode::kShared));
  EXPECT_TRUE(covers(Mode::kSharedIntentExclusive, Mode::kUpdate));
  EXPECT_FALSE(covers(Mode::kShared, Mode::kIntentExclusive));
  EXPECT_FALSE(covers(Mode::kIntentExclusive, Mode::kShared));
}

}  // namespace
}  // namespace cleat::lock
