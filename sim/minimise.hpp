// Cuts a failing seed to few parts (delta debugging): those without which the same check no longer fails.
#pragma once

#include <cstdint>

#include "run.hpp"

namespace cleat::sim {

struct Minimised {
  Kept kept;
  uint64_t parts_before = 0, runs = 0;
  uint64_t stops = 0;  // runs with less that stopped themselves instead of failing: another trouble
  bool whole = false;  // nothing more could be left out; otherwise time was over
};
// `failed` is what run(options) gave, without leaving anything out.
Minimised minimise(const RunOptions& options, const RunResult& failed, double seconds);

inline constexpr const char* kStopped = "stopped";
// In a process of its own, so that what stops itself is a result, too: checker kStopped. Without trace, coverage and
// the loads of incarnations but the last one.
RunResult run_apart(const RunOptions&);

// How many of a run's parts were faults and troubles, and how many turns of clients.
struct PartCount {
  uint64_t faults = 0, turns = 0, clients = 0;
};
PartCount count_parts(const Kept&);

}  // namespace cleat::sim
