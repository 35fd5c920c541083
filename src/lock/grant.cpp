// Who may be granted, and granting. A request is granted when it is compatible with all holders, with all ghosts but
// its own, and with every waiter that stands before it (spec section 2, promise 4).
#include <algorithm>

#include "base/mutant.hpp"
#include "lock/core.hpp"

namespace cleat::lock {
namespace {

bool conflicts(const uint32_t (&counts)[kModes], Mode m) {
  for (int i = 0; i < kModes; ++i)
    if (counts[i] && !compatible(m, static_cast<Mode>(i))) return true;
  return false;
}

}  // namespace

bool Core::holders_allow(const NameRecord& n, Mode m) const {
  if (const NameExtra* x = extra(n)) return !conflicts(x->held, m);
  return !n.first_hold || compatible(m, holds[n.first_hold].mode);
}

bool Core::ghost_is_of(const GhostRecord& g, const Identity& id) const {
  return g.session == session_id(id.session) && g.who.view() == id.who;
}

bool Core::ghosts_allow(const NameRecord& n, Mode m, const Identity& id) const {
  const NameExtra* x = extra(n);
  if (!x || !conflicts(x->delayed, m) || base::mutant("ghost_ignored")) return true;
  for (Handle g = x->first_ghost; g; g = ghosts[g].next)
    if (!compatible(m, ghosts[g].mode) && !ghost_is_of(ghosts[g], id)) return false;
  return true;
}

bool Core::queue_allows(const NameRecord& n, Mode m, int64_t key_ms, uint64_t arrival) const {
  const NameExtra* x = extra(n);
  if (!x || !x->waiters || base::mutant("grant_past_writer")) return true;
  const Handle first = queue.first_of(x->queue, kConflicts[static_cast<int>(m)]);
  if (!first) return true;
  WaiterRecord me;
  me.key_ms = key_ms;
  me.arrival = arrival;
  return !Queue::before(waiters[first], me);
}

// The waiter of this mode that would be granted first, if any can be. Of one mode only the first needs a look, but for
// ghosts that stand against all but their own identity.
Handle Core::candidate(const NameRecord& n, Mode m) const {
  const NameExtra& x = extras[n.extra];
  if (conflicts(x.held, m)) return 0;
  Handle w = queue.first_of(x.queue, static_cast<uint8_t>(1u << static_cast<int>(m)));
  if (!w) return 0;
  if (!ghosts_allow(n, m, identity(waiters[w]))) {
    Handle g = x.first_ghost;
    while (compatible(m, ghosts[g].mode)) g = ghosts[g].next;
    const Handle session = ghosts[g].session ? find_session(ghosts[g].session) : 0;
    if (ghosts[g].session && !session) return 0;
    const Identity owner{session, ghosts[g].who.view()};
    if (!ghosts_allow(n, m, owner)) return 0;
    std::vector<Handle> own;
    waiters_of(n, owner, own);
    w = 0;
    for (const Handle o : own)
      if (waiters[o].mode == m && (!w || Queue::before(waiters[o], waiters[w]))) w = o;
    if (!w) return 0;
  }
  return queue_allows(n, m, waiters[w].key_ms, waiters[w].arrival) ? w : 0;
}

Handle Core::next_grantable(const NameRecord& n) const {
  Handle best = 0;
  for (int m = 0; m < kModes; ++m)
    if (const Handle w = candidate(n, static_cast<Mode>(m)))
      if (!best || Queue::before(waiters[w], waiters[best])) best = w;
  return best;
}

Request Core::request_of(const WaiterRecord& w) const {
  Request r;
  r.connection = w.connection;
  r.seq = w.seq;
  r.id = identity(w);
  r.name = names[w.name].name.view();
  (w.session ? r.owner : r.token) = w.who.view();
  r.req = w.session ? (w.req_result ? reqs[w.req_result].req.view() : std::string_view{}) : w.token_req.view();
  r.data = w.data.view();
  r.req_result = w.req_result;
  r.asked_ms = w.asked_ms;
  r.ttl_ms = w.ttl_ms;
  r.max_hold_ms = w.max_hold_ms;
  r.delay_ms = w.delay_ms;
  r.mode = w.mode;
  r.priority = w.priority;
  r.no_reentry = w.no_reentry;
  r.async = w.async;
  r.has_data = w.has_data;
  r.waited = true;
  return r;
}

void Core::grant(Handle name, const Request& r) {
  touch_name(name);
  const Handle hold = holds.take();
  HoldRecord& h = holds[hold];
  h.fence = {++last_fence.value};
  h.granted_ms = log_ms;
  h.granted_wall_ms = wall_ms;
  const int64_t ttl_from_ms = base::mutant("ttl_from_request") ? r.asked_ms : log_ms;
  if (r.ttl_ms) h.ttl_end_ms = ttl_from_ms + kept_ms(r.ttl_ms, settings.margin_ppm);
  if (r.ttl_ms && base::mutant("expire_early")) h.ttl_end_ms -= r.ttl_ms / 10 + 2;
  if (r.ttl_ms && base::mutant("no_extra_ms")) --h.ttl_end_ms;
  if (r.max_hold_ms) h.max_kept_ms = static_cast<uint32_t>(kept_ms(r.max_hold_ms, settings.margin_ppm));
  h.delay_ms = static_cast<uint32_t>(r.delay_ms);
  h.bytes = Blobs3(r.id.who, r.data, r.id.session ? std::string_view{} : r.req);
  h.has_data = r.has_data;
  h.connection = r.connection;
  h.name = name;
  h.session = r.id.session;
  h.mode = r.mode;
  h.priority = r.priority;
  link_hold(hold);
  time_hold(hold);

  Event e;
  e.kind = EventKind::kGranted;
  e.mode = r.mode;
  e.depth = 1;
  e.fence = h.fence;
  e.session = session_id(r.id.session);
  e.holder = r.connection;
  e.owner = r.owner;
  e.label = label_of(r.id.session);
  e.req = r.req;
  e.data = h.data();
  record(name, e);

  Outcome o = outcome_of(r);
  o.result = Result::kGranted;
  o.fence = h.fence;
  o.depth = 1;
  o.waited_ms = r.waited ? told_ms(log_ms - r.asked_ms, settings.margin_ppm) : 0;
  if (r.waited && base::mutant("waited_undivided")) o.waited_ms = log_ms - r.asked_ms;
  o.ms_left = told(h.end_ms());
  o.ttl_ms = o.ms_left;
  if (r.req_result) {
    decide_req(r.req_result, o, hold);
    tell(o);
  } else {
    decide(r.id.session, r.req, r.arguments, o, hold);
  }
  sink->on_event(e);
  decide_own_waiters(name, hold);
}

void Core::grant_waiter(Handle waiter) {
  touch_name(waiters[waiter].name);
  const Handle name = waiters[waiter].name;
  dequeue(waiter);
  if (waiters[waiter].timer) timers.erase(waiters[waiter].timer);
  const WaiterRecord w = std::move(waiters[waiter]);
  waiters.give(waiter);
  grant(name, request_of(w));
}

// A request of the identity that holds never waits, so those of its requests that wait here (ASYNC) are decided by the
// grant of the first.
void Core::decide_own_waiters(Handle name, Handle hold) {
  const NameExtra* x = extra(names[name]);
  if (!x || !x->waiters) return;
  std::vector<Handle> own;
  waiters_of(names[name], identity(holds[hold]), own);
  std::sort(own.begin(), own.end(), [&](Handle a, Handle b) { return Queue::before(waiters[a], waiters[b]); });
  for (const Handle w : own) {
    if (waiters[w].no_reentry) {
      end_waiter(w, Result::kDeadlock, Why::kReentry, EventKind::kDeadlock, Why::kReentry);
    } else if (!covers(holds[hold].mode, waiters[w].mode)) {
      end_waiter(w, Result::kMode, Why::kNone, EventKind{}, Why::kNone);
    } else {
      dequeue(w);
      if (waiters[w].timer) timers.erase(waiters[w].timer);
      const WaiterRecord gone = std::move(waiters[w]);
      waiters.give(w);
      Request r = request_of(gone);
      const Blob req(r.req);  // its record may be dropped as soon as it is decided
      r.req = req.view();
      reenter(hold, r);
    }
  }
}

void Core::reenter(Handle hold, const Request& r) {
  HoldRecord& h = holds[hold];
  touch_name(h.name);
  ++h.depth;
  if (base::mutant("reentry_new_fence") && !(extra(names[h.name]) && extra(names[h.name])->indexes))
    h.fence = {++last_fence.value};
  if (r.ttl_ms && h.ttl_end_ms != kNever) {
    h.ttl_end_ms = std::max(h.ttl_end_ms, log_ms + kept_ms(r.ttl_ms, settings.margin_ppm));
    time_hold(hold);
  }
  Outcome o = outcome_of(r);
  o.result = Result::kGranted;
  o.mode = h.mode;
  o.fence = h.fence;
  o.depth = h.depth;
  o.waited_ms = r.waited ? told_ms(log_ms - r.asked_ms, settings.margin_ppm) : 0;
  o.ms_left = told(h.end_ms());
  o.ttl_ms = o.ms_left;
  if (r.req_result) {
    decide_req(r.req_result, o, 0);
    tell(o);
  } else {
    decide(h.session, r.req, r.arguments, o);
  }
}

void Core::serve(Handle name) {
  if (base::mutant("lose_wakeup") && revision.value % 5 == 0) return;
  while (last_fence.value < kMaxFence) {
    const NameExtra* x = extra(names[name]);
    if (!x || !x->waiters) return;
    const Handle w = next_grantable(names[name]);
    if (!w) return;
    grant_waiter(w);
  }
}

void Core::mark_pending(Handle name, std::vector<Handle>& names_to_serve) {
  if (names[name].pending) return;
  names[name].pending = true;
  names_to_serve.push_back(name);
}

void Core::serve_all(std::vector<Handle>& names_to_serve) {
  for (const Handle name : names_to_serve) {
    names[name].pending = false;
    serve(name);
  }
  names_to_serve.clear();
}

}  // namespace cleat::lock
