// What the machine says: outcomes (one for each command that is decided, to the connection that asked) and events (one
// for each change of a name or session). Both are views into the machine or the entry, valid only during the call.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/ids.hpp"
#include "lock/command.hpp"
#include "lock/settings.hpp"

namespace cleat::lock {

// Stored in snapshots (REQ results): never renumber.
enum class Result : uint8_t {
  kDone = 0,        // CLOSE, PUT; kUnlock: `depth` left; kRenew: `ms_left`; kCancel: `count` 1 or 0
  kGranted = 1,     // fence, waited_ms, depth, ms_left
  kQueued = 2,      // must wait. ASYNC: answered now; otherwise the run stops here and nothing is answered yet
  kNotGranted = 3,  // nil: `why` = busy (WAIT 0), timed out, cancelled
  kOpened = 4,      // session, session_epoch, ttl
  kAttached = 5,    // the same, and takeover_ms
  // refusals
  kNotHeld = 10,
  kNil = 11,      // UNLOCK or RENEW by a token that holds nothing
  kStale = 12,    // fence is that of an older hold; `held_fence` is mine
  kExpired = 13,  // the hold meant was lost: why
  kRevoked = 14,
  kNoSession = 15,
  kDeadlock = 16,      // NOREENTRY by the holder itself
  kMode = 17,          // held in `held_mode`, which does not cover the asked one: use CONVERT
  kLimit = 18,         // `limit`, `limit_value`; retry_ms
  kReqReused = 19,     // same REQ, other arguments: ERR
  kWrongKey = 20,      // ATTACH
  kImplicitBusy = 21,  // OPEN or ATTACH while the connection's own session holds or waits for something: ERR
};

// Why a hold ended or a request was refused. Stored in history and losses: never renumber.
enum class Why : uint8_t {
  kNone = 0,
  kBusy = 1,
  kTimedOut = 2,
  kCancelled = 3,
  kReleased = 4,  // UNLOCK
  kTtl = 5,       // the hold's own TTL
  kMaxHold = 6,
  kSessionExpired = 7,
  kSessionClosed = 8,   // SESSION CLOSE or QUIT: clean
  kConnectionLost = 9,  // of an implicit session: unclean
  kUndelivered = 10,
  kRevoked = 11,
  kReentry = 12,
  kTakenOver = 13,
  kQueueFull = 14,
  kRestored = 15,  // a new incarnation began: restore, recovery
};
inline constexpr Why kLastWhy = Why::kRestored;
std::string_view why_text(Why);  // "busy", "timed out", ... as printed in history, pushes and FULL

struct Outcome {
  base::ConnectionRef to;
  uint64_t seq = 0;
  Verb verb = Verb::kTick;
  Result result = Result::kDone;
  Why why = Why::kNone;
  Mode held_mode = Mode::kExclusive;  // kMode
  Mode mode = Mode::kExclusive;       // asked or granted
  bool pushed = false;                // decides an earlier kQueued of an ASYNC request: goes out as a push
  bool waited = false;                // it stood in the queue before: an earlier kQueued was of the same request
  bool repeated = false;              // a kept REQ result, or a join to a live hold or waiter: no new change
  base::Revision revision;            // of the change; for refusals the machine's at that time
  base::Fence fence;
  base::Fence held_fence;
  uint32_t depth = 0;
  uint64_t count = 0;
  int64_t ms_left = 0;    // until the hold's earliest own end, told (never more than asked); 0: none but the session's
  int64_t waited_ms = 0;  // log time from request to grant, divided by 1 + margin
  int64_t ttl_ms = 0;     // of a grant: as ms_left; of a session: its TTL
  int64_t takeover_ms = 0;
  base::SessionId session;  // that of the command, if there is one; for kNoSession as it was asked
  uint32_t session_epoch = 0;
  Limit limit = Limit::kNone;
  uint64_t limit_value = 0;
  std::string_view name;
  std::string_view req;
  std::string_view owner;
  std::string_view token;
  std::string_view key;  // kOpened
};

// Stored in history: never renumber.
enum class EventKind : uint8_t {
  kGranted = 1,
  kReleased = 2,  // by UNLOCK or a clean end
  kExpired = 3,   // TTL, MAXHOLD, session or connection lost: see why
  kRevoked = 4,
  kTimedOut = 5,   // a waiter
  kCancelled = 6,  // a waiter
  kDeadlock = 7,
  kUndelivered = 8,
  kData = 9,           // PUT
  kDelayOver = 10,     // a ghost is gone
  kSessionEnded = 11,  // a waiter whose session ended
};
std::string_view event_text(EventKind);

struct EventFacts {
  base::Revision revision;
  EventKind kind = EventKind::kGranted;
  Why why = Why::kNone;
  Mode mode = Mode::kExclusive;
  bool forced = false;  // a hold that its holder did not let go itself: told to it as `lost`
  uint32_t depth = 0;
  base::Fence fence;
  base::SessionId session;     // 0: a token's
  base::ConnectionRef holder;  // token holds: connection that sent the latest LOCK or RENEW; else that of the grant
  int64_t log_ms = 0;
  int64_t wall_ms = 0;   // Unix time of the entry
  int64_t delay_ms = 0;  // ghost left behind; 0: none
  int64_t held_ms = 0;   // of a hold that ended: log time since its grant; for counters, not stored
};

struct Event : EventFacts {
  std::string_view name;
  std::string_view owner;
  std::string_view label;  // of the session
  std::string_view
      req;  // of the request that was granted (also in the events of its hold) or refused; no ghost has one
  std::string_view data;
};

// Called during Machine::apply, in order, an outcome before the events of what it caused for others.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void on_outcome(const Outcome&) = 0;
  virtual void on_event(const Event&) = 0;
  // A session came to be or was ended (TTL, CLOSE, connection): replica/ keeps its liveness by these.
  virtual void on_session_opened(base::SessionId, int64_t ttl_ms, By kind, int64_t log_ms) = 0;
  virtual void on_session_ended(base::SessionId, Why) = 0;
};

// Where nobody listens.
class NullSink final : public Sink {
 public:
  void on_outcome(const Outcome&) override {}
  void on_event(const Event&) override {}
  void on_session_opened(base::SessionId, int64_t, By, int64_t) override {}
  void on_session_ended(base::SessionId, Why) override {}
};

}  // namespace cleat::lock
