// Answers of the machine's queries: owned data, so that they outlive the next apply. Ends of holds are told as
// a client may count on them: divided by (1 + margin), never more than asked; waits and delays run as they are.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "lock/outcome.hpp"

namespace cleat::lock {

struct HoldView {
  Mode mode = Mode::kExclusive;
  base::Fence fence;
  base::SessionId session;  // 0: a token's (tokens are secrets and not shown)
  std::string owner;
  std::string label;
  uint32_t depth = 0;
  uint8_t priority = 0;
  std::optional<std::string> data;
  int64_t granted_wall_ms = 0;
  int64_t held_ms = 0;             // log time since the grant
  std::optional<int64_t> ms_left;  // none: no end but the session's
  int64_t delay_left_ms = 0;       // a ghost: time until it is gone
};

struct WaiterView {
  Mode mode = Mode::kExclusive;
  base::SessionId session;
  std::string owner;
  std::string label;
  uint8_t priority = 0;
  int64_t waiting_ms = 0;          // log time
  std::optional<int64_t> ms_left;  // until its wait deadline; none: for ever
};

struct Page {
  uint32_t count = 100;
  uint64_t cursor = 0;  // as given by the page before; 0: from the start
};

struct NameView {
  base::Revision revision;
  uint64_t holders_total = 0, waiters_total = 0, delayed_total = 0;
  std::vector<HoldView> holders;
  std::vector<WaiterView> waiters;  // in queue order
  std::vector<HoldView> delayed;    // ghosts
  uint64_t next_cursor = 0;         // 0: complete
};

enum class LockState : uint8_t { kAny, kHeld, kWaited, kDelayed };

// Opaque to clients; valid on every member and after restarts.
struct Cursor {
  uint32_t bucket = 0;
  std::string after_name;  // within the bucket
};

struct LockSummary {
  std::string name;
  uint64_t holders = 0, waiters = 0, delayed = 0;
  Mode mode = Mode::kExclusive;  // of the first holder
  base::Fence fence;             // of the newest hold
};

struct LocksPage {
  base::Revision revision;
  std::vector<LockSummary> locks;
  std::optional<Cursor> next;  // none: complete
};

struct HistoryView {
  base::Revision revision;
  EventKind kind = EventKind::kGranted;
  Why why = Why::kNone;
  Mode mode = Mode::kExclusive;
  base::Fence fence;
  base::SessionId session;
  std::string owner;
  std::string label;
  int64_t wall_ms = 0;
};

struct LossView {
  std::string name;
  base::Fence fence;
  Why why = Why::kNone;
  base::Revision revision;
};

struct SessionView {
  base::SessionId id;
  By kind = By::kExplicit;
  int64_t ttl_ms = 0;
  std::string label;
  uint64_t holds = 0, waiters = 0;
  uint64_t losses = 0;                // holds that others ended, ever
  std::vector<LossView> last_losses;  // newest last
  base::ConnectionRef connection;     // implicit: its own
  base::Revision revision;
};

struct SessionsPage {
  base::Revision revision;
  std::vector<SessionView> sessions;  // without last_losses
  base::SessionId next_after;         // 0: complete
};

struct SessionState {
  By kind = By::kExplicit;
  int64_t ttl_ms = 0;
  uint32_t epoch = 0;
  uint64_t losses = 0;
  std::string_view key;  // valid until the next apply
  bool marked = false;
  int64_t mark_ms = 0;  // heard of its Mark (time.md rule 3)
};

struct Blocker {
  enum class Kind : uint8_t { kNone, kHeld, kQueued, kDelayed } kind = Kind::kNone;
  base::SessionId session;
  std::string owner, label;
  Mode mode = Mode::kExclusive;
  base::Fence fence;
  int64_t granted_wall_ms = 0, held_ms = 0;  // of kHeld, as in HoldView
  int64_t retry_ms = 0;  // when it may be worth to ask again: earliest known end, or a guess from hold times
};

struct Totals {
  uint64_t names = 0, holds = 0, waiters = 0, ghosts = 0, sessions = 0, implicit_sessions = 0, req_results = 0,
           history_entries = 0;
};

}  // namespace cleat::lock
