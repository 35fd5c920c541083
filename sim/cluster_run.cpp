// A seed of several members: load under faults, then peace and the demand that everything comes to its end. Or the
// group is over in the midst of it, and what is left of it founds another one, which goes on likewise.
#include <fmt/format.h>

#include <algorithm>

#include "asker.hpp"
#include "changes.hpp"
#include "cluster.hpp"
#include "faults.hpp"
#include "lost_disks.hpp"

namespace cleat::sim {
namespace {

constexpr int64_t kLeaderWithinUs = 15'000'000;  // of the last fault
constexpr int64_t kDoneWithinUs = 60'000'000;    // all clients have let go
constexpr uint64_t kNextNumbers = 1'000'000;

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

struct Load {
  explicit Load(Cluster& c) : faults(c), changes(c), lost_disks(c, changes) {}
  bool settled() const { return changes.settled() && lost_disks.settled(); }
  Faults faults;
  Changes changes;
  LostDisks lost_disks;
  int64_t lasted_us = 0;
};

bool is_enough(const Cluster& c) {
  return c.world.coverage[kOperations] >= static_cast<uint64_t>(c.plan.ops) &&
         c.world.coverage[kFaults] >= Plan::kLeastFaults;
}

// As long as the plan says, and until enough was asked and befell. In a run of less than all parts: as long as then.
void last(Cluster& c, Load& load) {
  const int64_t begun_us = c.world.now_us;
  const Kept* kept = c.options.kept;
  const size_t nth = c.world.era > 1 ? 1 : 0;
  if (kept != nullptr && nth < kept->loads_us.size()) {
    c.spin(kept->loads_us[nth]);
  } else {
    for (c.spin(c.plan.load_us); c.running() && !is_enough(c); c.spin(200'000))
      if (c.world.now_us - begun_us > Plan::kLongestLoadUs)
        return c.world.fail(
            "workload", fmt::format("workload: only {} operations and {} faults in {} s", c.world.coverage[kOperations],
                                    c.world.coverage[kFaults], Plan::kLongestLoadUs / 1'000'000));
  }
  World::past_loads_us.push_back(c.world.now_us - begun_us);
  load.lasted_us = c.world.now_us - begun_us + (c.running() ? 0 : kAfterFailureUs);
}

void bear(Cluster& c, Load& load) {
  c.start();
  c.add_clients();
  load.faults.begin();
  const bool disks = c.plan.put_backs || c.plan.rots;
  if (c.plan.changes || disks) load.changes.begin();
  if (disks) load.lost_disks.begin();
  last(c, load);
  load.faults.end();
  load.changes.end();
  load.lost_disks.end();
}

// All get the build of the next feature level at last, one after the other: it comes into force without being asked
// for.
void finish_upgrade(Cluster& c) {
  c.plan.upgrades = false;
  const auto is_old = [](const Server* s) { return s->installed() != lock::known_level(); };
  while (c.running()) {  // meanwhile one may join or leave
    const auto old = std::find_if(c.servers().begin(), c.servers().end(), is_old);
    if (old == c.servers().end()) return;
    (*old)->install(lock::known_level());
    (*old)->restart_cleanly();
    c.spin(500'000);
  }
}

bool has_risen(Cluster& c) {
  return std::all_of(c.servers().begin(), c.servers().end(),
                     [](Server* s) { return s->up() && s->replica().status().level == lock::known_level(); });
}

void come_to_rest(Cluster& c, Load& load) {
  c.world.say("faults are over");
  c.end_faults();
  for (auto& client : c.clients) client->finish();
  if (c.running())
    c.require([&] { return c.leader() != nullptr; }, kLeaderWithinUs, "nobody leads after the last fault");
  const bool upgrades = c.plan.upgrades;
  if (c.running() && upgrades) finish_upgrade(c);
  if (c.running()) c.require([&] { return all_done(c); }, kDoneWithinUs, "long after the last fault not all is done");
  if (c.running()) c.require([&] { return load.settled(); }, 30'000'000, "a change of the members does not end");
  if (c.running() && upgrades) c.require([&] { return has_risen(c); }, 20'000'000, "the feature level does not rise");
  if (c.running()) check_whole(c);
  // All at once stop and start again: what was decided is still there.
  if (c.running())
    for (Server* s : c.servers()) s->restart_cleanly();
  if (c.running()) check_whole(c);
}

// The newest that one of the members gave within the load.
struct Backups {
  explicit Backups(Cluster& c) : c_(c), dice_(c.world.dice(Stream::kBackups)) {}
  void begin() {
    c_.world.after(dice_.in(500'000, c_.plan.load_us), [this] { ask(); });
  }
  std::optional<std::string> newest;

 private:
  void ask() {
    Server* from = c_.servers()[dice_.below(c_.size())];
    if (!from->up()) return begin();
    from->snapshot();
    wait(*from, from->replica().status().applied);
    begin();
  }
  void wait(Server& from, uint64_t index) {
    c_.world.after(20'000, [this, &from, index] {
      if (!from.up()) return;
      auto backup = make_backup(from, index);
      backup ? void(newest = std::move(backup)) : wait(from, index);
    });
  }
  Cluster& c_;
  Rng dice_;
};

// Clients of before know sessions that are no more.
void ask_for_old_sessions(Cluster& c, Asker& asker, const Heritage& heritage) {
  c.require([&] { return c.leader() != nullptr; }, kLeaderWithinUs, "nobody leads in the new incarnation");
  if (!c.running()) return;
  asker.connect(*c.leader());
  for (const Heritage::Session& s : heritage.sessions) {
    const uint64_t asked = asker.attach(s.id, s.key);
    c.require([&] { return asker.answered(asked); }, 5'000'000, "an ATTACH is not answered in the new incarnation");
    if (!c.running()) return;
    c.world.cover(kForgotten);
    if (asker.reply(asked)->result != lock::Result::kNoSession)
      c.world.fail("restore", fmt::format("restore: session {} of an earlier incarnation goes on", s.id));
  }
}

std::optional<Heritage> what_is_left(Cluster& over, const std::optional<std::string>& backup) {
  if (!over.running()) return std::nullopt;
  Rng dice = over.world.dice(Stream::kEnd);
  for (Server* s : over.servers()) dice.chance(0.5) ? s->crash(false) : s->kill();
  over.spin(7'000'000);  // the longest stall within a turn: what was stamped in it is in the past
  over.end();
  if (!over.running()) return std::nullopt;
  if (over.plan.after == Plan::After::kRestore) {
    if (!backup) return std::nullopt;
    over.world.cover(kBackups);
    return restored_from(over, *backup);
  }
  // One that joined and never got anything is no survivor.
  const size_t first = dice.below(over.size());
  for (size_t i = 0; i < over.size(); ++i) {
    Server& survivor = *over.servers()[(first + i) % over.size()];
    if (const auto left = survivor.remains(); !left.ok() && left.status().code() == base::Code::kInvalid) continue;
    over.world.cover(kRecovers);
    return recovered_from(over, survivor);
  }
  over.world.fail("recover", "recover: no member is a survivor");
  return std::nullopt;
}

RunResult joined(RunResult before, RunResult after) {
  for (size_t i = 0; i < before.coverage.size(); ++i) after.coverage[i] += before.coverage[i];
  after.story.insert(after.story.begin(), before.story.begin(), before.story.end());
  after.trace_hash ^= before.trace_hash * 31;
  after.kept.parts.merge(before.kept.parts);
  after.kept.loads_us.insert(after.kept.loads_us.begin(), before.kept.loads_us.begin(), before.kept.loads_us.end());
  return after;
}

RunResult go_on(Cluster& over, const Heritage& heritage) {
  const auto adjust = [&](Plan& p) {
    p.first_number = kNextNumbers;
    p.changes |= heritage.founders.size() == 1;
    p.put_backs = p.rots = false;  // of one member alone: nobody could tell, nobody would be left
  };
  Cluster c(over.options, adjust, &heritage);
  c.world.say(fmt::format("incarnation {} begins", heritage.origin.incarnation));
  Load load(c);
  Asker asker(c);
  c.start();
  ask_for_old_sessions(c, asker, heritage);
  bear(c, load);
  come_to_rest(c, load);
  return c.result(load.lasted_us);
}

}  // namespace

RunResult run_cluster(const RunOptions& options) {
  World::past_loads_us.clear();
  Cluster c(options);
  Load load(c);
  Backups backups(c);
  if (c.plan.after == Plan::After::kRestore) backups.begin();
  bear(c, load);
  if (c.plan.after == Plan::After::kPeace) {
    come_to_rest(c, load);
    return c.result(load.lasted_us);
  }
  const auto heritage = what_is_left(c, backups.newest);
  if (!heritage) return c.result(load.lasted_us);
  RunResult after = go_on(c, *heritage);
  return joined(c.result(load.lasted_us), std::move(after));
}

}  // namespace cleat::sim
