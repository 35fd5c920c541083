// cleat_sim: runs seeds, tells coverage, and for a failure the story's end and how to see it again.
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "base/mutant.hpp"
#include "directed.hpp"
#include "mutants.hpp"
#include "run.hpp"

namespace {

using cleat::sim::RunResult;

struct Arguments {
  uint64_t first = 1, last = 200;
  int64_t ops = 250;
  int jobs = 1, members = 1;
  bool grouped = false;  // --members was given: also one member runs as a group
  bool mutants = false, story = false, need_coverage = false, twice = false, seeds_given = false;
  std::string mutant, list, directed;
};

int usage() {
  fmt::print(stderr,
             "usage: cleat_sim [--members N] [--seeds N | A..B] [--jobs N] [--ops N] [--story] [--coverage]\n"
             "       cleat_sim --mutants [--seeds N] [--mutant NAME]      (in a build with -DCLEAT_MUTANTS=ON)\n"
             "  --members N a cluster of N; without it one node\n"
             "  --directed NAME  that directed case, or all of them\n"
             "  --story     tell the run of a single seed\n"
             "  --list F    the seeds at the beginnings of the lines of F (3x17: seed 17 with 3 members)\n"
             "  --twice     run each seed twice and fail if the runs differ\n"
             "  --coverage  fail if something that must be met was never met\n");
  return 2;
}

bool parse(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--mutants")
      a.mutants = true;
    else if (flag == "--story")
      a.story = true;
    else if (flag == "--twice")
      a.twice = true;
    else if (flag == "--coverage")
      a.need_coverage = true;
    else if (i + 1 >= argc)
      return false;
    else if (flag == "--directed")
      a.directed = argv[++i];
    else if (flag == "--list")
      a.list = argv[++i];
    else if (flag == "--jobs")
      a.jobs = std::atoi(argv[++i]);
    else if (flag == "--members")
      a.members = std::atoi(argv[++i]), a.grouped = true;
    else if (flag == "--ops")
      a.ops = std::atoll(argv[++i]);
    else if (flag == "--mutant")
      a.mutant = argv[++i];
    else if (flag == "--seeds") {
      const std::string range = argv[++i];
      a.seeds_given = true;
      const size_t dots = range.find("..");
      a.first = dots == std::string::npos ? 1 : std::strtoull(range.c_str(), nullptr, 10);
      a.last = std::strtoull(range.c_str() + (dots == std::string::npos ? 0 : dots + 2), nullptr, 10);
    } else
      return false;
  }
  return a.last >= a.first && a.jobs >= 1 && a.ops >= 1 && a.members >= 1 && a.members <= 7;
}

RunResult run(const Arguments& a, uint64_t seed, bool tell) {
  return a.grouped ? cleat::sim::run_cluster_seed(seed, a.ops, a.members, tell)
                   : cleat::sim::run_seed(seed, a.ops, tell);
}

void tell_failure(const RunResult& r, const Arguments& a) {
  fmt::print("seed {} FAILED: {}\n", r.seed, r.failure);
  const RunResult again = run(a, r.seed, true);
  if (again.trace_hash != r.trace_hash)
    fmt::print("(the second run of this seed differs: the simulator is not deterministic)\n");
  const size_t n = again.story.size();
  for (size_t i = n > 60 ? n - 60 : 0; i < n; ++i) fmt::print("  {}\n", again.story[i]);
  fmt::print("replay: build/cleat_sim{} --seeds {}..{}{}\n", a.grouped ? fmt::format(" --members {}", a.members) : "",
             r.seed, r.seed, a.ops == 250 ? "" : fmt::format(" --ops {}", a.ops));
  std::fflush(stdout);
}

struct Sum {
  uint64_t seeds = 0, failed = 0, hash = 0;
  cleat::sim::Coverage coverage{};
};

// One process a job: the log's library has threads and the broken variants are global.
void run_range(const Arguments& a, int job, Sum& sum) {
  for (uint64_t seed = a.first + static_cast<uint64_t>(job); seed <= a.last; seed += static_cast<uint64_t>(a.jobs)) {
    const RunResult r = run(a, seed, a.story);
    ++sum.seeds;
    sum.hash ^= r.trace_hash;
    for (size_t i = 0; i < sum.coverage.size(); ++i) sum.coverage[i] += r.coverage[i];
    if (a.story)
      for (const std::string& line : r.story) fmt::print("{}\n", line);
    if (a.twice && run(a, seed, false).trace_hash != r.trace_hash) {
      ++sum.failed;
      fmt::print("seed {} FAILED: the same seed ran differently the second time\n", seed);
    }
    if (r.failure.empty()) continue;
    ++sum.failed;
    tell_failure(r, a);
    if (sum.failed >= 3) return;
  }
}

