#include "testing/world.hpp"

#include <algorithm>
#include <string_view>

#include "base/check.hpp"

namespace cleat::testing {
namespace {

constexpr int kMostRounds = 1'000'000;  // in which something happens at one and the same time
constexpr uint32_t kHoldsLookedAt = 10'000;

World& not_within(World& world) {
  if (!world.here()) return world;
  throw Error(errc::deadlock, "a callback of a stop_token may ask nothing of a FakeService but its now()");
}

}  // namespace

World::Visit::Visit(World& world) : world_(not_within(world)), lock_(world.mutex_) {
  world_.at_work_.store(std::this_thread::get_id(), std::memory_order_relaxed);
}

World::Visit::~Visit() {
  world_.settle();
  world_.at_work_.store({}, std::memory_order_relaxed);
  world_.changed_.notify_all();
}

World::World() : replica_(*clock_), stopped_at_(clock_->now()) {
  start_service();
}

bool World::await(const std::function<bool()>& until, std::chrono::milliseconds patience) {
  not_within(*this);
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, until);
}

void World::add(WorldRunner& runner) {
  runners_.push_back(&runner);
}

void World::remove(WorldRunner& runner) {
  std::erase(runners_, &runner);
}

void World::settle() {
  for (int round = 0; round < kMostRounds; ++round) {
    bool happened = serve();
    for (WorldRunner* runner : runners_) happened |= runner->engine() != stalled_ && runner->run();
    if (!happened) return;
  }
  CLEAT_CHECK(false, "what happens at one time comes to an end");
}

std::optional<TimePoint> World::next_due() const {
  std::optional<TimePoint> due;
  const auto also = [&due](TimePoint at) { due = std::min(due.value_or(TimePoint::max()), at); };
  if (service_) {
    if (const auto us = service_->next_wake_us()) also(TimePoint(std::chrono::microseconds(*us)));
  }
  for (const WorldRunner* runner : runners_) {
    if (runner->engine() == stalled_) continue;
    if (const auto at = runner->engine()->next_wake()) also(*at);
  }
  return due;
}

void World::advance_to(TimePoint until) {
  settle();
  for (auto due = next_due(); due && *due <= until; due = next_due()) {
    clock_->set(std::max(*due, clock_->now()));
    settle();
  }
  clock_->set(until);
  settle();
}

bool World::advance_to_next() {
  const auto due = next_due();
  if (due) advance_to(std::max(*due, clock_->now()));
  return due.has_value();
}

// ---- the service's side

void World::start_service() {
  if (service_) return;
  replica_.stood_still(std::chrono::duration_cast<std::chrono::microseconds>(clock_->now() - stopped_at_).count());
  server::Surroundings around;
  around.close_socket = [this](server::Connection& c) { closed(c); };
  around.set_log_level = [](const std::string&) { return base::Status(); };
  service_ = std::make_unique<server::Service>(config_, "", *clock_, around);
  replica_.begin_boot(*service_);
  service_->serve(replica_, 1, incarnation_);
}

void World::stop_service() {
  if (!service_) return;
  settle();
  stopped_at_ = clock_->now();
  for (const auto& link : links_) link->connection = nullptr;
  service_.reset();
}

void World::restore() {
  stop_service();
  replica_.restore();
  ++incarnation_;
  start_service();
}

void World::expire(const std::string& session) {
  replica_.expire(base::SessionId{std::strtoull(session.c_str(), nullptr, 10)});
}

void World::break_links() {
  for (const auto& link : links_) link->broken = true;
}

std::shared_ptr<Link> World::connect() {
  std::string refusal;
  if (!service_) return nullptr;
  auto link = std::make_shared<Link>();
  link->connection = service_->connect("fake", "fake", refusal);
  if (link->connection == nullptr) return nullptr;
  return links_.emplace_back(std::move(link));
}

Link& World::link_of(const server::Connection& c) const {
  const auto it = std::find_if(links_.begin(), links_.end(), [&](const auto& link) { return link->connection == &c; });
  CLEAT_CHECK(it != links_.end(), "each connection has its link");
  return **it;
}

void World::closed(const server::Connection& c) {
  link_of(c).connection = nullptr;
  closed_ = true;
}

bool World::has_input(const Link& link) const {
  if (link.connection == nullptr) return false;
  if (link.broken || !passes_to_service()) return link.broken;
  return link.client_gone || (!link.to_service.empty() && service_->wants_input(*link.connection));
}

void World::feed(Link& link) {
  server::Connection& c = *link.connection;
  if (!link.broken && !link.to_service.empty() && service_->wants_input(c)) {
    const auto space = c.input.space();
    const size_t n = std::min(space.size(), link.to_service.size());
    std::copy_n(link.to_service.data(), n, space.data());
    link.to_service.erase(0, n);
    service_->received(c, n);
  } else {
    service_->disconnected(c);
  }
}

// One turn, as the event loop makes it (server/service.hpp).
bool World::serve() {
  if (!service_) return false;
  const auto wake_us = service_->next_wake_us();
  const bool input = std::any_of(links_.begin(), links_.end(), [this](const auto& link) { return has_input(*link); });
  const bool due = wake_us && *wake_us <= clock_->mono_us();
  if (!input && !due && !service_->has_more() && !std::exchange(closed_, false)) return false;
  service_->begin_turn();
  for (const auto& link : links_) {
    if (has_input(*link)) feed(*link);
  }
  service_->finish_turn();
  for (server::Connection* c : service_->touched()) {
    if (c->gone) continue;
    const size_t n = c->unsent();
    link_of(*c).to_client.append(c->out, c->sent, n);
    service_->sent(*c, n);
  }
  service_->destroy_gone();
  std::erase_if(links_, [](const auto& link) { return link->connection == nullptr && link->client_gone; });
  return true;
}

FakeService::State World::state(const std::string& name) const {
  const lock::NameView shown = replica_.machine().show(name, {.count = kHoldsLookedAt});
  FakeService::State state{.holders = shown.holders_total, .waiters = shown.waiters_total};
  for (const lock::HoldView& hold : shown.holders) state.fence = std::max(state.fence, hold.fence.value);
  return state;
}

}  // namespace cleat::testing
