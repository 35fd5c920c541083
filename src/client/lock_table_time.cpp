// What time says to a LockTable: deadlines that near and pass, waits that run out.
#include "client/lock_table.hpp"

namespace cleat::client {
namespace {

// A wait that ran out is decided by the service; its answer is on the way for so long.
constexpr milliseconds kAnswerOnTheWay{250};

}  // namespace

void LockTable::publish(const Session& session) {
  lease_->set(session.belief().deadline().value_or(TimePoint::min()));
}

bool LockTable::sure(const Session& session, TimePoint now) const {
  const auto deadline = session.belief().deadline();
  return deadline && now < *deadline - warning_lead(session.belief().ttl());
}

void LockTable::tick(Session& session, TimePoint now) {
  wake_.reset();
  if (!session_over_) {
    watch_lease(session, now);
    watch_own_ends(session, now);
    settle_unsure(session, now);
  }
  watch_timeouts(session, now);
}

void LockTable::watch_lease(Session& session, TimePoint now) {
  publish(session);
  const auto deadline = session.belief().deadline();
  if (!deadline || holds_.empty()) return;
  const TimePoint warn_at = *deadline - warning_lead(session.belief().ttl());
  if (now >= *deadline) {
    std::map<int64_t, std::shared_ptr<HoldState>> all;
    all.swap(holds_);
    own_ends_.clear();
    for (const auto& [fence, hold] : all) {
      hold->lose("its deadline passed without contact (" + trouble_ + ")");
      let_go(session, *hold, now);
    }
    // Grants that were never relied on go the same way, and are asked for anew.
    for (Unsure& unsure : unsure_) ask(session, std::move(unsure.attempt), now);
    unsure_.clear();
    return;
  }
  if (now < warn_at) {
    warned_ = false;
    return wake_at(warn_at);
  }
  wake_at(*deadline);
  if (warned_) return;
  warned_ = true;
  for (const auto& [fence, hold] : holds_) hold->warn();
}

void LockTable::watch_own_ends(Session& session, TimePoint now) {
  while (!own_ends_.empty() && own_ends_.begin()->first <= now) {
    const int64_t fence = own_ends_.begin()->second;
    own_ends_.erase(own_ends_.begin());
    const auto it = holds_.find(fence);
    if (it == holds_.end()) continue;
    const auto hold = it->second;
    if (now < hold->own_end()) {
      own_ends_.emplace(hold->own_end(), fence);
      hold->warn();
      continue;
    }
    holds_.erase(it);
    hold->lose("its max_hold is over");
    let_go(session, *hold, now);
  }
  if (!own_ends_.empty()) wake_at(own_ends_.begin()->first);
}

void LockTable::settle_unsure(Session& session, TimePoint now) {
  std::vector<Unsure> left;
  for (Unsure& unsure : unsure_) {
    const AttemptPtr& attempt = unsure.attempt;
    const auto until = attempt->until;
    if (!unsure.hold->held(now)) {
      release(session, unsure.hold, {}, now);
      ask(session, attempt, now);
    } else if (until && now >= *until + kAnswerOnTheWay) {
      unsure.hold->release();
      release(session, unsure.hold, {}, now);
      attempt->fail(errc::unreachable, "granted, but contact with the service was lost: " + trouble_);
    } else if (sure(session, now)) {
      attempt->hold = unsure.hold;
      attempt->finish();
    } else {
      if (until) wake_at(*until + kAnswerOnTheWay);
      left.push_back(std::move(unsure));
    }
  }
  unsure_ = std::move(left);
}

void LockTable::watch_timeouts(Session& session, TimePoint now) {
  while (!timeouts_.empty() && timeouts_.begin()->first <= now) {
    const auto [when, number] = *timeouts_.begin();
    timeouts_.erase(timeouts_.begin());
    const auto at = attempts_.find(number);
    if (at == attempts_.end() || at->second.given_up) continue;
    const Attempt& a = *at->second.attempt;
    if (!a.until && !a.only_try && contact_) continue;  // it was for the first contact only
    if (a.until && session.connected() && now < *a.until + kAnswerOnTheWay) {
      timeouts_.emplace(*a.until + kAnswerOnTheWay, number);
      continue;
    }
    give_up(session, at, now);
  }
  if (!timeouts_.empty()) wake_at(timeouts_.begin()->first);
}

void LockTable::give_up(Session& session, PendingMap::iterator at, TimePoint now) {
  const AttemptPtr attempt = at->second.attempt;
  withdraw(session, at, now);
  if (attempt->until && session.connected()) return attempt->finish();
  attempt->fail(errc::unreachable, "no answer from the service in time" +
                                       (trouble_.empty() ? std::string() : " (" + trouble_ + ")") +
                                       "; is one running at the address that the Client was given?");
}

}  // namespace cleat::client
