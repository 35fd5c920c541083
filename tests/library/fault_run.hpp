// One run of programs that lock (fault_worker.cpp), while they and their servers are killed, stopped, cut off and
// restarted at random. What they tell is judged as it comes.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "judge.hpp"

namespace cleat::tests {

struct FaultPlan {
  uint64_t seed = 0;
  std::string primitive = "mutex";            // recursive, shared
  std::chrono::milliseconds duration{1'500};  // from the first grant on
  bool cluster = false;                       // three members instead of one
  uint32_t workers = 3;
  uint32_t threads = 4;  // of each worker, which has one Client
  uint32_t names = 8;
  std::chrono::milliseconds ttl{600};
  // Breaks the workers: they believe for so much longer than the library says. The run must then find something.
  std::chrono::milliseconds lengthened{0};
};

struct FaultReport {
  std::string wrong;  // empty: nothing was found
  Judge::Counts counts;
  uint64_t kills = 0, stops = 0, cuts = 0, resets = 0, server_kills = 0, server_stops = 0;

  std::string text() const;  // one line
};

FaultReport run_faults(const FaultPlan& plan);

}  // namespace cleat::tests
