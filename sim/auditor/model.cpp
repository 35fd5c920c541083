#include "model.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace cleat::auditor {

using lock::By;
using lock::EventKind;
using lock::Mode;
using lock::Result;
using lock::Verb;
using lock::Why;

bool may_both_hold(Mode a, Mode b) {
  // Rows and columns in the order of the table of spec.md: IS IX S U SIX X.
  static const char* const kTable[6] = {
      "yyyyy-",  // IS
      "yy----",  // IX
      "y-yy--",  // S
      "y-y---",  // U
      "y-----",  // SIX
      "------",  // X
  };
  const auto place = [](Mode m) {
    switch (m) {
      case Mode::kIntentShared:
        return 0;
      case Mode::kIntentExclusive:
        return 1;
      case Mode::kShared:
        return 2;
      case Mode::kUpdate:
        return 3;
      case Mode::kSharedIntentExclusive:
        return 4;
      case Mode::kExclusive:
        return 5;
    }
    return 5;
  };
  return kTable[place(a)][place(b)] == 'y';
}

bool is_covered_by(Mode asked, Mode held) {
  for (int m = 0; m < lock::kModes; ++m) {
    const auto other = static_cast<Mode>(m);
    if (!may_both_hold(asked, other) && may_both_hold(held, other)) return false;
  }
  return true;
}

Ask own(const lock::Command& c) {
  Ask a{c,
        std::string(c.name),
        std::string(c.owner),
        std::string(c.token),
        std::string(c.req),
        std::string(c.data),
        std::string(c.label),
        std::string(c.key)};
  a.c.name = a.c.owner = a.c.token = a.c.req = a.c.data = a.c.label = a.c.key = {};
  return a;
}

// D(d) = ceil(d x (1 + margin)) + 1 ms.
int64_t Model::kept(int64_t d_ms) const {
  const int64_t extra = d_ms * settings_.margin_ppm;
  return d_ms + extra / 1'000'000 + (extra % 1'000'000 != 0 ? 1 : 0) + 1;
}

// By (1 + margin), rounded down.
int64_t Model::divided(int64_t log_ms) const {
  return log_ms <= 0 ? 0 : log_ms * 1'000'000 / (1'000'000 + settings_.margin_ppm);
}

void Model::apply(std::string_view entry) {
  said.clear();
  lock::EntryReader reader(entry);
  CLEAT_CHECK(reader.ok(), "the auditor feeds whole entries");
  now_ = reader.stamp();
  run_dues();
  base::ConnectionRef connection;
  while (reader.next_run(connection)) {
    lock::Command c;
    while (reader.next_command(c)) {
      if (command(connection, own(c)) == Flow::kStop) break;
    }
  }
  for (auto it = names_.begin(); it != names_.end();) {
    it = it->second.idle() && it->second.history.empty() ? names_.erase(it) : std::next(it);
  }
}

// Everything due at or before the stamp, by due time; at the same ms ends of holds before wait deadlines, ties by fence
// or arrival.
void Model::run_dues() {
  while (run_one_due()) {
  }
}

bool Model::run_one_due() {
  struct Due {
    int64_t at_ms;
    int rank;  // 0: the end of a hold or ghost, 1: a wait deadline
    uint64_t tie;
    bool operator<(const Due& o) const { return std::tie(at_ms, rank, tie) < std::tie(o.at_ms, o.rank, o.tie); }
  };
  std::optional<Due> first;
  std::string name;
  enum { kHold, kGhost, kWait } what = kHold;
  Why why = Why::kNone;
  const auto consider = [&](const std::string& of, Due due, auto kind, Why because) {
    if (due.at_ms > now_.log_ms || (first && !(due < *first))) return;
    first = due;
    name = of;
    what = kind;
    why = because;
  };
  for (const auto& [of, n] : names_) {
    for (const auto& h : n.holds) {
      if (h.ttl_end_ms) consider(of, {*h.ttl_end_ms, 0, h.fence}, kHold, Why::kTtl);
      if (h.max_end_ms) consider(of, {*h.max_end_ms, 0, h.fence}, kHold, Why::kMaxHold);
    }
    for (const auto& g : n.ghosts) consider(of, {g.ghost_end_ms, 0, g.fence}, kGhost, Why::kNone);
    for (const auto& w : n.queue) {
      if (w.deadline_ms) consider(of, {*w.deadline_ms, 1, w.arrival}, kWait, Why::kTimedOut);
    }
  }
  if (!first) return false;
  if (what == kHold) {
    end_hold(name, first->tie, EventKind::kExpired, why, /*unclean=*/true, /*loss=*/true);
  } else if (what == kGhost) {
    auto& ghosts = names_[name].ghosts;
    const auto it = std::find_if(ghosts.begin(), ghosts.end(), [&](const Hold& g) { return g.fence == first->tie; });
    Hold gone = *it;  // a ghost knows no request
    gone.req.clear();
    ghosts.erase(it);
    event(name, EventKind::kDelayOver, Why::kNone, gone, false);
  } else {
    Touched same_name;
    drop_waiters({first->tie}, EventKind::kTimedOut, Result::kNotGranted, Why::kTimedOut, same_name);
  }
  wake(name);
  return true;
}

