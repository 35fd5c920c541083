#include "cluster.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace cleat::sim {
namespace {

Plan make_plan(const World& world, const RunOptions& o, const std::function<void(Plan&)>& adjust) {
  Plan plan(world.dice(Stream::kPlan), o.ops, o.members);
  plan.seed = o.seed;
  plan.flips = false;  // see Plan::rots
  if (adjust) adjust(plan);
  return plan;
}

}  // namespace

Cluster::Cluster(const RunOptions& o, const std::function<void(Plan&)>& adjust, const Heritage* heritage)
    : options(o),
      seed(o.seed),
      world(o.seed, o.telling, o.kept, heritage == nullptr ? 1 : heritage->origin.incarnation),
      plan(make_plan(world, o, adjust)),
      checks(world, beliefs, plan),
      group(world, checks, plan),
      network(world, plan),
      heritage_(heritage),
      client_dice_(world.dice(Stream::kClients)),
      dir_(fmt::format("/dev/shm/cleat-sim-{}-{}x{}{}", getpid(), seed, o.members,
                       heritage == nullptr ? "" : fmt::format("i{}", heritage->origin.incarnation))) {
  world.planted = o.planted;
  std::vector<replica::Member> founders;
  for (uint32_t id = 1; id <= static_cast<uint32_t>(o.members); ++id)
    founders.push_back({id, fmt::format("m{}", id), fmt::format("host{}:1", id)});
  if (heritage_ != nullptr) {
    world.now_us = heritage_->now_us;
    founders = heritage_->founders;
  }
  for (const replica::Member& m : founders) servers_.push_back(make(m.id, founders));
  for (auto& server : servers_) reachable_.push_back(server.get());
  if (heritage_ != nullptr && running()) inherit();
}

void Cluster::inherit() {
  const auto left = heritage_->state();
  auto begun = servers_[0]->first_state();
  if (!left || !begun) return world.fail("restore", "restore: the image that a group begins with can't be read");
  if (const std::string wrong = compare(*left, *begun, *heritage_); !wrong.empty())
    return world.fail("restore", "restore: " + wrong);
  checks.inherit(std::move(begun), heritage_->fence, heritage_->session);
}

std::unique_ptr<Server> Cluster::make(uint32_t id, const std::vector<replica::Member>& founders) {
  const uint32_t incarnation = heritage_ == nullptr ? 1 : heritage_->origin.incarnation;
  return std::make_unique<Server>(
      world, checks, plan, fmt::format("{}/{}", dir_, id),
      Membership{id, &network, &group, founders, incarnation, founders.empty() ? nullptr : heritage_});
}

void Cluster::start() {
  for (auto& server : servers_) server->start();
}

void Cluster::add_clients() {
  for (int i = 0; i < plan.clients; ++i) {
    Client::Sort sort = Client::Sort::kExplicit;
    if (client_dice_.chance(plan.token_share))
      sort = Client::Sort::kToken;
    else if (client_dice_.chance(plan.implicit_share))
      sort = Client::Sort::kImplicit;
    add_client(sort);
  }
}

Client& Cluster::add_client(Client::Sort sort) {
  const double rate = client_dice_.chance(0.6) ? plan.client_rate_min : 1.0;
  beliefs.clocks.push_back({rate, client_dice_.in(0, 1'000'000'000)});
  const int id = static_cast<int>(clients.size());
  clients.push_back(std::make_unique<Client>(world, reachable_, checks, beliefs, plan, id, sort));
  clients.back()->begin();
  return *clients.back();
}

Server& Cluster::add_joiner() {
  const uint32_t id = next_id();
  servers_.push_back(make(id, {}));
  Server& joiner = *servers_.back();
  // Nobody lets one in that is too old for the group.
  for (Server* s : reachable_) {
    joiner.know(s->member());
    joiner.install(std::max(joiner.installed(), s->installed()));
  }
  reachable_.push_back(&joiner);
  joiner.start();
  return joiner;
}

void Cluster::retire(Server& server) {
  std::erase(reachable_, &server);
  server.retire();
}

bool Cluster::is_retired(const Server& server) const {
  return std::find(reachable_.begin(), reachable_.end(), &server) == reachable_.end();
}

Server* Cluster::leader() {
  Server* best = nullptr;
  for (Server* s : reachable_)
    if (s->leads() && (best == nullptr || s->replica().status().term > best->replica().status().term)) best = s;
  return best;
}

void Cluster::spin(int64_t us) {
  bool over = false;
  world.after(us, [&over] { over = true; });
  while (running() && !over && world.next()) {
  }
}

bool Cluster::until(const std::function<bool()>& holds, int64_t bound_us) {
  for (const int64_t end_us = world.now_us + bound_us; running() && world.now_us < end_us; spin(10'000))
    if (holds()) return true;
  return running() && holds();
}

void Cluster::require(const std::function<bool()>& holds, int64_t bound_us, const std::string& what) {
  if (!until(holds, bound_us)) world.fail("progress", fmt::format("progress: {}{}", what, standing()));
}

void Cluster::restart_later(Server& server, int64_t us) {
  world.after(us, [this, &server] {
    if (is_retired(server)) return;
    if (server.failing()) return restart_later(server, 200'000);
    if (!server.up()) server.start();
  });
}

void Cluster::end() {
  for (Server* server : reachable_) server->retire();
}

void Cluster::end_faults() {
  network.mend_all();
  for (Server* server : reachable_) server->end_faults();
}

bool Cluster::at_rest() {
  Server* first = leader();
  if (first == nullptr) return false;
  const replica::Status s = first->replica().status();
  for (Server* server : reachable_) {
    if (!server->up()) return false;
    const replica::Status other = server->replica().status();
    if (other.term != s.term || other.applied != s.applied || (server->leads() && server != first)) return false;
  }
  return true;
}

std::string Cluster::standing() {
  std::string out;
  for (Server* server : reachable_) {
    if (!server->up()) {
      out += fmt::format("\n    member {} is down", server->member());
      continue;
    }
    const replica::Status s = server->replica().status();
    const lock::Totals t = server->replica().machine().totals();
    out += fmt::format("\n    member {}: {}term {}, leader {}, commit {}, applied {}, {} holds, {} waiters, {} ghosts",
                       server->member(), server->leads() ? "leads, " : "", s.term, s.leader, s.commit, s.applied,
                       t.holds, t.waiters, t.ghosts);
    for (const replica::PeerStatus& p : server->replica().peers())
      out += fmt::format("\n        of {}: {}, match {}, snapshot {}", p.id, p.up ? "up" : "down", p.match,
                         p.snapshot_percent);
  }
  for (const auto& c : clients)
    if (!c->done()) out += "\n    " + c->state();
  return out;
}

RunResult Cluster::result(int64_t load_us) {
  world.cover(kMessagesLost, network.lost());
  RunResult out = result_of(world, seed, load_us);
  std::error_code ignored;
  servers_.clear();
  std::filesystem::remove_all(dir_, ignored);
  return out;
}

}  // namespace cleat::sim
