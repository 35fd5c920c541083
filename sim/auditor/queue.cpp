// The queue of a name, its holds, and what is said and remembered about them.
#include <algorithm>

#include "model.hpp"

namespace cleat::auditor {

using lock::EventKind;
using lock::Mode;
using lock::Result;
using lock::Why;

// All incompatible holders, all ghosts but one's own, and the incompatible waiters ahead.
bool Model::stands_in_the_way(const Name& n, Mode mode, const Who& who, size_t before) const {
  for (const auto& h : n.holds) {
    if (!may_both_hold(h.mode, mode)) return true;
  }
  for (const auto& g : n.ghosts) {
    if (!(g.who == who) && !may_both_hold(g.mode, mode)) return true;
  }
  for (size_t i = 0; i < before; ++i) {
    if (!may_both_hold(n.queue[i].ask.c.mode, mode)) return true;
  }
  return false;
}

void Model::wake(const std::string& name) {
  while (wake_one(name)) {
  }
}

void Model::wake_all(const Touched& touched) {
  for (const auto& name : touched) wake(name);
}

bool Model::wake_one(const std::string& name) {
  Name& n = names_[name];
  for (size_t i = 0; i < n.queue.size(); ++i) {
    const Waiter w = n.queue[i];
    if (stands_in_the_way(n, w.ask.c.mode, w.who, i)) continue;
    n.queue.erase(n.queue.begin() + static_cast<ptrdiff_t>(i));
    const Hold h = grant(name, w.ask, w.who, w.connection);
    OutcomeSaid out = granted(h, w.ask, w.connection, w.seq, w.arrival_ms);
    out.o.pushed = w.ask.c.async;
    out.o.revision = {revision_ + 1};
    decide(w.who.session, w.ask, std::move(out));
    event(name, EventKind::kGranted, Why::kNone, h, false);
    settle_own_waiters(name, h.fence);
    return true;
  }
  return false;
}

// Who came to hold the name by one request of its own does not wait for itself: its others, wherever they stand, are
// now requests of the holder.
void Model::settle_own_waiters(const std::string& name, uint64_t fence) {
  Name& n = names_[name];
  const auto mine = std::find_if(n.holds.begin(), n.holds.end(), [&](const Hold& h) { return h.fence == fence; });
  for (size_t i = 0; i < n.queue.size();) {
    if (!(n.queue[i].who == mine->who)) {
      ++i;
      continue;
    }
    const Waiter w = n.queue[i];
    n.queue.erase(n.queue.begin() + static_cast<ptrdiff_t>(i));
    settle_with_own_hold(name, *mine, w);
  }
}

void Model::settle_with_own_hold(const std::string& name, Hold& mine, const Waiter& w) {
  OutcomeSaid out;
  if (!w.ask.c.no_reentry && is_covered_by(w.ask.c.mode, mine.mode)) {
    reenter(mine, w.ask);
    out = granted(mine, w.ask, w.connection, w.seq, w.arrival_ms);
    out.o.pushed = w.ask.c.async;
    return decide(w.who.session, w.ask, std::move(out));
  }
  if (w.ask.c.no_reentry) {
    out = answer(w.connection, w.ask, Result::kDeadlock, Why::kReentry);
    out.o.held_fence = {mine.fence};
    out.o.revision = {revision_ + 1};
  } else {
    out = answer(w.connection, w.ask, Result::kMode);
    out.o.held_mode = mine.mode;
  }
  out.o.seq = w.seq;
  out.o.pushed = w.ask.c.async;
  decide(w.who.session, w.ask, std::move(out));
  if (w.ask.c.no_reentry) waiter_event(name, EventKind::kDeadlock, Why::kReentry, w);
}

void Model::extend(std::optional<int64_t>& end, int64_t ttl_ms) const {
  const int64_t asked = now_.log_ms + kept(ttl_ms);
  end = end ? std::max(*end, asked) : asked;
}

Hold& Model::grant(const std::string& name, const Ask& a, const Who& who, const base::ConnectionRef& connection) {
  Hold h;
  h.who = who;
  h.mode = a.c.mode;
  h.fence = ++fence_;
  h.priority = a.c.priority;
  if (a.c.has_data) h.data = a.data;
  h.granted_ms = now_.log_ms;
  h.granted_wall_ms = now_.wall_ms;
  if (a.c.ttl_ms > 0) h.ttl_end_ms = now_.log_ms + kept(a.c.ttl_ms);
  if (a.c.max_hold_ms > 0) h.max_end_ms = now_.log_ms + kept(a.c.max_hold_ms);
  h.delay_ms = a.c.delay_ms;
  h.req = a.req;
  h.connection = connection;
  auto& holds = names_[name].holds;
  holds.push_back(std::move(h));
  return holds.back();
}

// A TTL moves the end to the later of old and new; a hold without one of its own has no earlier end to move.
void Model::reenter(Hold& h, const Ask& a) {
  ++h.depth;
  if (a.c.ttl_ms > 0 && h.ttl_end_ms) extend(h.ttl_end_ms, a.c.ttl_ms);
}

int64_t Model::ms_left(const Hold& h) const {
  std::optional<int64_t> end = h.ttl_end_ms;
  if (h.max_end_ms && (!end || *h.max_end_ms < *end)) end = h.max_end_ms;
  return end ? divided(*end - now_.log_ms - 1) : 0;  // D() adds a ms that is not given away
}

OutcomeSaid Model::granted(const Hold& h, const Ask& a, const base::ConnectionRef& to, uint64_t seq,
                           int64_t arrival_ms) {
  OutcomeSaid out = answer(to, a, Result::kGranted);
  out.o.seq = seq;
  out.o.mode = h.mode;
  out.o.fence = {h.fence};
  out.o.depth = h.depth;
  out.o.ms_left = ms_left(h);
  out.o.waited_ms = divided(now_.log_ms - arrival_ms);
  out.o.ttl_ms = out.o.ms_left;
  out.o.session = {h.who.session};
  return out;
}

// Ends a hold and tells; waking the queue is the caller's.
void Model::end_hold(const std::string& name, uint64_t fence, EventKind kind, Why why, bool unclean, bool loss) {
  Name& n = names_[name];
  const auto it = std::find_if(n.holds.begin(), n.holds.end(), [&](const Hold& h) { return h.fence == fence; });
  Hold h = *it;
  n.holds.erase(it);
  const bool haunts = unclean && h.delay_ms > 0;
  if (haunts) {
    Hold ghost = h;
    ghost.ghost_end_ms = now_.log_ms + h.delay_ms;
    ghost.label = label_of(h.who.session);
    n.ghosts.push_back(ghost);
  }
  event(name, kind, why, h, loss, haunts ? h.delay_ms : 0);
  std::get<EventSaid>(said.back()).e.held_ms = now_.log_ms - h.granted_ms;
  const auto session = sessions_.find(h.who.session);
  if (loss && session != sessions_.end()) {
    ++session->second.losses;
    auto& last = session->second.last_losses;
    last.push_back({name, {fence}, why, {revision_}});
    while (last.size() > settings_.losses_per_session) last.pop_front();
  }
  evict();
}

OutcomeSaid Model::answer(const base::ConnectionRef& to, const Ask& a, Result result, Why why) const {
  OutcomeSaid out;
  out.o.to = to;
  out.o.seq = a.c.seq;
  out.o.verb = a.c.verb;
  out.o.result = result;
  out.o.why = why;
  out.o.mode = a.c.mode;
  out.o.revision = {revision_};
  out.o.session = {asking_};
  out.name = a.name;
  out.req = a.req;
  out.owner = a.owner;
  out.token = a.token;
  return out;
}

void Model::say(OutcomeSaid out) {
  said.emplace_back(std::move(out));
}

// LIMIT, a reused REQ and a session that is not there are not decided by the log's state of this request: not kept.
void Model::decide(uint64_t session, const Ask& a, OutcomeSaid out) {
  out.o.session = {session};
  const bool kept = session != 0 && !a.req.empty() && sessions_.count(session) != 0 && out.o.result != Result::kLimit &&
                    out.o.result != Result::kReqReused && out.o.result != Result::kNoSession &&
                    out.o.result != Result::kQueued;
  if (kept) {
    kept_.push_back({session, a, out, ++decisions_});
    kept_.back().first.o.pushed = false;
  }
  say(std::move(out));
  if (kept) evict();
}

// A live hold keeps the REQ that granted it.
bool Model::exempt(const Kept& k) const {
  const auto it = names_.find(k.ask.name);
  if (it == names_.end() || k.first.o.result != Result::kGranted) return false;
  return std::any_of(it->second.holds.begin(), it->second.holds.end(), [&](const Hold& h) {
    return h.who.session == k.session && h.req == k.ask.req && h.fence == k.first.o.fence.value;
  });
}

void Model::evict() {
  const auto drop_oldest = [&](uint64_t allowed, uint64_t only_session) {
    for (;;) {
      uint64_t count = 0;
      auto oldest = kept_.end();
      for (auto it = kept_.begin(); it != kept_.end(); ++it) {
        if ((only_session != 0 && it->session != only_session) || exempt(*it)) continue;
        ++count;
        if (oldest == kept_.end() || it->order < oldest->order) oldest = it;
      }
      if (count <= allowed) return;
      kept_.erase(oldest);
    }
  };
  for (const auto& [id, s] : sessions_) drop_oldest(settings_.req_results_per_session, id);
  drop_oldest(settings_.req_results, 0);
}

std::string Model::label_of(uint64_t session) const {
  const auto it = sessions_.find(session);
  return it == sessions_.end() ? "" : it->second.label;
}

void Model::event(const std::string& name, EventKind kind, Why why, const Hold& h, bool forced, int64_t delay_ms) {
  EventSaid s;
  s.e.kind = kind;
  s.e.why = why;
  s.e.mode = h.mode;
  s.e.forced = forced;
  s.e.depth = h.depth;
  s.e.fence = {h.fence};
  s.e.session = {h.who.session};
  s.e.holder = h.connection;
  s.e.delay_ms = delay_ms;
  s.name = name;
  s.owner = h.who.owner;
  s.label = h.label.empty() ? label_of(h.who.session) : h.label;
  s.req = h.req;
  s.data = h.data.value_or("");
  note(std::move(s));
}

void Model::waiter_event(const std::string& name, EventKind kind, Why why, const Waiter& w) {
  EventSaid s;
  s.e.kind = kind;
  s.e.why = why;
  s.e.mode = w.ask.c.mode;
  s.e.session = {w.who.session};
  s.e.holder = w.connection;
  s.name = name;
  s.owner = w.who.owner;
  s.label = label_of(w.who.session);
  s.req = w.ask.req;
  note(std::move(s));
}

void Model::note(EventSaid s) {
  s.e.revision = {++revision_};
  s.e.log_ms = now_.log_ms;
  s.e.wall_ms = now_.wall_ms;
  names_[s.name].history.push_back(
      {s.e.revision, s.e.kind, s.e.why, s.e.mode, s.e.fence, s.e.session, s.owner, s.label, now_.wall_ms});
  said.emplace_back(std::move(s));
  trim_history();
}

// Per name the oldest of the name goes, in all the oldest of all.
void Model::trim_history() {
  uint64_t total = 0;
  for (auto& [name, n] : names_) {
    while (n.history.size() > settings_.history_per_name) n.history.pop_front();
    total += n.history.size();
  }
  for (; total > settings_.history_entries; --total) {
    Name* with_oldest = nullptr;
    for (auto& [name, n] : names_) {
      if (n.history.empty()) continue;
      if (with_oldest == nullptr || n.history.front().revision < with_oldest->history.front().revision)
        with_oldest = &n;
    }
    with_oldest->history.pop_front();
  }
}

}  // namespace cleat::auditor
