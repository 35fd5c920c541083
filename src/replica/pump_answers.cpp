// Reads and keep-alives: what is answered without an entry of its own, after a proof of leadership.
#include <algorithm>

#include "replica/pump.hpp"

namespace cleat::replica {
namespace {

// They stand in the order of their rounds.
template <class T>
void take_settled(std::vector<T>& from, uint64_t settled, std::vector<T>& to) {
  const auto waits = std::find_if(from.begin(), from.end(), [&](const T& t) { return t.round > settled; });
  to.insert(to.end(), from.begin(), waits);
  from.erase(from.begin(), waits);
}

}  // namespace

void Pump::read(uint64_t cookie) {
  reads_.push_back({proofs_.round_for_new(), cookie, 0, now_us_});
}

void Pump::keep_alive(const KeepAlive& k) {
  if (phase_ == Phase::kServing) return keep_alive_from(0, k);
  asked_keep_alives_[++last_asked_] = {k.cookie, k.session, k.epoch, std::string(k.key), now_us_, 0, 0};
}

void Pump::keep_alive_from(uint32_t member, const KeepAlive& k) {
  const bool known = knows(k);
  if (known) heard_.push_back({k.session, 0});
  keep_alives_.push_back({proofs_.round_for_new(), k.cookie, k.session, k.epoch, known, member});
  if (!known) return;
  // Behind a bar: ask for what lifts it in this turn's entry already.
  if (const auto state = machine_->session_state(k.session); state && liveness_.barred(k.session, *state, applied_))
    liveness_.want_heard(k.session);
}

bool Pump::knows(const KeepAlive& k) const {
  const auto state = machine_->session_state(k.session);
  return state && state->key == k.key && (k.epoch == kAnyEpoch || k.epoch == state->epoch);
}

// The listener may ask again from its calls, so that what is settled leaves its list first.
void Pump::settle() {
  for (const auto came = std::exchange(came_keep_alives_, {}); const CameKeepAlive& k : came)
    listener_.on_keep_alive(k.cookie, k.answer, Trouble::kNone);
  give_up_waiting();
  if (phase_ != Phase::kServing && phase_ != Phase::kFollowing) return;
  const uint64_t settled = proofs_.settled_round(applied_);
  settled_reads_.clear();
  take_settled(reads_, settled, settled_reads_);
  settled_keep_alives_.assign(barred_.begin(), barred_.end());
  barred_.clear();
  take_settled(keep_alives_, settled, settled_keep_alives_);
  for (const WaitingRead& r : settled_reads_) {
    if (r.member == 0) {
      listener_.on_read(r.cookie, Trouble::kNone);
    } else {
      options_.outbox->send(r.member, encode(ReadAnswer{term_, r.cookie, applied_}));
      commits_.wanted(r.member, applied_);
    }
  }
  for (const WaitingKeepAlive& k : settled_keep_alives_) {
    if (answer_keep_alive(k)) continue;
    barred_.push_back(k);
    liveness_.want_heard(k.session);
  }
  answer_members();
}

void Pump::answer_members() {
  for (auto& [member, answers] : keep_alive_answers_) {
    answers.term = term_;
    answers.clock_us = static_cast<uint64_t>(now_us_);
    options_.outbox->send(member, encode(answers));
  }
  keep_alive_answers_.clear();
}

bool Pump::answer_keep_alive(const WaitingKeepAlive& k) {
  KeepAliveAnswer answer;
  const auto state = machine_->session_state(k.session);
  if (k.known && state && (k.epoch == kAnyEpoch || k.epoch == state->epoch)) {
    if (liveness_.barred(k.session, *state, applied_)) return false;
    answer = {.alive = true, .ttl_ms = state->ttl_ms, .losses = state->losses, .clock_us = now_us_, .term = term_};
  }
  if (k.member != 0) {
    keep_alive_answers_[k.member].items.push_back(
        {k.cookie, answer.alive, static_cast<uint64_t>(answer.ttl_ms), answer.losses});
    return true;
  }
  ++(answer.alive ? status_.keep_alives_answered : status_.keep_alives_missed);
  listener_.on_keep_alive(k.cookie, answer, Trouble::kNone);
  return true;
}

// A read or keep-alive without an answer for so long finds no leader; nothing was done.
void Pump::give_up_waiting() {
  if (phase_ == Phase::kServing && solo()) return;
  const int64_t before_us = now_us_ - options_.patience_us;
  settled_reads_.clear();
  std::erase_if(reads_, [&](const WaitingRead& r) {
    if (r.since_us > before_us) return false;
    settled_reads_.push_back(r);
    return true;
  });
  for (const WaitingRead& r : settled_reads_)
    if (r.member == 0) listener_.on_read(r.cookie, Trouble::kNoQuorum);
  std::vector<uint64_t> cookies;
  std::erase_if(asked_keep_alives_, [&](const auto& asked) {
    if (asked.second.since_us > before_us) return false;
    cookies.push_back(asked.second.cookie);
    return true;
  });
  for (const uint64_t cookie : cookies) listener_.on_keep_alive(cookie, {}, Trouble::kNoQuorum);
}

}  // namespace cleat::replica
