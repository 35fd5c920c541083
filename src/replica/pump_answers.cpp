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
  reads_.push_back({proofs_.round_for_new(), cookie});
}

void Pump::keep_alive(const KeepAlive& k) {
  const bool known = knows(k);
  if (known) heard_.push_back({k.session, 0});
  keep_alives_.push_back({proofs_.round_for_new(), k.cookie, k.session, k.epoch, known});
  if (!known || phase_ != Phase::kServing) return;
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
  if (phase_ != Phase::kServing) return answer_all(Trouble::kNoQuorum);
  const uint64_t settled = proofs_.settled_round(applied_);
  settled_reads_.clear();
  take_settled(reads_, settled, settled_reads_);
  settled_keep_alives_.assign(barred_.begin(), barred_.end());
  barred_.clear();
  take_settled(keep_alives_, settled, settled_keep_alives_);
  for (const WaitingRead& r : settled_reads_) listener_.on_read(r.cookie, Trouble::kNone);
  for (const WaitingKeepAlive& k : settled_keep_alives_) {
    if (answer_keep_alive(k)) continue;
    barred_.push_back(k);
    liveness_.want_heard(k.session);
  }
}

bool Pump::answer_keep_alive(const WaitingKeepAlive& k) {
  KeepAliveAnswer answer;
  const auto state = machine_->session_state(k.session);
  if (k.known && state && (k.epoch == kAnyEpoch || k.epoch == state->epoch)) {
    if (liveness_.barred(k.session, *state, applied_)) return false;
    answer = {.alive = true, .ttl_ms = state->ttl_ms, .losses = state->losses};
  }
  ++(answer.alive ? status_.keep_alives_answered : status_.keep_alives_missed);
  listener_.on_keep_alive(k.cookie, answer, Trouble::kNone);
  return true;
}

void Pump::answer_all(Trouble trouble) {
  settled_reads_.swap(reads_);
  settled_keep_alives_.swap(keep_alives_);
  settled_keep_alives_.insert(settled_keep_alives_.end(), barred_.begin(), barred_.end());
  reads_.clear();
  keep_alives_.clear();
  barred_.clear();
  for (const WaitingRead& r : settled_reads_) listener_.on_read(r.cookie, trouble);
  for (const WaitingKeepAlive& k : settled_keep_alives_) listener_.on_keep_alive(k.cookie, {}, trouble);
  settled_reads_.clear();
  settled_keep_alives_.clear();
}

}  // namespace cleat::replica
