#include "mutants.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/mutant.hpp"
#include "runner.hpp"

namespace cleat::auditor {

#ifdef CLEAT_MUTANTS
namespace {

constexpr unsigned kSecondsPerJudge = 120;

std::string one_line(const std::string& s) {
  std::string out;
  for (const char c : s)
    if (c != '\n')
      out += c;
    else if (!out.ends_with("; "))
      out += "; ";
  return out;
}

struct Judge {
  const char* name;
  Judges judges;
};
constexpr Judge kJudges[] = {{"model", {true, false}}, {"promises", {false, true}}};

// A seed, a tab, and what was seen; empty: it survived.
std::string hunt(Judges judges, uint64_t seeds, uint64_t steps) {
  RunCounts counts;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    if (const auto failure = run_plan(make_plan(seed, steps), judges, false, &counts)) {
      return fmt::format("{}\t{}: {} (step {}, {} steps in all)", seed, failure->check, one_line(failure->what),
                         failure->step, counts.steps);
    }
  }
  return "";
}

// In a child: a mutant may also trip a CHECK of the machine, or run for ever.
std::string hunt_apart(const Mutant& m, Judges judges, uint64_t seeds, uint64_t steps) {
  int ends[2];
  if (pipe(ends) != 0) return "";
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    alarm(kSecondsPerJudge);
    base::set_mutant(m.name);
    const std::string found = hunt(judges, seeds, steps);
    [[maybe_unused]] const auto written = write(ends[1], found.data(), found.size());
    _exit(0);
  }
  close(ends[1]);
  std::string found;
  char buffer[4096];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) found.append(buffer, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) return "0\tthe machine stopped itself (CHECK)";
  if (WIFSIGNALED(status) && WTERMSIG(status) != SIGALRM) return fmt::format("0\tsignal {}", WTERMSIG(status));
  return found;
}

}  // namespace

int run_mutants(const char* only, uint64_t seeds, uint64_t steps) {
  // A judge that condemns the unbroken machine proves nothing about a broken one.
  std::vector<Judge> fit;
  for (const Judge& j : kJudges) {
    if (hunt(j.judges, seeds, steps).empty())
      fit.push_back(j);
    else
      fmt::print("the {} condemns the unbroken machine: it does not count here\n", j.name);
  }
  int survivors = 0, tried = 0;
  for (const auto& m : kMutants) {
    if (only != nullptr && std::strcmp(only, m.name) != 0) continue;
    ++tried;
    bool caught = false;
    for (const Judge& j : fit) {
      const std::string seen = hunt_apart(m, j.judges, seeds, steps);
      fmt::print("{}\t{}\t{}\n", m.name, j.name, seen.empty() ? "0\t" : seen);
      std::fflush(stdout);
      caught |= !seen.empty();
    }
    survivors += caught ? 0 : 1;
  }
  if (tried == 0) {
    fmt::print(stderr, "no mutant is called {}; --all-mutants lists them\n", only);
    return 2;
  }
  fmt::print("{} of {} mutants caught\n", tried - survivors, tried);
  return survivors == 0 ? 0 : 1;
}
#else
int run_mutants(const char*, uint64_t, uint64_t) {
  fmt::print(stderr, "this build has no mutants: configure with -DCLEAT_MUTANTS=ON\n");
  return 2;
}
#endif

}  // namespace cleat::auditor
