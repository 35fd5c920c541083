// The six modes and the one table that says which may be held together (spec section 3; the table is that of Gray et
// al., "Granularity of locks and degrees of consistency in a shared data base", 1976, section 2, with U of VMS and
// DB2).
#pragma once

#include <cstdint>
#include <string_view>

namespace cleat::lock {

enum class Mode : uint8_t { kIntentShared, kIntentExclusive, kShared, kUpdate, kSharedIntentExclusive, kExclusive };
inline constexpr int kModes = 6;

// kConflicts[m] has bit n set when m and n may not be held together.
inline constexpr uint8_t kConflicts[kModes] = {
    0b100000,  // IS: X
    0b111100,  // IX: S U SIX X
    0b110010,  // S:  IX SIX X
    0b111010,  // U:  IX U SIX X
    0b111110,  // SIX: all but IS
    0b111111,  // X:  all
};

constexpr bool compatible(Mode a, Mode b) {
  return (kConflicts[static_cast<int>(a)] >> static_cast<int>(b) & 1) == 0;
}

// A covers B if A conflicts with all that B conflicts with.
constexpr bool covers(Mode a, Mode b) {
  const uint8_t ca = kConflicts[static_cast<int>(a)], cb = kConflicts[static_cast<int>(b)];
  return (ca & cb) == cb;
}

constexpr std::string_view short_name(Mode m) {
  constexpr std::string_view kNames[kModes] = {"IS", "IX", "S", "U", "SIX", "X"};
  return kNames[static_cast<int>(m)];
}
constexpr std::string_view long_name(Mode m) {
  constexpr std::string_view kNames[kModes] = {"INTENT-SHARED", "INTENT-EXCLUSIVE",        "SHARED",
                                               "UPDATE",        "SHARED-INTENT-EXCLUSIVE", "EXCLUSIVE"};
  return kNames[static_cast<int>(m)];
}

}  // namespace cleat::lock
