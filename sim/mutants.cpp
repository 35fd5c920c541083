#include "mutants.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/mutant.hpp"
#include "directed.hpp"
#include "run.hpp"

namespace cleat::sim {
namespace {

// Those that one node can show.
constexpr const char* kMutants[] = {
    "skip_sync",
    "answer_before_sync",
    "forget_req",
    "lose_wakeup",
    "expire_early",
    "expire_before_drain",
    "grant_past_writer",
    "ok_after_mark",
    "log_time_counts_stall",
    "log_time_restarts_at_zero",
    "snapshot_of_wrong_index",
    "snapshot_rot_ignored",
    "lower_bound_ignored",
    "undeliver_ignored",
    "boot_not_ended",
    "boot_not_counted",
};

// Those that only several members can show: with one voter a round of proof is over in the call that begins it, nothing
// is forwarded, and a term ends only with its process.
constexpr const char* kClusterMutants[] = {
    "skip_sync",
    "answer_before_sync",
    "proof_before_receipt",
    "context_reused",
    "leads_unproved",
    "lead_before_noop",
    "ok_after_mark",
    "log_time_counts_stall",
    "log_time_before_election",
    "log_time_remembered",
    "forward_taken_twice",
    "forward_of_old_term",
    "read_before_apply",
    "no_ticks",
    "snapshot_of_wrong_index",
    "installed_sessions_forgotten",
    "refused_proposal_remembered",
    "boot_not_ended",
};

// Those of unit tests beside this binary. (heard_kept is hunted by them alone: since a voucher may tell of a silence
// older than the term, what was heard in an earlier one can no longer make an end come early.)
struct UnitMutant {
  const char *name, *binary, *filter;
};
constexpr UnitMutant kUnitMutants[] = {
    {"proof_before_receipt", "replica_test", "*"},
    {"heard_kept", "replica_test", "*"},
    {"votes_twice", "server_test", "Founding.*"},
};

}  // namespace

#ifdef CLEAT_MUTANTS
void choose_mutant(const std::string& name) {
  static std::string kept;
  kept = name;
  base::set_mutant(kept.c_str());
}

// In a process of its own: a variant may well run into a CHECK, and that catches it too.
std::string hunt(const char* name, int members, uint64_t seeds, int64_t ops) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  const pid_t child = fork();
  if (child == 0) {
    base::set_mutant(name);
    std::string said;
    if (members > 1)
      for (const DirectedCase& d : directed_cases())
        for (uint64_t seed = 1; seed <= 4 && said.empty(); ++seed)
          if (const RunResult r = d.run(seed, false); !r.failure.empty())
            said = fmt::format("caught by the case {}: {}", d.name, r.failure.substr(0, r.failure.find('\n')));
    for (uint64_t seed = 1; seed <= seeds && said.empty(); ++seed) {
      const RunResult r = members > 1 ? run_cluster_seed(seed, ops, members, false) : run_seed(seed, ops, false);
      if (!r.failure.empty())
        said =
            fmt::format("caught by '{}' with seed {}: {}", r.checker, seed, r.failure.substr(0, r.failure.find('\n')));
    }
    _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 3);
  }
  close(ends[1]);
  std::string said(4096, '\0');
  const ssize_t n = read(ends[0], said.data(), said.size());
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return "caught by a CHECK: the process stopped itself";
  said.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return said;
}

// A test that fails without it too catches nothing.
std::string hunt_by_unit_tests(const UnitMutant& m) {
  const auto tests = std::filesystem::read_symlink("/proc/self/exe").parent_path() / m.binary;
  if (!std::filesystem::exists(tests)) return fmt::format("{} is not built", m.binary);
  const auto passes = [&](const char* name) {
    const std::string run = fmt::format("CLEAT_MUTANT={} '{}' --gtest_filter='{}' --gtest_fail_fast > /dev/null 2>&1",
                                        name, tests.string(), m.filter);
    return std::system(run.c_str()) == 0;
  };
  if (!passes("none")) return fmt::format("{} fails without any mutant", m.binary);
  if (passes(m.name)) return fmt::format("SURVIVED {} {}", m.binary, m.filter);
  return fmt::format("caught by {} {}", m.binary, m.filter);
}

int hunt_mutants(uint64_t seeds, int64_t ops, const std::string& only) {
  int survived = 0;
  const auto each = [&](auto& names, int members) {
    for (const char* name : names) {
      if (!only.empty() && only != name) continue;
      const std::string said = hunt(name, members, seeds, ops);
      survived += said.empty();
      fmt::print("{} {:<28} {}\n", members, name,
                 said.empty() ? fmt::format("SURVIVED {} seeds", seeds) : said.substr(0, 160));
      std::fflush(stdout);
    }
  };
  each(kMutants, 1);
  each(kClusterMutants, 3);
  for (const UnitMutant& m : kUnitMutants) {
    if (!only.empty() && only != m.name) continue;
    const std::string said = hunt_by_unit_tests(m);
    survived += said.substr(0, 6) != "caught";
    fmt::print("  {:<28} {}\n", m.name, said);
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
