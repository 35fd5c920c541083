// Directed cases: one rule of engine.md or time.md each, played out with several members. Each runs with some seeds,
// which vary delays and moments.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "run.hpp"

namespace cleat::sim {

struct DirectedCase {
  const char* name;
  const char* what;
  RunResult (*run)(uint64_t seed, bool tell);
};
const std::vector<DirectedCase>& directed_cases();

// directed_late.cpp
RunResult late_lock_of_a_waiter(uint64_t seed, bool tell);
RunResult late_lock_forgotten(uint64_t seed, bool tell);

// directed_restore.cpp
RunResult restored_twice(uint64_t seed, bool tell);
RunResult recovered_from_one(uint64_t seed, bool tell);

}  // namespace cleat::sim
