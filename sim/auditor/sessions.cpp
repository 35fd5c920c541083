// Sessions: opened, attached to, taken over, ended.
#include <algorithm>

#include "model.hpp"

namespace cleat::auditor {

using lock::By;
using lock::EventKind;
using lock::Result;
using lock::Why;

// OPEN and ATTACH are refused while the connection's own session holds or waits; one that has nothing ends.
bool Model::leave_implicit(const base::ConnectionRef& connection, const Ask& a) {
  const Session* s = implicit_session(connection);
  if (s == nullptr) return true;
  if (holds_of(s->id) != 0 || waiters_of(s->id) != 0) {
    OutcomeSaid out = answer(connection, a, Result::kImplicitBusy);
    out.o.session = {s->id};
    say(std::move(out));
    return false;
  }
  Touched nothing;  // it has none
  end_session(s->id, Why::kSessionClosed, nothing);
  return true;
}

void Model::open_session(const base::ConnectionRef& connection, const Ask& a) {
  if (!leave_implicit(connection, a)) return;
  if (sessions_.size() >= settings_.sessions) {
    OutcomeSaid out = answer(connection, a, Result::kLimit);
    out.o.limit = lock::Limit::kSessions;
    out.o.limit_value = settings_.sessions;
    return say(std::move(out));
  }
  Session s;
  s.id = ++last_session_;
  s.ttl_ms = a.c.ttl_ms;
  s.label = a.label;
  s.key = a.key;
  s.epoch = 1;
  OutcomeSaid out = answer(connection, a, Result::kOpened);
  out.o.session = {s.id};
  out.o.session_epoch = s.epoch;
  out.o.ttl_ms = s.ttl_ms;
  out.key = s.key;
  sessions_[s.id] = s;
  said.emplace_back(SessionOpened{s.id, s.ttl_ms, By::kExplicit, now_.log_ms});
  say(std::move(out));
}

void Model::attach_session(const base::ConnectionRef& connection, const Ask& a) {
  const auto of_that = [&](Result result) {
    OutcomeSaid out = answer(connection, a, result);
    out.o.session = a.c.session;
    return out;
  };
  const auto it = sessions_.find(a.c.session.value);
  if (it == sessions_.end() || it->second.kind != By::kExplicit) {
    return say(of_that(Result::kNoSession));
  }
  Session& s = it->second;
  if (s.key == a.key && !leave_implicit(connection, a)) return;
  if (s.key != a.key) return say(of_that(Result::kWrongKey));
  s.marked = false;
  OutcomeSaid out = answer(connection, a, Result::kAttached);
  if (a.c.takeover) {
    ++s.epoch;
    out.o.takeover_ms = kept(s.ttl_ms);
  }
  out.o.session = {s.id};
  out.o.session_epoch = s.epoch;
  out.o.ttl_ms = s.ttl_ms;
  say(std::move(out));
}

void Model::close_session(const Asked& asked, const Ask& a) {
  if (asked.session == nullptr) return say(answer(asked.connection, a, Result::kNoSession));
  say(answer(asked.connection, a, Result::kDone));
  Touched touched;
  end_session(asked.session->id, Why::kSessionClosed, touched);
  wake_all(touched);
}

// Waiters leave first, then the holds end: nothing of a session that ends is granted to itself. What it keeps goes with
// it and pushes out nothing of others.
void Model::end_session(uint64_t id, Why why, Touched& touched) {
  const bool clean = why == Why::kSessionClosed;
  std::vector<std::pair<uint64_t, std::string>> waiters, holds;
  for (const auto& [name, n] : names_) {
    for (const auto& w : n.queue) {
      if (w.who.session == id) waiters.emplace_back(w.arrival, name);
    }
    for (const auto& h : n.holds) {
      if (h.who.session == id) holds.emplace_back(h.fence, name);
    }
  }
  std::sort(waiters.begin(), waiters.end());
  std::sort(holds.begin(), holds.end());
  for (const auto& waiter : waiters) {
    const auto arrival = waiter.first;
    const auto& name = waiter.second;
    auto& queue = names_[name].queue;
    const auto it = std::find_if(queue.begin(), queue.end(), [&](const Waiter& w) { return w.arrival == arrival; });
    const Waiter w = *it;
    queue.erase(it);
    OutcomeSaid out = answer(w.connection, w.ask, Result::kNoSession, why);
    out.o.seq = w.seq;
    out.o.pushed = w.ask.c.async;
    out.o.revision = {revision_ + 1};
    out.o.session = {id};
    say(std::move(out));
    waiter_event(name, EventKind::kSessionEnded, why, w);
    touched.push_back(name);
  }
  std::erase_if(kept_, [&](const Kept& k) { return k.session == id; });
  for (const auto& [fence, name] : holds) {
    end_hold(name, fence, clean ? EventKind::kReleased : EventKind::kExpired, why, !clean, !clean);
    touched.push_back(name);
  }
  sessions_.erase(id);
  said.emplace_back(SessionEnded{id, why});
}

}  // namespace cleat::auditor
