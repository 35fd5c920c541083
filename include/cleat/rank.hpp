// A declared order among locks, so that a thread that takes them against it is found before it meets another one there.
#pragma once

#include <string>
#include <string_view>

namespace cleat {

// Where a lock stands in the order: a thread that holds one of rank 20 may wait for one of rank 30 only. 0, the
// default: the lock is not checked, which costs nothing. Say it as a plain number, {.rank = 20}: the place is the
// caller's.
struct Rank {
  constexpr Rank() = default;
  // The builtins are those behind std::source_location, which clang has only since 16.
  // NOLINTNEXTLINE(google-explicit-constructor): so that a number does, and the place is where it stands
  constexpr Rank(int number, const char* in_file = __builtin_FILE(), unsigned in_line = __builtin_LINE())
      : value(number), file(in_file), line(in_line) {}

  int value = 0;
  const char* file = "";
  unsigned line = 0;
};

// A thread is about to wait for a lock although it holds one that should have come later (or has the same rank).
struct RankViolation {
  struct Lock {
    std::string_view name;  // only valid within the handler
    Rank rank;
  };
  Lock locking, holding;

  // One line with both names, ranks and places.
  std::string message() const;
};

}  // namespace cleat
