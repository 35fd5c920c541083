// The state of the machine and its rules. Split over files by topic; each group of functions below names its own.
// Everything that changes a name or session calls touch_name() or touch_session() first (a snapshot may need it
// unchanged).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/mutant.hpp"
#include "lock/indexed_heap.hpp"
#include "lock/level.hpp"
#include "lock/machine.hpp"
#include "lock/queue.hpp"
#include "lock/records.hpp"

namespace cleat::lock {

// A LOCK on its way to a hold: from the command, or from the waiter that it became.
struct Request {
  base::ConnectionRef connection;
  uint64_t seq = 0;
  Identity id;
  std::string_view name, owner, token, req, data;
  uint64_t arguments = 0;  // of `req`, if kept
  Handle req_result = 0;   // of a waiter
  int64_t asked_ms = 0, wait_ms = 0, ttl_ms = 0, max_hold_ms = 0, delay_ms = 0;
  Mode mode = Mode::kExclusive;
  uint8_t priority = 0;
  bool no_reentry = false, async = false, has_data = false, waited = false;
};

enum class TimerKind : uint32_t { kHold = 0, kGhost = 1, kWaiter = 2 };
constexpr uint32_t timer_ref(TimerKind k, Handle h) {
  return static_cast<uint32_t>(k) << 30 | h;
}

struct TimerPlaced {
  Pool<HoldRecord>* holds;
  Pool<GhostRecord>* ghosts;
  Pool<WaiterRecord>* waiters;
  void operator()(uint32_t ref, uint32_t place) const {
    const Handle h = ref & ((1u << 30) - 1);
    switch (static_cast<TimerKind>(ref >> 30)) {
      case TimerKind::kHold:
        (*holds)[h].timer = place;
        break;
      case TimerKind::kGhost:
        (*ghosts)[h].timer = place;
        break;
      case TimerKind::kWaiter:
        (*waiters)[h].timer = place;
        break;
    }
  }
};
struct ReqPlaced {
  Pool<ReqRecord>* reqs;
  void operator()(uint32_t ref, uint32_t place) const { (*reqs)[ref].order = place; }
};

constexpr uint32_t name_bucket(uint64_t hash) {
  return static_cast<uint32_t>(hash >> 51);
}
static_assert(kBuckets == 1u << (64 - 51));

struct Core {
  Settings settings;
  uint32_t level = kFirstLevel;
  int64_t log_ms = 0, wall_ms = 0;
  base::Revision revision;
  base::Fence last_fence;
  uint64_t last_session = 0, last_arrival = 0, last_decision = 0;

  Pool<NameRecord> names;
  Pool<NameExtra> extras;
  Pool<HoldRecord> holds;
  Pool<GhostRecord> ghosts;
  Pool<WaiterRecord> waiters;
  Pool<HistoryRecord> history;
  Pool<ReqRecord> reqs;
  Pool<SessionRecord> sessions;
  Pool<ConnectionRecord> connections;

  std::array<HandleTable, kBuckets> name_tables, session_tables;
  HandleTable connection_table;
  std::map<uint64_t, Handle> session_order;  // by id, for paging
  Queue queue{waiters};
  IndexedHeap<TimerPlaced> timers{TimerPlaced{&holds, &ghosts, &waiters}};
  IndexedHeap<ReqPlaced> req_order{ReqPlaced{&reqs}};
  Handle first_history = 0, last_history = 0;
  uint64_t active_names = 0, implicit_sessions = 0, undecided_reqs = 0;

  Sink* sink = nullptr;  // during apply

  // apply.cpp
  base::Status apply(std::string_view entry, Sink& to);
  bool run_command(const base::ConnectionRef& from, const Command& c);  // false: the run stops here
  void run_housekeeping(const base::ConnectionRef& from, const Command& c);
  void configure(const Command& c);
  struct Step {
    base::ConnectionRef from;
    bool run_begins = false;
    Command command;
  };
  std::vector<Step> steps;  // of the entry being applied, and what is left of longer ones before
  void look_ahead(size_t step, size_t n) const;

  // names.cpp: the name table, and who holds or waits there
  Handle find_name(std::string_view name) const;
  Handle make_name(std::string_view name);
  NameExtra& extra_of(NameRecord& n);
  const NameExtra* extra(const NameRecord& n) const { return n.extra ? &extras[n.extra] : nullptr; }
  Handle last_hold(const NameRecord& n) const { return n.extra ? extras[n.extra].last_hold : n.first_hold; }
  // After each command: of the names it changed, drops what is no longer needed, maybe the name itself. So handles of
  // names stay good within a command.
  void settle_all();
  void settle(Handle name);
  std::vector<Handle> unsettled;
  void link_hold(Handle hold);
  void unlink_hold(Handle hold);
  Handle find_hold(const NameRecord& n, const Identity& id) const;
  Handle find_fence(const NameRecord& n, base::Fence fence) const;
  void waiters_of(const NameRecord& n, const Identity& id, std::vector<Handle>& out) const;  // by arrival
  void enqueue(Handle waiter);
  void dequeue(Handle waiter);
  void index_all(NameRecord& n, NameExtra& x);
  bool is_identity(Handle tagged, const Identity& id) const;
  Identity identity(const HoldRecord& h) const { return {h.session, h.who()}; }
  Identity identity(const WaiterRecord& w) const { return {w.session, w.who.view()}; }

