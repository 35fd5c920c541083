#include "testing/memory_replica.hpp"

#include <algorithm>
#include <string>

#include "base/check.hpp"

namespace cleat::testing {
namespace {

constexpr uint32_t kMember = 1;

lock::Command command(lock::Verb verb, base::SessionId session = {}) {
  lock::Command c;
  c.verb = verb;
  c.session = session;
  return c;
}

}  // namespace

MemoryReplica::MemoryReplica(replica::Clock& clock) : clock_(clock) {
  still_us_ = clock.mono_us();  // its log begins at 0
}

void MemoryReplica::begin_boot(replica::Listener& listener) {
  listener_ = &listener;
  builder_.clear();
  reads_.clear();
  keep_alives_.clear();
  if (boot_ > 0) {
    builder_.begin_run({kMember, boot_, 0});
    builder_.add(command(lock::Verb::kBootEnded));
  }
  ++boot_;
  liveness_->lead(machine_->log_ms());
}

void MemoryReplica::restore() {
  machine_->begin_incarnation(
      {.above = machine_->last_fence(), .numbers = machine_->revision().value, .wall_ms = clock_.wall_ms()});
  liveness_ = std::make_unique<replica::Liveness>();
}

void MemoryReplica::expire(base::SessionId id) {
  builder_.begin_run({kMember, boot_, 0});
  builder_.add(command(lock::Verb::kExpire, id));
}

replica::Trouble MemoryReplica::begin_run(const base::ConnectionRef& from) {
  builder_.begin_run(from);
  return replica::Trouble::kNone;
}

replica::Trouble MemoryReplica::add(const lock::Command& c) {
  if (c.session) {
    const auto state = machine_->session_state(c.session);
    const bool stranger = c.verb == lock::Verb::kAttachSession && !(state && state->key == c.key);
    if (!stranger) heard(c.session, 0);
  }
  builder_.add(c);
  return replica::Trouble::kNone;
}

void MemoryReplica::heard(base::SessionId id, int64_t silent_ms) {
  liveness_->heard(id, (log_us() + 999) / 1000 - silent_ms);
}

void MemoryReplica::vouch(base::SessionId id, int64_t silent_ms) {
  heard(id, silent_ms);
}

void MemoryReplica::keep_alive(const replica::KeepAlive& k) {
  const auto state = machine_->session_state(k.session);
  const bool known = state && state->key == k.key && (k.epoch == replica::kAnyEpoch || k.epoch == state->epoch);
  keep_alives_.push_back({k.cookie, k.session, known});
  if (!known) return;
  heard(k.session, 0);
  if (liveness_->barred(k.session, *state, applied_)) liveness_->want_heard(k.session);
}

bool MemoryReplica::step() {
  const int64_t stamp_ms = log_us() / 1000;
  builder_.begin_run({kMember, boot_, 0});
  // One member needs no proof of leadership: every round is proved.
  const bool own =
      liveness_->collect({.stamp_ms = stamp_ms, .proved_round = UINT64_MAX, .applied = applied_}, *machine_, builder_);
  ++applied_;
  if (own) liveness_->proposed(applied_);
  // Copied, since the listener may add to the next one meanwhile. Also without a command: so that what is due happens.
  const std::string entry(builder_.finish(stamp_ms, clock_.wall_ms()));
  builder_.clear();
  CLEAT_CHECK(machine_->apply(entry, *this).ok(), "an entry of our own can be applied");
  for (const uint64_t cookie : std::exchange(reads_, {})) listener_->on_read(cookie, replica::Trouble::kNone);
  answer_keep_alives();
  return true;
}

void MemoryReplica::answer_keep_alives() {
  std::vector<WaitingKeepAlive> barred;
  for (const WaitingKeepAlive& k : std::exchange(keep_alives_, {})) {
    replica::KeepAliveAnswer answer;
    const auto state = machine_->session_state(k.session);
    if (k.known && state) {
      if (liveness_->barred(k.session, *state, applied_)) {
        liveness_->want_heard(k.session);
        barred.push_back(k);
        continue;
      }
      answer = {
          .alive = true, .ttl_ms = state->ttl_ms, .losses = state->losses, .clock_us = clock_.mono_us(), .term = 1};
    }
    listener_->on_keep_alive(k.cookie, answer, replica::Trouble::kNone);
  }
  keep_alives_.insert(keep_alives_.end(), barred.begin(), barred.end());
}

std::optional<int64_t> MemoryReplica::next_wake_us() const {
  if (!builder_.empty() || !reads_.empty() || !keep_alives_.empty() || liveness_->tickets()) return clock_.mono_us();
  std::optional<int64_t> wake_ms = machine_->next_due_ms();
  if (const auto check_ms = liveness_->next_ms()) wake_ms = std::min(wake_ms.value_or(INT64_MAX), *check_ms);
  if (!wake_ms) return std::nullopt;
  return *wake_ms * 1000 + still_us_;
}

replica::Status MemoryReplica::status() const {
  replica::Status status;
  status.leads = true;
  status.leader = kMember;
  status.term = 1;
  status.commit = status.applied = applied_;
  return status;
}

void MemoryReplica::on_session_opened(base::SessionId id, int64_t ttl_ms, lock::By kind, int64_t log_ms) {
  liveness_->opened(id, ttl_ms, log_ms);
  listener_->on_session_opened(id, ttl_ms, kind, log_ms);
}

void MemoryReplica::on_session_ended(base::SessionId id, lock::Why why) {
  liveness_->ended(id);
  listener_->on_session_ended(id, why);
}

}  // namespace cleat::testing
