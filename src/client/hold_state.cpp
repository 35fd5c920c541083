#include "client/hold_state.hpp"

#include <algorithm>

#include "cleat/hold.hpp"

namespace cleat::client {

TimePoint HoldState::deadline() const {
  if (state_.load(std::memory_order_acquire) != State::kHeld) return TimePoint::min();
  return std::min(lease_->deadline(), own_end_);
}

std::string HoldState::why_lost() const {
  const std::lock_guard guard(mutex_);
  return why_;
}

bool HoldState::held(TimePoint now) {
  const TimePoint end = deadline();
  if (end == TimePoint::min()) return false;
  if (now < end) return true;
  lose(end == own_end_ ? "its max_hold is over" : "its deadline passed without contact");
  return false;
}

bool HoldState::lose(const std::string& why) {
  {
    const std::lock_guard guard(mutex_);
    State expected = State::kHeld;
    if (!state_.compare_exchange_strong(expected, State::kLost)) return false;
    why_ = why;
  }
  stop_.request_stop();
  return true;
}

bool HoldState::release() {
  const std::lock_guard guard(mutex_);
  State expected = State::kHeld;
  return state_.compare_exchange_strong(expected, State::kReleased);
}

}  // namespace cleat::client

namespace cleat {

std::uint64_t Hold::fence() const noexcept {
  return static_cast<std::uint64_t>(state_->fence());
}
boot_clock::time_point Hold::deadline() const noexcept {
  return state_->held() ? state_->deadline() : boot_clock::time_point::min();
}
std::stop_token Hold::stop_token() const noexcept {
  return state_->stop_token();
}
boot_clock::duration Hold::time_left() const noexcept {
  const boot_clock::time_point now = state_->now();
  return state_->held(now) ? std::max(state_->deadline() - now, boot_clock::duration(0)) : boot_clock::duration(0);
}
bool Hold::held() const noexcept {
  return state_->held();
}
std::string Hold::why_lost() const {
  return state_->why_lost();
}

}  // namespace cleat
