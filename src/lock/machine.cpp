#include "lock/machine.hpp"

#include "lock/core.hpp"

namespace cleat::lock {

Machine::Machine() : state_(std::make_unique<State>()) {}
Machine::~Machine() = default;

base::Status Machine::apply(std::string_view entry, Sink& sink) {
  return state_->apply(entry, sink);
}

const Settings& Machine::settings() const {
  return state_->settings;
}
uint32_t Machine::level() const {
  return state_->level;
}
int64_t Machine::log_ms() const {
  return state_->log_ms;
}
int64_t Machine::wall_ms() const {
  return state_->wall_ms;
}
base::Revision Machine::revision() const {
  return state_->revision;
}
base::Fence Machine::last_fence() const {
  return state_->last_fence;
}

std::optional<int64_t> Machine::next_due_ms() const {
  if (state_->timers.empty()) return std::nullopt;
  return state_->timers.top().first;
}

}  // namespace cleat::lock
