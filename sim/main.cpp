// cleat_sim: runs seeds, tells what was met, and for a failure its story and how to see it again.
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "batch.hpp"
#include "directed.hpp"
#include "mutants.hpp"

namespace {

using cleat::sim::RunResult;
using cleat::sim::Telling;

struct Arguments {
  cleat::sim::BatchOptions batch;
  std::vector<int> members = {0};
  bool mutants = false, seeds_given = false, try_minimiser = false;
  std::string mutant, list, directed;
};

int usage() {
  fmt::print(
      stderr,
      "usage: cleat_sim [--members N,...] [--seeds N | A..B] [--jobs N] [--ops N]\n"
      "       cleat_sim [--members N] --seed N [--minimise | --story | --details]\n"
      "       cleat_sim --directed all | NAME [--seeds ...] [--details]\n"
      "       cleat_sim --mutants [--mutant NAME] [--seeds N] [--jobs N]     (in a build with -DCLEAT_MUTANTS=ON)\n"
      "  --members   groups of so many; 0, or without it: one node. Several: one after the other\n"
      "  --ops N     operations of clients that each seed has at least (1000)\n"
      "  --minimise  a seed that fails is cut down for 2 minutes instead of 10 s\n"
      "  --story     tell the run; --details: with all that a developer may want to see\n"
      "  --list F    the seeds at the beginnings of the lines of F (3x17: seed 17 with 3 members)\n"
      "  --twice     run each seed twice and fail if the runs differ\n"
      "  --mutant M  with that broken variant\n"
      "  --try-minimiser  plants a failure, which must be cut down to next to nothing\n"
      "With 200 seeds and more everything that the simulator knows of must be met at least once.\n");
  return 2;
}

bool parse_seeds(const std::string& range, Arguments& a) {
  const size_t dots = range.find("..");
  a.seeds_given = true;
  a.batch.first = dots == std::string::npos ? 1 : std::strtoull(range.c_str(), nullptr, 10);
  a.batch.last = std::strtoull(range.c_str() + (dots == std::string::npos ? 0 : dots + 2), nullptr, 10);
  return a.batch.first <= a.batch.last;
}

bool parse_members(const std::string& text, Arguments& a) {
  a.members.clear();
  std::istringstream in(text);
  for (std::string each; std::getline(in, each, ',');) a.members.push_back(std::atoi(each.c_str()));
  for (const int m : a.members)
    if (m < 0 || m > 7) return false;
  return !a.members.empty();
}

bool parse_flag(const std::string& flag, Arguments& a) {
  if (flag == "--mutants")
    a.mutants = true;
  else if (flag == "--story")
    a.batch.run.telling = Telling::kStory;
  else if (flag == "--details")
    a.batch.run.telling = Telling::kAll;
  else if (flag == "--twice")
    a.batch.twice = true;
  else if (flag == "--try-minimiser")
    a.try_minimiser = true;
  else if (flag == "--minimise")
    a.batch.minimise_seconds = 120;
  else
    return false;
  return true;
}

bool parse(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (parse_flag(flag, a)) continue;
    if (++i >= argc) return false;
    const std::string value = argv[i];
    bool good = true;
    if (flag == "--directed")
      a.directed = value;
    else if (flag == "--list")
      a.list = value;
    else if (flag == "--jobs")
      good = (a.batch.jobs = std::atoi(value.c_str())) >= 1;
    else if (flag == "--members")
      good = parse_members(value, a);
    else if (flag == "--ops")
      good = (a.batch.run.ops = std::atoll(value.c_str())) >= 1;
    else if (flag == "--mutant")
      a.mutant = value;
    else if (flag == "--seeds")
      good = parse_seeds(value, a);
    else if (flag == "--seed")
      good = parse_seeds(value + ".." + value, a);
    else
      return false;
    if (!good) return false;
  }
  return true;
}

// Prints a line for each; the number of those that failed.
int run_directed(const Arguments& a) {
  const bool tell = a.batch.run.telling != Telling::kNothing;
  const uint64_t last = a.seeds_given ? a.batch.last : 10;
  int failed = 0;
  for (const cleat::sim::DirectedCase& d : cleat::sim::directed_cases()) {
    if (a.directed != "all" && a.directed != d.name) continue;
    RunResult r;
    for (uint64_t seed = a.batch.first; seed <= last && r.failure.empty(); ++seed) r = d.run(seed, tell);
    if (tell)
      for (const std::string& line : r.story) fmt::print("  {}\n", line);
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

int run_list(const Arguments& a) {
  std::ifstream lines(a.list);
  if (!lines) return usage();
  cleat::sim::Sum sum;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    cleat::sim::BatchOptions o = a.batch;
    const size_t x = line.substr(0, line.find(' ')).find('x');
    o.run.members = x != std::string::npos ? std::atoi(line.c_str()) : 0;
    o.first = o.last = std::strtoull(line.c_str() + (x != std::string::npos ? x + 1 : 0), nullptr, 10);
    sum += run_batch(o);
  }
  fmt::print("{} seeds of {}, {} failed\n", sum.seeds, a.list, sum.failed);
  return sum.failed > 0 ? 1 : 0;
}

int run_batches(const Arguments& a) {
  std::vector<cleat::sim::Row> rows;
  uint64_t failed = 0;
  for (const int members : a.members) {
    cleat::sim::BatchOptions o = a.batch;
    o.run.members = members;
    rows.push_back({members == 0 ? "one node" : fmt::format("{} members", members), members, run_batch(o)});
    failed += rows.back().sum.failed;
  }
  const int missed = print_summary(rows);
  return failed > 0 || missed > 0 ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  if (!parse(argc, argv, a)) return usage();
  if (a.mutants)
    return cleat::sim::hunt_mutants(
        {.seeds = a.seeds_given ? a.batch.last : 300, .jobs = a.batch.jobs, .only = a.mutant});
  if (!a.mutant.empty()) cleat::sim::choose_mutant(a.mutant);
  if (a.try_minimiser) return cleat::sim::try_minimiser(a.members) ? 0 : 1;
  if (!a.directed.empty()) return run_directed(a) > 0 ? 1 : 0;
  return a.list.empty() ? run_batches(a) : run_list(a);
}