  // grant.cpp: who may be granted, and granting
  bool holders_allow(const NameRecord& n, Mode m) const;
  bool ghosts_allow(const NameRecord& n, Mode m, const Identity& id) const;
  bool ghost_is_of(const GhostRecord& g, const Identity& id) const;
  bool queue_allows(const NameRecord& n, Mode m, int64_t key_ms, uint64_t arrival) const;
  Handle candidate(const NameRecord& n, Mode m) const;
  Handle next_grantable(const NameRecord& n) const;
  void grant(Handle name, const Request& r);
  void grant_waiter(Handle waiter);
  void decide_own_waiters(Handle name, Handle hold);
  void reenter(Handle hold, const Request& r);
  void serve(Handle name);  // grants all that can be granted
  void serve_all(std::vector<Handle>& names_to_serve);
  void mark_pending(Handle name, std::vector<Handle>& names_to_serve);
  Request request_of(const WaiterRecord& w) const;

  // lock_command.cpp
  bool lock(const base::ConnectionRef& from, const Command& c);
  Handle locker(const base::ConnectionRef& from, const Command& c, const Request& r);
  bool lock_new(Handle name, const Request& r);
  void lock_held(Handle hold, const Request& r);
  void refuse_self_deadlock(Handle hold, const Request& r);
  void join_hold(Handle hold, const Request& r);
  bool join_waiter(Handle waiter, const Request& r, bool extend);
  bool enqueue_request(Handle name, const Request& r, int64_t key_ms);
  bool refuse_limit(const Request& r, Limit limit, uint64_t value);  // false
  bool within_hold_limits(const Request& r);
  bool within_waiter_limits(const Request& r, Handle name);
  void refuse(const Request& r, Result result, Why why);
  Outcome outcome_of(const Request& r) const;

  // hold_commands.cpp: what a holder or waiter asks after its LOCK
  void unlock(const base::ConnectionRef& from, const Command& c);
  void renew(const base::ConnectionRef& from, const Command& c);
  void put(const base::ConnectionRef& from, const Command& c);
  static void put_data(HoldRecord& h, std::string_view data);
  void cancel(const base::ConnectionRef& from, const Command& c);
  void undeliver(const Command& c);
  struct Holder {
    Handle hold = 0;
    bool answered = false;
    Outcome outcome;
    Handle session = 0;
    uint64_t arguments = 0;
  };
  // The hold that c means, by identity and FENCE; when there is none, or the REQ is known, it is answered already.
  Holder find_holder(const base::ConnectionRef& from, const Command& c);
  void refuse_missing(Holder& h, const Command& c, Handle other_hold);
  void answer(const Holder& h, std::string_view req);
  Outcome outcome_of(const base::ConnectionRef& from, const Command& c) const;

  // ends.cpp: how holds and waiters end, and what is due
  void run_due();
  void end_hold(Handle hold, EventKind kind, Why why, bool unclean);
  Event event_of(const HoldRecord& h, EventKind kind, Why why) const;  // its views last as long as h and its REQ
  Blobs3 drop_hold(Handle hold);  // its bytes, which views of it may still point to
  void leave_ghost(const HoldRecord& h);
  void link_ghost(Handle ghost);
  void remember_loss(Handle session, const NameRecord& n, base::Fence fence, Why why);
  void end_ghost(Handle ghost);
  // Takes the waiter out and answers it; its name's queue is not served yet. EventKind{}: a refusal, no event.
  void end_waiter(Handle waiter, Result result, Why why, EventKind kind, Why event_why);
  void set_timer(TimerKind kind, Handle h, Handle place, int64_t due_ms, uint64_t tie);
  void time_hold(Handle hold);

  // sessions.cpp
  Handle find_session(base::SessionId id) const;
  Handle adopt_session(SessionRecord&& r);  // into pool, table and order; its bucket follows from its id
  Handle make_session(By kind, int64_t ttl_ms, std::string_view label, std::string_view key);
  Handle find_connection(const base::ConnectionRef& ref) const;
  Handle make_connection(const base::ConnectionRef& ref);
  void drop_connection_if_unused(Handle connection);
  // The session that speaks, its mark cleared. With `why` set when it is refused; 0 for an implicit one not yet there.
  Handle speaker(const base::ConnectionRef& from, const Command& c, bool& refused, Why& why);
  void open_session(const base::ConnectionRef& from, const Command& c);
  void attach_session(const base::ConnectionRef& from, const Command& c);
  void clear_mark(Handle session);
  bool leave_implicit(const base::ConnectionRef& from, const Command& c);
  void close_session(const base::ConnectionRef& from, const Command& c);
  void end_session(Handle session, Why why, bool unclean);
  void end_session(Handle session, Why why, bool unclean, std::vector<Handle>& names_to_serve);
  void end_waiters_of_connection(Handle connection, std::vector<Handle>& names_to_serve);
  void end_waiters(const std::vector<Handle>& ending, std::vector<Handle>& names_to_serve);
  void connection_closed(const base::ConnectionRef& ref, bool clean);
  void boot_ended(const base::ConnectionRef& ref);

