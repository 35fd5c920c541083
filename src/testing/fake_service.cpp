#include "cleat/testing.hpp"

#include "testing/world.hpp"

namespace cleat::testing {

using Visit = World::Visit;

namespace {

constexpr auto kBack = "time can't be moved back";

}  // namespace

FakeService::FakeService() : world_(std::make_shared<World>()) {}
FakeService::~FakeService() = default;

boot_clock::time_point FakeService::now() const noexcept {
  return world_->clock()->now();
}

void FakeService::advance(boot_clock::duration time) {
  if (time < time.zero()) throw Error(errc::invalid, kBack);
  const Visit visit(*world_);
  world_->advance_to(now() + time);
}

void FakeService::stall(Client& client, boot_clock::duration time) {
  if (time < time.zero()) throw Error(errc::invalid, kBack);
  const Visit visit(*world_);
  world_->settle();
  world_->set_stalled(client.engine_.get());
  world_->advance_to(now() + time);
  world_->set_stalled(nullptr);
}

void FakeService::set_auto_advance(bool on) {
  world_->set_auto_advance(on);
}

void FakeService::set_network(Network network) {
  const Visit visit(*world_);
  world_->set_network(network);
}

void FakeService::disconnect() {
  const Visit visit(*world_);
  world_->break_links();
}

void FakeService::stop() {
  const Visit visit(*world_);
  world_->stop_service();
}

void FakeService::start() {
  const Visit visit(*world_);
  world_->start_service();
}

void FakeService::restore() {
  const Visit visit(*world_);
  world_->restore();
}

void FakeService::end_session(const std::string& id) {
  const Visit visit(*world_);
  world_->expire(id);
}

FakeService::State FakeService::state(const std::string& name) const {
  const Visit visit(*world_);
  return world_->state(name);
}

bool FakeService::await_waiters(const std::string& name, std::size_t waiters,
                                std::chrono::milliseconds patience) const {
  return world_->await([&] { return world_->state(name).waiters >= waiters; }, patience);
}

}  // namespace cleat::testing

namespace cleat {
namespace {

Options of_a_fake(Options options) {
  options.servers = {"fake-service"};
  return options;
}

}  // namespace

Client::Client(testing::FakeService& service, const Options& options)
    : engine_(std::make_shared<client::Engine>(of_a_fake(options),
                                               std::make_unique<testing::WorldRunner>(service.world_))) {}

}  // namespace cleat
