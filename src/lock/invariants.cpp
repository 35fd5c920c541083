// For tests: walks the whole state and says the first thing that does not fit together.
#include <algorithm>

#include "lock/core.hpp"
#include "lock/hash.hpp"

namespace cleat::lock {
namespace {

std::string at(const NameRecord& n, std::string_view what) {
  return "name '" + std::string(n.name.view()) + "': " + std::string(what);
}

struct Counted {
  uint64_t names = 0, holds = 0, waiters = 0, ghosts = 0, history = 0, timers = 0;
};

std::string check_holds(const Core& c, Handle name, Counted& sum, NameExtra& seen) {
  const NameRecord& n = c.names[name];
  for (Handle i = n.first_hold; i; i = c.holds[i].name_next) {
    const HoldRecord& h = c.holds[i];
    ++sum.holds;
    ++seen.holders;
    ++seen.held[static_cast<int>(h.mode)];
    if (h.name != name) return at(n, "a hold of another name is linked here");
    if (!h.name_next && c.last_hold(n) != i) return at(n, "its last hold is not the last of its list");
    if (h.name_next && c.holds[h.name_next].fence <= h.fence) return at(n, "fences of its holds do not rise");
    if (h.fence > c.last_fence) return at(n, "a fence above the last one given");
    if ((h.end_ms() != kNever) != (h.timer != 0)) return at(n, "a hold has an end without a timer or the reverse");
    sum.timers += h.timer != 0;
    if (h.end_ms() <= c.log_ms) return at(n, "a hold is there that was due");
    if (c.find_hold(n, c.identity(h)) != i) return at(n, "a hold is not found by its identity");
    if (c.find_fence(n, h.fence) != i) return at(n, "a hold is not found by its fence");
    for (Handle j = h.name_next; j && seen.holders <= 64; j = c.holds[j].name_next)
      if (!compatible(h.mode, c.holds[j].mode)) return at(n, "two holds are not compatible");
  }
  return {};
}

std::string check_waiters(const Core& c, Handle name, Counted& sum, NameExtra& seen) {
  const NameRecord& n = c.names[name];
  const NameExtra* x = c.extra(n);
  std::string wrong;
  Handle last = 0;
  auto look = [&](Handle i) {
    const WaiterRecord& w = c.waiters[i];
    ++sum.waiters;
    ++seen.waiters;
    if (w.name != name) wrong = at(n, "a waiter of another name is queued here");
    if (last && !Queue::before(c.waiters[last], w)) wrong = at(n, "its queue is out of order");
    if ((w.deadline_ms != kNever) != (w.timer != 0)) wrong = at(n, "a waiter has a deadline without a timer");
    sum.timers += w.timer != 0;
    if (w.deadline_ms <= c.log_ms) wrong = at(n, "a waiter is there whose deadline was due");
    last = i;
    return wrong.empty();
  };
  c.queue.walk(x->queue, 0, look);
  const bool fences_left = c.last_fence.value < kMaxFence;
  if (wrong.empty() && fences_left && c.next_grantable(n)) return at(n, "somebody waits who could be granted");
  return wrong;
}

std::string check_name(const Core& c, Handle name, Counted& sum) {
  const NameRecord& n = c.names[name];
  const NameExtra* x = c.extra(n);
  NameExtra seen;
  if (std::string wrong = check_holds(c, name, sum, seen); !wrong.empty()) return wrong;
  if (!x) return seen.holders > 1 ? at(n, "several holds and no counts") : std::string{};
  if (std::string wrong = check_waiters(c, name, sum, seen); !wrong.empty()) return wrong;
  for (Handle i = x->first_ghost; i; i = c.ghosts[i].next) {
    ++sum.ghosts;
    ++seen.ghosts;
    ++seen.delayed[static_cast<int>(c.ghosts[i].mode)];
    ++sum.timers;
    if (c.ghosts[i].end_ms <= c.log_ms) return at(n, "a ghost is there that was due");
  }
  for (Handle i = x->first_history; i; i = c.history[i].name_next) {
    ++sum.history;
    ++seen.history;
  }
  if (seen.holders != x->holders || seen.waiters != x->waiters || seen.ghosts != x->ghosts ||
      seen.history != x->history || !std::equal(seen.held, seen.held + kModes, x->held) ||
      !std::equal(seen.delayed, seen.delayed + kModes, x->delayed))
    return at(n, "its counts are wrong");
  if (x->history > c.settings.history_per_name) return at(n, "more history than its limit");
  return {};
}

std::string check_sessions(const Core& c) {
  uint64_t holds = 0, waiters = 0, reqs = 0, implicit = 0;
  for (const auto& [id, handle] : c.session_order) {
    const SessionRecord& s = c.sessions[handle];
    const std::string who = "session " + std::to_string(id) + ": ";
    if (s.id.value != id || c.find_session(s.id) != handle) return who + "not found by its id";
    uint64_t own_holds = 0, own_waiters = 0, counted = 0;
    for (Handle i = s.first_hold; i; i = c.holds[i].session_next) own_holds += c.holds[i].session == handle;
    for (Handle i = s.first_waiter; i; i = c.waiters[i].session_next) own_waiters += c.waiters[i].session == handle;
    for (Handle i = s.first_req; i; i = c.reqs[i].next) ++counted;
    if (own_holds != s.holds || own_waiters != s.waiters || counted != s.counted_reqs) return who + "counts are wrong";
    if (counted > c.settings.req_results_per_session) return who + "more REQ results than its limit";
    if (s.implicit && (!s.connection || c.connections[s.connection].session != handle))
      return who + "implicit, but its connection does not know it";
    holds += own_holds;
    waiters += own_waiters;
    reqs += s.reqs ? s.reqs->size() : 0;
    implicit += s.implicit;
  }
  if (c.session_order.size() != c.sessions.size() || implicit != c.implicit_sessions || reqs != c.reqs.size())
    return "sessions: totals are wrong";
  return holds > c.holds.size() || waiters > c.waiters.size() ? "sessions: more holds or waiters than there are" : "";
}

}  // namespace

std::string Machine::check_invariants() const {
  const Core& c = *state_;
  Counted sum;
  uint64_t active = 0;
  for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (c.name_tables[bucket].size() == 0) continue;  // nearly all of them: tests and fuzzers come here often
    std::string wrong;
    c.name_tables[bucket].each([&](Handle name) {
      const NameRecord& n = c.names[name];
      const NameExtra* x = c.extra(n);
      ++sum.names;
      const bool live = n.first_hold || (x && (x->waiters || x->ghosts));
      active += live;
      if (wrong.empty() && live != n.active) wrong = at(n, "counted as active though it is not, or the reverse");
      if (wrong.empty() && !live && !(x && x->history)) wrong = at(n, "kept though nothing is there");
      if (wrong.empty()) wrong = check_name(c, name, sum);
    });
    if (!wrong.empty()) return wrong;
  }
  if (sum.names != c.names.size() || sum.holds != c.holds.size() || sum.waiters != c.waiters.size() ||
      sum.ghosts != c.ghosts.size() || sum.history != c.history.size() || active != c.active_names)
    return "totals do not match what is there: something leaked";
  if (sum.timers != c.timers.size()) return "timers do not match the ends and deadlines that are there";
  if (c.history.size() > c.settings.history_entries) return "more history in all than its limit";
  return check_sessions(c);
}

}  // namespace cleat::lock
