#include "mutants.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "base/mutant.hpp"
#include "directed.hpp"
#include "minimise.hpp"
#include "mutant_list.hpp"
#include "run.hpp"

namespace cleat::sim {

#ifdef CLEAT_MUTANTS
namespace {

using Clock = std::chrono::steady_clock;

struct Caught {
  std::string by;  // empty: by nothing
  uint64_t seeds = 0;
};

std::string first_line(const std::string& s) {
  return s.substr(0, s.find('\n'));
}

Caught hunt_by_cases() {
  for (const DirectedCase& d : directed_cases())
    for (uint64_t seed = 1; seed <= 4; ++seed)
      if (const RunResult r = d.run(seed, false); !r.failure.empty())
        return {fmt::format("the case {}: {}", d.name, first_line(r.failure)), seed};
  return {};
}

Caught hunt_by_seeds(const Mutant& m, uint64_t seeds) {
  for (uint64_t seed = 1; seed <= seeds; ++seed)
    if (const RunResult r = run_apart({.seed = seed, .members = m.members}); !r.failure.empty())
      return {fmt::format("check '{}': {}", r.checker, first_line(r.failure)), seed};
  return {};
}

// A test that fails without it too catches nothing.
Caught hunt_by_unit_tests(const Mutant& m) {
  const auto tests = std::filesystem::read_symlink("/proc/self/exe").parent_path() / m.binary;
  if (!std::filesystem::exists(tests)) return {};
  const auto passes = [&](const char* name) {
    const std::string run = fmt::format("CLEAT_MUTANT={} '{}' --gtest_filter='{}' --gtest_fail_fast > /dev/null 2>&1",
                                        name, tests.string(), m.filter);
    return std::system(run.c_str()) == 0;
  };
  if (!passes("none") || passes(m.name)) return {};
  return {fmt::format("unit tests: {} {}", m.binary, m.filter), 1};
}

Caught hunt(const Mutant& m, uint64_t seeds) {
  if (m.binary != nullptr) return hunt_by_unit_tests(m);
  base::set_mutant(m.name);
  // What the variants say of themselves is of no interest.
  if (const int nowhere = open("/dev/null", O_WRONLY); nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  // The seeds first, as the random workload is what most is left to; directed cases where that does not find it.
  Caught caught = hunt_by_seeds(m, seeds);
  if (caught.by.empty() && m.members > 1) caught = hunt_by_cases();
  return caught;
}

// Each variant in a process of its own: it may well run into a CHECK, and that catches it too.
class Hunters {
 public:
  explicit Hunters(const Hunt& hunt) : hunt_(hunt) {
    fmt::print("{:<33}{:<12}{:>7}{:>8}  {}\n", "broken variant", "hunted with", "seeds", "s", "caught by");
    std::fflush(stdout);
  }

  int run() {
    for (const Mutant& m : kMutants) {
      if (!hunt_.only.empty() && hunt_.only != m.name) continue;
      while (running_.size() >= static_cast<size_t>(hunt_.jobs)) take();
      begin(m);
    }
    while (!running_.empty()) take();
    fmt::print("{} of {} caught, in {:.0f} s\n", hunted_ - survived_, hunted_, seconds(begun_));
    return survived_ > 0 || hunted_ == 0 ? 1 : 0;
  }

 private:
  struct Running {
    const Mutant* mutant;
    int end;
    Clock::time_point begun;
  };
  static double seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

  void begin(const Mutant& m) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child == 0) {
      const Caught c = hunt(m, hunt_.seeds);
      const std::string said = fmt::format("{} {}", c.seeds, c.by);
      _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 3);
    }
    close(ends[1]);
    running_[child] = {&m, ends[0], Clock::now()};
  }

  void take() {
    int status = 0;
    const pid_t pid = wait(&status);
    const auto found = running_.find(pid);
    if (found == running_.end()) return;
    const Running r = found->second;
    running_.erase(found);
    std::string said(4096, '\0');
    const ssize_t n = read(r.end, said.data(), said.size());
    close(r.end);
    said.resize(n > 0 ? static_cast<size_t>(n) : 0);
    const size_t space = said.find(' ');
    std::string seeds = said.substr(0, space), by = space == std::string::npos ? "" : said.substr(space + 1);
    if (WIFSIGNALED(status)) seeds = "-", by = "a CHECK: the process stopped itself";
    ++hunted_;
    survived_ += by.empty();
    const std::string with = r.mutant->binary != nullptr ? "unit tests"
                             : r.mutant->members > 0     ? fmt::format("{} members", r.mutant->members)
                                                         : "one node";
    fmt::print("{:<33}{:<12}{:>7}{:>8.1f}  {}\n", r.mutant->name, with, seeds, seconds(r.begun),
               by.empty() ? "NOTHING: it survived" : by.substr(0, 150));
    std::fflush(stdout);
  }

  const Hunt hunt_;
  std::map<pid_t, Running> running_;
  const Clock::time_point begun_ = Clock::now();
  int hunted_ = 0, survived_ = 0;
};

}  // namespace

void choose_mutant(const std::string& name) {
  static std::string kept;
  kept = name;
  base::set_mutant(kept.c_str());
}

int hunt_mutants(const Hunt& hunt) {
  return Hunters(hunt).run();
}
#else
void choose_mutant(const std::string&) {
  fmt::print(stderr, "this build has no broken variants: -DCLEAT_MUTANTS=ON\n");
  std::exit(2);
}
int hunt_mutants(const Hunt&) {
  choose_mutant("");
  return 2;
}
#endif

}  // namespace cleat::sim
