#include "checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lock/entry.hpp"
#include "lock/level.hpp"

namespace cleat::sim {
namespace {

using lock::EventKind;
using lock::Result;

// The table of spec.md section 3 once more, in its order of rows: IS IX S U SIX X. Not the machine's.
bool may_both_hold(lock::Mode a, lock::Mode b) {
  static constexpr const char* kRows[] = {"yyyyyn", "yynnnn", "ynyynn", "ynynnn", "ynnnnn", "nnnnnn"};
  static constexpr int kRowOf[] = {0, 1, 2, 3, 4, 5};
  return kRows[kRowOf[static_cast<int>(a)]][kRowOf[static_cast<int>(b)]] == 'y';
}

std::tuple<uint32_t, uint32_t, uint64_t, uint64_t> place(const base::ConnectionRef& at, uint64_t seq) {
  return {at.member, at.boot, at.connection, seq};
}
auto place(const lock::Outcome& o) {
  return place(o.to, o.seq);
}

// A request keeps its place when it is asked again from another connection, if it has a name.
std::string waiter_key(const lock::Outcome& o) {
  if (!o.token.empty()) return fmt::format("token {} {}", o.name, o.token);
  if (!o.req.empty()) return fmt::format("req {} {}", o.session.value, o.req);
  return fmt::format("seq {} {} {} {}", o.to.member, o.to.boot, o.to.connection, o.seq);
}

}  // namespace

Checks::Checks(World& world, Beliefs& beliefs, const Plan& plan)
    : world_(world), beliefs_(beliefs), plan_(plan), machine_(std::make_unique<lock::Machine>()) {}

// Durable: what was applied, and so maybe answered, is the same after every restart; only what nobody was told of may
// be new.
void Checks::entry(uint64_t index, std::string_view bytes, bool replayed, int64_t real_us) {
  world_.trace(index);
  world_.trace(bytes);
  const auto known = log_.find(index);
  if (known != log_.end()) {
    if (!replayed) return world_.fail("durable", fmt::format("durable: entry {} was decided twice", index));
    if (known->second != bytes) world_.fail("durable", fmt::format("durable: entry {} changed over a restart", index));
    return;
  }
  if (index <= last_index_)
    return world_.fail("durable", fmt::format("durable: entry {} stands where there was none", index));
  last_index_ = index;
  real_us_ = real_us;
  replayed_ = replayed;
  log_.emplace(index, bytes);
  lock::EntryReader reader(bytes);
  if (reader.stamp().log_ms < stamp_ms_)
    return world_.fail(
        "log time", fmt::format("log time went back in the log, from {} to {} ms", stamp_ms_, reader.stamp().log_ms));
  stamp_ms_ = reader.stamp().log_ms;
  read_asked(bytes);
  if (!machine_->apply(bytes, *this).ok()) world_.fail("log", "an entry of the log can't be applied");
  check_waiters_served();
  check_undone();
  check_boots();
  if (++entries_ % 64 == 0)
    if (const std::string broken = machine_->check_invariants(); !broken.empty())
      world_.fail("invariants", "the machine's own invariants: " + broken);
  asked_.clear();
}

void Checks::read_asked(std::string_view bytes) {
  lock::EntryReader reader(bytes);
  base::ConnectionRef from;
  lock::Command c;
  while (reader.next_run(from)) {
    if (from.connection != 0) boot_ = std::max(boot_, from.boot);
    while (reader.next_command(c)) {
      if (c.verb == lock::Verb::kMark) world_.cover(kMarks);
      if (c.verb == lock::Verb::kRaiseLevel) world_.cover(kLevelRises);
      if (lock::required_level(c) > lock::kFirstLevel) world_.cover(kNextRules);
      if (c.verb == lock::Verb::kHeard) world_.cover(kHeards);
      if (c.verb == lock::Verb::kUndeliver) undoing_[c.fence.value] = {std::string(c.name), depth_of(c.name, c.fence)};
      if (c.seq != 0) met(from, c);
      asked_[place(from, c.seq)] = {
          c.verb, std::string(c.name), std::string(c.owner), std::string(c.req), std::string(c.token),
          c.mode, c.priority};
      if (world_.telling_all() && c.verb != lock::Verb::kTick)
        world_.say(fmt::format("  log {} ms: verb {} of connection {}, name '{}' req '{}' session {}", stamp_ms_,
                               static_cast<int>(c.verb), from.connection, c.name, c.req, c.session.value));
      if (world_.telling() && c.verb == lock::Verb::kMark)
        world_.say(fmt::format("  the log marks session {}: last heard at {} of log time {} ms", c.session.value,
                               c.heard_ms, stamp_ms_));
      if (world_.telling() && c.verb == lock::Verb::kExpire)
        world_.say(fmt::format("  the log ends session {}, which was silent", c.session.value));
    }
  }
}

// Forwarded twice, or after it was asked for again: it would be done twice.
void Checks::met(const base::ConnectionRef& from, const lock::Command& c) {
  const auto what = [&] {
    return fmt::format("request {} of connection {} of member {}", c.seq, from.connection, from.member);
  };
  if (!met_.insert(place(from, c.seq)).second)
    world_.fail("exactly once", fmt::format("exactly once: {} stands twice in the log", what()));
  if (withdrawn_.count(place(from, c.seq)) != 0)
    world_.fail("exactly once", fmt::format("exactly once: {} happens, though it was asked again", what()));
}

void Checks::withdrawn(const base::ConnectionRef& from, uint64_t seq) {
  withdrawn_.insert(place(from, seq));
  if (met_.count(place(from, seq)) != 0)
    world_.fail("exactly once",
                fmt::format("exactly once: request {} of connection {} of member {} is asked again, though "
                            "it happened",
                            seq, from.connection, from.member));
}

void Checks::late(const base::ConnectionRef& from, uint64_t seq) {
  world_.cover(kLate);
  late_.insert(place(from, seq));
}

int64_t Checks::granted_us(uint64_t session, const std::string& req) const {
  const auto grant = granted_by_req_.find({session, req});
  return grant == granted_by_req_.end() ? 0 : grant->second.real_us;
}

// The log decides a REQ of a session once, whatever comes of it, and however often and late it is asked.
void Checks::decided(const lock::Outcome& o) {
  const bool refused = o.result == Result::kNoSession || o.result == Result::kReqReused;
  if (late_.erase(place(o)) > 0) world_.cover(o.repeated ? kLateRepeats : refused ? kLateRefused : kLateDone);
  const bool kept = !refused && o.result != Result::kQueued && o.result != Result::kLimit;
  if (o.repeated || !kept || !o.session || o.req.empty() || o.verb == lock::Verb::kCancel) return;
  if (o.why == lock::Why::kTakenOver) return;
  if (!decided_.emplace(o.session.value, o.req).second)
    world_.fail(
        "exactly once",
        fmt::format("exactly once: REQ {} of session {} is decided twice (verb {} of '{}', result {}, depth {})", o.req,
                    o.session.value, static_cast<int>(o.verb), o.name, static_cast<int>(o.result), o.depth));
}

void Checks::on_outcome(const lock::Outcome& o) {
  decided(o);
  const auto asked = asked_.find(place(o));
  if (world_.telling_all())
    world_.say(fmt::format("    outcome {} for {} at {}/{}: fence {} why {}{}", static_cast<int>(o.result),
                           waiter_key(o), o.to.connection, o.seq, o.fence.value, static_cast<int>(o.why),
                           o.repeated ? " again" : ""));
  if (o.result == Result::kNoSession && o.why == lock::Why::kTakenOver) return;  // late: what waits is not touched
  if (o.result == Result::kQueued) {
    const std::string key = waiter_key(o);
    waits_at_[place(o)] = key;
    if (asked == asked_.end() || waiters_.count(key) != 0) return;
    const Asked& a = asked->second;
    const int64_t ageing_ms = machine_->settings().ageing_ms;
    const bool named = !o.req.empty() || !o.token.empty();
    waiters_[key] = {named ? 0 : o.to.boot, a.name,         a.owner, a.mode, stamp_ms_ - a.priority * ageing_ms,
                     ++arrivals_,           o.session.value};
    world_.cover(kWaits);
    return;
  }
  if (o.why == lock::Why::kTakenOver && o.result == Result::kNotGranted) {
    waits_at_.erase(place(o));  // asked again from elsewhere: it waits on
    return;
  }
  auto waited = waiters_.find(waiter_key(o));
  if (const auto at = waits_at_.find(place(o)); at != waits_at_.end()) {
    if (waited == waiters_.end()) waited = waiters_.find(at->second);
    waits_at_.erase(at);
  }
  if (o.result == Result::kGranted && o.verb == lock::Verb::kLock && !o.repeated && o.depth <= 1) {
    if (waited != waiters_.end()) {
      world_.cover(kGrantsAfterWait);
      const Waiter w = waited->second;
      waiters_.erase(waited);
      return check_order(o, {o.verb, w.name, w.owner, "", "", w.mode, 0}, &w);
    }
    if (asked != asked_.end()) check_order(o, asked->second, nullptr);
  }
  if (o.result == Result::kNotGranted && o.why == lock::Why::kTimedOut) world_.cover(kTimeouts);
  if (o.result == Result::kNotGranted && o.why == lock::Why::kCancelled) world_.cover(kCancels);
  if (o.depth > 1 && o.result == Result::kGranted) {
    world_.cover(kReentries);
    undoing_.erase(o.fence.value);  // entered again in the same entry
  }
  if (waited != waiters_.end()) waiters_.erase(waited);
}

// Nobody is granted past an incompatible waiter that stands before it.
void Checks::check_order(const lock::Outcome& o, const Asked& a, const Waiter* waited) {
  const int64_t stands_ms =
      waited != nullptr ? waited->stands_ms : stamp_ms_ - a.priority * int64_t{machine_->settings().ageing_ms};
  const uint64_t arrival = waited != nullptr ? waited->arrival : UINT64_MAX;
  for (const auto& [where, w] : waiters_) {
    if (w.name != a.name || may_both_hold(w.mode, a.mode)) continue;
    if (w.session == o.session.value && w.session != 0 && w.owner == a.owner) continue;
    if (w.stands_ms > stands_ms || (w.stands_ms == stands_ms && w.arrival > arrival)) continue;
    // A request that left without an answer to its connection is no waiter any more.
    const lock::NameView view = machine_->show(a.name, {.count = 1000});
    const bool waits = std::any_of(view.waiters.begin(), view.waiters.end(), [&, &w = w](const lock::WaiterView& v) {
      return v.session.value == w.session && v.mode == w.mode && v.owner == w.owner;
    });
    if (waits)
      return world_.fail("order",
                         fmt::format("order: {} of '{}' was granted (fence {}) past a waiter for {} that stood "
                                     "before it ({})",
                                     lock::short_name(a.mode), a.name, o.fence.value, lock::short_name(w.mode), where));
  }
}

bool Checks::stops(const Hold& h, lock::Mode mode) const {
  return !may_both_hold(h.mode, mode);
}

void Checks::on_event(const lock::Event& e) {
  told_[e.revision.value] = e.fence.value;
  switch (e.kind) {
    case EventKind::kGranted:
      return granted(e);
    case EventKind::kReleased:
    case EventKind::kExpired:
    case EventKind::kRevoked:
    case EventKind::kUndelivered:
      return ended(e);
    case EventKind::kDelayOver:
      holds_[std::string(e.name)].erase(e.fence.value);
      return;
    default:
      return;
  }
}

void Checks::granted(const lock::Event& e) {
  world_.cover(e.session ? kGrants : kTokens);
  auto& holds = holds_[std::string(e.name)];
  if (const auto same = holds.find(e.fence.value); same != holds.end() && !same->second.ghost) {
    if (same->second.session != e.session.value)
      world_.fail("fencing", fmt::format("fencing: fence {} went to another holder", e.fence.value));
    same->second.depth = e.depth;
    return;
  }
  if (e.fence.value <= last_fence_)
    return world_.fail("fencing", fmt::format("fencing: fence {} came after {}", e.fence.value, last_fence_));
  last_fence_ = e.fence.value;
  for (const auto& [fence, h] : holds) {
    const bool own = h.session == e.session.value && (h.session == 0 ? h.ghost : h.owner == e.owner);
    if (!own && stops(h, e.mode))
      return world_.fail("exclusion", fmt::format("exclusion: {} of '{}' granted with fence {} while {} has {}{}",
                                                  lock::short_name(e.mode), e.name, e.fence.value, fence,
                                                  lock::short_name(h.mode), h.ghost ? " (delayed)" : ""));
  }
  holds[e.fence.value] = {e.mode, e.session.value, std::string(e.owner), e.depth, false};
  if (world_.telling())
    world_.say(fmt::format("  the log grants {} {} with fence {}{}", e.name, lock::short_name(e.mode), e.fence.value,
                           e.session ? fmt::format(" to session {}", e.session.value) : std::string(" to a token")));
  if (e.session && !e.req.empty()) {
    named_fences_.insert(e.fence.value);
    const auto [first, fresh] =
        granted_by_req_.try_emplace({e.session.value, std::string(e.req)}, Grant{e.fence.value, real_us_});
    if (!fresh)
      return world_.fail("exactly once", fmt::format("exactly once: REQ {} of session {} was granted twice: {} and {}",
                                                     e.req, e.session.value, first->second.fence, e.fence.value));
  }
  check_beliefs(e);
}

// Local deadline: nobody is granted what another still believes to hold.
void Checks::check_beliefs(const lock::Event& e) {
  for (const auto& [fence, b] : beliefs_.holds) {
    if (fence == e.fence.value || b.name != e.name || may_both_hold(b.mode, e.mode)) continue;
    if (b.session != 0 && b.session == e.session.value) continue;
    if (const int64_t left = beliefs_.left_us(b, real_us_); left > 0)
      return world_.fail("local deadline",
                         fmt::format("local deadline: '{}' was granted (fence {}) while client {} "
                                     "believes in fence {} for {:.3f} ms more",
                                     e.name, e.fence.value, b.client, fence, static_cast<double>(left) / 1000));
  }
}

void Checks::ended(const lock::Event& e) {
  auto& holds = holds_[std::string(e.name)];
  const auto h = holds.find(e.fence.value);
  if (h == holds.end() || h->second.ghost)
    return world_.fail("exclusion", fmt::format("exclusion: fence {} ended, which nobody had", e.fence.value));
  if (e.kind == EventKind::kUndelivered) world_.cover(kUndelivered);
  if (world_.telling())
    world_.say(
        fmt::format("  the log ends the hold of {} with fence {}: {}", e.name, e.fence.value, lock::why_text(e.why)));
  if (e.why == lock::Why::kTtl) world_.cover(kTtlEnds);
  if (e.why == lock::Why::kMaxHold) world_.cover(kMaxHoldEnds);
  if (e.forced && e.session) losses_[e.session.value].push_back(last_index_);
  ended_fences_.insert(e.fence.value);
  if (e.delay_ms > 0) {
    world_.cover(kGhosts);
    h->second.ghost = true;
  } else {
    holds.erase(h);
  }
  if (e.forced) believed(e.fence.value);
}

// What ended for a reason that the client could foresee, it no longer believed in.
void Checks::believed(uint64_t fence) {
  const auto b = beliefs_.holds.find(fence);
  if (b == beliefs_.holds.end() || ended_fences_.count(fence) == 0) return;
  const int64_t left = beliefs_.left_us(b->second, std::max(real_us_, world_.now_us));
  if (left > 0)
    world_.fail("local deadline",
                fmt::format("local deadline: client {} believes in fence {} of '{}' for {:.3f} ms "
                            "more, but it has ended",
                            b->second.client, fence, b->second.name, static_cast<double>(left) / 1000));
}

void Checks::believed_session(uint64_t session) {
  const auto b = beliefs_.sessions.find(session);
  if (b == beliefs_.sessions.end() || ended_sessions_.count(session) == 0) return;
  const int64_t left = beliefs_.left_us(b->second, std::max(real_us_, world_.now_us));
  if (left > 0)
    world_.fail("local deadline",
                fmt::format("local deadline: client {} believes in session {} for {:.3f} ms more, but "
                            "it has ended",
                            b->second.client, session, static_cast<double>(left) / 1000));
}

void Checks::inherit(std::unique_ptr<lock::Machine> machine, uint64_t last_fence, uint64_t last_session) {
  machine_ = std::move(machine);
  last_index_ = 1;
  stamp_ms_ = machine_->log_ms();
  last_fence_ = std::max(last_fence, machine_->last_fence().value);
  last_session_ = last_session;
  for (const lock::LockSummary& lock : machine_->locks("", lock::LockState::kAny, {}, 10'000).locks) {
    const lock::NameView view = machine_->show(lock.name, {.count = 10'000});
    const auto note = [&](const lock::HoldView& h, bool ghost) {
      holds_[lock.name][h.fence.value] = {h.mode, h.session.value, h.owner, h.depth, ghost};
    };
    for (const lock::HoldView& h : view.holders) note(h, false);
    for (const lock::HoldView& h : view.delayed) note(h, true);
  }
}

void Checks::on_session_opened(base::SessionId id, int64_t ttl_ms, lock::By by, int64_t) {
  if (id.value <= last_session_)
    world_.fail("sessions", fmt::format("sessions: session {} is opened after {}", id.value, last_session_));
  last_session_ = id.value;
  if (by == lock::By::kExplicit) ttl_ms_[id.value] = ttl_ms;
}

void Checks::on_session_ended(base::SessionId id, lock::Why why) {
  ended_sessions_.insert(id.value);
  if (why != lock::Why::kSessionExpired) return;
  world_.cover(kExpiries);
  believed_session(id.value);
  if (judge_) {
    if (const auto ttl = ttl_ms_.find(id.value); ttl != ttl_ms_.end()) judge_(id.value, ttl->second);
    return;
  }
  if (replayed_) return;  // decided before the crash, and told to nobody: what came after that does not count
  const auto ttl = ttl_ms_.find(id.value);
  if (ttl == ttl_ms_.end()) return;
  const auto came = arrived_.find(id.value);
  if (came == arrived_.end() && inherited_marks_.count(id.value) != 0) return;
  const int64_t since_us = came != arrived_.end() ? came->second : leads_since_us_;
  const double kept_us = static_cast<double>(ttl->second) * 1000 * (1 + plan_.margin) - 2000;
  if (static_cast<double>(awake_us_ - since_us) < kept_us)
    world_.fail("paused server",
                fmt::format("a paused server kills no one: session {} (TTL {} ms) ended after {:.3f} ms "
                            "of listening without it",
                            id.value, ttl->second, static_cast<double>(awake_us_ - since_us) / 1000));
}

void Checks::leads(int64_t awake_us, const lock::Machine& machine) {
  arrived_.clear();
  inherited_marks_.clear();
  leads_since_us_ = awake_us_ = awake_us;
  machine.each_session([&](base::SessionId id, lock::By, int64_t) {
    if (const auto s = machine.session_state(id); s && s->marked) inherited_marks_.insert(id.value);
  });
  world_.cover(kBarred, inherited_marks_.size());
}

// No wake-up is lost: who stands first in a queue waits for somebody.
void Checks::check_waiters_served() {
  std::set<std::string> names;
  for (const auto& [where, w] : waiters_) names.insert(w.name);
  for (const std::string& name : names) {
    const lock::NameView view = machine_->show(name, {.count = 1});
    if (view.waiters_total > 0 && view.holders_total == 0 && view.delayed_total == 0)
      return world_.fail("order", fmt::format("order: '{}' is free, but {} wait for it", name, view.waiters_total));
  }
}

// A grant that could not be delivered is undone: its holder never knew, and nobody else would let it go.
void Checks::check_undone() {
  for (const auto& [fence, u] : undoing_)
    if (u.depth > 0 && named_fences_.count(fence) == 0 && depth_of(u.name, {fence}) == u.depth)
      world_.fail("undelivered",
                  fmt::format("undelivered: fence {} of '{}' stays, though nobody was told of it", fence, u.name));
  undoing_.clear();
}

// Who waited on a connection of an earlier run of the server, without REQ, waits no more once the new one serves.
void Checks::check_boots() {
  if (judge_) return;  // of several: the leader hears of another member's end when it may
  for (const auto& [where, w] : waiters_)
    if (w.unnamed_boot != 0 && w.unnamed_boot < boot_)
      return world_.fail("boots",
                         fmt::format("boots: '{}' waits for '{}' though boot {} serves", where, w.name, boot_));
}

uint32_t Checks::depth_of(std::string_view name, base::Fence fence) const {
  const lock::NameView view = machine_->show(name, {.count = 1000});
  for (const lock::HoldView& h : view.holders)
    if (h.fence == fence) return h.depth;
  return 0;
}

void Checks::event_told(const lock::Event& e) {
  const auto ours = told_.find(e.revision.value);
  if (ours == told_.end() || ours->second != e.fence.value)
    world_.fail("determinism", fmt::format("the server told revision {} otherwise than the log", e.revision.value));
}

void Checks::recovered(uint64_t applied, const lock::Machine& machine) {
  if (applied < last_index_)
    return world_.fail("durable", fmt::format("durable: entry {} was applied before the crash, the log now ends at {}",
                                              last_index_, applied));
  if (machine.digest() != machine_->digest())
    return world_.fail("durable",
                       fmt::format("nothing is lost: after the restart the state at entry {} is another", applied));
  if (const std::string broken = machine.check_invariants(); !broken.empty())
    world_.fail("invariants", "after a restart: " + broken);
}

// A repeated request gets the first answer again.
void Checks::answered(const Request& r, uint64_t session, const Reply& reply) {
  if (r.req.empty() || r.c.verb == lock::Verb::kCancel || session == 0 || reply.trouble != replica::Trouble::kNone)
    return;
  if (reply.why == lock::Why::kTakenOver) return;
  if (reply.result == Result::kQueued || reply.result == Result::kLimit || reply.result == Result::kNoSession) return;
  if (reply.repeated) world_.cover(kRepeats);
  const auto [first, fresh] = answers_.try_emplace({session, r.req}, reply.result, reply.fence);
  if (!fresh && first->second != std::pair(reply.result, reply.fence))
    world_.fail("exactly once",
                fmt::format("exactly once: REQ {} of session {} was answered {} (fence {}) and then {} (fence {})",
                            r.req, session, static_cast<int>(first->second.first), first->second.second,
                            static_cast<int>(reply.result), reply.fence));
}

void Checks::keep_alive_answered(uint64_t session, const replica::KeepAliveAnswer& a, uint64_t decided) {
  world_.cover(a.alive ? kKeepAlives : kNoSession);
  if (!a.alive) return;
  if (a.losses > 0) world_.cover(kLosses);
  const auto& lost = losses_[session];
  const auto before = static_cast<uint64_t>(std::upper_bound(lost.begin(), lost.end(), decided) - lost.begin());
  if (a.losses < before || a.losses > lost.size())
    world_.fail("loss is told",
                fmt::format("loss is told: session {} lost {} holds before it asked, its keep-alive said {}", session,
                            before, a.losses));
}

void Checks::finished(const lock::Machine& machine) {
  const lock::Totals t = machine.totals();
  if (t.holds + t.waiters + t.ghosts > 0)
    world_.fail("progress",
                fmt::format("progress: long after the last fault {} holds, {} waiters and {} ghosts are left", t.holds,
                            t.waiters, t.ghosts));
  recovered(last_index_, machine);
}

}  // namespace cleat::sim