  // req_results.cpp
  Handle find_req(const SessionRecord& s, std::string_view req) const;
  Handle make_req(Handle session, std::string_view req, uint64_t arguments);
  void decide_req(Handle req, const Outcome& o, Handle pinned_by);
  void unpin_req(Handle req);
  void count_req(Handle req);
  void drop_req(Handle req);
  void repeat(Handle req, Outcome o, uint64_t arguments);
  void tell(const Outcome& o) { sink->on_outcome(o); }
  // Keeps the outcome for the REQ, if there is one to keep, and tells it.
  void decide(Handle session, std::string_view req, uint64_t arguments, const Outcome& o, Handle pinned_by = 0);

  // incarnation.cpp
  void begin_incarnation(const Incarnation& next);
  void end_queues();
  void forget_connections();

  // history.cpp
  void record(Handle name, Event& e);  // makes it the next revision
  void drop_oldest_history();
  void drop_first_history_of(Handle name);
  void trim_history();

  // snapshot_write.cpp, snapshot_load.cpp
  struct Snapshot {
    bool running = false;
    std::string head;
    uint32_t next = 0;  // first bucket that is not written
    // By bucket: records that changed, or went, before their bucket's turn; as they were.
    struct Saved {
      std::string name;  // or
      base::SessionId session;
      std::string record;
    };
    std::vector<std::vector<Saved>> saved;
  };
  Snapshot snapshot;
  uint16_t snapshot_number = 0;  // what `aside` of a name or session is compared with
  bool in_image(uint32_t bucket) const { return snapshot.running && bucket >= snapshot.next; }
  void touch_name(Handle name) {
    NameRecord& n = names[name];
    if (in_image(n.bucket) && n.aside != snapshot_number && !base::mutant("snapshot_of_moving_state")) save_name(n);
    if (n.unsettled) return;
    n.unsettled = true;
    unsettled.push_back(name);
  }
  void touch_session(Handle session) {
    SessionRecord& s = sessions[session];
    if (in_image(s.bucket) && s.aside != snapshot_number) save_session(s);
  }
  void save_name(NameRecord& n);
  void save_session(SessionRecord& s);
  void encode_head(std::string& out) const;
  // Nothing for an empty one. `of_image`: as it was at begin_snapshot(), for a bucket whose turn it is.
  void encode_bucket(uint32_t bucket, std::string& out, bool of_image = false) const;
  void forget_asides();
  std::vector<Handle> sorted_names(uint32_t bucket) const;

  // snapshot_load.cpp: what can be linked only when all blocks are there
  struct Loading {
    bool head = false;
    uint64_t names = 0, holds = 0, ghosts = 0, waiters = 0, sessions = 0, reqs = 0, history = 0;
    std::vector<bool> seen_buckets = std::vector<bool>(kBuckets);
    struct Linked {
      Handle record = 0;
      base::SessionId session;
      std::string req;
    };
    std::vector<Linked> linked_holds, linked_waiters;
    std::vector<Handle> all_names, all_sessions, all_ghosts, all_history, all_reqs;
  };
  std::unique_ptr<Loading> loading;
  base::Status load_head(base::Reader& in);
  base::Status load_bucket(base::Reader& in);
  base::Status load_name(base::Reader& in, uint32_t bucket);
  bool load_hold(base::Reader& in, Handle name);
  bool load_ghost(base::Reader& in, Handle name);
  bool load_waiter(base::Reader& in, Handle name);
  bool load_history(base::Reader& in, Handle name);
  base::Status load_session(base::Reader& in, uint32_t bucket);
  bool load_req(base::Reader& in, Handle session);
  bool relink(const base::SessionId& id, const std::string& req, ReqRecord::State state, Handle subject,
              Handle& session, Handle& req_result);
  base::Status link_holds();
  base::Status link_waiters();
  base::Status link_history();
  base::Status link_reqs();
  void link_ghosts();
  base::Status finish_load();

  // queries.cpp
  HoldView view(const HoldRecord& h) const;
  HoldView view(const GhostRecord& g) const;
  WaiterView view(const WaiterRecord& w) const;
  SessionView view(const SessionRecord& s) const;
  // Of an end that runs D(d); those that run d (wait deadlines, ghosts) are told as they are.
  int64_t told(int64_t until_ms) const {
    return until_ms == kNever ? 0 : told_left_ms(until_ms - log_ms, settings.margin_ppm);
  }
  base::SessionId session_id(Handle s) const { return s ? sessions[s].id : base::SessionId{}; }
  std::string_view label_of(Handle s) const { return s ? sessions[s].label.view() : std::string_view{}; }
};

struct Machine::State : Core {};

}  // namespace cleat::lock
