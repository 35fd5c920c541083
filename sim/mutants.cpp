#include "mutants.hpp"

#include <fmt/format.h>

#include "base/mutant.hpp"
#include "run.hpp"

namespace cleat::sim {
namespace {

// Those that one node can show. The rest of time.md's list is caught by the unit tests of replica/ in the same build.
constexpr const char* kMutants[] = {
    "skip_sync",           "answer_before_sync",    "forget_req",
    "lose_wakeup",         "expire_early",          "grant_past_writer",
    "ok_after_mark",       "log_time_counts_stall", "log_time_restarts_at_zero",
    "expire_before_drain", "boot_not_counted",      "snapshot_of_wrong_index",
};

}  // namespace

#ifdef CLEAT_MUTANTS
void choose_mutant(const std::string& name) {
  static std::string kept;
  kept = name;
  base::set_mutant(kept.c_str());
}

int hunt_mutants(uint64_t seeds, int64_t ops, const std::string& only) {
  int survived = 0;
  for (const char* name : kMutants) {
    if (!only.empty() && only != name) continue;
    base::set_mutant(name);
    RunResult caught;
    uint64_t seed = 1;
    for (; seed <= seeds && caught.failure.empty(); ++seed) caught = run_seed(seed, ops, false);
    base::set_mutant(nullptr);
    if (caught.failure.empty()) {
      ++survived;
      fmt::print("{:<28} SURVIVED {} seeds\n", name, seeds);
    } else {
      fmt::print("{:<28} caught by '{}' with seed {}: {}\n", name, caught.checker, caught.seed,
                 caught.failure.substr(0, caught.failure.find('\n')));
    }
    std::fflush(stdout);
  }
  return survived > 0 ? 1 : 0;
}
#else
void choose_mutant(const std::string&) {
  fmt::print(stderr, "this build has no broken variants: -DCLEAT_MUTANTS=ON\n");
}
int hunt_mutants(uint64_t, int64_t, const std::string&) {
  choose_mutant("");
  return 2;
}
#endif

}  // namespace cleat::sim
