// What a client may ask about a name.
#include <algorithm>

#include "model.hpp"

namespace cleat::auditor {

using lock::EventKind;
using lock::Limit;
using lock::Result;
using lock::Verb;
using lock::Why;

namespace {

// Two requests with one REQ must agree in everything but connection, seq, async and epoch.
bool same_arguments(const Ask& a, const Ask& b) {
  lock::Command x = a.c, y = b.c;
  x.seq = y.seq = 0;
  x.async = y.async = false;
  x.session_epoch = y.session_epoch = 0;
  return x == y && a.name == b.name && a.owner == b.owner && a.token == b.token && a.data == b.data &&
         a.label == b.label && a.key == b.key;
}

}  // namespace

// Exactly once: the first answer again; while it waits, the newest connection gets the answer.
Model::Flow Model::repeat(const Asked& asked, const Ask& a, bool& answered) {
  answered = true;
  for (auto& [name, n] : names_) {
    for (auto& w : n.queue) {
      if (w.who.session != asked.session->id || w.ask.req != a.req) continue;
      if (!same_arguments(w.ask, a)) {
        say(answer(asked.connection, a, Result::kReqReused));
        return Flow::kGoOn;
      }
      hand_over(w, asked, a);
      OutcomeSaid out = answer(asked.connection, a, Result::kQueued);
      out.o.session = {asked.session->id};
      out.o.repeated = true;
      say(std::move(out));
      return a.c.async ? Flow::kGoOn : Flow::kStop;
    }
  }
  for (const auto& k : kept_) {
    if (k.session != asked.session->id || k.ask.req != a.req) continue;
    if (!same_arguments(k.ask, a)) {
      say(answer(asked.connection, a, Result::kReqReused));
      return Flow::kGoOn;
    }
    OutcomeSaid out = k.first;
    out.o.to = asked.connection;
    out.o.seq = a.c.seq;
    out.o.repeated = true;
    say(std::move(out));
    return Flow::kGoOn;
  }
  answered = false;
  return Flow::kGoOn;
}

// The newest connection gets the answer; who asked before and holds back its connection for it is told so.
void Model::hand_over(Waiter& w, const Asked& asked, const Ask& a) {
  if (!w.ask.c.async) {
    OutcomeSaid out = answer(w.connection, w.ask, Result::kNotGranted, Why::kTakenOver);
    out.o.seq = w.seq;
    out.o.session = {w.who.session};
    say(std::move(out));
  }
  w.connection = asked.connection;
  w.seq = a.c.seq;
  w.ask.c.async = a.c.async;
}

Model::Flow Model::lock_name(Asked& asked, const Ask& a) {
  if (asked.session == nullptr && a.token.empty()) {
    if (sessions_.size() >= settings_.sessions) {
      OutcomeSaid out = answer(asked.connection, a, Result::kLimit);
      out.o.limit = Limit::kSessions;
      out.o.limit_value = settings_.sessions;
      say(std::move(out));
      return Flow::kGoOn;
    }
    Session s;
    s.id = ++last_session_;
    s.kind = lock::By::kImplicit;
    s.ttl_ms = settings_.implicit_ttl_ms;
    s.connection = asked.connection;
    asked.session = &(sessions_[s.id] = s);
    asking_ = s.id;
    asked.who = Who{s.id, a.owner, ""};
    said.emplace_back(SessionOpened{s.id, s.ttl_ms, s.kind, now_.log_ms});
  }
  if (!a.token.empty() && a.c.ttl_ms == 0) {  // nothing would ever end it
    return say(answer(asked.connection, a, Result::kNoSession)), Flow::kGoOn;
  }
  Name& n = names_[a.name];
  for (auto& h : n.holds) {
    if (h.who == asked.who) return lock_again(asked, a, n, h);
  }
  if (!a.token.empty()) {
    for (auto& w : n.queue) {
      if (w.who == asked.who) return join_token_waiter(asked, a, n, w);
    }
  }
  return enqueue(asked, a, n);
}

// By its holder: re-entry, or for a token the same hold.
Model::Flow Model::lock_again(const Asked& asked, const Ask& a, Name&, Hold& h) {
  const uint64_t session = asked.who.session;
  if (session != 0 && a.c.no_reentry) {
    if (a.c.wait_ms == 0) {
      decide(session, a, answer(asked.connection, a, Result::kNotGranted, Why::kBusy));
      return Flow::kGoOn;
    }
    Hold refused = h;  // only whose request was refused matters
    refused.fence = refused.depth = 0;
    refused.mode = a.c.mode;
    refused.connection = asked.connection;
    refused.req = a.req;
    refused.data.reset();
    OutcomeSaid out = answer(asked.connection, a, Result::kDeadlock, Why::kReentry);
    out.o.held_fence = {h.fence};
    out.o.revision = {revision_ + 1};
    decide(session, a, std::move(out));
    event(a.name, EventKind::kDeadlock, Why::kReentry, refused, false);
    return Flow::kGoOn;
  }
  if (!is_covered_by(a.c.mode, h.mode)) {
    OutcomeSaid out = answer(asked.connection, a, Result::kMode);
    out.o.held_mode = h.mode;
    decide(session, a, std::move(out));
    return Flow::kGoOn;
  }
  if (session != 0) {
    reenter(h, a);
  } else {
    extend(h.ttl_end_ms, a.c.ttl_ms);
    h.connection = asked.connection;
  }
  OutcomeSaid out = granted(h, a, asked.connection, a.c.seq, now_.log_ms);
  out.o.repeated = session == 0;
  decide(session, a, std::move(out));
  return Flow::kGoOn;
}

Model::Flow Model::join_token_waiter(const Asked& asked, const Ask& a, Name&, Waiter& w) {
  if (!is_covered_by(a.c.mode, w.ask.c.mode)) {
    OutcomeSaid out = answer(asked.connection, a, Result::kMode);
    out.o.held_mode = w.ask.c.mode;
    say(std::move(out));
    return Flow::kGoOn;
  }
  if (a.c.wait_ms == 0) {
    say(answer(asked.connection, a, Result::kNotGranted, Why::kBusy));
    return Flow::kGoOn;
  }
  w.ask.c.ttl_ms = std::max(w.ask.c.ttl_ms, a.c.ttl_ms);
  if (a.c.wait_ms == lock::kForever) w.deadline_ms.reset();
  if (w.deadline_ms) w.deadline_ms = std::max(*w.deadline_ms, now_.log_ms + a.c.wait_ms);
  hand_over(w, asked, a);
  w.ask.req = a.req;
  OutcomeSaid out = answer(asked.connection, a, Result::kQueued);
  out.o.repeated = true;
  say(std::move(out));
  return a.c.async ? Flow::kGoOn : Flow::kStop;
}

// Not a holder: granted at once, or refused, or queued.
Model::Flow Model::enqueue(const Asked& asked, const Ask& a, Name& n) {
  const uint64_t session = asked.who.session;
  const auto refuse = [&](Limit limit, uint64_t value) {
    OutcomeSaid out = answer(asked.connection, a, Result::kLimit);
    out.o.limit = limit;
    out.o.limit_value = value;
    if (limit == Limit::kWaitersPerName) out.o.why = Why::kQueueFull;
    say(std::move(out));
    return Flow::kGoOn;
  };
  // Whoever waits has his hold counted already, so that a grant never fails.
  uint64_t all_holds = 0, all_waiters = 0;
  for (const auto& [name, other] : names_) {
    all_waiters += other.queue.size();
    all_holds += other.holds.size() + other.ghosts.size() + other.queue.size();
  }
  if (session != 0 && holds_of(session) + waiters_of(session) >= settings_.holds_per_session) {
    return refuse(Limit::kHoldsPerSession, settings_.holds_per_session);
  }
  if (all_holds >= settings_.holds) return refuse(Limit::kHolds, settings_.holds);

  const int64_t stand_ms = now_.log_ms - int64_t{a.c.priority} * settings_.ageing_ms;
  size_t place = 0;  // behind all that stand at the same time or before
  while (place < n.queue.size() && n.queue[place].stand_ms <= stand_ms) ++place;
  if (!stands_in_the_way(n, a.c.mode, asked.who, place)) {
    const Hold h = grant(a.name, a, asked.who, asked.connection);
    OutcomeSaid out = granted(h, a, asked.connection, a.c.seq, now_.log_ms);
    out.o.revision = {revision_ + 1};
    decide(session, a, std::move(out));
    event(a.name, EventKind::kGranted, Why::kNone, h, false);
    settle_own_waiters(a.name, h.fence);
    wake(a.name);
    return Flow::kGoOn;
  }
  if (a.c.wait_ms == 0) {
    decide(session, a, answer(asked.connection, a, Result::kNotGranted, Why::kBusy));
    return Flow::kGoOn;
  }
  if (n.queue.size() >= settings_.waiters_per_name) return refuse(Limit::kWaitersPerName, settings_.waiters_per_name);
  if (all_waiters >= settings_.waiters) return refuse(Limit::kWaiters, settings_.waiters);
  Waiter w;
  w.ask = a;
  w.who = asked.who;
  w.connection = asked.connection;
  w.seq = a.c.seq;
  w.arrival = ++arrivals_;
  w.arrival_ms = now_.log_ms;
  w.stand_ms = stand_ms;
  if (a.c.wait_ms != lock::kForever) w.deadline_ms = now_.log_ms + a.c.wait_ms;
  n.queue.insert(n.queue.begin() + static_cast<ptrdiff_t>(place), std::move(w));
  OutcomeSaid out = answer(asked.connection, a, Result::kQueued);
  out.o.session = {session};
  say(std::move(out));
  return a.c.async ? Flow::kGoOn : Flow::kStop;
}

// The hold that UNLOCK, RENEW or PUT means; otherwise the refusal.
Hold* Model::find_meant(const Asked& asked, const Ask& a, OutcomeSaid& refusal) {
  refusal = answer(asked.connection, a, Result::kNotHeld);
  refusal.o.fence = a.c.fence;
  const bool is_token = !a.token.empty();
  if (is_token && a.c.verb != Verb::kPut) refusal.o.result = Result::kNil;
  const auto it = names_.find(a.name);
  Hold* mine = nullptr;
  if (it != names_.end() && (is_token || asked.session != nullptr)) {
    for (auto& h : it->second.holds) {
      if (h.who == asked.who) mine = &h;
    }
  }
  if (!a.c.fence || (mine != nullptr && mine->fence == a.c.fence.value)) return mine;
  if (asked.session != nullptr) {
    for (const auto& loss : asked.session->last_losses) {
      if (loss.name != a.name || loss.fence != a.c.fence) continue;
      refusal.o.result = loss.why == Why::kRevoked ? Result::kRevoked : Result::kExpired;
      refusal.o.why = loss.why;
      return nullptr;
    }
  }
  if (mine != nullptr) {
    refusal.o.result = Result::kStale;
    refusal.o.held_fence = {mine->fence};
  }
  return nullptr;
}

void Model::unlock(const Asked& asked, const Ask& a) {
  OutcomeSaid out;
  Hold* h = find_meant(asked, a, out);
  if (h == nullptr) return decide(asked.who.session, a, std::move(out));
  out = answer(asked.connection, a, Result::kDone);
  out.o.fence = {h->fence};
  out.o.depth = --h->depth;
  if (h->depth > 0) return decide(asked.who.session, a, std::move(out));
  out.o.revision = {revision_ + 1};
  decide(asked.who.session, a, std::move(out));
  h->depth = 1;  // as it was
  end_hold(a.name, h->fence, EventKind::kReleased, Why::kReleased, false, false);
  wake(a.name);
}

void Model::renew(const Asked& asked, const Ask& a) {
  OutcomeSaid out;
  Hold* h = find_meant(asked, a, out);
  if (h == nullptr) return decide(asked.who.session, a, std::move(out));
  extend(h->ttl_end_ms, a.c.ttl_ms);
  if (!a.token.empty()) h->connection = asked.connection;
  out = answer(asked.connection, a, Result::kDone);
  out.o.fence = {h->fence};
  out.o.ms_left = ms_left(*h);
  decide(asked.who.session, a, std::move(out));
}

void Model::put(const Asked& asked, const Ask& a) {
  OutcomeSaid out;
  Hold* h = find_meant(asked, a, out);
  if (h == nullptr) return decide(asked.who.session, a, std::move(out));
  h->data = a.data;
  out = answer(asked.connection, a, Result::kDone);
  out.o.fence = {h->fence};
  out.o.revision = {revision_ + 1};
  const Hold told = *h;
  decide(asked.who.session, a, std::move(out));
  event(a.name, EventKind::kData, Why::kNone, told, false);
}

Waiter* Model::find_waiter_to_cancel(const Asked& asked, const Ask& a) {
  for (auto& [name, n] : names_) {
    for (auto& w : n.queue) {
      if (w.ask.req != a.req) continue;
      if (!a.token.empty() ? (name == a.name && w.who.token == a.token)
                           : (asked.session != nullptr && !a.req.empty() && w.who.session == asked.session->id)) {
        return &w;
      }
    }
  }
  return nullptr;
}

void Model::cancel(const Asked& asked, const Ask& a) {
  const Waiter* w = find_waiter_to_cancel(asked, a);
  OutcomeSaid out = answer(asked.connection, a, Result::kDone);
  out.o.count = w == nullptr ? 0 : 1;
  if (w != nullptr) out.o.revision = {revision_ + 1};
  say(std::move(out));
  if (w == nullptr) return;
  Touched touched;
  drop_waiters({w->arrival}, EventKind::kCancelled, Result::kNotGranted, Why::kCancelled, touched);
  wake_all(touched);
}

}  // namespace cleat::auditor
