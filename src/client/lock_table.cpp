#include "client/lock_table.hpp"

#include "base/check.hpp"

namespace cleat::client {
namespace {

constexpr size_t kLostKept = 4'096;

}  // namespace

void LockTable::begin(Session& session, TimePoint now) {
  session_over_ = false;
  refused_ = false;
  PendingMap wanted;
  wanted.swap(attempts_);
  timeouts_.clear();
  parked_.clear();
  for (auto& [number, pending] : wanted) {
    if (!pending.given_up) ask(session, std::move(pending.attempt), now);
  }
}

void LockTable::acquire(Session& session, AttemptPtr attempt, TimePoint now) {
  if (closed_) return attempt->fail(errc::closed, "the cleat::Client was destroyed");
  ask(session, std::move(attempt), now);
}

void LockTable::ask(Session& session, AttemptPtr attempt, TimePoint now) {
  const uint64_t number = attempt->number = next_number_++;
  if (attempt->until) {
    timeouts_.emplace(*attempt->until, number);
  } else if (attempt->only_try || !contact_) {
    timeouts_.emplace(now + patience_, number);
  }
  Pending pending{.attempt = std::move(attempt)};
  const Attempt& a = *pending.attempt;
  if (!session_over_) {
    pending.asked = true;
    pending.after_own = in_the_way_.contains({a.name, a.owner});
    session.request(req_of(number), lock_words(a, now), now);
  }
  attempts_.emplace(number, std::move(pending));
}

void LockTable::cancel(Session& session, const AttemptPtr& attempt, TimePoint now) {
  constexpr auto kWhy = "the call was cancelled";
  const auto at = attempts_.find(attempt->number);
  if (at != attempts_.end() && !at->second.given_up) {
    withdraw(session, at, now);
    return attempt->fail(errc::cancelled, kWhy);
  }
  const auto unsure =
      std::find_if(unsure_.begin(), unsure_.end(), [&](const Unsure& u) { return u.attempt == attempt; });
  if (unsure == unsure_.end()) return;
  const auto hold = unsure->hold;
  unsure_.erase(unsure);
  hold->release();
  release(session, hold, {}, now);
  attempt->fail(errc::cancelled, kWhy);
}

void LockTable::withdraw(Session& session, PendingMap::iterator at, TimePoint now) {
  const Attempt& a = *at->second.attempt;
  const bool asked = at->second.asked && !session_over_;
  if (asked && !session.give_up(req_of(at->first), now)) {
    at->second.given_up = true;
    ++in_the_way_[{a.name, a.owner}];
  } else {
    attempts_.erase(at);
  }
}

void LockTable::release(Session& session, const std::shared_ptr<HoldState>& hold, OnConfirmed confirmed,
                        TimePoint now) {
  if (holds_.erase(hold->fence()) > 0) {
    let_go(session, *hold, now, std::move(confirmed));
  } else if (confirmed) {
    confirmed({});
  }
}

void LockTable::let_go(Session& session, const HoldState& hold, TimePoint now, OnConfirmed confirmed) {
  CLEAT_CHECK(!session_over_, "a session that ends takes its holds along");
  std::string req = "u" + std::to_string(next_number_++);
  Identity who{hold.name(), hold.owner()};
  session.request(req, {"UNLOCK", hold.name(), "OWNER", hold.owner(), "FENCE", std::to_string(hold.fence())}, now);
  ++in_the_way_[who];
  releases_.emplace(std::move(req), Release{std::move(who), std::move(confirmed)});
}

void LockTable::close() {
  closed_ = true;
  confirm_releases(errc::closed);
  fail_all(errc::closed, "the cleat::Client was destroyed");
  lose_all("the cleat::Client was destroyed");
}

// ---- what the service says

void LockTable::on_notice(Session& session, const Notice& notice, TimePoint now) {
  switch (notice.kind) {
    case Notice::Kind::kOpened:
      contact_ = true;
      return publish(session);
    case Notice::Kind::kAnswered:
      return on_answer(session, notice, now);
    case Notice::Kind::kPush:
      if (notice.reply.items[1].text == "lost") {
        lost(notice.reply.items[4].integer_at("fence"), std::string(notice.reply.items[4].text_at("why")));
      }
      return;
    case Notice::Kind::kLosses:
      return on_losses(notice.reply);
    case Notice::Kind::kDisconnected:
      trouble_ = notice.server + ": " + notice.status.message();
      return;
    case Notice::Kind::kRefused:
      refused_ = true;
      session_ended("the service refused the session");
      return fail_all(notice.status.code() == base::Code::kCorrupt ? errc::protocol : errc::refused,
                      notice.server + ": " + notice.status.message());
    case Notice::Kind::kSessionLost:
      return session_ended("the session ended: " + notice.status.message());
    case Notice::Kind::kUndecided:  // our requests have no deadline
    case Notice::Kind::kClockRate:  // for the user
      return;
    case Notice::Kind::kClosed:
      return session_ended("the session was closed");
  }
}

void LockTable::on_answer(Session& session, const Notice& notice, TimePoint now) {
  if (const auto it = releases_.find(notice.req); it != releases_.end()) {
    // Whatever it says, we don't have it any more.
    const Release release = std::move(it->second);
    releases_.erase(it);
    if (release.confirmed) release.confirmed({});
    return out_of_the_way(session, release.who, now);
  }
  const auto at = attempts_.find(std::stoull(notice.req.substr(1)));
  if (at != attempts_.end()) on_lock_answer(session, at, notice, now);
}

void LockTable::on_lock_answer(Session& session, PendingMap::iterator at, const Notice& notice, TimePoint now) {
  const Reply& reply = notice.reply;
  if (reply.is_error()) return on_lock_error(session, at, reply.text, now);
  const bool pushed = reply.type == Reply::Type::kPush;
  const Reply& map = pushed ? reply.items[4] : reply;
  const std::string_view error = map.text_at("error");
  if (!error.empty()) return on_lock_error(session, at, std::string(error), now);
  const bool granted = pushed ? reply.items[1].text == "granted" : map.integer_at("granted") != 0;
  const Pending pending = std::move(at->second);
  attempts_.erase(at);
  if (granted) on_granted(session, pending, map, notice.first_sent, now);
  if (pending.given_up) return out_of_the_way(session, {pending.attempt->name, pending.attempt->owner}, now);
  if (!granted) pending.attempt->finish();
}

void LockTable::on_lock_error(Session& session, PendingMap::iterator at, const std::string& line, TimePoint now) {
  const std::string_view word = std::string_view(line).substr(0, line.find(' '));
  Pending& pending = at->second;
  const Identity who{pending.attempt->name, pending.attempt->owner};
  if (pending.given_up) {
    attempts_.erase(at);
    return out_of_the_way(session, who, now);
  }
  if (word == "NOSESSION") {  // asked again in the next session, whose beginning is near
    pending.asked = false;
    return;
  }
  // It was our own earlier hold that stood in the way, of which the release had to be said again.
  if (word == "DEADLOCK" && pending.after_own) {
    if (in_the_way_.contains(who)) {
      pending.asked = false;
      return parked_.push_back(at->first);
    }
    AttemptPtr attempt = std::move(pending.attempt);
    attempts_.erase(at);
    return ask(session, std::move(attempt), now);
  }
  const AttemptPtr attempt = std::move(pending.attempt);
  attempts_.erase(at);
  if (word == "DEADLOCK" && attempt->only_try) return attempt->finish();
  attempt->fail(lock_errc(word), line);
}

void LockTable::on_granted(Session& session, const Pending& pending, const Reply& map, TimePoint first_sent,
                           TimePoint now) {
  const AttemptPtr& attempt = pending.attempt;
  const int64_t fence = map.integer_at("fence");
  const bool ends = attempt->max_hold > milliseconds(0);
  const TimePoint own_end =
      ends ? first_sent + milliseconds(map.integer_at("waited_ms")) + attempt->max_hold : TimePoint::max();
  publish(session);
  auto hold = std::make_shared<HoldState>(attempt->name, attempt->owner, fence, lease_, own_end);
  if (pending.given_up) return let_go(session, *hold, now);
  // The grant was told late, and its loss before it.
  if (lost_fences_.contains(fence) || now >= own_end) {
    let_go(session, *hold, now);
    return ask(session, attempt, now);
  }
  holds_.emplace(fence, hold);
  if (ends) own_ends_.emplace(own_end - warning_lead(attempt->max_hold), fence);
  if (!sure(session, now)) {
    unsure_.push_back({attempt, std::move(hold)});
    return;
  }
  attempt->hold = std::move(hold);
  attempt->finish();
}

void LockTable::out_of_the_way(Session& session, const Identity& who, TimePoint now) {
  const auto it = in_the_way_.find(who);
  CLEAT_CHECK(it != in_the_way_.end(), "each release and each attempt that is given up counts");
  if (--it->second > 0) return;
  in_the_way_.erase(it);
  std::vector<uint64_t> parked;
  parked.swap(parked_);
  for (const uint64_t number : parked) {
    const auto at = attempts_.find(number);
    if (at == attempts_.end()) continue;
    AttemptPtr attempt = at->second.attempt;
    if (Identity{attempt->name, attempt->owner} != who) {
      parked_.push_back(number);
      continue;
    }
    attempts_.erase(at);
    ask(session, std::move(attempt), now);
  }
}

bool LockTable::waited_for() const {
  const auto confirms = [](const auto& release) { return release.second.confirmed != nullptr; };
  return !attempts_.empty() || !unsure_.empty() || std::any_of(releases_.begin(), releases_.end(), confirms);
}

// ---- losses

void LockTable::on_losses(const Reply& shown) {
  if (const Reply* losses = shown.find("last_losses")) {
    for (const Reply& loss : losses->items) lost(loss.integer_at("fence"), std::string(loss.text_at("why")));
  }
  if (shown.integer_at("losses") <= losses_known_) return;
  losses_known_ = shown.integer_at("losses");
  lose_all("the service ended more holds than it could tell of");
}

void LockTable::lost(int64_t fence, const std::string& why) {
  if (!lost_fences_.insert(fence).second) return;
  ++losses_known_;
  if (lost_fences_.size() > kLostKept) lost_fences_.erase(lost_fences_.begin());
  const auto it = holds_.find(fence);
  if (it == holds_.end()) return;
  const auto hold = it->second;
  holds_.erase(it);
  hold->lose(why);
}

void LockTable::lose_all(const std::string& why) {
  std::map<int64_t, std::shared_ptr<HoldState>> all;
  all.swap(holds_);
  own_ends_.clear();
  for (const auto& [fence, hold] : all) hold->lose(why);
}

void LockTable::session_ended(const std::string& why) {
  session_over_ = true;
  lose_all(why);
  lease_ = std::make_shared<Lease>(clock_);
  lost_fences_.clear();
  losses_known_ = 0;
  confirm_releases({});
  releases_.clear();
  in_the_way_.clear();
  for (auto& [number, pending] : attempts_) pending.asked = false;
  for (Unsure& unsure : unsure_) {
    const uint64_t number = unsure.attempt->number = next_number_++;
    attempts_.emplace(number, Pending{.attempt = std::move(unsure.attempt)});
  }
  unsure_.clear();
}

void LockTable::confirm_releases(std::error_code code) {
  for (auto& [req, release] : releases_) {
    if (release.confirmed) std::exchange(release.confirmed, nullptr)(code);
  }
}

void LockTable::fail_all(errc code, const std::string& message) {
  for (const auto& [number, pending] : attempts_) {
    if (!pending.given_up) pending.attempt->fail(code, message);
  }
  for (const Unsure& unsure : unsure_) unsure.attempt->fail(code, message);
  attempts_.clear();
  unsure_.clear();
  timeouts_.clear();
  parked_.clear();
}

}  // namespace cleat::client
