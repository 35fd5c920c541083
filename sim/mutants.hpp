// The broken variants: each must be caught by a checker within the seeds given.
#pragma once

#include <cstdint>
#include <string>

namespace cleat::sim {

struct Hunt {
  uint64_t seeds = 300;  // at most, of each configuration
  int jobs = 1;          // variants that are hunted at a time
  std::string only;      // of this name; empty: all
};
int hunt_mutants(const Hunt&);  // exit status: 1 when one survives
void choose_mutant(const std::string& name);

}  // namespace cleat::sim
