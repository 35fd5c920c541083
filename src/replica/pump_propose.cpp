// What one turn puts into the log: one entry with the clients' runs first and the leader's own commands behind them.
#include <algorithm>
#include <span>

#include "base/mutant.hpp"
#include "replica/pump.hpp"

namespace cleat::replica {
namespace {

lock::Command command(lock::Verb verb) {
  lock::Command c;
  c.verb = verb;
  return c;
}

}  // namespace

Trouble Pump::begin_run(const base::ConnectionRef& from) {
  if (stopped_ || (phase_ != Phase::kServing && !can_forward())) return Trouble::kNoQuorum;
  if (entry_.size() >= options_.max_entry_bytes) return busy();
  if (forwards_.full()) return Trouble::kNoQuorum;
  entry_term_ = term_;
  entry_.begin_run(from);
  return Trouble::kNone;
}

// This turn's entry is full: the next turn comes at once, unless it would be full as well.
Trouble Pump::busy() const {
  return blocked() || held_back_ ? Trouble::kNoQuorum : Trouble::kBusy;
}

// What is said again takes none: it was taken the first time, and its answer must not be another one now.
bool Pump::takes_room(const lock::Command& c) const {
  const bool may = c.verb == lock::Verb::kLock || c.verb == lock::Verb::kOpenSession || c.verb == lock::Verb::kPut;
  return may && !machine_->knows(c);
}

Trouble Pump::add(const lock::Command& c) {
  if (stopped_ || (phase_ != Phase::kServing && !can_forward())) return Trouble::kNoQuorum;
  if (phase_ != Phase::kServing) {
    const PeerBook::Peer* leader = peers_.find(leader_);
    if (leader != nullptr && leader->disk_full && takes_room(c)) return Trouble::kDiskFull;
  } else {
    // Whoever is refused has been heard all the same.
    if (c.session && speaks_for(c) && !base::mutant("commands_not_heard")) heard_.push_back({c.session, 0});
    if ((space_.is_short() || log_full_) && takes_room(c)) return Trouble::kDiskFull;
  }
  if (entry_.size() >= options_.max_entry_bytes) return busy();
  entry_.add(c);
  return Trouble::kNone;
}

// A stranger who tries keys keeps nobody's session alive.
bool Pump::speaks_for(const lock::Command& c) const {
  if (c.verb != lock::Verb::kAttachSession) return true;
  const auto state = machine_->session_state(c.session);
  return state && state->key == c.key;
}

void Pump::vouch(base::SessionId session, int64_t silent_ms) {
  heard_.push_back({session, silent_ms});
}

void Pump::note_heard() {
  if (phase_ == Phase::kFollowing) return send_vouches();
  const int64_t heard_ms = log_clock_.heard_ms();
  for (const Heard& h : heard_) liveness_.heard(h.session, heard_ms - h.silent_ms);
  heard_.clear();
}

void Pump::propose_turn() {
  if (phase_ == Phase::kFollowing) return forward_turn();
  if (phase_ == Phase::kElected) return;
  if (phase_ == Phase::kServing) turn_members();
  held_back_ = group_->status().handing_over && !base::mutant("refused_proposal_remembered");
  if (held_back_) {
    status_.proposals_held += !entry_.empty();
    return;
  }
  // What comes while the disk is busy goes into one entry, unless that gets large.
  if (writer_.busy() && entry_.size() < options_.max_entry_bytes / 2) return;
  const size_t clients = entry_.commands();
  crowded_ = clients > 1;
  const auto before = entry_.mark();
  const bool own = add_own_commands();
  if (entry_.empty()) return entry_.clear();
  const std::string_view bytes = entry_.finish(log_clock_.stamp_ms(), clock_.wall_ms());
  if (!group_->propose(std::as_bytes(std::span(bytes)))) {
    if (base::mutant("refused_proposal_remembered")) {
      proposed_index_ = group_->status().last + 1;
      if (own) liveness_.proposed(proposed_index_);
      return entry_.clear();
    }
    // Not made, so nothing of it is remembered. The clients' runs wait for the next turn.
    entry_.cut(before);
    started_ = false;
    levels_.not_asked();
    ending_boots_.clear();
    ++status_.proposals_refused;
    held_back_ = true;
    if (own) liveness_.refused();
    return;
  }
  proposed_index_ = group_->status().last;
  if (own) liveness_.proposed(proposed_index_);
  boots_ended();
  status_.commands += clients;
  ++status_.entries;
  entry_.clear();
}

// True if liveness added something and must be told what became of it.
bool Pump::add_own_commands() {
  end_boots();
  entry_.begin_run({options_.member, boot_, 0});
  if (phase_ == Phase::kStarting) {
    if (!started_) add_start_commands();
    started_ = true;
    return false;
  }
  const bool own = liveness_.collect({.stamp_ms = log_clock_.stamp_ms(),
                                      .round = proofs_.next_round(),
                                      .proved_round = proofs_.proved_round(),
                                      .drained = drained_,
                                      .applied = applied_},
                                     *machine_, entry_);
  add_raise();
  if (entry_.empty() && tick_due()) entry_.add(command(lock::Verb::kTick));
  return own;
}

// A new leader tells the log what its configuration is.
void Pump::add_start_commands() {
  if (machine_->settings() != options_.settings) {
    std::string settings;
    lock::encode(options_.settings, settings);
    lock::Command c = command(lock::Verb::kConfigure);
    c.data = settings;
    entry_.add(c);
  }
  add_raise();
}

// The highest feature level that every member knows; 0 while one is not there to say.
uint32_t Pump::common_level() const {
  uint32_t level = options_.level;
  if (base::mutant("level_raised_alone")) return level;
  for (const Member& m : members_.all()) {
    if (m.id == options_.member) continue;
    const PeerBook::Peer* peer = peers_.find(m.id);
    if (peer == nullptr || !peer->up) return 0;
    level = std::min(level, peer->level);
  }
  return level;
}

void Pump::add_raise() {
  const bool fresh = machine_->revision().value == 0 || members_.all().size() == 1;
  const uint32_t level = levels_.look(common_level(), machine_->level(), fresh, now_us_);
  if (level == 0) return;
  lock::Command c = command(lock::Verb::kRaiseLevel);
  c.level = level;
  entry_.add(c);
  levels_.asked(level);
}

// Without ticks an idle log would keep a timer from ever being due, and a change of leader would take back all the time
// since the last entry.
bool Pump::tick_due() const {
  const auto due_ms = machine_->next_due_ms();
  if (!due_ms || under_way() || base::mutant("no_ticks")) return false;
  const int64_t stamp_ms = log_clock_.stamp_ms();
  return *due_ms <= stamp_ms || stamp_ms - machine_->log_ms() >= kTickEveryMs;
}

// A proof that a leader is asked for needs a name that no context of the engine has: those begin with a member's id.
raft::ReadContext Pump::asked_context(uint64_t round) {
  raft::ReadContext context{};
  context.fill(0xff);
  for (size_t i = 0; i < sizeof round; ++i) context[context.size() - 1 - i] = static_cast<uint8_t>(round >> (8 * i));
  return context;
}

void Pump::begin_proof() {
  const bool leads = phase_ == Phase::kServing;
  if (!leads && (phase_ != Phase::kFollowing || !can_forward())) return;
  const uint64_t begun = proofs_.begun_round();
  const bool wanted = (leads && liveness_.wants_proof(begun)) || (!reads_.empty() && reads_.back().round > begun) ||
                      (!keep_alives_.empty() && keep_alives_.back().round > begun);
  const bool lost = !proofs_.under_way(now_us_) &&
                    (!reads_.empty() || !keep_alives_.empty() || (leads && liveness_.tickets())) &&
                    proofs_.proved_round() < begun;
  if (!wanted && !lost) return;
  if (!leads) {
    const uint64_t round = begun + 1;
    options_.outbox->send(leader_, encode(ReadAsk{term_, round}));
    return proofs_.began(asked_context(round), now_us_);
  }
  if (const auto context = group_->read_index()) {
    proofs_.began(*context, now_us_);
    if (base::mutant("leads_unproved")) proofs_.confirmed(*context, applied_);
  }
}

}  // namespace cleat::replica