// Who asks; for a session that is not there, or no longer the asker's (TAKEOVER), false.
bool Model::find_asker(const base::ConnectionRef& connection, const Ask& a, Asked& out) {
  out.connection = connection;
  if (!a.token.empty()) {
    out.who = Who{0, "", a.token};
    return true;
  }
  if (a.c.by == By::kExplicit) {
    const auto it = sessions_.find(a.c.session.value);
    if (it == sessions_.end() || it->second.kind != By::kExplicit || a.c.session_epoch < it->second.epoch) return false;
    out.session = &it->second;
  } else if (const Session* s = implicit_session(connection)) {
    out.session = &sessions_.at(s->id);
  }
  if (out.session != nullptr) {
    out.session->marked = false;
    out.who = Who{out.session->id, a.owner, ""};
  }
  return true;
}

Model::Flow Model::command(const base::ConnectionRef& connection, const Ask& a) {
  asking_ = 0;
  switch (a.c.verb) {
    case Verb::kOpenSession:
      return open_session(connection, a), Flow::kGoOn;
    case Verb::kAttachSession:
      return attach_session(connection, a), Flow::kGoOn;
    case Verb::kCloseSession:
    case Verb::kLock:
    case Verb::kUnlock:
    case Verb::kRenew:
    case Verb::kPut:
    case Verb::kCancel:
      break;
    default:
      return of_server(connection, a), Flow::kGoOn;
  }
  Asked asked;
  if (!find_asker(connection, a, asked)) {
    const auto it = sessions_.find(a.c.session.value);
    const bool taken_over = it != sessions_.end() && it->second.kind == By::kExplicit;
    OutcomeSaid out = answer(connection, a, Result::kNoSession, taken_over ? Why::kTakenOver : Why::kNone);
    out.o.session = a.c.session;
    return say(std::move(out)), Flow::kGoOn;
  }
  asking_ = asked.who.session;
  if (a.c.verb == Verb::kCancel) return cancel(asked, a), Flow::kGoOn;
  if (a.c.verb == Verb::kCloseSession) return close_session(asked, a), Flow::kGoOn;
  if (asked.session != nullptr && !a.req.empty()) {
    bool answered = false;
    const Flow flow = repeat(asked, a, answered);
    if (answered) return flow;
  }
  if (a.c.verb == Verb::kLock) return lock_name(asked, a);
  if (a.c.verb == Verb::kUnlock) unlock(asked, a);
  if (a.c.verb == Verb::kRenew) renew(asked, a);
  if (a.c.verb == Verb::kPut) put(asked, a);
  return Flow::kGoOn;
}

void Model::of_server(const base::ConnectionRef& connection, const Ask& a) {
  const auto session = sessions_.find(a.c.session.value);
  Touched touched;
  std::vector<uint64_t> gone;  // waiters without REQ of what ended; a waiting token lives until its deadline
  const auto collect = [&](auto ended) {
    for (const auto& [name, n] : names_) {
      for (const auto& w : n.queue) {
        if (w.who.session != 0 && w.ask.req.empty() && ended(w.connection)) gone.push_back(w.arrival);
      }
    }
  };
  switch (a.c.verb) {
    case Verb::kConfigure:
      if (auto settings = lock::decode_settings(a.data); settings.ok()) settings_ = *settings;
      evict();
      trim_history();
      break;
    case Verb::kMark:
      if (session != sessions_.end()) session->second.marked = true, session->second.mark_ms = a.c.heard_ms;
      break;
    case Verb::kHeard:
      if (session != sessions_.end()) session->second.marked = false;
      break;
    case Verb::kExpire:
      if (session != sessions_.end()) end_session(session->first, Why::kSessionExpired, touched);
      break;
    case Verb::kConnectionClosed:
      if (const Session* s = implicit_session(connection)) {
        end_session(s->id, a.c.clean ? Why::kSessionClosed : Why::kConnectionLost, touched);
      }
      collect([&](const base::ConnectionRef& c) { return c == connection; });
      break;
    case Verb::kBootEnded:
      collect([&](const base::ConnectionRef& c) { return c.member == connection.member && c.boot <= connection.boot; });
      break;
    case Verb::kUndeliver:
      undeliver(a);
      break;
    default:
      break;
  }
  drop_waiters(gone, EventKind::kCancelled, Result::kNotGranted, Why::kCancelled, touched);
  wake_all(touched);
}

// Takes them out of their queues, all of them, before any name is looked at again: none of them may be granted.
void Model::drop_waiters(const std::vector<uint64_t>& arrivals, EventKind kind, Result result, Why why,
                         Touched& touched) {
  auto sorted = arrivals;
  std::sort(sorted.begin(), sorted.end());
  for (const uint64_t arrival : sorted) {
    for (auto& [name, n] : names_) {
      const auto it =
          std::find_if(n.queue.begin(), n.queue.end(), [&](const Waiter& w) { return w.arrival == arrival; });
      if (it == n.queue.end()) continue;
      const Waiter w = *it;
      n.queue.erase(it);
      OutcomeSaid out = answer(w.connection, w.ask, result, why);
      out.o.seq = w.seq;
      out.o.pushed = w.ask.c.async;
      out.o.revision = {revision_ + 1};
      decide(w.who.session, w.ask, std::move(out));
      waiter_event(name, kind, why, w);
      touched.push_back(name);
    }
  }
}

void Model::undeliver(const Ask& a) {
  const auto it = names_.find(a.name);
  if (it == names_.end()) return;
  for (auto& h : it->second.holds) {
    if (h.fence != a.c.fence.value || h.who.session == 0) continue;
    if (h.depth > 1) {
      --h.depth;
      return;
    }
    if (!h.req.empty()) return;  // whoever repeats the REQ finds it
    end_hold(a.name, h.fence, EventKind::kUndelivered, Why::kUndelivered, false, false);
    return wake(a.name);
  }
}

}  // namespace cleat::auditor
