// When `cleat run` must act on its command, from what may be believed about the lock. Pure.
#pragma once

#include <algorithm>
#include <optional>

#include "cli/options.hpp"
#include "client/boot_clock.hpp"

namespace cleat::cli {

struct LossPlan {
  std::optional<client::TimePoint> term_at;  // SIGTERM to the command's group
  std::optional<client::TimePoint> kill_at;  // SIGKILL to all it started
};

// Before the deadline, so that the command is dead when the service may grant anew. The kill's lead is bounded, for it
// would come before SIGTERM when the TTL is over 30 s.
constexpr milliseconds term_lead(milliseconds ttl) {
  return std::min(ttl / 3, milliseconds(3'000));
}
constexpr milliseconds kill_lead(milliseconds ttl) {
  return std::clamp(ttl / 10, milliseconds(200), milliseconds(1'000));
}

inline LossPlan plan_before(client::TimePoint deadline, milliseconds ttl, OnLoss on_loss) {
  LossPlan plan;
  if (on_loss == OnLoss::kIgnore) return plan;
  plan.kill_at = deadline - kill_lead(ttl);
  if (on_loss == OnLoss::kTerm) plan.term_at = std::min(deadline - term_lead(ttl), *plan.kill_at);
  return plan;
}

// The lock is lost already, told at `told`: SIGTERM at once, and no more time after it than in the plan above;
// `planned` is what stood for the deadline until now, which is not overstepped either.
inline LossPlan plan_after_loss(client::TimePoint told, const LossPlan& planned, milliseconds ttl, OnLoss on_loss) {
  LossPlan plan;
  if (on_loss == OnLoss::kIgnore) return plan;
  const milliseconds grace =
      on_loss == OnLoss::kTerm ? std::max(term_lead(ttl) - kill_lead(ttl), milliseconds(0)) : milliseconds(0);
  plan.kill_at = std::min(told + grace, planned.kill_at.value_or(client::TimePoint::max()));
  if (on_loss == OnLoss::kTerm) plan.term_at = std::min(told, *plan.kill_at);
  return plan;
}

}  // namespace cleat::cli
