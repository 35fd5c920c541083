// LOCK: re-entry, joining, granting at once, or standing in the queue.
#include <algorithm>

#include "base/mutant.hpp"
#include "lock/core.hpp"

namespace cleat::lock {

Outcome Core::outcome_of(const Request& r) const {
  Outcome o;
  o.to = r.connection;
  o.seq = r.seq;
  o.verb = Verb::kLock;
  o.mode = r.mode;
  o.pushed = r.waited && r.async;
  o.waited = r.waited;
  o.revision = revision;
  o.session = session_id(r.id.session);
  o.name = r.name;
  o.req = r.req;
  o.owner = r.owner;
  o.token = r.token;
  return o;
}

void Core::refuse(const Request& r, Result result, Why why) {
  Outcome o = outcome_of(r);
  o.result = result;
  o.why = why;
  decide(r.id.session, r.req, r.arguments, o);
}

namespace {

Request request_from(const base::ConnectionRef& from, const Command& c, int64_t now_ms) {
  Request r;
  r.connection = from;
  r.seq = c.seq;
  r.name = c.name;
  r.owner = c.token.empty() ? c.owner : std::string_view{};
  r.token = c.token;
  r.req = c.req;
  r.data = c.data;
  r.asked_ms = now_ms;
  r.wait_ms = c.wait_ms;
  r.ttl_ms = c.ttl_ms;
  r.max_hold_ms = c.max_hold_ms;
  r.delay_ms = c.delay_ms;
  r.mode = c.mode;
  r.priority = c.priority;
  r.no_reentry = c.no_reentry;
  r.async = c.async;
  r.has_data = c.has_data;
  r.id.who = c.token.empty() ? c.owner : c.token;
  return r;
}

}  // namespace

// The session that asks; an implicit one is made by the first lock of its connection. 0: refused and answered.
Handle Core::locker(const base::ConnectionRef& from, const Command& c, const Request& r) {
  bool refused = false;
  Outcome o = outcome_of(r);
  if (const Handle session = speaker(from, c, refused, o.why)) return session;
  if (refused) {
    o.result = Result::kNoSession;
    o.session = c.session;
    return tell(o), 0;
  }
  if (sessions.size() >= settings.sessions) {
    o.result = Result::kLimit;
    o.limit = Limit::kSessions;
    o.limit_value = settings.sessions;
    return tell(o), 0;
  }
  const Handle session = make_session(By::kImplicit, settings.implicit_ttl_ms, {}, {});
  const Handle connection = make_connection(from);
  connections[connection].session = session;
  sessions[session].connection = connection;
  sink->on_session_opened(session_id(session), settings.implicit_ttl_ms, By::kImplicit, log_ms);
  return session;
}

bool Core::lock(const base::ConnectionRef& from, const Command& c) {
  Request r = request_from(from, c, log_ms);
  if (c.token.empty()) {
    r.id.session = locker(from, c, r);
    if (!r.id.session) return true;
    if (!c.req.empty()) {
      r.arguments = argument_hash(c);
      if (const Handle kept = find_req(sessions[r.id.session], c.req)) {
        const ReqRecord& q = reqs[kept];
        if (q.arguments == r.arguments && q.state == ReqRecord::State::kWaiting)
          return join_waiter(q.subject, r, false);
        return repeat(kept, outcome_of(r), r.arguments), true;
      }
    }
  } else if (c.ttl_ms == 0) {  // nothing would ever end it
    return refuse(r, Result::kNoSession, Why::kNone), true;
  }
  const Handle name = find_name(c.name);
  if (name) {
    if (const Handle hold = find_hold(names[name], r.id)) return lock_held(hold, r), true;
    if (!r.id.session) {
      std::vector<Handle> own;
      waiters_of(names[name], r.id, own);
      if (!own.empty()) return join_waiter(own.front(), r, true);
    }
  }
  return lock_new(name, r);
}

// Neither held nor repeated. `name` is 0 when nothing is known of it.
bool Core::lock_new(Handle name, const Request& r) {
  if (!within_hold_limits(r)) return true;
  const int64_t steps_up = base::mutant("priority_ignored") ? 0 : r.priority;
  const int64_t key_ms = log_ms - steps_up * settings.ageing_ms;
  const bool free = !name || (holders_allow(names[name], r.mode) && ghosts_allow(names[name], r.mode, r.id) &&
                              queue_allows(names[name], r.mode, key_ms, last_arrival + 1));
  if (!free && r.wait_ms == 0) return refuse(r, Result::kNotGranted, Why::kBusy), true;
  if (!free && !within_waiter_limits(r, name)) return true;
  if (!name) name = make_name(r.name);
  if (!free) return enqueue_request(name, r, key_ms);
  grant(name, r);
  serve(name);  // its own waiters may have been refused, and stood before others
  return true;
}

// The identity holds the name already. A token's hold is joined; a session's is entered again, unless NOREENTRY makes
// that a deadlock with itself (but for a try, which is never one).
void Core::lock_held(Handle hold, const Request& r) {
  const HoldRecord& h = holds[hold];
  if (h.session && r.no_reentry) {
    if (r.wait_ms == 0) return refuse(r, Result::kNotGranted, Why::kBusy);
    return refuse_self_deadlock(hold, r);
  }
  if (!covers(h.mode, r.mode)) {
    Outcome o = outcome_of(r);
    o.result = Result::kMode;
    o.held_mode = h.mode;
    return decide(r.id.session, r.req, r.arguments, o);
  }
  if (h.session) return reenter(hold, r);
  join_hold(hold, r);
}

void Core::refuse_self_deadlock(Handle hold, const Request& r) {
  const HoldRecord& h = holds[hold];
  touch_name(h.name);
  Event e;
  e.kind = EventKind::kDeadlock;
  e.why = Why::kReentry;
  e.mode = r.mode;
  e.session = session_id(h.session);
  e.holder = r.connection;
  e.owner = r.owner;
  e.label = label_of(h.session);
  e.req = r.req;
  record(h.name, e);
  Outcome o = outcome_of(r);
  o.result = Result::kDeadlock;
  o.held_fence = h.fence;
  o.why = Why::kReentry;
  decide(r.id.session, r.req, r.arguments, o);
  sink->on_event(e);
}

// The same token again is the same hold: never deeper, its end only later.
void Core::join_hold(Handle hold, const Request& r) {
  HoldRecord& h = holds[hold];
  touch_name(h.name);
  if (base::mutant("token_deepens")) ++h.depth;
  if (h.ttl_end_ms != kNever) h.ttl_end_ms = std::max(h.ttl_end_ms, log_ms + kept_ms(r.ttl_ms, settings.margin_ppm));
  h.connection = r.connection;
  time_hold(hold);
  Outcome o = outcome_of(r);
  o.result = Result::kGranted;
  o.repeated = true;
  o.mode = h.mode;
  o.fence = h.fence;
  o.depth = h.depth;
  o.ms_left = told(h.end_ms());
  o.ttl_ms = o.ms_left;
  tell(o);
}

// A repeated REQ (nothing of the waiter changes) or the same token again (extend: later ends win). The newest
// connection gets the answer; one that still waits for it is told so.
bool Core::join_waiter(Handle waiter, const Request& r, bool extend) {
  WaiterRecord& w = waiters[waiter];
  if (extend && !covers(w.mode, r.mode)) {
    Outcome o = outcome_of(r);
    o.result = Result::kMode;
    o.held_mode = w.mode;
    return tell(o), true;
  }
  if (extend && r.wait_ms == 0) return refuse(r, Result::kNotGranted, Why::kBusy), true;
  touch_name(w.name);
  const Request before = request_of(w);
  w.connection = r.connection;
  w.seq = r.seq;
  w.async = r.async;
  if (extend) {
    w.ttl_ms = std::max(w.ttl_ms, static_cast<uint32_t>(r.ttl_ms));
    const int64_t deadline_ms = r.wait_ms == kForever ? kNever : log_ms + r.wait_ms;
    w.deadline_ms = std::max(w.deadline_ms, deadline_ms);
    set_timer(TimerKind::kWaiter, waiter, w.timer, w.deadline_ms, w.arrival);
  }
  Outcome o = outcome_of(r);
  o.result = Result::kQueued;
  o.repeated = true;
  if (!before.async) {
    Outcome old = outcome_of(before);
    old.result = Result::kNotGranted;
    old.why = Why::kTakenOver;
    tell(old);
  }
  if (extend) w.token_req = Blob(r.req);
  tell(o);
  return r.async;
}

bool Core::refuse_limit(const Request& r, Limit limit, uint64_t value) {
  Outcome o = outcome_of(r);
  o.result = Result::kLimit;
  if (limit == Limit::kWaitersPerName) o.why = Why::kQueueFull;
  o.limit = limit;
  o.limit_value = value;
  tell(o);
  return false;
}

// Judged at the request, also of one that will wait: waiters count as the holds that they may become, so that a grant
// from the queue never fails. Ghosts count as the holds that they were, else DELAY could fill the memory.
bool Core::within_hold_limits(const Request& r) {
  const SessionRecord* s = r.id.session ? &sessions[r.id.session] : nullptr;
  if (s && uint64_t{s->holds} + s->waiters >= settings.holds_per_session)
    return refuse_limit(r, Limit::kHoldsPerSession, settings.holds_per_session);
  if (holds.size() + ghosts.size() + waiters.size() >= settings.holds)
    return refuse_limit(r, Limit::kHolds, settings.holds);
  return last_fence.value < kMaxFence || refuse_limit(r, Limit::kFences, kMaxFence);
}

bool Core::within_waiter_limits(const Request& r, Handle name) {
  const NameExtra* x = extra(names[name]);
  if ((x ? x->waiters : 0) >= settings.waiters_per_name)
    return refuse_limit(r, Limit::kWaitersPerName, settings.waiters_per_name);
  return waiters.size() < settings.waiters || refuse_limit(r, Limit::kWaiters, settings.waiters);
}

// False for one that is not ASYNC: the run stops.
bool Core::enqueue_request(Handle name, const Request& r, int64_t key_ms) {
  touch_name(name);
  const Handle waiter = waiters.take();
  WaiterRecord& w = waiters[waiter];
  w.key_ms = key_ms;
  w.arrival = ++last_arrival;
  w.asked_ms = log_ms;
  if (r.wait_ms != kForever) w.deadline_ms = log_ms + r.wait_ms;
  w.who = Blob(r.id.who);
  w.data = Blob(r.data);
  w.connection = r.connection;
  w.seq = r.seq;
  w.name = name;
  w.session = r.id.session;
  w.ttl_ms = static_cast<uint32_t>(r.ttl_ms);
  w.max_hold_ms = static_cast<uint32_t>(r.max_hold_ms);
  w.delay_ms = static_cast<uint32_t>(r.delay_ms);
  w.mode = r.mode;
  w.priority = r.priority;
  w.no_reentry = r.no_reentry;
  w.async = r.async;
  w.has_data = r.has_data;
  if (!r.id.session) {
    w.token_req = Blob(r.req);
  } else if (!r.req.empty()) {
    w.req_result = make_req(r.id.session, r.req, r.arguments);
    reqs[w.req_result].subject = waiter;
  }
  enqueue(waiter);
  set_timer(TimerKind::kWaiter, waiter, 0, w.deadline_ms, w.arrival);
  Outcome o = outcome_of(r);
  o.result = Result::kQueued;
  tell(o);
  return r.async;
}

}  // namespace cleat::lock
