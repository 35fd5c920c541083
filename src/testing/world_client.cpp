// A Client's side of the world: its wire, and who makes the turns of its engine.
#include <poll.h>

#include "testing/world.hpp"

namespace cleat::testing {

using base::Status;

namespace {

Status refused() {
  return {base::Code::kIo, "connection refused: the FakeService is stopped"};
}

}  // namespace

Status WorldWire::start(const client::Endpoint&) {
  if (world_.network() == Network::up && !world_.serving()) return refused();
  phase_ = Phase::kConnecting;
  return {};
}

Status WorldWire::finish_connect() {
  if (world_.network() != Network::up) return {};
  link_ = world_.connect();
  if (!link_) return refused();
  phase_ = Phase::kOpen;
  return {};
}

void WorldWire::close() {
  if (link_) link_->client_gone = true;
  link_.reset();
  phase_ = Phase::kClosed;
}

bool WorldWire::ready() const {
  if (phase_ == Phase::kConnecting) return world_.network() == Network::up;
  if (phase_ == Phase::kClosed) return false;
  if (!world_.passes_to_client()) return link_->broken;
  return link_->broken || link_->connection == nullptr || !link_->to_client.empty();
}

Status WorldWire::read(std::string& out) {
  if (link_->broken) return {base::Code::kIo, "the connection broke"};
  if (!world_.passes_to_client()) return {};
  out += link_->to_client;
  link_->to_client.clear();
  if (link_->connection == nullptr) return {base::Code::kIo, "the service closed the connection"};
  return {};
}

Status WorldWire::write(std::string& out) {
  link_->to_service += out;
  out.clear();
  return {};
}

WorldRunner::WorldRunner(std::shared_ptr<World> world) : world_(std::move(world)), wire_(*world_) {}

std::shared_ptr<const client::Clock> WorldRunner::clock() const {
  return world_->clock();
}

uint64_t WorldRunner::seed() {
  const World::Visit visit(*world_);
  return world_->next_seed();
}

void WorldRunner::begin(client::Engine& engine) {
  const World::Visit visit(*world_);
  engine_ = &engine;
  world_->add(*this);
}

// If the service can't be told, it would take close_timeout, and time stands still.
void WorldRunner::end() {
  const World::Visit visit(*world_);
  world_->settle();
  world_->remove(*this);
  wire_.close();
}

void WorldRunner::wake() noexcept {
  if (world_->here()) return;  // settle() looks once more
  const World::Visit visit(*world_);
}

void WorldRunner::await(const client::Attempt& attempt, bool must_wake) {
  if (must_wake) wake();
  const auto done = [&] { return attempt.done.load(std::memory_order_acquire) != 0; };
  while (!done() && world_->auto_advance()) {
    const World::Visit visit(*world_);
    if (!done() && !world_->advance_to_next()) break;
  }
  attempt.done.wait(0, std::memory_order_acquire);
}

bool WorldRunner::in_turn() const noexcept {
  return world_->here();
}

bool WorldRunner::run() {
  if (engine_->over()) return false;
  const bool heard = wire_.ready();
  if (heard) engine_->ready(POLLIN);
  const auto wake = engine_->next_wake();
  if (!heard && !engine_->has_jobs() && !(wake && *wake <= world_->clock()->now())) return false;
  engine_->turn();
  return true;
}

}  // namespace cleat::testing
