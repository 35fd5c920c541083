#include "replica/liveness.hpp"

#include <algorithm>

#include "base/mutant.hpp"

namespace cleat::replica {
namespace {

// How long the service keeps a session after it last heard of it.
int64_t kept(int64_t ttl_ms, const lock::Settings& settings) {
  if (base::mutant("expire_early")) return ttl_ms * 9 / 10;
  return lock::kept_ms(ttl_ms, settings.margin_ppm) - (base::mutant("no_extra_ms") ? 1 : 0);
}

}  // namespace

void Liveness::opened(base::SessionId id, int64_t ttl_ms, int64_t log_ms) {
  Session& s = sessions_[id.value];
  s.ttl_ms = ttl_ms;
  s.era = era_;
  s.heard_ms = leading_ && !base::mutant("opened_counts_from_election") ? log_ms : kNever;
  check_at(log_ms + ttl_ms / 2, id);
}

void Liveness::ended(base::SessionId id) {
  sessions_.erase(id.value);
}

void Liveness::lead(int64_t elected_ms) {
  follow();
  leading_ = true;
  elected_ms_ = elected_ms;
  if (!base::mutant("heard_kept")) ++era_;
}

void Liveness::follow() {
  leading_ = false;
  for (const Ticket& t : tickets_) check_at(0, t.session);
  for (const Proposal& p : proposals_) check_at(0, p.session);
  tickets_.clear();
  heards_wanted_.clear();
  proposals_.clear();
}

Liveness::Session* Liveness::find(base::SessionId id) {
  auto it = sessions_.find(id.value);
  return it == sessions_.end() ? nullptr : &of_this_era(it->second);
}

Liveness::Session& Liveness::of_this_era(Session& s) const {
  if (s.era != era_) {
    s.heard_ms = kNever;
    s.bar_index = s.heard_index = 0;
    s.expiring = false;
    s.era = era_;
  }
  return s;
}

void Liveness::heard(base::SessionId id, int64_t heard_ms) {
  if (!leading_) return;
  if (Session* s = find(id)) s->heard_ms = std::max(s->heard_ms, heard_ms);
}

int64_t Liveness::last_heard(const Session& s, const lock::SessionState& state) const {
  // A voucher may tell of a silence that is older than this term: the mark or the election counts all the same.
  return std::max(s.heard_ms, state.marked ? state.mark_ms : elected_ms_);
}

bool Liveness::barred(base::SessionId id, const lock::SessionState& state, uint64_t applied) const {
  if (base::mutant("ok_after_mark")) return false;
  auto it = sessions_.find(id.value);
  const bool of_era = it != sessions_.end() && it->second.era == era_;
  const bool inherited = state.marked && (!of_era || it->second.bar_index == 0);
  if (state.marked && !(inherited && base::mutant("inherited_mark_ignored"))) return true;
  if (!of_era) return false;
  if (base::mutant("own_mark_ignored")) return it->second.expiring;
  if (base::mutant("own_expire_ignored") && it->second.expiring) return false;
  if (base::mutant("bar_lifted_early") && it->second.heard_index > 0 && it->second.heard_index <= applied) return false;
  return it->second.expiring || it->second.bar_index > applied;
}

void Liveness::want_heard(base::SessionId id) {
  heards_wanted_.push_back(id);
}

bool Liveness::collect(const Turn& turn, const lock::Machine& machine, lock::EntryBuilder& entry) {
  if (!leading_) return false;
  check_tickets(turn, machine, entry);
  check_silence(turn, machine, entry);
  add_heards(turn, entry);
  return !proposals_.empty();
}

void Liveness::check_tickets(const Turn& turn, const lock::Machine& machine, lock::EntryBuilder& entry) {
  std::erase_if(tickets_, [&](const Ticket& t) {
    Session* s = find(t.session);
    const auto state = machine.session_state(t.session);
    if (s == nullptr || !state) return true;
    const int64_t heard_ms = last_heard(*s, *state);
    if (turn.stamp_ms - heard_ms < kept(s->ttl_ms, machine.settings())) {
      ++counters_.reprieved;
      check_at(heard_ms + s->ttl_ms / 2, t.session);
      return true;
    }
    if (turn.proved_round < t.round || !turn.drained || proposals_.size() >= kProposalsPerTurn) return false;
    add(entry, lock::Verb::kExpire, t.session, 0, turn.stamp_ms + 1000);
    return true;
  });
}

void Liveness::check_silence(const Turn& turn, const lock::Machine& machine, lock::EntryBuilder& entry) {
  for (size_t n = 0; n < kChecksPerTurn && proposals_.size() < kProposalsPerTurn; ++n) {
    if (checks_.empty() || checks_.top().due_ms > turn.stamp_ms) return;
    const base::SessionId id = checks_.top().session;
    checks_.pop();
    judge(id, turn, machine, entry);
  }
}

// Puts the session back into the heap, or makes it a ticket, or proposes something for it.
void Liveness::judge(base::SessionId id, const Turn& turn, const lock::Machine& machine, lock::EntryBuilder& entry) {
  Session* s = find(id);
  const auto state = machine.session_state(id);
  if (s == nullptr || !state) return;
  if (s->expiring) return check_at(turn.stamp_ms + 1000, id);
  const int64_t heard_ms = last_heard(*s, *state);
  const int64_t silent_ms = turn.stamp_ms - heard_ms;
  const int64_t kept_ms = kept(s->ttl_ms, machine.settings());
  if (silent_ms >= kept_ms) {
    if (base::mutant("expire_before_drain")) return add(entry, lock::Verb::kExpire, id, 0, turn.stamp_ms + 1000);
    tickets_.push_back({id, turn.round});
    return;
  }
  const bool marked = state->marked || s->bar_index > turn.applied || base::mutant("no_marks");
  if (marked) return check_at(heard_ms + kept_ms, id);
  if (silent_ms >= kept_ms / 2) return add(entry, lock::Verb::kMark, id, heard_ms, heard_ms + kept_ms);
  check_at(heard_ms + kept_ms / 2, id);
}

void Liveness::add_heards(const Turn& turn, lock::EntryBuilder& entry) {
  for (base::SessionId id : heards_wanted_) {
    Session* s = find(id);
    if (s == nullptr || s->expiring) continue;
    const bool under_way = s->heard_index > turn.applied && s->heard_index > s->bar_index;
    if (under_way) continue;
    s->heard_index = UINT64_MAX;  // until proposed() or refused() tells: not twice in one entry
    add(entry, lock::Verb::kHeard, id, 0, 0);
  }
  heards_wanted_.clear();
}

void Liveness::add(lock::EntryBuilder& entry, lock::Verb verb, base::SessionId id, int64_t heard_ms,
                   int64_t recheck_ms) {
  lock::Command c;
  c.verb = verb;
  c.session = id;
  c.heard_ms = heard_ms;
  entry.add(c);
  proposals_.push_back({id, verb, recheck_ms});
}

void Liveness::proposed(uint64_t index) {
  for (const Proposal& p : proposals_) {
    Session* s = find(p.session);
    if (s == nullptr) continue;
    if (p.verb == lock::Verb::kHeard) {
      s->heard_index = index;
      ++counters_.heards;
      continue;
    }
    s->bar_index = index;
    s->expiring = p.verb == lock::Verb::kExpire;
    ++(s->expiring ? counters_.expires : counters_.marks);
    check_at(p.recheck_ms, p.session);
  }
  proposals_.clear();
}

void Liveness::refused() {
  for (const Proposal& p : proposals_) {
    if (p.verb != lock::Verb::kHeard) check_at(0, p.session);
    if (Session* s = find(p.session); s != nullptr && p.verb == lock::Verb::kHeard) s->heard_index = 0;
  }
  proposals_.clear();
}

std::optional<int64_t> Liveness::next_ms() const {
  if (checks_.empty()) return std::nullopt;
  return checks_.top().due_ms;
}

}  // namespace cleat::replica