Sum run_jobs(const Arguments& a) {
  Sum total;
  if (a.jobs == 1) {
    run_range(a, 0, total);
    return total;
  }
  std::vector<int> pipes;
  for (int job = 0; job < a.jobs; ++job) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    if (fork() == 0) {
      Sum sum;
      run_range(a, job, sum);
      const bool written = write(ends[1], &sum, sizeof sum) == static_cast<ssize_t>(sizeof sum);
      _exit(written ? 0 : 1);
    }
    close(ends[1]);
    pipes.push_back(ends[0]);
  }
  for (const int end : pipes) {
    Sum sum;
    if (read(end, &sum, sizeof sum) != static_cast<ssize_t>(sizeof sum)) sum.failed = 1;  // it died: told on stderr
    total.seeds += sum.seeds;
    total.failed += sum.failed;
    total.hash ^= sum.hash;
    for (size_t i = 0; i < sum.coverage.size(); ++i) total.coverage[i] += sum.coverage[i];
    int status = 0;
    wait(&status);
  }
  return total;
}

// Prints a line for each; the number of those that failed.
int run_directed(const Arguments& a) {
  int failed = 0;
  for (const cleat::sim::DirectedCase& d : cleat::sim::directed_cases()) {
    if (a.directed != "all" && a.directed != d.name) continue;
    RunResult r;
    for (uint64_t seed = a.first; seed <= a.last && r.failure.empty(); ++seed) r = d.run(seed, a.story);
    fmt::print("{:<30} {}\n", d.name, r.failure.empty() ? d.what : "FAILED with seed " + std::to_string(r.seed));
    if (!r.failure.empty()) {
      const RunResult told = d.run(r.seed, true);
      fmt::print("  {}\n", r.failure);
      for (size_t i = told.story.size() - std::min<size_t>(told.story.size(), 60); i < told.story.size(); ++i)
        fmt::print("  {}\n", told.story[i]);
      fmt::print("replay: build/cleat_sim --directed {} --seeds {}..{}\n", d.name, r.seed, r.seed);
      ++failed;
    }
    std::fflush(stdout);
  }
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  if (!parse(argc, argv, a)) return usage();
  if (a.mutants) return cleat::sim::hunt_mutants(a.seeds_given ? a.last : 2000, a.ops, a.mutant);
  if (!a.mutant.empty()) cleat::sim::choose_mutant(a.mutant);
  if (!a.directed.empty()) {
    if (!a.seeds_given) a.last = 10;
    return run_directed(a) > 0 ? 1 : 0;
  }
  const auto begun = std::chrono::steady_clock::now();
  Sum sum;
  if (a.list.empty()) {
    sum = run_jobs(a);
  } else {
    std::ifstream lines(a.list);
    if (!lines) return usage();
    for (std::string line; std::getline(lines, line);) {
      if (line.empty() || line[0] == '#') continue;
      const size_t x = line.substr(0, line.find(' ')).find('x');
      a.grouped = x != std::string::npos;
      a.members = a.grouped ? std::atoi(line.c_str()) : 1;
      a.first = a.last = std::strtoull(line.c_str() + (a.grouped ? x + 1 : 0), nullptr, 10);
      run_range(a, 0, sum);
    }
  }
  const double s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  int missed = 0;
  int told = 0;
  for (int i = 0; i < cleat::sim::kCovers; ++i) {
    if (!cleat::sim::is_met_by(i, a.grouped)) continue;
    const uint64_t n = sum.coverage[static_cast<size_t>(i)];
    fmt::print("{}{} {}", told++ % 6 == 0 ? "\n  " : ", ", cleat::sim::cover_text(i), n);
    missed += n == 0;
  }
  fmt::print("\n{} seeds, {} failed, {:.1f} seeds/s, trace {:016x}\n", sum.seeds, sum.failed,
             static_cast<double>(sum.seeds) / s, sum.hash);
  if (a.need_coverage && missed > 0)
    fmt::print("{} things were never met: the batch is too small or the plan is wrong\n", missed);
  return sum.failed > 0 || (a.need_coverage && missed > 0) ? 1 : 0;
}
