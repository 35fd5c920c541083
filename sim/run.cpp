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
  Run(uint64_t seed, int64_t ops, bool tell)
      : seed_(seed),
        world_(seed, tell),
        plan_(world_.rng, ops, 1),
        checks_(world_, beliefs_, plan_),
        server_(world_, checks_, plan_, fmt::format("/dev/shm/cleat-sim-{}-{}", getpid(), seed)) {
    add_clients();
  }

  RunResult run() {
    server_.start();
    for (auto& c : clients_) c->begin();
    fault();
    world_.at(plan_.load_us, [this] { peace(); });
    while (!world_.failed() && !world_.over && !finished_ && world_.now_us <= plan_.load_us + kPeaceUs &&
           world_.next()) {
    }
    if (!world_.failed() && !world_.over && !finished_) complain();
    RunResult out{seed_, world_.trace_hash, world_.checker, world_.failure, world_.coverage, {}};
    out.story.assign(world_.story.begin(), world_.story.end());
    return out;
  }

 private:
  void add_clients() {
    for (int i = 0; i < plan_.clients; ++i) {
      const double rate = world_.rng.chance(0.6) ? plan_.client_rate_min : 1.0;
      beliefs_.clocks.push_back({rate, world_.rng.in(0, 1'000'000'000)});
      Client::Sort sort = Client::Sort::kExplicit;
      if (world_.rng.chance(plan_.token_share))
        sort = Client::Sort::kToken;
      else if (world_.rng.chance(plan_.implicit_share))
        sort = Client::Sort::kImplicit;
      clients_.push_back(std::make_unique<Client>(world_, servers_, checks_, beliefs_, plan_, i, sort));
    }
  }

  void fault() {
    world_.after(world_.rng.in(100'000, 1'500'000), [this] {
      if (peace_) return;
      one_fault();
      fault();
    });
  }

  void one_fault() {
    Rng& rng = world_.rng;
    if (!server_.up()) return;
    if (plan_.snapshots && rng.chance(0.4)) server_.snapshot();
    if (plan_.crashes && rng.chance(0.25)) return crash();
    if (plan_.stalls && rng.chance(0.3)) return stall();
    if (plan_.full_disks && rng.chance(0.3)) {
      server_.fill_disk(rng.chance(0.5));
      world_.after(rng.in(100'000, 3'000'000), [this] { server_.empty_disk(); });
    }
    if (plan_.slow_disk && rng.chance(0.3)) server_.slow_disk(rng.chance(0.5) ? rng.in(0, 60'000) : 0);
  }

  void crash() {
    if (world_.rng.chance(0.5)) {
      server_.fail_next_sync();  // the power goes in the middle of the next write
      world_.after(world_.rng.in(200'000, 800'000), [this] {
        if (server_.up() && server_.failing()) server_.crash(false);
      });
    } else if (world_.rng.chance(0.6)) {
      server_.crash(false);
    } else {
      server_.kill();
    }
    restart_later();
  }

  void restart_later() {
    world_.after(world_.rng.chance(0.4) ? world_.rng.in(1'000, 30'000) : world_.rng.in(5'000, 2'500'000), [this] {
      if (server_.failing()) return restart_later();
      if (!server_.up()) server_.start();
    });
  }

  void stall() {
    const bool is_long = world_.rng.chance(0.4);
    const int64_t us = is_long ? world_.rng.in(1'000'000, 6'000'000) : world_.rng.in(60'000, 700'000);
    world_.cover(is_long ? kLongStalls : kStalls);
    world_.say(fmt::format("node stalls for {} ms", us / 1000));
    if (world_.rng.chance(0.3))
      server_.stall_in_turn(us);
    else
      server_.stall(us);
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
      if (t.holds + t.waiters + t.ghosts > 0 && world_.now_us < plan_.load_us + kPeaceUs - 2'000'000) return look();
      checks_.finished(server_.replica().machine());
      finished_ = true;
      if (!world_.failed()) last_restart();
    });
  }

  void last_restart() {
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

  uint64_t seed_;
  World world_;
  Plan plan_;
  Beliefs beliefs_;
  Checks checks_;
  Server server_;
  const std::vector<Server*> servers_{&server_};
  std::vector<std::unique_ptr<Client>> clients_;
  bool peace_ = false, finished_ = false;
};

}  // namespace

RunResult run_seed(uint64_t seed, int64_t ops, bool tell) {
  return Run(seed, ops, tell).run();
}

}  // namespace cleat::sim
