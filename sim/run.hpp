// One seed: faults and load, then peace and the demand that everything comes to its end.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "world.hpp"

namespace cleat::sim {

struct RunOptions {
  uint64_t seed = 1;
  int members = 0;     // of a group; 0: one node without one
  int64_t ops = 1000;  // of all clients together, at least
  Telling telling = Telling::kNothing;
  const Kept* kept = nullptr;  // only these parts of what the seed chose; null: all
  bool planted = false;        // a failure to try the minimiser on: something is granted after power was lost
};

struct RunResult {
  uint64_t seed = 0, trace_hash = 0;
  std::string checker, failure;  // empty: all promises were kept
  Coverage coverage{};
  std::vector<std::string> story;  // last lines, if asked for
  Kept kept;                       // what happened
};
RunResult result_of(World&, uint64_t seed, int64_t load_us);

RunResult run(const RunOptions&);
RunResult run_node(const RunOptions&);
RunResult run_cluster(const RunOptions&);

}  // namespace cleat::sim
