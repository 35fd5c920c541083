#include "lock/outcome.hpp"

namespace cleat::lock {

std::string_view why_text(Why w) {
  switch (w) {
    case Why::kNone:
      return "";
    case Why::kBusy:
      return "busy";
    case Why::kTimedOut:
      return "timed out";
    case Why::kCancelled:
      return "cancelled";
    case Why::kReleased:
      return "released";
    case Why::kTtl:
      return "ttl expired";
    case Why::kMaxHold:
      return "max hold reached";
    case Why::kSessionExpired:
      return "session expired";
    case Why::kSessionClosed:
      return "session closed";
    case Why::kConnectionLost:
      return "connection lost";
    case Why::kUndelivered:
      return "undelivered";
    case Why::kRevoked:
      return "revoked";
    case Why::kReentry:
      return "re-entry";
    case Why::kTakenOver:
      return "taken over";
    case Why::kQueueFull:
      return "queue full";
    case Why::kRestored:
      return "restored";
  }
  return "";
}

std::string_view event_text(EventKind k) {
  switch (k) {
    case EventKind::kGranted:
      return "granted";
    case EventKind::kReleased:
      return "released";
    case EventKind::kExpired:
      return "expired";
    case EventKind::kRevoked:
      return "revoked";
    case EventKind::kTimedOut:
      return "timed out";
    case EventKind::kCancelled:
      return "cancelled";
    case EventKind::kDeadlock:
      return "deadlock";
    case EventKind::kUndelivered:
      return "undelivered";
    case EventKind::kData:
      return "data";
    case EventKind::kDelayOver:
      return "delay over";
    case EventKind::kSessionEnded:
      return "session ended";
  }
  return "";
}

std::string_view limit_name(Limit l) {
  switch (l) {
    case Limit::kNone:
      return "";
    case Limit::kWaitersPerName:
      return "waiters-per-name";
    case Limit::kHoldsPerSession:
      return "holds-per-session";
    case Limit::kSessions:
      return "sessions";
    case Limit::kHolds:
      return "holds";
    case Limit::kWaiters:
      return "waiters";
    case Limit::kReqResults:
      return "req-results";
    case Limit::kFences:
      return "fences";
  }
  return "";
}

}  // namespace cleat::lock
