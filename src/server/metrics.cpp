#include "server/metrics.hpp"

namespace cleat::server {

using lock::EventKind;
using lock::Result;
using lock::Verb;
using lock::Why;

void Metrics::count(const lock::Outcome& o) {
  if (o.verb == Verb::kUnlock) unlocks += o.result == Result::kDone;
  if (o.verb == Verb::kRenew) renewals += o.result == Result::kDone;
  if (o.verb == Verb::kOpenSession) sessions_opened += o.result == Result::kOpened;
  if (o.verb != Verb::kLock) return;
  if (!o.waited) ++lock_requests;  // what was queued before was counted then
  if (o.repeated) {
    ++lock_repeats;
    return;
  }
  if (o.result == Result::kQueued) {
    ++had_to_wait;
    return;
  }
  // A repeated request took its place in the queue, and gets the decision.
  if (o.result == Result::kNotGranted && o.why == Why::kTakenOver) return;
  switch (o.result) {
    case Result::kGranted:
      ++(o.waited ? granted_after_wait : granted_at_once);
      wait_ms.add(o.waited_ms);
      break;
    case Result::kNotGranted:
      ++(o.why == Why::kTimedOut ? timed_out : o.why == Why::kCancelled ? cancelled : busy);
      break;
    case Result::kDeadlock:
      ++refused_deadlock;
      break;
    case Result::kMode:
      ++refused_mode;
      break;
    case Result::kLimit:
      ++refused_limit;
      break;
    case Result::kNoSession:
      ++refused_session;
      break;
    default:
      ++refused_other;
  }
}

void Metrics::count(const lock::Event& e) {
  ++events;
  const bool ended = e.kind == EventKind::kReleased || e.kind == EventKind::kExpired || e.kind == EventKind::kRevoked;
  if (ended && e.fence) hold_ms.add(e.held_ms);
  if (e.kind == EventKind::kRevoked) ++revocations;
  if (e.kind == EventKind::kUndelivered) ++undelivered;
  if (e.kind != EventKind::kExpired) return;
  ++(e.why == Why::kTtl       ? holds_ended_by_ttl
     : e.why == Why::kMaxHold ? holds_ended_by_max_hold
                              : holds_ended_with_session);
}

double Metrics::contention() const {
  return lock_requests == 0 ? 0 : static_cast<double>(had_to_wait + busy) / static_cast<double>(lock_requests);
}

}  // namespace cleat::server
