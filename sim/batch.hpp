// Many seeds, in processes beside each other: the log's library has threads, broken variants are global, and one that
// stops itself must not take the others along.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "run.hpp"

namespace cleat::sim {

struct Sum {
  uint64_t seeds = 0, failed = 0, hash = 0;
  double seconds = 0;
  Coverage coverage{};
  Sum& operator+=(const Sum&);
};

struct BatchOptions {
  uint64_t first = 1, last = 200;
  int jobs = 1;
  bool twice = false;            // each seed a second time, which must be the same
  double minimise_seconds = 10;  // given to each seed that fails
  RunOptions run;                // but for the seed
};

// Tells how far it is and what fails; ends early after some failures.
Sum run_batch(const BatchOptions&);
// A failing seed in few words, with how to see it again; runs it some more times to cut it down.
std::string tell_failure(const RunOptions&, const RunResult&, double minimise_seconds);
std::string replay(const RunOptions&);

// Plants a failure in seeds of such groups: each must be cut down to next to nothing, still fail, and be told.
bool try_minimiser(const std::vector<int>& members);

// The table of configurations, and what was met. How many things were not, although the batch is large enough.
struct Row {
  std::string name;
  int members;
  Sum sum;
};
int print_summary(const std::vector<Row>&);

}  // namespace cleat::sim
