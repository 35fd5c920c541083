// Runs a plan: the machine and the model get the same entries; all they say and all they answer must agree.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "plan.hpp"

namespace cleat::auditor {

struct Judges {
  bool model = true;       // compares with the model
  bool properties = true;  // checks the promises without the model
};

struct Failure {
  size_t step = 0;
  std::string check;               // which check, in one or two words
  std::string what;                // in full
  std::vector<std::string> story;  // of all steps, when asked for
};

struct RunCounts {
  uint64_t steps = 0, commands = 0, said = 0, grants = 0, waits = 0, expiries = 0, ghosts = 0, repeats = 0,
           refusals = 0, restores = 0, crowded = 0;  // crowded: steps with more than 16 at one name
  void add(const RunCounts&);
};

std::optional<Failure> run_plan(const Plan&, Judges, bool with_story, RunCounts* counts = nullptr);

}  // namespace cleat::auditor
