#include "run.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "checks.hpp"
#include "client.hpp"
#include "server.hpp"

namespace cleat::sim {
namespace {

constexpr int64_t kPeaceUs = 60'000'000;  // within which all must be let go

class Run {
 public:
  explicit Run(const RunOptions& o)
      : seed_(o.seed),
        world_(o.seed, o.telling, o.kept),
        plan_(world_.dice(Stream::kPlan), o.ops, 1),
        pace_(world_.dice(Stream::kPace)),
        checks_(world_, beliefs_, plan_),
        server_(world_, checks_, plan_, fmt::format("/dev/shm/cleat-sim-{}-{}", getpid(), o.seed)) {
    world_.planted = o.planted;
    add_clients();
  }

  RunResult run() {
    server_.start();
    for (auto& c : clients_) c->begin();
    fault();
    const Kept* kept = world_.kept;
    world_.at(kept != nullptr && !kept->loads_us.empty() ? kept->loads_us[0] : plan_.load_us, [this] { end_load(); });
    while (!world_.failed() && !world_.over && !finished_ && world_.now_us <= load_us_ + kPeaceUs && world_.next()) {
    }
    if (!world_.failed() && !world_.over && !finished_) complain();
    return result_of(world_, seed_, peace_ ? load_us_ : world_.now_us + kAfterFailureUs);
  }

