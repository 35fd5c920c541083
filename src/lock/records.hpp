// The records of the machine's state. Links are handles into the pools of Core. What a million held locks need lies in
// HoldRecord and NameRecord alone; everything that is rare or bounded has records of its own.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "lock/handle_table.hpp"
#include "lock/outcome.hpp"
#include "lock/pool.hpp"

namespace cleat::lock {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// Who asks or holds: (session, owner), or a token when there is no session.
struct Identity {
  Handle session = 0;
  std::string_view who;  // owner or token
};

struct HoldRecord {
  base::Fence fence;
  int64_t granted_ms = 0;
  int64_t granted_wall_ms = 0;
  int64_t ttl_end_ms = kNever;
  Blobs3 bytes;
  base::ConnectionRef connection;
  Handle name = 0, session = 0;
  Handle timer = 0;                           // place in the timers' heap
  Handle name_prev = 0, name_next = 0;        // by rising fence
  Handle session_prev = 0, session_next = 0;  // by rising fence
  Handle req_result = 0;                      // pinned by this hold
  uint32_t max_kept_ms = 0;                   // D(MAXHOLD); 0: none
  uint32_t delay_ms = 0;
  uint32_t depth = 1;
  Mode mode = Mode::kExclusive;
  uint8_t priority = 0;
  bool has_data = false;

  std::string_view who() const { return bytes[0]; }
  std::string_view data() const { return bytes[1]; }
  std::string_view token_req() const { return bytes[2]; }  // REQ of a token's request; a session's is its req_result
  int64_t max_end_ms() const { return max_kept_ms ? granted_ms + max_kept_ms : kNever; }
  int64_t end_ms() const { return ttl_end_ms < max_end_ms() ? ttl_end_ms : max_end_ms(); }
};

static_assert(sizeof(HoldRecord) == 104);

// What a hold lost uncleanly leaves behind for its DELAY. Its session may be gone, hence the copies.
struct GhostRecord {
  base::Fence fence;
  base::SessionId session;  // none: a token's
  int64_t granted_ms = 0;
  int64_t granted_wall_ms = 0;
  int64_t end_ms = 0;
  Blob who;
  Blob label;
  Blob data;
  base::ConnectionRef connection;
  Handle name = 0, timer = 0, prev = 0, next = 0;
  uint32_t depth = 1;
  Mode mode = Mode::kExclusive;
  uint8_t priority = 0;
  bool has_data = false;
};

struct WaiterRecord {
  int64_t key_ms = 0;    // arrival - priority * ageing: static, so the order of those waiting never changes
  uint64_t arrival = 0;  // number in the log
  int64_t asked_ms = 0;
  int64_t deadline_ms = kNever;
  Blob who;
  Blob data;
  Blob token_req;
  base::ConnectionRef connection;
  uint64_t seq = 0;
  Handle name = 0, session = 0, timer = 0;
  Handle left = 0, right = 0;                 // of the queue's tree
  Handle session_prev = 0, session_next = 0;  // by arrival
  Handle connection_record = 0;               // only without REQ: those end with their connection
  Handle connection_prev = 0, connection_next = 0;
  Handle req_result = 0;
  uint32_t below = 1;  // waiters in this subtree
  uint32_t ttl_ms = 0, max_hold_ms = 0, delay_ms = 0;
  uint8_t modes = 0;  // bits of the modes in this subtree
  Mode mode = Mode::kExclusive;
  uint8_t priority = 0;
  bool no_reentry = false, async = false, has_data = false;
};

struct HistoryRecord {
  base::Revision revision;
  base::Fence fence;
  base::SessionId session;
  int64_t wall_ms = 0;
  Blob owner;
  Blob label;
  Handle name = 0;
  Handle name_next = 0;       // newer one of this name
  Handle prev = 0, next = 0;  // of all, by revision
  EventKind kind = EventKind::kGranted;
  Why why = Why::kNone;
  Mode mode = Mode::kExclusive;
};

// Of a crowded name.
struct NameIndexes {
  HandleTable by_identity;  // holds, and waiters with kWaiterBit
  HandleTable by_fence;     // holds
};

// What a name has beyond one hold: counts by mode, queue, ghosts, history, and indexes once it is crowded.
struct NameExtra {
  uint32_t held[kModes] = {};
  uint32_t delayed[kModes] = {};
  uint32_t holders = 0, ghosts = 0, waiters = 0, history = 0;
  Handle queue = 0;  // root of the tree of waiters
  Handle last_hold = 0;
  Handle first_ghost = 0, last_ghost = 0;
  Handle first_history = 0, last_history = 0;
  std::unique_ptr<NameIndexes> indexes;
};

struct NameRecord {
  Blob name;
  Handle extra = 0;
  Handle first_hold = 0;  // the only one, if there is no extra
  uint16_t bucket = 0;
  uint16_t aside = 0;      // number of the snapshot in whose image it is not, or is as it was saved
  bool active = false;     // counted in Totals::names
  bool pending = false;    // in a list of names whose queue is to be served
  bool unsettled = false;  // in Core::unsettled
};

static_assert(sizeof(NameRecord) == 24);

// A decided outcome kept for its REQ, or the mark of one that waits.
struct ReqRecord {
  enum class State : uint8_t { kWaiting = 0, kPinned = 1, kCounted = 2 };  // stored in snapshots
  uint64_t arguments = 0;                                                  // argument_hash
  uint64_t decision = 0;                                                   // number of the decision, rising
  Blob req;
  Handle session = 0;
  Handle subject = 0;         // the waiter, or the hold that pins it
  Handle prev = 0, next = 0;  // counted ones of the session, by decision
  Handle order = 0;           // place in the heap of all counted ones
  State state = State::kWaiting;
  Verb verb = Verb::kLock;
  Result result = Result::kDone;
  Why why = Why::kNone;
  Mode held_mode = Mode::kExclusive, mode = Mode::kExclusive;
  uint32_t depth = 0;
  base::Revision revision;
  base::Fence fence, held_fence;
  int64_t ms_left = 0, waited_ms = 0, ttl_ms = 0;
};

struct LossRecord {
  Blob name;
  base::Fence fence;
  base::Revision revision;
  Why why = Why::kNone;
};

struct SessionRecord {
  base::SessionId id;
  int64_t ttl_ms = 0;
  int64_t mark_ms = 0;
  uint64_t losses = 0;
  Blob key;
  Blob label;
  Handle connection = 0;  // record of an implicit session's connection
  Handle first_hold = 0, last_hold = 0;
  Handle first_waiter = 0, last_waiter = 0;
  Handle first_req = 0, last_req = 0;  // counted ones
  uint32_t holds = 0, waiters = 0, counted_reqs = 0;
  uint32_t epoch = 1;
  uint16_t bucket = 0;
  uint16_t aside = 0;  // as a name's
  bool implicit = false;
  bool marked = false;
  bool ending = false;  // its results are about to go: they must not push out those of others
  std::unique_ptr<HandleTable> reqs;
  std::unique_ptr<std::vector<LossRecord>> last_losses;  // oldest first
};

// A connection that has an implicit session, or waiters that end with it.
struct ConnectionRecord {
  base::ConnectionRef ref;
  Handle session = 0;
  Handle first_waiter = 0, last_waiter = 0;
};

}  // namespace cleat::lock
