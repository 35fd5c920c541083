// One seed: faults and load, then peace and the demand that everything comes to its end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "world.hpp"

namespace cleat::sim {

struct RunResult {
  uint64_t seed = 0, trace_hash = 0;
  std::string checker, failure;  // empty: all promises were kept
  Coverage coverage{};
  std::vector<std::string> story;  // last lines, if asked for
};

RunResult run_seed(uint64_t seed, int64_t ops, bool tell);  // one node
RunResult run_cluster_seed(uint64_t seed, int64_t ops, int members, bool tell);

}  // namespace cleat::sim
