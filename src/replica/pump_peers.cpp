// What other members say, and what is said to them beside Raft's own messages.
#include <cstdlib>
#include <span>

#include "base/mutant.hpp"
#include "replica/pump.hpp"

namespace cleat::replica {
namespace {

constexpr int64_t kStateEveryUs = 200'000;
constexpr int64_t kComplainEveryUs = 10'000'000;
constexpr int64_t kHandOverEveryUs = 5'000'000;
constexpr int64_t kWarnEveryUs = 600'000'000;
constexpr int kSlowSyncs = 4;
constexpr size_t kMostAskedAtOnce = 100'000;

// Of what a member may put into another's log in the name of its clients.
bool may_be_forwarded(lock::Verb verb) {
  switch (verb) {
    case lock::Verb::kTick:
    case lock::Verb::kConfigure:
    case lock::Verb::kBootEnded:
    case lock::Verb::kMark:
    case lock::Verb::kHeard:
    case lock::Verb::kExpire:
    case lock::Verb::kRaiseLevel:
      return false;
    default:
      return true;
  }
}

template <class T, class Take>
bool taken(std::string_view message, const Take& take) {
  T m;
  if (!decode(message, m)) return false;
  take(m);
  return true;
}

}  // namespace

void Pump::receive(uint32_t member, std::string_view message) {
  if (stopped_ || member == options_.member) return;
  // Unknown ids may be of members that joined while this one was away.
  if (members_.find(member) == nullptr && member < members_.next_id()) return;
  const auto dispatch = [&] {
    switch (kind_of(message)) {
      case PeerKind::kRaft:
        step_raft(member, message.substr(1));
        return true;
      case PeerKind::kForward:
        return taken<Forward>(message, [&](const Forward& m) {
          if (m.term == group_->status().term || base::mutant("forward_of_old_term"))
            forward_inbox_.emplace_back(member, message);
        });
      case PeerKind::kForwardSeen:
        return taken<ForwardSeen>(message, [&](const ForwardSeen& m) { forwards_.seen(m); });
      case PeerKind::kReadAsk:
        return taken<ReadAsk>(message, [&](const ReadAsk& m) { took(member, m); });
      case PeerKind::kReadAnswer:
        return taken<ReadAnswer>(message, [&](const ReadAnswer& m) { took(m); });
      case PeerKind::kKeepAliveAsk:
        return taken<KeepAliveAsk>(message, [&](const KeepAliveAsk& m) { took(member, m); });
      case PeerKind::kKeepAliveAnswer:
        return taken<KeepAliveAnswers>(message, [&](const KeepAliveAnswers& m) { took(m); });
      case PeerKind::kVouch:
        return taken<Vouches>(message, [&](const Vouches& m) { took(m); });
      case PeerKind::kState:
        return taken<PeerState>(message, [&](const PeerState& m) {
          peers_.said(member, m, clock_.mono_us());
          meet(member, m);
        });
      case PeerKind::kSnapshotOffer:
        return taken<SnapshotOffer>(message, [&](const SnapshotOffer& m) { took(member, m); });
      case PeerKind::kSnapshotGet:
        return taken<SnapshotGet>(message, [&](const SnapshotGet& m) {
          if (const auto piece = sender_.piece(member, m, now_us_)) options_.outbox->send(member, *piece);
        });
      case PeerKind::kSnapshotPiece:
        return taken<SnapshotPiece>(message, [&](const SnapshotPiece& m) { took(member, m); });
      case PeerKind::kCommitted:
        return taken<Committed>(message, [&](const Committed& m) { took(member, m); });
      case PeerKind::kSnapshotDone:
        return taken<SnapshotDone>(message, [&](const SnapshotDone& m) {
          if (sender_.end(member, m.index) && !base::mutant("snapshot_not_reported"))
            group_->report_snapshot(member, m.ok);
        });
    }
    return false;
  };
  if (dispatch()) return peers_.heard(member, now_us_);
  complain("member " + std::to_string(member) + " sent something that cannot be read: is it of another version?");
}

void Pump::complain(const std::string& line) {
  if (now_us_ - complained_us_ < kComplainEveryUs && complained_us_ != 0) return;
  complained_us_ = now_us_;
  listener_.on_log(3, line);
}

void Pump::step_raft(uint32_t member, std::string_view wire, uint64_t snapshot_index) {
  const raft::Dropped dropped = group_->step(member, std::as_bytes(std::span(wire)), snapshot_index);
  if (dropped == raft::Dropped::kCommitPastLog) complain_of_loss(member);
}

void Pump::complain_of_loss(uint32_t member) {
  complain("member " + std::to_string(member) + " or this one lost entries of the log that it had acknowledged: " +
           "was a disk restored? Remove the member whose disk is older, and add it again with an empty directory");
}

void Pump::peer_up(uint32_t member, uint32_t boot, uint32_t level) {
  peers_.up(member, boot, level);
  commits_.forget(member);
  tell_state(member);
  // What was under way on the connection before this one may be lost.
  if (member == leader_ && phase_ == Phase::kFollowing && forwards_.any()) {
    ++status_.forwards_again;
    forwards_.again(term_, now_us_, [&](const std::string& m) { options_.outbox->send(member, m); });
  }
}

void Pump::peer_down(uint32_t member) {
  peers_.down(member);
  commits_.forget(member);
  group_->report_unreachable(member);
}

void Pump::tell_state(uint32_t member) {
  const int64_t now_us = clock_.mono_us();
  PeerState s;
  s.level = options_.level;
  s.applied = applied_;
  s.disk_full = space_.is_short() || log_full_;
  s.client_address = options_.client_address;
  s.version = options_.version;
  s.sent_us = static_cast<uint64_t>(now_us);
  if (const Member* own = members_.find(options_.member)) {
    s.name = own->name;
    s.address = own->address;
  }
  peers_.echo(member, now_us, s);
  options_.outbox->send(member, encode(s));
}

// It joined while this member was away: until the log tells so, its own word does. Otherwise a member that was away
// while all that it knew were replaced could never answer the leader.
void Pump::meet(uint32_t member, const PeerState& s) {
  if (s.address.empty() || member < members_.next_id() || members_.find(options_.member) == nullptr) return;
  Member met{member, std::string(s.name), std::string(s.address)};
  Member& known = strangers_[member];
  strangers_came_ |= known != met;
  known = std::move(met);
}

void Pump::turn_peers() {
  if (std::exchange(strangers_came_, false)) note_members();
  // Asked while there was nobody to ask: this member leads now.
  if (phase_ == Phase::kServing && !asked_keep_alives_.empty())
    for (const auto asked = std::exchange(asked_keep_alives_, {}); const auto& [number, k] : asked)
      keep_alive({k.cookie, k.session, k.key, k.epoch});
  turn_transfers();
  if (now_us_ - told_state_us_ >= kStateEveryUs) {
    told_state_us_ = now_us_;
    for (const auto& [member, peer] : peers_.all())
      if (peer.up) tell_state(member);
    hand_over_if_ailing();
    warn_of_clocks();
  }
}

// Promise 3 rests on the margin: half of it is where somebody should look (time.md "Rates are watched").
void Pump::warn_of_clocks() {
  const int64_t half_ppm = machine_->settings().margin_ppm / 2;
  const int64_t worst_ppm = std::llabs(peers_.worst_clock_ppm());
  status_.clock_warning = worst_ppm > half_ppm;
  if (!status_.clock_warning || (warned_us_ != 0 && now_us_ - warned_us_ < kWarnEveryUs)) return;
  warned_us_ = now_us_;
  for (const auto& [id, peer] : peers_.all()) {
    if (std::llabs(peer.clock.ppm()) <= half_ppm) continue;
    const Member* member = members_.find(id);
    listener_.on_log(3, "the clock of " + (member == nullptr ? "member " + std::to_string(id) : member->name) +
                            " runs " + std::to_string(std::llabs(peer.clock.ppm())) + " millionths " +
                            (peer.clock.ppm() > 0 ? "faster" : "slower") +
                            " than this one's, which is more than half of margin-ppm (" + std::to_string(2 * half_ppm) +
                            "): look which of the two is wrong, and replace that machine");
  }
}

void Pump::took(uint32_t member, const ReadAsk& ask) {
  if (phase_ != Phase::kServing || ask.term != term_) return;
  reads_.push_back({proofs_.round_for_new(), ask.round, member, now_us_});
}

void Pump::took(const ReadAnswer& answer) {
  const uint64_t index = base::mutant("read_before_apply") ? 0 : answer.index;
  if (phase_ == Phase::kFollowing && answer.term == term_) proofs_.confirmed(asked_context(answer.round), index);
}

void Pump::took(uint32_t member, const KeepAliveAsk& ask) {
  if (phase_ != Phase::kServing || ask.term != term_ || keep_alives_.size() > kMostAskedAtOnce) return;
  for (const KeepAliveAsk::Item& i : ask.items)
    keep_alive_from(member, {i.number, base::SessionId{i.session}, i.key, i.epoch});
}

void Pump::took(const KeepAliveAnswers& answers) {
  if (answers.term != term_) return;
  for (const KeepAliveAnswers::Item& i : answers.items) {
    const auto asked = asked_keep_alives_.extract(i.number);
    if (asked.empty()) continue;
    ++(i.alive ? status_.keep_alives_answered : status_.keep_alives_missed);
    came_keep_alives_.push_back(
        {asked.mapped().cookie,
         {i.alive, static_cast<int64_t>(i.ttl_ms), i.losses, static_cast<int64_t>(answers.clock_us), answers.term}});
  }
}

void Pump::took(const Vouches& vouches) {
  if (phase_ != Phase::kServing || vouches.term != term_) return;
  for (const Vouches::Item& i : vouches.items)
    if (i.silent_ms < INT32_MAX) heard_.push_back({base::SessionId{i.session}, static_cast<int64_t>(i.silent_ms)});
}

// In order; what does not fit into this turn's entry stays.
void Pump::take_forwards() {
  std::map<uint32_t, bool> seen;
  while (!forward_inbox_.empty() && entry_.size() < options_.max_entry_bytes) {
    const auto [member, message] = std::move(forward_inbox_.front());
    forward_inbox_.pop_front();
    Forward f;
    if (!decode(message, f) || (f.term != term_ && !base::mutant("forward_of_old_term"))) continue;
    seen[member] = true;
    if (!takings_.take(member, f.number, f.oldest)) continue;
    if (!take_forward(member, f)) complain("member " + std::to_string(member) + " forwarded what is no command");
  }
  if (!forward_inbox_.empty()) drained_ = false;
  for (const auto& [member, any] : seen)
    options_.outbox->send(member, encode(ForwardSeen{term_, takings_.last(member)}));
}

bool Pump::take_forward(uint32_t member, const Forward& f) {
  lock::EntryReader reader(f.runs);
  base::ConnectionRef from;
  while (reader.next_run(from)) {
    // A connection of another member, or of a boot of it that is over, asks for nothing here. A newer boot than the one
    // that this leader has dialed is one that it will dial soon.
    if (from.member != member || from.boot != boot_of_number(f.number) || from.boot < peers_.boot(member)) continue;
    entry_term_ = term_;
    entry_.begin_run(from);
    lock::Command c;
    while (reader.next_command(c)) {
      if (!may_be_forwarded(c.verb) || lock::required_level(c) > machine_->level()) return false;
      if (c.session && speaks_for(c) && !base::mutant("commands_not_heard")) heard_.push_back({c.session, 0});
      entry_.add(c);
    }
  }
  return reader.ok();
}

// Each boot that is over is told to the log once by each leader: what its connections waited for is cancelled.
void Pump::end_boots() {
  ending_boots_.clear();
  if (base::mutant("boot_not_ended")) return;
  const auto end = [&](uint32_t member, uint32_t boot) {
    if (boot == 0 || ended_boots_[member] >= boot) return;
    lock::Command c;
    c.verb = lock::Verb::kBootEnded;
    entry_.begin_run({member, boot, 0});
    entry_.add(c);
    ending_boots_[member] = boot;
  };
  if (boot_ > 1) end(options_.member, boot_ - 1);
  for (const auto& [member, peer] : peers_.all())
    if (peer.boot > 1) end(member, peer.boot - 1);
}

void Pump::boots_ended() {
  for (const auto& [member, boot] : ending_boots_) ended_boots_[member] = boot;
  ending_boots_.clear();
}

void Pump::took(uint32_t member, const SnapshotOffer& offer) {
  if (offer.index <= applied_)
    return step_raft(member, offer.wire, offer.index), answer_snapshot(member, offer.index, true);
  if (loading_ && loading_->whole.index == offer.index) {  // by another leader now
    loading_->whole.from = member;
    loading_->whole.wire = offer.wire;
    return;
  }
  if (const base::Status s = receiver_.offered(member, offer, now_us_); !s.ok()) {
    complain("a snapshot cannot be received: " + s.message());
    answer_snapshot(member, offer.index, false);
  }
}

void Pump::took(uint32_t member, const SnapshotPiece& piece) {
  if (const base::Status s = receiver_.came(member, piece, now_us_); !s.ok()) {
    complain("a snapshot was not received: " + s.message());
    answer_snapshot(member, piece.index, false);
  }
}

void Pump::answer_snapshot(uint32_t member, uint64_t index, bool ok) {
  options_.outbox->send(member, encode(SnapshotDone{index, ok}));
}

void Pump::turn_transfers() {
  for (const uint32_t member : sender_.overdue(now_us_)) {
    sender_.end(member);
    group_->report_snapshot(member, false);
  }
  const uint32_t from = receiver_.from();
  const uint64_t index = receiver_.index();
  receiver_.ask(now_us_, [&](uint32_t to, const std::string& m) { options_.outbox->send(to, m); });
  if (blocked()) return;
  if (loaded()) use_snapshot();
  if (loading_) return;
  auto whole = receiver_.take_whole();
  if (!whole) return;
  if (whole->ok()) return load_snapshot(**std::move(whole));
  complain("a received snapshot is not used: " + whole->status().message());
  answer_snapshot(from, index, false);
}

void Pump::load_snapshot(SnapshotReceiver::Whole whole) {
  Loading& l = loading_.emplace(Loading{std::move(whole), std::make_unique<lock::Machine>(), {}});
  l.done = std::async(own_thread(), [this, path = l.whole.path, machine = l.machine.get()] {
    return snapshots_.load_file(path, *machine);
  });
}

void Pump::use_snapshot() {
  auto loaded = loading_->done.get();
  Loading l = *std::exchange(loading_, std::nullopt);
  if (!loaded.ok()) {
    complain("a received snapshot is not used: " + loaded.status().message());
    return answer_snapshot(l.whole.from, l.whole.index, false);
  }
  prepared_ = Prepared{l.whole.index, std::move(l.machine), std::move(loaded->members)};
  step_raft(l.whole.from, l.whole.wire, l.whole.index);
  answer_snapshot(l.whole.from, l.whole.index, true);
}

// A leader that can't write, or writes slowly, holds all others up.
void Pump::hand_over_if_ailing() {
  const bool ailing = space_.is_short() || slow_syncs_ >= kSlowSyncs;
  if (phase_ != Phase::kServing || !ailing || now_us_ - handed_over_us_ < kHandOverEveryUs) return;
  const uint32_t to = best_successor();
  if (to == 0) return;
  handed_over_us_ = now_us_;
  slow_syncs_ = 0;
  listener_.on_log(3, std::string(space_.is_short() ? "little free space" : "a slow disk") +
                          ": leadership is handed over to member " + std::to_string(to));
  group_->transfer(to);
}

std::vector<PeerStatus> Pump::peers() const {
  std::vector<PeerStatus> out;
  for (const Member& m : members_.all()) {
    if (m.id == options_.member) continue;
    PeerStatus s;
    s.id = m.id;
    s.voter = ids_.is_voter(m.id);
    if (const auto p = group_->progress(m.id); p && phase_ != Phase::kFollowing) s.match = p->match;
    s.snapshot_percent = sender_.percent(m.id);
    if (const PeerBook::Peer* peer = peers_.find(m.id)) {
      s.up = peer->up;
      s.boot = peer->boot;
      s.level = peer->level;
      s.applied = peer->applied;
      s.client_address = peer->client_address;
      s.version = peer->version;
      s.heard_us_ago = peer->heard_us < 0 ? -1 : now_us_ - peer->heard_us;
      s.round_trip_us = peer->round_trip_us;
      s.clock_ppm = peer->clock.ppm();
    }
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace cleat::replica
