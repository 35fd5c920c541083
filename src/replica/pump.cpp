#include "replica/pump.hpp"

#include <algorithm>

#include "base/mutant.hpp"

namespace cleat::replica {
namespace {

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
      writer_(clock_, own_thread() == std::launch::async, options_.wake),
      files_(options_.files != nullptr ? *options_.files : storage::FileSystem::real()),
      space_(files_, options_.dir, options_.min_free_bytes),
      snapshots_(files_, options_, [this](int level, std::string_view line) { listener_.on_log(level, line); }),
      members_(options_.founders),
      sender_(files_, options_.dir + "/snapshots"),
      receiver_(files_, options_.dir + "/snapshots", own_thread()) {}

bool Pump::step() {
  ++status_.turns;
  now_us_ = clock_.mono_us();
  if (stopped_) return false;
  if (base::mutant("clock_read_first")) note_heard();
  // Log time stands still while the log can't be written: what clients send meanwhile could not be answered either.
  blocked() ? log_clock_.stand_still(now_us_) : log_clock_.turn(now_us_);
  check_space();
  tick_raft();
  watch_leadership();
  // Whoever asked asks again once it hears of the new term.
  if (!entry_.empty() && entry_term_ != term_) entry_.clear();
  if (!alone()) turn_peers();
  // Before what was heard is noted: whoever asks in a forward is heard in this turn.
  if (phase_ == Phase::kServing && !blocked()) take_forwards();
  note_heard();
  if (!blocked()) {
    propose_turn();
    begin_proof();
  }
  drive();
  if (!stopped_) settle();
  if (!stopped_ && !blocked()) turn_snapshot();
  if (!alone() && !stopped_) tell_commits();
  if (!alone()) options_.outbox->flush();
  writer_.wake_when_tried(wants_disk());
  drained_ = true;
  return !solo() || blocked() || under_way() || !reads_.empty() || !keep_alives_.empty() || !entry_.empty() ||
         snapshots_.has_work() || writer_.busy();
}

// A member that was stalled has not missed ticks: it counts the time in which it could listen.
void Pump::tick_raft() {
  if (now_us_ - ticked_us_ < options_.tick_us) return;
  ticked_us_ = now_us_ - ticked_us_ < 2 * options_.tick_us ? ticked_us_ + options_.tick_us : now_us_;
  group_->tick();
}

void Pump::drive() {
  take_written();
  for (watch_leadership(); !stopped_ && (blocked() || group_->has_ready()); watch_leadership()) {
    if (!blocked()) {
      unwritten_.push_back(group_->ready());
      send_messages(unwritten_.front(), false);
    }
    if (writes_beside(unwritten_.front())) {
      begin_write();
      continue;
    }
    if (writer_.busy()) finish_writes();
    if (stopped_ || !take_in(unwritten_.front())) return;
    unwritten_.pop_front();
    group_->applied(applied_);
  }
  prepared_.reset();
  serve_if_started();
}

// Everything of a Ready in its order, the disk's part here and now. False: not yet, or never.
bool Pump::take_in(raft::Ready& ready) {
  if (base::mutant("answer_before_sync"))
    for (size_t i = 0; i < ready.entry_count(); ++i) apply(ready.entry(i));
  // What a leader's Ready decides is on disk already; its clients need not wait while new entries get there. Another
  // member acknowledges first: its leader waits for that.
  if (phase_ != Phase::kFollowing && ready.must_sync() && ready.committed_count() > 0) {
    apply_committed(ready);
    listener_.on_wait();
  }
  if (base::mutant("acknowledged_before_sync")) send_messages(ready, true);
  if (!persist(ready)) return false;
  if (!base::mutant("acknowledged_before_sync")) send_messages(ready, true);
  if (ready.has_snapshot()) install_snapshot(ready.snapshot());
  apply_committed(ready);
  if (!unfit_.empty()) return false;
  confirm_reads(ready);
  return true;
}

void Pump::apply_committed(const raft::Ready& ready) {
  for (size_t i = 0; i < ready.committed_count() && unfit_.empty(); ++i)
    if (ready.committed(i).index > applied_) apply(ready.committed(i));
}

void Pump::confirm_reads(const raft::Ready& ready) {
  for (size_t i = 0; i < ready.read_count(); ++i) proofs_.confirmed(ready.read(i).context, ready.read(i).index);
}

// A leader's may leave before its own disk has the entries: then the others write while it writes.
void Pump::send_messages(const raft::Ready& ready, bool late) {
  if (alone()) return;
  const size_t n = late ? ready.late_message_count() : ready.message_count();
  for (size_t i = 0; i < n; ++i) {
    const raft::MessageView m = late ? ready.late_message(i) : ready.message(i);
    const auto to = static_cast<uint32_t>(m.to);
    if (m.commit != 0) commits_.told(to, m.commit);
    if (!m.snapshot) {
      options_.outbox->send(to, encode_raft(chars(m.wire)));
      continue;
    }
    const raft::GroupStatus s = group_->status();
    auto offer = sender_.offer(to, {s.snapshot_index, s.snapshot_term, {}}, chars(m.wire), now_us_);
    if (offer.ok() && peers_.is_up(to)) {
      options_.outbox->send(to, *offer);
      continue;
    }
    sender_.end(to);
    group_->report_snapshot(m.to, false);
  }
  if (n > 0 && ready.must_sync()) options_.outbox->flush();
}

bool Pump::persist(raft::Ready& ready) {
  const bool syncs = ready.must_sync();
  const int64_t before_us = syncs ? clock_.mono_us() : 0;
  switch (group_->persist(ready)) {
    case raft::Persisted::kDone:
      wrote(syncs, syncs ? clock_.mono_us() - before_us : 0);
      return true;
    case raft::Persisted::kNoSpace:
      no_room();
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
  replaying_ = entry.index <= replay_end_;
  if (entry.kind != raft::EntryKind::kPayload) return apply_members(entry);
  if (entry.data.empty()) {
    if (phase_ == Phase::kElected && entry.term == term_) lead_begins();
    if (!replaying_) listener_.on_term(entry.term);
    return;
  }
  listener_.on_entry(entry.index, entry.term, chars(entry.data), replaying_);
  const uint32_t level = machine_->level();
  const base::Status status = machine_->apply(chars(entry.data), *this);
  CLEAT_CHECK(status.ok(), "an entry of the log is none of ours: was it written by a newer version of cleat?");
  if (machine_->level() != level) level_rose();
}

void Pump::level_rose() {
  const uint32_t level = machine_->level();
  if (level <= options_.level) {
    if (!replaying_)
      listener_.on_log(1, "all members know it: feature level " + std::to_string(level) + " is in force");
    return;
  }
  unfit_ = too_old_error(level, options_.level);
  stopped_ = true;
  listener_.on_unfit(unfit_);
}

void Pump::apply_members(const raft::EntryView& entry) {
  const std::string context = group_->change_context(entry.data);
  CLEAT_CHECK(!group_->apply_members(entry.data).empty(), "a change of the membership in the log can be read");
  if (!context.empty()) {
    const auto change = decode_member_change(context);
    CLEAT_CHECK(change.ok(), "a change of the list of members in the log can be read");
    if (change->kind != MemberChange::Kind::kRemove) members_.apply(*change);
  }
  ids_ = group_->member_ids();
  // Who goes stays in the list, and so connected, until the joint membership is left: its vote may be needed for that.
  const std::vector<Member> listed = members_.all();
  for (const Member& m : listed)
    if (!ids_.contains(m.id)) members_.apply({MemberChange::Kind::kRemove, m});
  note_members();
}

void Pump::note_members() {
  ids_ = group_->member_ids();
  for (auto it = peers_.all().begin(); it != peers_.all().end();) {
    const uint32_t id = it++->first;
    if (members_.find(id) == nullptr && id < members_.next_id()) peers_.forget(id);
  }
  std::erase_if(strangers_, [&](const auto& s) { return s.first < members_.next_id(); });
  Members reached = members_;
  for (const auto& [id, member] : strangers_) reached.apply({MemberChange::Kind::kAddLearner, member});
  listener_.on_members(reached);
}

void Pump::install_snapshot(const raft::SnapshotMark& mark) {
  CLEAT_CHECK(prepared_ && prepared_->index == mark.index, "Raft takes over only the snapshot that was loaded");
  snapshots_.abandon(*machine_);
  freeing_ = std::async(own_thread(),
                        [old = std::exchange(machine_, std::move(prepared_->machine))]() mutable { old.reset(); });
  members_ = std::move(prepared_->members);
  prepared_.reset();
  applied_ = mark.index;
  applied_term_ = mark.term;
  liveness_ = {};
  if (!base::mutant("installed_sessions_forgotten"))
    machine_->each_session(
        [&](base::SessionId id, lock::By, int64_t ttl_ms) { liveness_.opened(id, ttl_ms, machine_->log_ms()); });
  ++status_.snapshots_installed;
  log_floor_bytes_ = 0;
  group_->applied(applied_);
  listener_.on_log(2, "a snapshot of entry " + std::to_string(mark.index) + " took the place of this member's state");
  listener_.on_state_replaced();
  note_members();
}

void Pump::watch_leadership() {
  const raft::GroupStatus s = group_->status();
  const bool leads = s.role == raft::Role::kLeader;
  const uint32_t leader = leads ? 0 : static_cast<uint32_t>(s.leader);
  if (phase_ != Phase::kFollowing && (!leads || s.term != term_)) leadership_lost();
  if (s.term != term_ || leader != leader_) {
    if (phase_ == Phase::kFollowing) proofs_.drop();
    status_.elections += s.term != term_;
    leader_ = leader;
  }
  term_ = s.term;
  if (leads && phase_ == Phase::kFollowing) {
    phase_ = Phase::kElected;
    proofs_.drop();
    commits_.clear();
    takings_.clear();
    ended_boots_.clear();
    if (base::mutant("lead_before_noop")) lead_begins();
  }
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
  forward_inbox_.clear();
  ending_boots_.clear();
  slow_syncs_ = 0;
  levels_.not_asked();
  proposed_index_ = 0;
  held_back_ = false;
  std::erase_if(reads_, [](const WaitingRead& r) { return r.member != 0; });
  for (auto* waiting : {&keep_alives_, &barred_}) {
    for (const WaitingKeepAlive& k : *waiting)
      if (k.member == 0) listener_.on_keep_alive(k.cookie, {}, Trouble::kNoQuorum);
    waiting->clear();
  }
  fail_changes({base::Code::kUnavailable, "this member stopped leading: ask again who the members are"});
  ++status_.stepped_down;
  if (served) listener_.on_leadership(false, term_);
}

void Pump::on_outcome(const lock::Outcome& o) {
  if (!replaying_ && o.to.connection != 0 && o.to.member == options_.member && o.to.boot == boot_)
    listener_.on_outcome(o);
  if (o.to.member != options_.member && phase_ != Phase::kFollowing) commits_.wanted(o.to.member, applied_);
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
    if (snapshots_.finished() != snapshots_seen_) {
      snapshots_seen_ = snapshots_.finished();
      log_floor_bytes_ = s.log_bytes;
    }
    const bool large = s.log_bytes >= log_floor_bytes_ + options_.snapshot_log_bytes;
    const bool wanted = (large || s.snapshot_wanted) && now_us_ >= snapshot_after_us_;
    if ((!wanted && !snapshot_asked_) || applied_ <= s.snapshot_index) return;
    snapshot_asked_ = false;
    snapshot_after_us_ = now_us_ + kSnapshotPauseUs;
    // Others may lag a little: entries since the snapshot before this one stay for them.
    const uint64_t first_kept = alone() || members_.all().size() == 1 ? applied_ + 1 : s.snapshot_index + 1;
    snapshots_.begin(*machine_, {applied_, applied_term_, group_->members()}, members_, first_kept);
  }
  snapshots_.turn(*machine_, *group_, clock_);
}

std::optional<int64_t> Pump::next_wake_us() const {
  if (stopped_) return std::nullopt;
  if (writer_.due()) return now_us_;
  if (blocked()) return now_us_ + kRetryUs;
  if (snapshots_.has_work()) return now_us_;
  // Among several, all of these wait for a message or a tick.
  if (solo() && (!entry_.empty() || !reads_.empty() || !keep_alives_.empty() || !barred_.empty() ||
                 liveness_.tickets() || under_way() || phase_ == Phase::kStarting))
    return now_us_;
  if (group_->has_ready() || receiver_.whole() || loaded()) return now_us_;
  int64_t wake_us = ticked_us_ + options_.tick_us;
  if (phase_ != Phase::kFollowing) wake_us = std::min(wake_us, commits_.next_wake_us().value_or(wake_us));
  const auto due = [&](std::optional<int64_t> log_ms) {
    if (log_ms && log_clock_.leading()) wake_us = std::min(wake_us, now_us_ + *log_ms * 1000 - log_clock_.now_us());
  };
  // What is due can't be proposed now: a message or a tick tells when it can.
  if (!held_back_) due(liveness_.next_ms());
  if (!held_back_ && !under_way()) due(machine_->next_due_ms());
  return std::max(wake_us, now_us_);
}

}  // namespace cleat::replica
