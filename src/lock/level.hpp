// Feature levels: what the log may ask of those who apply it. A group's level is part of its state (Machine::level()),
// begins at kFirstLevel, and rises by an entry (Verb::kRaiseLevel) once every member has said that it knows the next
// one. So no member ever meets an entry that it can't read, or applies one by other rules than the others.
//
// A later version that changes how entries are read or applied raises known_level() and asks here, in apply, which
// rules are in force: entries of before the rise are applied by the rules of then, also when they are replayed.
#pragma once

#include <cstdint>

#include "lock/command.hpp"

namespace cleat::lock {

inline constexpr uint32_t kFirstLevel = 1;
inline constexpr uint32_t kMaxLevel = 65'535;

// The highest that this build knows. CLEAT_LEVEL_PLUS_ONE (the target cleat_next, for tests) makes it one higher, with
// the two rules below.
uint32_t known_level();

// What must be in force before this command may enter the log.
uint32_t required_level(const Command&);

// Whether RENEW is recorded in the history, and puts the DATA that it brings.
bool renewals_recorded(uint32_t level_in_force);

}  // namespace cleat::lock
