// One grant as its holder and the engine share it. Thread-safe.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "client/boot_clock.hpp"

namespace cleat::client {

// Until when a session may be believed to live, on the Client's clock: written by the engine at each confirmation, so
// that thousands of holds move on by one write.
class Lease {
 public:
  explicit Lease(std::shared_ptr<const Clock> clock) : clock_(std::move(clock)) {}

  TimePoint now() const { return clock_->now(); }
  void set(TimePoint deadline) { ns_.store(deadline.time_since_epoch().count(), std::memory_order_release); }
  TimePoint deadline() const { return TimePoint(TimePoint::duration(ns_.load(std::memory_order_acquire))); }

 private:
  const std::shared_ptr<const Clock> clock_;
  std::atomic<int64_t> ns_{TimePoint::min().time_since_epoch().count()};
};

// So long before an end without contact its holder is warned.
inline milliseconds warning_lead(milliseconds ttl) {
  return std::min(ttl / 3, milliseconds(3'000));
}

class HoldState {
 public:
  // own_end: of its MAXHOLD; TimePoint::max() without one.
  HoldState(std::string name, std::string owner, int64_t fence, std::shared_ptr<const Lease> lease, TimePoint own_end)
      : name_(std::move(name)), owner_(std::move(owner)), fence_(fence), lease_(std::move(lease)), own_end_(own_end) {}

  const std::string& name() const { return name_; }
  const std::string& owner() const { return owner_; }
  int64_t fence() const { return fence_; }
  TimePoint own_end() const { return own_end_; }
  // time_point::min() once it ended.
  TimePoint deadline() const;
  std::stop_token stop_token() const { return stop_.get_token(); }
  std::string why_lost() const;

  TimePoint now() const { return lease_->now(); }
  bool held() { return held(now()); }
  // It is held at `now`. Whoever finds the deadline passed makes that final: no late answer revives the hold.
  bool held(TimePoint now);
  // The end is near without contact. Runs the callbacks of the stop_token on this thread.
  void warn() { stop_.request_stop(); }
  // Lost. False: it had ended already. Runs the callbacks as well.
  bool lose(const std::string& why);
  // unlock(): the belief ends here. False: it had been lost.
  bool release();

 private:
  enum class State { kHeld, kReleased, kLost };

  const std::string name_;
  const std::string owner_;
  const int64_t fence_;
  const std::shared_ptr<const Lease> lease_;
  const TimePoint own_end_;
  std::atomic<State> state_{State::kHeld};
  std::stop_source stop_;
  mutable std::mutex mutex_;  // of why_
  std::string why_;
};

}  // namespace cleat::client
