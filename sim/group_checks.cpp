#include "group_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lock/entry.hpp"

namespace cleat::sim {
namespace {
constexpr uint64_t kDigestEvery = 64;
constexpr size_t kTurnsKept = 4000;
}  // namespace

GroupChecks::GroupChecks(World& world, Checks& checks, const Plan& plan) : world_(world), checks_(checks), plan_(plan) {
  checks_.judge_expiries([this](uint64_t session, int64_t ttl_ms) { check_expiry(session, ttl_ms); });
}

void GroupChecks::starts(uint32_t member) {
  members_[member] = {};
}

void GroupChecks::turn(uint32_t member, const Turn& t) {
  auto& turns = members_[member].turns;
  turns.push_back(t);
  if (turns.size() > kTurnsKept) turns.pop_front();
}

void GroupChecks::arrived(uint32_t member, uint64_t session, int64_t awake_us) {
  auto& arrivals = members_[member].arrivals[session];
  arrivals.push_back({world_.now_us, awake_us});
  if (arrivals.size() > 200) arrivals.pop_front();
}

void GroupChecks::entry(uint32_t member, const Applied& a, std::string_view bytes, const lock::Machine* before) {
  Member& m = members_[member];
  if (!m.fresh && a.index <= m.applied)
    return world_.fail("durable",
                       fmt::format("durable: member {} applies entry {} after entry {}", member, a.index, m.applied));
  if (!m.fresh) {
    if (const auto next = entries_.upper_bound(m.applied); next != entries_.end() && next->first < a.index)
      return world_.fail("replicas", fmt::format("replicas: member {} goes from entry {} to {} past {}", member,
                                                 m.applied, a.index, next->first));
    if (before != nullptr) check_digest(member, m.applied, *before);
  }
  m.fresh = false;
  m.applied = a.index;
  const auto known = entries_.find(a.index);
  if (known == entries_.end()) return decided(member, a, bytes);
  if (known->second.bytes != bytes || known->second.term != a.term)
    world_.fail("durable", fmt::format("durable: entry {} of member {} (term {}) is another than was decided (term {})",
                                       a.index, member, a.term, known->second.term));
  known->second.real_us = std::min(known->second.real_us, a.real_us);
}

void GroupChecks::decided(uint32_t member, const Applied& a, std::string_view bytes) {
  if (!entries_.empty() && entries_.rbegin()->first > a.index)
    return world_.fail("durable",
                       fmt::format("durable: member {} has an entry {} where there was none", member, a.index));
  if (!entries_.empty() && entries_.rbegin()->second.term > a.term)
    return world_.fail("durable", fmt::format("durable: entry {} has term {} after term {}", a.index, a.term,
                                              entries_.rbegin()->second.term));
  const lock::EntryStamp stamp = lock::EntryReader(bytes).stamp();
  check_log_time(stamp);
  present_term_ = a.term;
  present_wall_ms_ = stamp.wall_ms;
  present_replayed_ = a.replayed;
  checks_.entry(a.index, bytes, a.replayed, a.earliest_us);
  if (const auto leader = leaders_.find(a.term); leader != leaders_.end())
    std::erase_if(members_[leader->second].still_marked, [&](uint64_t session) {
      const auto s = checks_.machine().session_state({session});
      world_.cover(kMarksLifted, s && !s->marked);
      return !s || !s->marked;
    });
  entries_[a.index] = {a.term, std::string(bytes), a.real_us};
  last_of_term_[a.term] = a.index;
  if (a.index % kDigestEvery == 0) digests_[a.index] = checks_.machine().digest();
}

// Log time never outruns real time over any chain of leaders: between any two entries it advances at most as much as
// the fastest clock. Here an entry's wall time is the true time at which its leader read its clock.
void GroupChecks::check_log_time(const lock::EntryStamp& stamp) {
  const double lead_ms =
      static_cast<double>(stamp.log_ms) - plan_.server_rate * (static_cast<double>(stamp.wall_ms) - 1.7e12);
  if (lead_ms > least_lead_ms_ + 3)
    world_.fail("log time", fmt::format("log time outran real time by {:.3f} ms, at {} ms", lead_ms - least_lead_ms_,
                                        stamp.log_ms));
  least_lead_ms_ = std::min(least_lead_ms_, lead_ms);
}

// All sessions count as heard now, if this member leads.
void GroupChecks::term_begins(uint32_t member) {
  Member& m = members_[member];
  m.arrivals.clear();
  m.leads_since_us = m.turns.empty() ? 0 : m.turns.back().awake_us;
}

void GroupChecks::leads(uint32_t member, uint64_t term, uint64_t applied, const lock::Machine& machine) {
  world_.cover(kLeaders);
  const auto [leader, fresh] = leaders_.try_emplace(term, member);
  if (!fresh && leader->second != member)
    return world_.fail("one leader",
                       fmt::format("one leader a term: {} and {} both lead in term {}", leader->second, member, term));
  for (const auto& [of, last] : last_of_term_)
    if (of < term && last > applied)
      return world_.fail(
          "durable", fmt::format("durable: member {} leads in term {} with entries up to {}, but entry {} of term {} "
                                 "was decided",
                                 member, term, applied, last, of));
  Member& m = members_[member];
  m.inherited_marks.clear();
  m.inherited.clear();
  machine.each_session([&](base::SessionId id, lock::By, int64_t) {
    m.inherited.insert(id.value);
    if (const auto s = machine.session_state(id); s && s->marked) m.inherited_marks.insert(id.value);
  });
  if (leaders_.size() > 1) world_.cover(kInherited, m.inherited.size());
  m.still_marked = m.inherited_marks;
  world_.cover(kMarksInherited, m.inherited_marks.size());
}

// Promise 10: the leader could listen for the whole of D(TTL) without hearing the session. Judged by what reached the
// leader itself before the turn that proposed the end; what came through others only makes ends later.
void GroupChecks::check_expiry(uint64_t session, int64_t ttl_ms) {
  const auto leader = leaders_.find(present_term_);
  if (leader == leaders_.end()) return;
  const Member& m = members_[leader->second];
  if (m.inherited.count(session) != 0) world_.cover(kInheritedExpired);
  if (present_replayed_) return;
  // The entry tells in which millisecond its leader read its clock: of several turns in it any may have proposed the
  // end.
  const int64_t wall_us = (present_wall_ms_ - 1'700'000'000'000) * 1000;
  const auto last =
      std::find_if(m.turns.rbegin(), m.turns.rend(), [&](const Turn& t) { return t.reading_us <= wall_us + 999; });
  const double kept_us = static_cast<double>(ttl_ms) * 1000 * (1 + plan_.margin) - 2000;
  int64_t longest_us = 0;
  for (auto turn = last; turn != m.turns.rend() && (turn == last || turn->reading_us >= wall_us); ++turn) {
    const auto listened_us = listened_without(m, session, *turn);
    if (!listened_us || static_cast<double>(*listened_us) >= kept_us) return;
    longest_us = std::max(longest_us, *listened_us);
  }
  if (last == m.turns.rend()) return;
  world_.fail("paused server",
              fmt::format("a paused server kills no one: session {} (TTL {} ms) ended after {:.3f} ms in which its "
                          "leader {} listened without it",
                          session, ttl_ms, static_cast<double>(longest_us) / 1000, leader->second));
}

// How long before that turn the leader listened and heard nothing of the session. None: it never heard of it, and it
// was marked before.
std::optional<int64_t> GroupChecks::listened_without(const Member& m, uint64_t session, const Turn& turn) {
  int64_t since_us = m.leads_since_us;
  bool came = false;
  if (const auto arrivals = m.arrivals.find(session); arrivals != m.arrivals.end())
    for (const Arrival& a : arrivals->second)
      if (a.real_us < turn.start_us) since_us = std::max(since_us, a.awake_us), came = true;
  if (!came && m.inherited_marks.count(session) != 0) return std::nullopt;
  return turn.awake_us - since_us;
}

void GroupChecks::check_digest(uint32_t member, uint64_t index, const lock::Machine& machine) {
  const auto digest = digests_.find(index);
  if (digest != digests_.end() && machine.digest() != digest->second)
    world_.fail("replicas", fmt::format("replicas: after entry {} the state of member {} is another", index, member));
}

void GroupChecks::state_replaced(uint32_t member, uint64_t applied, const lock::Machine& machine) {
  world_.cover(kStateReplaced);
  Member& m = members_[member];
  if (!m.fresh && applied < m.applied)
    return world_.fail(
        "durable", fmt::format("durable: a snapshot takes member {} back from {} to {}", member, m.applied, applied));
  if (applied > last_index() + 100'000) return world_.fail("replicas", "replicas: a snapshot of what never was");
  m.fresh = false;
  m.applied = applied;
  // Entries of the engine's own leave no trace in the machine: the state is that of the last entry of ours before it.
  auto last = entries_.upper_bound(applied);
  if (last != entries_.begin()) check_digest(member, std::prev(last)->first, machine);
}

void GroupChecks::survived(uint32_t member, uint64_t index, uint64_t undecided, const lock::Machine& machine) {
  const uint64_t applied = members_[member].applied;
  if (index < applied)
    return world_.fail(
        "durable", fmt::format("durable: member {} had applied entry {}, its disk ends at {}", member, applied, index));
  if (undecided > 0 || index > last_index()) return;
  if (const auto last = entries_.upper_bound(index); last != entries_.begin())
    check_digest(member, std::prev(last)->first, machine);
}

uint64_t GroupChecks::decided_by(int64_t real_us) const {
  for (auto e = entries_.rbegin(); e != entries_.rend(); ++e)
    if (e->second.real_us <= real_us) return e->first;
  return 0;
}

// Linearizable: what anybody could know before the read was asked is in its answer.
void GroupChecks::read_answered(uint32_t member, uint64_t decided_before, uint64_t applied) {
  if (applied < decided_before)
    world_.fail("reads", fmt::format("reads: member {} answers from entry {}, but entry {} was applied before the read "
                                     "was asked",
                                     member, applied, decided_before));
}

void GroupChecks::whole(uint32_t member, uint64_t applied, const lock::Machine& machine) {
  if (applied < last_index())
    return world_.fail("progress",
                       fmt::format("progress: member {} is still at entry {} of {}", member, applied, last_index()));
  if (machine.digest() != checks_.machine().digest())
    world_.fail("replicas", fmt::format("replicas: at entry {} the state of member {} is another", applied, member));
  if (const std::string broken = machine.check_invariants(); !broken.empty())
    world_.fail("invariants", fmt::format("member {}: {}", member, broken));
}

}  // namespace cleat::sim