 private:
  void add_clients() {
    Rng dice = world_.dice(Stream::kClients);
    for (int i = 0; i < plan_.clients; ++i) {
      const double rate = dice.chance(0.6) ? plan_.client_rate_min : 1.0;
      beliefs_.clocks.push_back({rate, dice.in(0, 1'000'000'000)});
      Client::Sort sort = Client::Sort::kExplicit;
      if (dice.chance(plan_.token_share))
        sort = Client::Sort::kToken;
      else if (dice.chance(plan_.implicit_share))
        sort = Client::Sort::kImplicit;
      clients_.push_back(std::make_unique<Client>(world_, servers_, checks_, beliefs_, plan_, i, sort));
    }
  }

  void fault() {
    world_.after(pace_.in(100'000, 2'500'000), [this] {
      if (peace_) return;
      ++faults_;
      if (world_.may_happen(Stream::kFault, 0, faults_)) {
        Rng dice = world_.dice(Stream::kFault, 0, faults_);
        bool befell = false;
        for (int tries = 0; tries < 20 && !befell && server_.up(); ++tries) befell = one_fault(dice);
        if (befell) world_.note(Stream::kFault, 0, faults_);
        world_.cover(kFaults, befell);
      }
      fault();
    });
  }

  bool one_fault(Rng& dice) {
    if (plan_.snapshots && dice.chance(0.4)) server_.snapshot();
    if (plan_.crashes && dice.chance(0.25)) return crash(dice);
    if (plan_.stalls && dice.chance(0.3)) return stall(dice);
    if (plan_.drifts && dice.chance(0.15)) {
      server_.drift(dice.chance(0.4) ? plan_.server_rate : 0.98 + static_cast<double>(dice.in(0, 20)) * 0.001);
      return true;
    }
    bool any = false;
    if (plan_.full_disks && dice.chance(0.3)) {
      any = true;
      server_.fill_disk(dice.chance(0.5), dice.in(0, 3000));
      world_.after(dice.in(100'000, 3'000'000), [this] { server_.empty_disk(); });
    }
    if (plan_.slow_disk && dice.chance(0.3)) {
      any = true;
      server_.slow_disk(dice.chance(0.5) ? dice.in(0, 60'000) : 0);
    }
    return any;
  }

  bool crash(Rng& dice) {
    if (dice.chance(0.5)) {
      server_.die_in_next_write(dice);
      world_.after(dice.in(200'000, 800'000), [this] {
        if (server_.up() && server_.failing()) server_.crash(false);
      });
    } else if (dice.chance(0.6)) {
      server_.crash(false);
    } else {
      server_.kill();
    }
    restart_later(dice.chance(0.4) ? dice.in(1'000, 30'000) : dice.in(5'000, 2'500'000));
    return true;
  }

  void restart_later(int64_t us) {
    world_.after(us, [this] {
      if (server_.failing()) return restart_later(200'000);
      if (!server_.up()) server_.start();
    });
  }

  bool stall(Rng& dice) {
    const bool is_long = dice.chance(0.4);
    const int64_t us = is_long ? dice.in(1'000'000, 6'000'000) : dice.in(60'000, 700'000);
    world_.cover(is_long ? kLongStalls : kStalls);
    world_.say(fmt::format("the server stands still for {} ms", us / 1000));
    dice.chance(0.3) ? server_.stall_in_turn(us) : server_.stall(us);
    return true;
  }

  // Not before enough was asked and befell.
  void end_load() {
    const bool enough = world_.coverage[kOperations] >= static_cast<uint64_t>(plan_.ops) &&
                        world_.coverage[kFaults] >= Plan::kLeastFaults;
    load_us_ = world_.now_us;
    if (enough || world_.kept != nullptr) {
      World::past_loads_us = {load_us_};
      return peace();
    }
    if (world_.now_us > Plan::kLongestLoadUs)
      return world_.fail("workload",
                         fmt::format("workload: only {} operations and {} faults in {} s", world_.coverage[kOperations],
                                     world_.coverage[kFaults], Plan::kLongestLoadUs / 1'000'000));
    world_.after(200'000, [this] { end_load(); });
  }

  void peace() {
    peace_ = true;
    world_.say("faults are over");
    server_.end_faults();
    for (auto& c : clients_) c->finish();
    look();
  }

  // Faults are over: every client comes to its end, and the service is empty again.
  void look() {
    world_.after(500'000, [this] {
      bool done = server_.up();
      for (const auto& c : clients_) done = done && c->done();
      if (!done) return look();
      const lock::Totals t = server_.replica().machine().totals();
      if (t.holds + t.waiters + t.ghosts > 0 && world_.now_us < load_us_ + kPeaceUs - 2'000'000) return look();
      checks_.finished(server_.replica().machine());
      finished_ = true;
      if (!world_.failed()) last_restart();
    });
  }

  void last_restart() {
    if (plan_.flips && server_.meets_rot()) return;
    server_.restart_cleanly();
    if (world_.failed() || world_.over) return;
    const int64_t until_us = world_.now_us + 1'000'000;
    while (!world_.failed() && world_.now_us < until_us && world_.next()) {
    }
    checks_.recovered(server_.replica().status().applied, server_.replica().machine());
  }

  void complain() {
    std::string who;
    for (const auto& c : clients_)
      if (!c->done()) who += "\n    " + c->state();
    const lock::Totals t = server_.up() ? server_.replica().machine().totals() : lock::Totals{};
    world_.fail("progress", fmt::format("progress: {} s after the last fault not all is done: {} holds, {} waiters, {} "
                                        "ghosts{}",
                                        kPeaceUs / 1'000'000, t.holds, t.waiters, t.ghosts, who));
  }

  uint64_t seed_, faults_ = 0;
  World world_;
  Plan plan_;
  Rng pace_;
  int64_t load_us_ = Plan::kLongestLoadUs + 1'000'000;  // how long it lasted, once it is over
  Beliefs beliefs_;
  Checks checks_;
  Server server_;
  const std::vector<Server*> servers_{&server_};
  std::vector<std::unique_ptr<Client>> clients_;
  bool peace_ = false, finished_ = false;
};

}  // namespace

RunResult result_of(World& world, uint64_t seed, int64_t load_us) {
  RunResult out{seed, world.trace_hash, world.checker, world.failure, world.coverage, {}, {}};
  out.story.assign(world.story.begin(), world.story.end());
  out.kept.parts.insert(world.happened.begin(), world.happened.end());
  out.kept.loads_us = {load_us};
  return out;
}

RunResult run_node(const RunOptions& options) {
  World::past_loads_us.clear();
  return Run(options).run();
}

RunResult run(const RunOptions& options) {
  return options.members > 0 ? run_cluster(options) : run_node(options);
}

}  // namespace cleat::sim
