// What directed cases stand on: a calm group that leads, and what is demanded of it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>

#include "asker.hpp"
#include "cluster.hpp"
#include "directed.hpp"

namespace cleat::sim {

// Nothing befalls the members but what a case does to them.
inline void calm(Plan& p) {
  p.crashes = p.stalls = p.full_disks = p.flips = p.slow_disk = p.snapshots = p.drops = p.deaths = false;
  p.partitions = p.wire_drops = p.wire_breaks = p.slow_wires = p.transfers = p.changes = p.slow_clients = false;
  p.upgrades = p.shuffles = p.drifts = false;
  p.req_results = 256;
  p.after = Plan::After::kPeace;
  p.wire_us = 200;
  p.wire_buffer = 8u << 20;
}

class Case : public Cluster {
 public:
  Case(uint64_t s, bool tell, int members = 3, const std::function<void(Plan&)>& adjust = calm,
       const Heritage* heritage = nullptr)
      : Cluster({.seed = s, .members = members, .telling = tell ? Telling::kAll : Telling::kNothing}, adjust,
                heritage) {
    start();
    require([this] { return leader() != nullptr; }, 15'000'000, "nobody leads at the start");
  }
  Server& other_than(const Server& s) {
    return **std::find_if(servers().begin(), servers().end(), [&](Server* o) { return o != &s; });
  }
  Server* leader_but(const Server& s) { return leader() != &s ? leader() : nullptr; }
  void settle() {
    end_faults();
    require([this] { return at_rest(); }, 30'000'000, "the members do not come to agree");
    for (Server* s : servers())
      if (running()) group.whole(s->member(), s->replica().status().applied, s->replica().machine());
  }
  // Locks and unlocks a name so many times, each within a second.
  void works(Asker& asker, int times, const std::string& when) {
    for (int i = 0; i < times && running(); ++i) {
      const uint64_t locked = asker.lock("work");
      require([&] { return asker.granted(locked); }, 1'000'000, "a LOCK is not granted " + when);
      if (running()) asker.unlock("work", asker.reply(locked)->fence);
    }
  }
  void expect(bool holds, const char* checker, const std::string& what) {
    if (running() && !holds) world.fail(checker, what + standing());
  }
  void expect_one_holder(const std::string& name) {
    if (!running() || leader() == nullptr) return;
    const lock::NameView v = leader()->replica().machine().show(name, {.count = 10});
    expect(v.holders_total == 1 && v.waiters_total == 0 && v.holders[0].depth == 1, "exactly once",
           fmt::format("exactly once: '{}' has {} holders and {} waiters", name, v.holders_total, v.waiters_total));
  }
};

}  // namespace cleat::sim
