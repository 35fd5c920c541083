// The long form of the fault runs: `make library-faults MINUTES=n SEED=s`.
//
//   library_faults MINUTES [SEED]
#include <fmt/core.h>

#include <cleat/boot_clock.hpp>

#include <array>
#include <cstdio>
#include <random>
#include <string>

#include "fault_run.hpp"

int main(int argc, char** argv) {
  using namespace cleat::tests;
  using namespace std::string_view_literals;
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: library_faults MINUTES [SEED]\n");
    return 64;
  }
  const auto minutes = std::chrono::minutes(std::stol(argv[1]));
  const uint64_t first = argc == 3 ? std::stoull(argv[2]) : std::random_device()();
  const auto end = cleat::boot_clock::now() + minutes;
  uint64_t grants = 0;
  for (uint64_t seed = first; cleat::boot_clock::now() < end || seed == first; ++seed) {
    std::mt19937_64 random(seed);
    const auto below = [&random](uint32_t n) { return std::uniform_int_distribution<uint32_t>(0, n - 1)(random); };
    const FaultPlan plan{.seed = seed,
                         .primitive = std::string(std::array{"mutex"sv, "recursive"sv, "shared"sv, "task"sv, "token"sv,
                                                             "mixed"sv}[below(6)]),
                         .duration = std::chrono::seconds(20),
                         .cluster = below(2) == 0,
                         .workers = 2 + below(4),
                         .threads = 1 + below(6),
                         .names = 1 + below(6),
                         .ttl = std::chrono::milliseconds(500 + 250 * below(6))};
    const FaultReport report = run_faults(plan);
    grants += report.counts.grants;
    fmt::print("seed {}, {} programs of {} threads, {} names, {} on {}, ttl {} ms: {}\n", seed, plan.workers,
               plan.threads, plan.names, plan.primitive, plan.cluster ? "three members" : "one server",
               plan.ttl.count(), report.text());
    std::fflush(stdout);
    if (report.wrong.empty()) continue;
    fmt::print("FAILED: {}\nrepeat with: make library-faults MINUTES=0 SEED={}\n", report.wrong, seed);
    return 1;
  }
  fmt::print("{} grants, nothing wrong\n", grants);
  return 0;
}
