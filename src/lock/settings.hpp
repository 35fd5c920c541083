// Settings that decide inside apply, so they live in the log (Verb::kConfigure) and in snapshots: all members agree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.hpp"

namespace cleat::lock {

// The limits a command can meet in the machine; the name printed in the LIMIT error and used as the setting's name.
enum class Limit : uint8_t {
  kNone,
  kWaitersPerName,
  kHoldsPerSession,
  kSessions,
  kHolds,
  kWaiters,
  kReqResults,
  kFences,  // 2^53 - 1 holds were granted: no more can be
};
std::string_view limit_name(
    Limit);  // "waiters-per-name", "holds-per-session", "sessions", "holds", "waiters", "req-results", "fences"

struct Settings {
  uint32_t margin_ppm = 10'000;       // clock rate margin: 1%
  uint32_t ageing_ms = 10'000;        // a priority step is worth this much earlier arrival (log time)
  uint32_t implicit_ttl_ms = 10'000;  // TTL of an implicit session
  uint64_t waiters_per_name = 10'000;
  uint64_t holds_per_session = 10'000;
  uint64_t sessions = 1'000'000;
  uint64_t holds = 10'000'000;
  uint64_t waiters = 1'000'000;
  uint64_t req_results = 1'000'000;  // in all; at the limit the oldest of the node is dropped first
  uint64_t req_results_per_session = 256;
  uint64_t losses_per_session = 64;
  uint64_t history_entries = 100'000;  // in all
  uint64_t history_per_name = 64;

  bool operator==(const Settings&) const = default;
};

void encode(const Settings&, std::string& out);  // tagged fields: unknown tags are skipped by older builds
base::Result<Settings> decode_settings(std::string_view);

}  // namespace cleat::lock
