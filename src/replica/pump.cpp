#include "replica/pump.hpp"

#include <algorithm>

#include "base/mutant.hpp"

namespace cleat::replica {
namespace {

constexpr int64_t kRaftTickUs = 50'000;
constexpr int64_t kSpaceCheckUs = 200'000;
constexpr int64_t kSnapshotPauseUs = 1'000'000;  // from one beginning to the next, so that failures do not pile up
constexpr int64_t kRetryUs = 20'000;             // of a write that met a full disk

std::string_view chars(raft::Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Pump::Pump(Options options, Clock& clock, Listener& listener)
    : options_(std::move(options)),
      clock_(clock),
      listener_(listener),
      machine_(std::make_unique<lock::Machine>()),
      files_(options_.files != nullptr ? *options_.files : storage::FileSystem::real()),
      space_(files_, options_.dir, options_.min_free_bytes),
      snapshots_(files_, options_, [this](int level, std::string_view line) { listener_.on_log(level, line); }) {}

bool Pump::step() {
  ++status_.turns;
  now_us_ = clock_.mono_us();
  if (stopped_) return false;
  // Log time stands still while the log can't be written: what clients send meanwhile could not be answered either.
  ready_ ? log_clock_.stand_still(now_us_) : log_clock_.turn(now_us_);
  check_space();
  tick_raft();
  note_heard();
  if (!ready_) {
    propose_turn();
    begin_proof();
  }
  drive();
  if (!stopped_) settle();
  if (!stopped_ && !ready_) turn_snapshot();
  drained_ = true;
  return ready_ || under_way() || !reads_.empty() || !keep_alives_.empty() || !entry_.empty() || snapshots_.has_work();
}

// A member that was stalled has not missed ticks: it counts the time in which it could listen.
void Pump::tick_raft() {
  if (now_us_ - ticked_us_ < kRaftTickUs) return;
  ticked_us_ = now_us_ - ticked_us_ < 2 * kRaftTickUs ? ticked_us_ + kRaftTickUs : now_us_;
  group_->tick();
}

void Pump::drive() {
  for (watch_leadership(); ready_ || group_->has_ready(); watch_leadership()) {
    if (!ready_) ready_.emplace(group_->ready());
    if (base::mutant("answer_before_sync"))
      for (size_t i = 0; i < ready_->entry_count(); ++i) apply(ready_->entry(i));
    if (!persist()) return;
    for (size_t i = 0; i < ready_->committed_count(); ++i)
      if (ready_->committed(i).index > applied_) apply(ready_->committed(i));
    for (size_t i = 0; i < ready_->read_count(); ++i) proofs_.confirmed(ready_->read(i).context, ready_->read(i).index);
    ready_.reset();
    group_->applied(applied_);
  }
  serve_if_started();
}

bool Pump::persist() {
  const bool syncs = ready_->must_sync();
  const int64_t before_us = syncs ? clock_.mono_us() : 0;
  switch (group_->persist(*ready_)) {
    case raft::Persisted::kDone:
      status_.syncs += syncs;
      if (syncs) status_.last_sync_us = clock_.mono_us() - before_us;
      if (log_full_) listener_.on_log(2, "there is room for the log again: requests are answered");
      log_full_ = false;
      return true;
    case raft::Persisted::kNoSpace:
      if (!log_full_)
        listener_.on_log(
            4, "the disk is full: nothing is answered until there is room for the log. Free space in " + options_.dir);
      log_full_ = true;
      return false;
    case raft::Persisted::kStopped:
      stopped_ = true;
      return false;
  }
  return false;
}

void Pump::apply(const raft::EntryView& entry) {
  if (base::mutant("answer_before_sync") && entry.index <= applied_) return;
  applied_ = entry.index;
  applied_term_ = entry.term;
  if (entry.kind != raft::EntryKind::kPayload) {
    group_->apply_members(entry.data);
    return;
  }
  if (entry.data.empty()) {
    if (phase_ == Phase::kElected && entry.term == term_) lead_begins();
    return;
  }
  replaying_ = entry.index <= replay_end_;
  listener_.on_entry(entry.index, chars(entry.data), replaying_);
  const base::Status status = machine_->apply(chars(entry.data), *this);
  CLEAT_CHECK(status.ok(), "an entry of the log is none of ours: was it written by a newer version of cleat?");
}

void Pump::watch_leadership() {
  const raft::GroupStatus s = group_->status();
  const bool leads = s.role == raft::Role::kLeader;
  if (phase_ != Phase::kFollowing && (!leads || s.term != term_)) leadership_lost();
  term_ = s.term;
  if (leads && phase_ == Phase::kFollowing) phase_ = Phase::kElected;
}

// The first entry of this term is applied, hence all of the log before it: log time goes on where the log ended, and
// all sessions count as heard now (time.md session rule 3).
void Pump::lead_begins() {
  log_clock_.lead(machine_->log_ms());
  liveness_.lead(log_clock_.elected_ms());
  phase_ = Phase::kStarting;
  started_ = false;
  proposed_index_ = 0;
}

void Pump::serve_if_started() {
  if (phase_ != Phase::kStarting || !started_ || under_way()) return;
  phase_ = Phase::kServing;
  listener_.on_leadership(true, term_);
}

void Pump::leadership_lost() {
  const bool served = phase_ == Phase::kServing;
  phase_ = Phase::kFollowing;
  log_clock_.follow();
  liveness_.follow();
  proofs_.drop();
  entry_.clear();
  heard_.clear();
  proposed_index_ = 0;
  if (served) listener_.on_leadership(false, term_);
}

void Pump::on_outcome(const lock::Outcome& o) {
  if (!replaying_ && o.to.connection != 0) listener_.on_outcome(o);
}

void Pump::on_event(const lock::Event& e) {
  if (!replaying_) listener_.on_event(e);
}

void Pump::on_session_opened(base::SessionId id, int64_t ttl_ms, lock::By kind, int64_t log_ms) {
  liveness_.opened(id, ttl_ms, log_ms);
  if (!replaying_) listener_.on_session_opened(id, ttl_ms, kind, log_ms);
}

void Pump::on_session_ended(base::SessionId id, lock::Why why) {
  liveness_.ended(id);
  if (!replaying_) listener_.on_session_ended(id, why);
}

void Pump::check_space() {
  if (now_us_ - space_checked_us_ < kSpaceCheckUs) return;
  space_checked_us_ = now_us_;
  const bool was_short = space_.is_short();
  space_.look();
  if (was_short == space_.is_short()) return;
  if (was_short) return listener_.on_log(2, "enough free space again: new locks are taken");
  listener_.on_log(3, "little free space in " + options_.dir + ": new locks are refused until there is more");
}

void Pump::turn_snapshot() {
  if (!snapshots_.busy()) {
    const raft::GroupStatus s = group_->status();
    const bool wanted = s.log_bytes >= options_.snapshot_log_bytes && now_us_ >= snapshot_after_us_;
    if ((!wanted && !snapshot_asked_) || applied_ <= s.snapshot_index) return;
    snapshot_asked_ = false;
    snapshot_after_us_ = now_us_ + kSnapshotPauseUs;
    snapshots_.begin(*machine_, {applied_, applied_term_, group_->members()});
  }
  snapshots_.turn(*machine_, *group_, clock_);
}

std::optional<int64_t> Pump::next_wake_us() const {
  if (stopped_) return std::nullopt;
  if (ready_) return now_us_ + kRetryUs;
  if (!entry_.empty() || !reads_.empty() || !keep_alives_.empty() || !barred_.empty() || liveness_.tickets() ||
      snapshots_.has_work() || under_way() || phase_ == Phase::kStarting)
    return now_us_;
  int64_t wake_us = ticked_us_ + kRaftTickUs;
  const auto due = [&](std::optional<int64_t> log_ms) {
    if (log_ms && log_clock_.leading()) wake_us = std::min(wake_us, now_us_ + *log_ms * 1000 - log_clock_.now_us());
  };
  due(liveness_.next_ms());
  due(machine_->next_due_ms());
  return std::max(wake_us, now_us_);
}

}  // namespace cleat::replica
