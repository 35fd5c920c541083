// A seed of several members: load under faults, then peace and the demand that everything comes to its end.
#include <fmt/format.h>

#include <algorithm>

#include "changes.hpp"
#include "cluster.hpp"
#include "faults.hpp"

namespace cleat::sim {
namespace {

constexpr int64_t kLeaderWithinUs = 15'000'000;  // of the last fault
constexpr int64_t kDoneWithinUs = 60'000'000;    // all clients have let go

bool all_done(Cluster& c) {
  if (!std::all_of(c.clients.begin(), c.clients.end(), [](const auto& client) { return client->done(); })) return false;
  Server* leader = c.leader();
  if (leader == nullptr) return false;
  const lock::Totals t = leader->replica().machine().totals();
  return t.holds + t.waiters + t.ghosts == 0;
}

void check_whole(Cluster& c) {
  c.require([&] { return c.at_rest(); }, 20'000'000, "the members do not come to agree");
  for (Server* s : c.servers()) {
    if (c.running() && s->replica().members() != c.leader()->replica().members())
      c.world.fail("members", fmt::format("members: node {} has another list of members than the leader", s->member()));
    else if (c.running())
      c.group.whole(s->member(), s->replica().status().applied, s->replica().machine());
  }
}

}  // namespace

RunResult run_cluster_seed(uint64_t seed, int64_t ops, int members, bool tell) {
  Cluster c(seed, ops, members, tell);
  Faults faults(c);
  Changes changes(c);
  c.start();
  c.add_clients();
  faults.begin();
  if (c.plan.changes) changes.begin();
  c.spin(c.plan.load_us);
  faults.end();
  changes.end();
  c.world.say("faults are over");
  c.end_faults();
  for (auto& client : c.clients) client->finish();
  if (c.running())
    c.require([&] { return c.leader() != nullptr; }, kLeaderWithinUs, "nobody leads after the last fault");
  if (c.running()) c.require([&] { return all_done(c); }, kDoneWithinUs, "long after the last fault not all is done");
  if (c.running()) c.require([&] { return changes.settled(); }, 30'000'000, "a change of the members does not end");
  if (c.running()) check_whole(c);
  // All at once stop and start again: what was decided is still there.
  if (c.running())
    for (Server* s : c.servers()) s->restart_cleanly();
  if (c.running()) check_whole(c);
  return c.result();
}

}  // namespace cleat::sim
