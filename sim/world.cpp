#include "world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cleat::sim {

std::string_view cover_text(int c) {
  static constexpr std::string_view kTexts[] = {
#define V(name, text) text,
      CLEAT_SIM_COVERAGE(V) CLEAT_SIM_CLUSTER_COVERAGE(V)
#undef V
  };
  return kTexts[c];
}

bool is_met_by(int cover, int members) {
  if (members == 1 || members == 2) return false;  // too few for most of it
  // Marks that a start finds are inherited in a group.
  return members > 0 ? cover != kBarred : cover < kFirstOfClusters;
}

void World::at(int64_t us, std::function<void()> what) {
  events_.push_back({us, count_++, std::move(what)});
  std::push_heap(events_.begin(), events_.end());
}

bool World::next() {
  if (events_.empty()) return false;
  std::pop_heap(events_.begin(), events_.end());
  const Event e = std::move(events_.back());
  events_.pop_back();
  now_us = e.us;
  trace(static_cast<uint64_t>(now_us));
  e.what();
  return true;
}

void World::fail(std::string_view by, const std::string& what) {
  if (failed()) return;
  checker = by;
  failure = what;
  say("*** " + what);
}

void World::say(const std::string& line) {
  if (!telling()) return;
  story.push_back(fmt::format("{:12.3f} ms  {}", static_cast<double>(now_us) / 1000.0, line));
  if (story.size() > 20'000) story.pop_front();
}

Plan::Plan(Rng rng, int64_t n, int m) : members(m), ops(n) {
  server_rate = std::sqrt(1 + margin);
  client_rate_min = 1 / server_rate;
  clients = static_cast<int>(rng.in(5, 11));
  names = static_cast<int>(rng.in(2, 10));
  session_ttl_min_ms = rng.in(500, 900);
  session_ttl_max_ms = session_ttl_min_ms + rng.in(0, 2000);
  crashes = rng.chance(0.75);
  stalls = rng.chance(0.6);
  drifts = rng.chance(0.4);
  full_disks = rng.chance(0.35);
  flips = rng.chance(0.4);
  slow_disk = rng.chance(0.3);
  snapshots = rng.chance(0.6);
  drops = rng.chance(0.6);
  deaths = rng.chance(0.5);
  priorities = rng.chance(0.4);
  delays = rng.chance(0.4);
  async = rng.chance(0.4) ? 0.4 : 0;
  token_share = rng.chance(0.5) ? 0.35 : 0.1;
  implicit_share = rng.chance(0.5) ? 0.35 : 0.1;
  renew = 0.25;
  load_us = rng.in(8, 25) * 1'000'000;
  rates.assign(static_cast<size_t>(members), server_rate);
  if (members > 1) plan_cluster(rng);
  if (!crashes && !stalls && !full_disks && !slow_disk && !partitions && !transfers) crashes = true;  // some fault
}

// Slower elections than a single node's restart: sessions live longer here, and members' clocks run apart as far as the
// margin lets them.
void Plan::plan_cluster(Rng& rng) {
  for (double& rate : rates)
    rate = rng.chance(0.4) ? server_rate : rng.chance(0.5) ? client_rate_min : 0.9 + rng.in(0, 100) * 0.001;
  session_ttl_min_ms = rng.chance(0.3) ? rng.in(700, 1500) : rng.in(2000, 4000);
  session_ttl_max_ms = session_ttl_min_ms + rng.in(0, 3000);
  partitions = rng.chance(0.6);
  wire_drops = rng.chance(0.3);
  wire_breaks = rng.chance(0.5);
  slow_wires = rng.chance(0.3);
  shuffles = rng.chance(0.2);
  transfers = rng.chance(0.5);
  changes = rng.chance(0.3);
  slow_clients = rng.chance(0.4);
  if (rng.chance(0.5)) req_results = static_cast<uint64_t>(rng.in(8, 24));
  upgrades = rng.chance(0.3);
  if (rng.chance(0.15)) after = rng.chance(0.5) ? After::kRestore : After::kRecover;
  wire_us = rng.chance(0.7) ? rng.in(40, 500) : rng.in(500, 15'000);
  wire_buffer = rng.chance(0.3) ? static_cast<size_t>(rng.in(4, 64)) << 10 : 8u << 20;
  // Who recovers from an older copy of a disk has nobody left to tell it.
  const bool replaces = !changes && after == After::kPeace;
  put_backs = rng.chance(0.25) && replaces;
  rots = rng.chance(0.25) && replaces && !upgrades;
}

}  // namespace cleat::sim
