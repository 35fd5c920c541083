// What SHOW, LOCKS, HISTORY and SESSION ask. Nothing here changes anything.
#include <algorithm>

#include "lock/core.hpp"
#include "lock/hash.hpp"

namespace cleat::lock {

HoldView Core::view(const HoldRecord& h) const {
  HoldView v;
  v.mode = h.mode;
  v.fence = h.fence;
  v.session = session_id(h.session);
  if (h.session) v.owner = h.who();
  v.label = label_of(h.session);
  v.depth = h.depth;
  v.priority = h.priority;
  if (h.has_data) v.data = h.data();
  v.granted_wall_ms = h.granted_wall_ms;
  v.held_ms = log_ms - h.granted_ms;
  if (h.end_ms() != kNever) v.ms_left = told(h.end_ms());
  return v;
}

HoldView Core::view(const GhostRecord& g) const {
  HoldView v;
  v.mode = g.mode;
  v.fence = g.fence;
  v.session = g.session;
  if (g.session) v.owner = g.who.view();
  v.label = g.label.view();
  v.depth = g.depth;
  v.priority = g.priority;
  v.granted_wall_ms = g.granted_wall_ms;
  v.held_ms = log_ms - g.granted_ms;
  if (g.has_data) v.data = g.data.view();
  v.delay_left_ms = g.end_ms - log_ms;
  return v;
}

WaiterView Core::view(const WaiterRecord& w) const {
  WaiterView v;
  v.mode = w.mode;
  v.session = session_id(w.session);
  if (w.session) v.owner = w.who.view();
  v.label = label_of(w.session);
  v.priority = w.priority;
  v.waiting_ms = log_ms - w.asked_ms;
  if (w.deadline_ms != kNever) v.ms_left = w.deadline_ms - log_ms;
  return v;
}

SessionView Core::view(const SessionRecord& s) const {
  SessionView v;
  v.id = s.id;
  v.kind = s.implicit ? By::kImplicit : By::kExplicit;
  v.ttl_ms = s.ttl_ms;
  v.label = s.label.view();
  v.holds = s.holds;
  v.waiters = s.waiters;
  v.losses = s.losses;
  if (s.connection) v.connection = connections[s.connection].ref;
  v.revision = revision;
  return v;
}

// Holders by fence, then waiters in queue order, then ghosts: positions run through all three, and the cursor is one.
NameView Machine::show(std::string_view name, const Page& page) const {
  const Core& c = *state_;
  NameView v;
  v.revision = c.revision;
  const Handle found = c.find_name(name);
  if (!found) return v;
  const NameRecord& n = c.names[found];
  const NameExtra* x = c.extra(n);
  v.holders_total = x ? x->holders : n.first_hold != 0;
  v.waiters_total = x ? x->waiters : 0;
  v.delayed_total = x ? x->ghosts : 0;
  uint64_t at = 0, left = page.count;
  auto wanted = [&](uint64_t position) { return position >= page.cursor && left > 0 && left-- > 0; };
  for (Handle h = n.first_hold; h && left > 0; h = c.holds[h].name_next)
    if (wanted(at++)) v.holders.push_back(c.view(c.holds[h]));
  at = v.holders_total;
  if (x && left > 0) {
    const uint64_t from = page.cursor > at ? page.cursor - at : 0;
    auto add = [&](Handle w) { return left > 0 && (--left, v.waiters.push_back(c.view(c.waiters[w])), true); };
    if (from < v.waiters_total) c.queue.walk(x->queue, static_cast<uint32_t>(from), add);
    at += v.waiters_total;
    for (Handle g = x->first_ghost; g && left > 0; g = c.ghosts[g].next)
      if (wanted(at++)) v.delayed.push_back(c.view(c.ghosts[g]));
  }
  const uint64_t end = page.cursor + v.holders.size() + v.waiters.size() + v.delayed.size();
  if (end < v.holders_total + v.waiters_total + v.delayed_total && end > page.cursor) v.next_cursor = end;
  return v;
}

namespace {

bool matches(const LockSummary& s, LockState state) {
  switch (state) {
    case LockState::kHeld:
      return s.holders > 0;
    case LockState::kWaited:
      return s.waiters > 0;
    case LockState::kDelayed:
      return s.delayed > 0;
    case LockState::kAny:
      break;
  }
  return s.holders + s.waiters + s.delayed > 0;
}

LockSummary summary(const Core& c, const NameRecord& n) {
  LockSummary s;
  const NameExtra* x = c.extra(n);
  s.name = n.name.view();
  s.holders = x ? x->holders : n.first_hold != 0;
  s.waiters = x ? x->waiters : 0;
  s.delayed = x ? x->ghosts : 0;
  if (n.first_hold) s.mode = c.holds[n.first_hold].mode;
  if (const Handle last = c.last_hold(n)) s.fence = c.holds[last].fence;
  return s;
}

// A call examines at most this many names for each one asked for (corners: LOCKS).
constexpr uint64_t kExaminedPerAnswer = 10;
// Empty buckets cost something too.
constexpr uint64_t kBucketsPerExamined = 8;

}  // namespace

LocksPage Machine::locks(std::string_view prefix, LockState state, const Cursor& cursor, uint32_t count) const {
  const Core& c = *state_;
  LocksPage page;
  page.revision = c.revision;
  uint64_t budget = kExaminedPerAnswer * count * kBucketsPerExamined;
  std::string_view after = cursor.after_name;  // last name examined in the bucket
  for (uint32_t bucket = cursor.bucket; bucket < kBuckets; ++bucket, after = {}) {
    if (budget == 0) return page.next = Cursor{bucket, {}}, page;
    --budget;
    for (const Handle h : c.sorted_names(bucket)) {
      const NameRecord& n = c.names[h];
      if (n.name.view() <= after) continue;
      if (page.locks.size() >= count || budget < kBucketsPerExamined)
        return page.next = Cursor{bucket, std::string(after)}, page;
      budget -= kBucketsPerExamined;
      after = n.name.view();
      if (!n.name.view().starts_with(prefix)) continue;
      LockSummary s = summary(c, n);
      if (matches(s, state)) page.locks.push_back(std::move(s));
    }
  }
  return page;
}

std::vector<HistoryView> Machine::history(std::string_view name, uint32_t count) const {
  const Core& c = *state_;
  std::vector<HistoryView> out;
  const Handle found = c.find_name(name);
  const NameExtra* x = found ? c.extra(c.names[found]) : nullptr;
  if (!x) return out;
  uint32_t skip = x->history > count ? x->history - count : 0;
  for (Handle h = x->first_history; h; h = c.history[h].name_next) {
    if (skip > 0) {
      --skip;
      continue;
    }
    const HistoryRecord& r = c.history[h];
    out.push_back({r.revision, r.kind, r.why, r.mode, r.fence, r.session, std::string(r.owner.view()),
                   std::string(r.label.view()), r.wall_ms});
  }
  return out;
}

bool Machine::check(std::string_view name, base::Fence fence) const {
  const Handle found = state_->find_name(name);
  return found && fence && state_->find_fence(state_->names[found], fence);
}

bool Machine::knows(const Command& command) const {
  const Core& c = *state_;
  if (command.token.empty()) {
    const Handle session = command.req.empty() ? 0 : c.find_session(command.session);
    return session && c.find_req(c.sessions[session], command.req);
  }
  const Handle name = c.find_name(command.name);
  if (!name) return false;
  const Identity id{0, command.token};
  std::vector<Handle> waiting;
  c.waiters_of(c.names[name], id, waiting);
  return !waiting.empty() || c.find_hold(c.names[name], id);
}

std::optional<SessionView> Machine::session(base::SessionId id) const {
  const Core& c = *state_;
  const Handle found = c.find_session(id);
  if (!found) return std::nullopt;
  SessionView v = c.view(c.sessions[found]);
  if (const auto& losses = c.sessions[found].last_losses)
    for (const LossRecord& l : *losses)
      v.last_losses.push_back({std::string(l.name.view()), l.fence, l.why, l.revision});
  return v;
}

SessionsPage Machine::sessions(base::SessionId after, uint32_t count) const {
  const Core& c = *state_;
  SessionsPage page;
  page.revision = c.revision;
  for (auto it = c.session_order.upper_bound(after.value); it != c.session_order.end(); ++it) {
    if (page.sessions.size() >= count) {
      if (count > 0) page.next_after = page.sessions.back().id;
      break;
    }
    page.sessions.push_back(c.view(c.sessions[it->second]));
  }
  return page;
}

std::optional<SessionState> Machine::session_state(base::SessionId id) const {
  const Handle found = state_->find_session(id);
  if (!found) return std::nullopt;
  const SessionRecord& s = state_->sessions[found];
  return SessionState{
      s.implicit ? By::kImplicit : By::kExplicit, s.ttl_ms, s.epoch, s.losses, s.key.view(), s.marked, s.mark_ms};
}

void Machine::each_session(const std::function<void(base::SessionId, By, int64_t ttl_ms)>& f) const {
  for (const auto& [id, handle] : state_->session_order) {
    const SessionRecord& s = state_->sessions[handle];
    f(s.id, s.implicit ? By::kImplicit : By::kExplicit, s.ttl_ms);
  }
}

// The first holder that conflicts, else the first ghost, else the queue.
Blocker Machine::blocker(std::string_view name, Mode mode) const {
  const Core& c = *state_;
  Blocker b;
  const Handle found = c.find_name(name);
  if (!found) return b;
  const NameRecord& n = c.names[found];
  auto describe = [&](Blocker::Kind kind, base::SessionId session, std::string_view who, std::string_view label) {
    b.kind = kind;
    b.session = session;
    if (session) b.owner = who;
    b.label = label;
  };
  for (Handle i = n.first_hold; i; i = c.holds[i].name_next) {
    const HoldRecord& h = c.holds[i];
    if (compatible(h.mode, mode)) continue;
    describe(Blocker::Kind::kHeld, c.session_id(h.session), h.who(), c.label_of(h.session));
    b.mode = h.mode;
    b.fence = h.fence;
    b.granted_wall_ms = h.granted_wall_ms;
    b.held_ms = c.log_ms - h.granted_ms;
    b.retry_ms = c.told(h.end_ms());
    return b;
  }
  const NameExtra* x = c.extra(n);
  for (Handle i = x ? x->first_ghost : 0; i; i = c.ghosts[i].next) {
    const GhostRecord& g = c.ghosts[i];
    if (compatible(g.mode, mode)) continue;
    describe(Blocker::Kind::kDelayed, g.session, g.who.view(), g.label.view());
    b.mode = g.mode;
    b.fence = g.fence;
    b.retry_ms = g.end_ms - c.log_ms;
    return b;
  }
  if (const Handle first = x ? c.queue.first_of(x->queue, kConflicts[static_cast<int>(mode)]) : 0) {
    const WaiterRecord& w = c.waiters[first];
    describe(Blocker::Kind::kQueued, c.session_id(w.session), w.who.view(), c.label_of(w.session));
    b.mode = w.mode;
  }
  return b;
}

Totals Machine::totals() const {
  const Core& c = *state_;
  return {c.active_names,
          c.holds.size(),
          c.waiters.size(),
          c.ghosts.size(),
          c.sessions.size(),
          c.implicit_sessions,
          c.reqs.size() - c.undecided_reqs,
          c.history.size()};
}

}  // namespace cleat::lock
