// Answers of the model's queries.
#include <algorithm>

#include "model.hpp"

namespace cleat::auditor {

using lock::Mode;

std::optional<int64_t> Model::next_due_ms() const {
  std::optional<int64_t> next;
  const auto consider = [&](const std::optional<int64_t>& at) {
    if (at && (!next || *at < *next)) next = at;
  };
  for (const auto& [name, n] : names_) {
    for (const auto& h : n.holds) consider(h.ttl_end_ms), consider(h.max_end_ms);
    for (const auto& g : n.ghosts) consider(g.ghost_end_ms);
    for (const auto& w : n.queue) consider(w.deadline_ms);
  }
  return next;
}

lock::NameView Model::show(const std::string& name) const {
  lock::NameView v;
  v.revision = {revision_};
  const auto it = names_.find(name);
  if (it == names_.end()) return v;
  const Name& n = it->second;
  const auto view = [&](const Hold& h, bool ghost) {
    lock::HoldView out;
    out.mode = h.mode;
    out.fence = {h.fence};
    out.session = {h.who.session};
    out.owner = h.who.owner;
    out.label = h.label.empty() ? label_of(h.who.session) : h.label;
    out.depth = h.depth;
    out.priority = h.priority;
    out.data = h.data;
    out.granted_wall_ms = h.granted_wall_ms;
    out.held_ms = now_.log_ms - h.granted_ms;
    if (!ghost && (h.ttl_end_ms || h.max_end_ms)) out.ms_left = ms_left(h);
    if (ghost) out.delay_left_ms = h.ghost_end_ms - now_.log_ms;
    return out;
  };
  for (const auto& h : n.holds) v.holders.push_back(view(h, false));
  for (const auto& g : n.ghosts) v.delayed.push_back(view(g, true));
  for (const auto& w : n.queue) {
    lock::WaiterView out;
    out.mode = w.ask.c.mode;
    out.session = {w.who.session};
    out.owner = w.who.owner;
    out.label = label_of(w.who.session);
    out.priority = w.ask.c.priority;
    out.waiting_ms = now_.log_ms - w.arrival_ms;
    if (w.deadline_ms) out.ms_left = *w.deadline_ms - now_.log_ms;
    v.waiters.push_back(out);
  }
  v.holders_total = v.holders.size();
  v.waiters_total = v.waiters.size();
  v.delayed_total = v.delayed.size();
  return v;
}

std::vector<lock::LockSummary> Model::locks(const std::string& prefix, lock::LockState state) const {
  std::vector<lock::LockSummary> out;
  for (const auto& [name, n] : names_) {
    if (n.idle() || name.compare(0, prefix.size(), prefix) != 0) continue;
    if (state == lock::LockState::kHeld && n.holds.empty()) continue;
    if (state == lock::LockState::kWaited && n.queue.empty()) continue;
    if (state == lock::LockState::kDelayed && n.ghosts.empty()) continue;
    lock::LockSummary s;
    s.name = name;
    s.holders = n.holds.size();
    s.waiters = n.queue.size();
    s.delayed = n.ghosts.size();
    if (!n.holds.empty()) {
      s.mode = n.holds.front().mode;
      s.fence = {n.holds.back().fence};
    }
    out.push_back(s);
  }
  return out;
}

std::vector<lock::HistoryView> Model::history(const std::string& name) const {
  const auto it = names_.find(name);
  if (it == names_.end()) return {};
  return {it->second.history.begin(), it->second.history.end()};
}

bool Model::check(const std::string& name, uint64_t fence) const {
  const auto it = names_.find(name);
  if (it == names_.end()) return false;
  const auto& holds = it->second.holds;
  return std::any_of(holds.begin(), holds.end(), [&](const Hold& h) { return h.fence == fence; });
}

const Session* Model::implicit_session(const base::ConnectionRef& connection) const {
  for (const auto& [id, s] : sessions_) {
    if (s.kind == lock::By::kImplicit && s.connection == connection) return &s;
  }
  return nullptr;
}

size_t Model::holds_of(uint64_t session) const {
  size_t count = 0;
  for (const auto& [name, n] : names_) {
    for (const auto& h : n.holds) count += h.who.session == session ? 1 : 0;
  }
  return count;
}

size_t Model::waiters_of(uint64_t session) const {
  size_t count = 0;
  for (const auto& [name, n] : names_) {
    for (const auto& w : n.queue) count += w.who.session == session ? 1 : 0;
  }
  return count;
}

std::optional<lock::SessionView> Model::session(uint64_t id) const {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return std::nullopt;
  const Session& s = it->second;
  lock::SessionView v;
  v.id = {s.id};
  v.kind = s.kind;
  v.ttl_ms = s.ttl_ms;
  v.label = s.label;
  v.holds = holds_of(id);
  v.waiters = waiters_of(id);
  v.losses = s.losses;
  v.last_losses = {s.last_losses.begin(), s.last_losses.end()};
  v.connection = s.connection;
  v.revision = {revision_};
  return v;
}

// What a request of a stranger would meet: a holder, a ghost, or those who wait already.
lock::Blocker Model::blocker(const std::string& name, Mode mode) const {
  lock::Blocker b;
  const auto it = names_.find(name);
  if (it == names_.end()) return b;
  const auto fill = [&](lock::Blocker::Kind kind, const Who& who, Mode of, uint64_t fence, const std::string& label) {
    b.kind = kind;
    b.session = {who.session};
    b.owner = who.owner;
    b.label = label;
    b.mode = of;
    b.fence = {fence};
  };
  for (const auto& h : it->second.holds) {
    if (may_both_hold(h.mode, mode)) continue;
    fill(lock::Blocker::Kind::kHeld, h.who, h.mode, h.fence, label_of(h.who.session));
    b.granted_wall_ms = h.granted_wall_ms;
    b.held_ms = now_.log_ms - h.granted_ms;
    b.retry_ms = ms_left(h);
    return b;
  }
  for (const auto& g : it->second.ghosts) {
    if (may_both_hold(g.mode, mode)) continue;
    fill(lock::Blocker::Kind::kDelayed, g.who, g.mode, g.fence, g.label);
    b.retry_ms = g.ghost_end_ms - now_.log_ms;
    return b;
  }
  for (const auto& w : it->second.queue) {
    if (may_both_hold(w.ask.c.mode, mode)) continue;
    fill(lock::Blocker::Kind::kQueued, w.who, w.ask.c.mode, 0, label_of(w.who.session));
    return b;
  }
  return b;
}

lock::Totals Model::totals() const {
  lock::Totals t;
  for (const auto& [name, n] : names_) {
    t.names += n.idle() ? 0 : 1;
    t.holds += n.holds.size();
    t.waiters += n.queue.size();
    t.ghosts += n.ghosts.size();
    t.history_entries += n.history.size();
  }
  t.sessions = sessions_.size();
  for (const auto& [id, s] : sessions_) t.implicit_sessions += s.kind == lock::By::kImplicit ? 1 : 0;
  t.req_results += kept_.size();
  return t;
}

}  // namespace cleat::auditor
