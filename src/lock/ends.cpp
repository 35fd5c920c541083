// How holds, ghosts and waiters end, and what is due.
#include "base/mutant.hpp"
#include "lock/core.hpp"

namespace cleat::lock {
namespace {
constexpr uint64_t kWaitersLast = uint64_t{1} << 63;  // at one ms, ends of holds come before wait deadlines
}

void Core::set_timer(TimerKind kind, Handle h, Handle place, int64_t due_ms, uint64_t tie) {
  if (kind == TimerKind::kWaiter) {
    tie |= kWaitersLast;
    if (base::mutant("wait_deadline_ignored")) due_ms = kNever;
  }
  if (due_ms == kNever) {
    if (place) timers.erase(place);
    return;
  }
  const HeapItem item{due_ms, tie, timer_ref(kind, h)};
  if (place)
    timers.update(place, item);
  else
    timers.push(item);
}

void Core::time_hold(Handle hold) {
  const HoldRecord& h = holds[hold];
  set_timer(TimerKind::kHold, hold, h.timer, h.end_ms(), h.fence.value);
}

void Core::run_due() {
  while (!timers.empty() && timers.top().first <= log_ms) {
    const int64_t now_ms = log_ms, due_ms = timers.top().first;
    const uint32_t ref = timers.top().ref;
    const Handle h = ref & ((1u << 30) - 1);
    Handle name = 0;
    switch (static_cast<TimerKind>(ref >> 30)) {
      case TimerKind::kHold: {
        name = holds[h].name;
        const Why why = holds[h].ttl_end_ms <= holds[h].max_end_ms() ? Why::kTtl : Why::kMaxHold;
        end_hold(h, EventKind::kExpired, why, true);
        break;
      }
      case TimerKind::kGhost:
        name = ghosts[h].name;
        end_ghost(h);
        break;
      case TimerKind::kWaiter:
        name = waiters[h].name;
        end_waiter(h, Result::kNotGranted, Why::kTimedOut, EventKind::kTimedOut, Why::kTimedOut);
        break;
    }
    if (base::mutant("ttl_from_due")) log_ms = due_ms;
    serve(name);
    log_ms = now_ms;
    settle_all();
  }
}

// Takes the hold out of all lists, its REQ result counts from now on. The name must have been touched.
Blobs3 Core::drop_hold(Handle hold) {
  unlink_hold(hold);
  if (holds[hold].timer) timers.erase(holds[hold].timer);
  if (holds[hold].req_result) unpin_req(holds[hold].req_result);
  Blobs3 bytes = std::move(holds[hold].bytes);
  holds.give(hold);
  return bytes;
}

Event Core::event_of(const HoldRecord& h, EventKind kind, Why why) const {
  Event e;
  e.kind = kind;
  e.why = why;
  e.mode = h.mode;
  e.depth = h.depth;
  e.fence = h.fence;
  e.session = session_id(h.session);
  e.holder = h.connection;
  if (h.session) e.owner = h.who();
  e.label = label_of(h.session);
  if (!h.session)
    e.req = h.token_req();
  else if (h.req_result)
    e.req = reqs[h.req_result].req.view();
  e.data = h.data();
  return e;
}

// A hold that ends otherwise than by UNLOCK. Its name's queue is not served yet.
void Core::end_hold(Handle hold, EventKind kind, Why why, bool unclean) {
  HoldRecord& live = holds[hold];
  const Handle name = live.name;
  touch_name(name);
  unlink_hold(hold);
  if (live.timer) timers.erase(live.timer);
  const HoldRecord h = std::move(live);
  holds.give(hold);

  Event e = event_of(h, kind, why);
  const Blob req(e.req);  // its record may be dropped as soon as the hold no longer pins it
  e.req = req.view();
  e.forced = unclean;
  e.held_ms = log_ms - h.granted_ms;
  if (unclean) e.delay_ms = h.delay_ms;
  record(name, e);
  if (unclean && h.delay_ms) leave_ghost(h);
  if (unclean && h.session) remember_loss(h.session, names[name], h.fence, why);
  if (h.req_result) unpin_req(h.req_result);
  sink->on_event(e);
}

void Core::leave_ghost(const HoldRecord& h) {
  const Handle ghost = ghosts.take();
  GhostRecord& g = ghosts[ghost];
  g.fence = h.fence;
  g.session = session_id(h.session);
  g.granted_ms = h.granted_ms;
  g.granted_wall_ms = h.granted_wall_ms;
  g.end_ms = log_ms + h.delay_ms;
  g.who = Blob(h.who());
  g.label = Blob(label_of(h.session));
  g.connection = h.connection;
  g.data = Blob(h.data());
  g.has_data = h.has_data;
  g.name = h.name;
  g.depth = h.depth;
  g.mode = h.mode;
  g.priority = h.priority;
  link_ghost(ghost);
}

void Core::link_ghost(Handle ghost) {
  GhostRecord& g = ghosts[ghost];
  NameExtra& x = extra_of(names[g.name]);
  ++x.ghosts;
  ++x.delayed[static_cast<int>(g.mode)];
  g.prev = x.last_ghost;
  (x.last_ghost ? ghosts[x.last_ghost].next : x.first_ghost) = ghost;
  x.last_ghost = ghost;
  set_timer(TimerKind::kGhost, ghost, 0, g.end_ms, g.fence.value);
}

void Core::remember_loss(Handle session, const NameRecord& n, base::Fence fence, Why why) {
  touch_session(session);
  SessionRecord& s = sessions[session];
  ++s.losses;
  if (settings.losses_per_session == 0) return;
  if (!s.last_losses) s.last_losses = std::make_unique<std::vector<LossRecord>>();
  while (s.last_losses->size() >= settings.losses_per_session) s.last_losses->erase(s.last_losses->begin());
  s.last_losses->push_back({Blob(n.name.view()), fence, revision, why});
}

void Core::end_ghost(Handle ghost) {
  touch_name(ghosts[ghost].name);
  if (ghosts[ghost].timer) timers.erase(ghosts[ghost].timer);
  const GhostRecord g = std::move(ghosts[ghost]);
  ghosts.give(ghost);
  NameExtra& x = extras[names[g.name].extra];
  (g.prev ? ghosts[g.prev].next : x.first_ghost) = g.next;
  (g.next ? ghosts[g.next].prev : x.last_ghost) = g.prev;
  --x.ghosts;
  --x.delayed[static_cast<int>(g.mode)];
  Event e;
  e.kind = EventKind::kDelayOver;
  e.depth = g.depth;
  e.holder = g.connection;
  e.mode = g.mode;
  e.fence = g.fence;
  e.session = g.session;
  if (g.session) e.owner = g.who.view();
  e.label = g.label.view();
  e.data = g.data.view();
  record(g.name, e);
  sink->on_event(e);
}

void Core::end_waiter(Handle waiter, Result result, Why why, EventKind kind, Why event_why) {
  const Handle name = waiters[waiter].name;
  touch_name(name);
  dequeue(waiter);
  if (waiters[waiter].timer) timers.erase(waiters[waiter].timer);
  const WaiterRecord w = std::move(waiters[waiter]);
  waiters.give(waiter);
  const Request r = request_of(w);
  const Blob req(r.req);

  Event e;
  e.kind = kind;
  e.why = event_why;
  e.mode = w.mode;
  e.session = session_id(w.session);
  e.holder = w.connection;
  e.owner = r.owner;
  e.label = label_of(w.session);
  e.req = req.view();
  const bool told_to_all = kind != EventKind{};
  if (told_to_all) record(name, e);

  Outcome o = outcome_of(r);
  o.result = result;
  o.why = why;
  if (result == Result::kMode) o.held_mode = holds[find_hold(names[name], r.id)].mode;
  if (result == Result::kDeadlock) o.held_fence = holds[find_hold(names[name], r.id)].fence;
  if (w.req_result) decide_req(w.req_result, o, 0);
  o.req = req.view();
  tell(o);
  if (told_to_all) sink->on_event(e);
}

}  // namespace cleat::lock
