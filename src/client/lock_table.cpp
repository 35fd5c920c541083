#include "client/lock_table.hpp"

#include "base/check.hpp"

namespace cleat::client {
namespace {

// A wait that ran out is decided by the service; its answer is on the way for so long.
constexpr milliseconds kAnswerOnTheWay{250};
constexpr milliseconds kLongestWait{31'536'000'000};  // the service's own limit
constexpr milliseconds kMostLead{3'000};
constexpr size_t kLostKept = 4'096;

// So long before an end without contact its holder is warned.
milliseconds lead(milliseconds ttl) {
  return std::min(ttl / 3, kMostLead);
}

Words words_for(const Attempt& a, TimePoint now) {
  Words words = {"LOCK", a.name, a.shared ? "SHARED" : "EXCLUSIVE", "OWNER", a.owner, "NOREENTRY"};
  const auto option = [&words](const char* name, int64_t value) {
    words.emplace_back(name);
    words.push_back(std::to_string(value));
  };
  if (a.only_try) {
    option("WAIT", 0);
  } else if (a.until) {
    // One more than is left: the service may be a part of one early.
    const auto left = std::chrono::ceil<milliseconds>(*a.until - now) + milliseconds(1);
    option("WAIT", std::clamp(left, milliseconds(0), kLongestWait).count());
  }
  if (a.priority != 0) option("PRIORITY", a.priority);
  if (a.max_hold > milliseconds(0)) option("MAXHOLD", a.max_hold.count());
  if (a.delay > milliseconds(0)) option("DELAY", a.delay.count());
  words.insert(words.end(), {"ASYNC", "FULL"});
  return words;
}

errc code_of(std::string_view word) {
  if (word == "DEADLOCK" || word == "MODE") return errc::deadlock;
  if (word == "BADNAME") return errc::bad_name;
  if (word == "ERR") return errc::invalid;
  if (word == "LIMIT") return errc::limit;
  if (word == "DISKFULL") return errc::no_space;
  return errc::rejected;
}

void finish(const AttemptPtr& attempt, errc code, const std::string& message) {
  attempt->error = code;
  attempt->message = message;
  attempt->finish();
}

std::string req_of(uint64_t number) {
  return "a" + std::to_string(number);
}

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
  if (closed_) return finish(attempt, errc::closed, "the cleat::Client was destroyed");
  ask(session, std::move(attempt), now);
}

void LockTable::ask(Session& session, AttemptPtr attempt, TimePoint now) {
  const uint64_t number = next_number_++;
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
    session.request(req_of(number), words_for(a, now), now);
  }
  attempts_.emplace(number, std::move(pending));
}

void LockTable::release(Session& session, const std::shared_ptr<HoldState>& hold, TimePoint now) {
  if (holds_.erase(hold->fence()) > 0) let_go(session, *hold, now);
}

void LockTable::let_go(Session& session, const HoldState& hold, TimePoint now) {
  if (session_over_) return;
  std::string req = "u" + std::to_string(next_number_++);
  Identity who{hold.name(), hold.owner()};
  session.request(req, {"UNLOCK", hold.name(), "OWNER", hold.owner(), "FENCE", std::to_string(hold.fence())}, now);
  ++in_the_way_[who];
  releases_.emplace(std::move(req), std::move(who));
}

void LockTable::close() {
  closed_ = true;
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
    case Notice::Kind::kClockRate:  // the service's log and INFO tell operators of it, too
      return;
    case Notice::Kind::kClosed:
      return session_ended("the session was closed");
  }
}

void LockTable::on_answer(Session& session, const Notice& notice, TimePoint now) {
  if (const auto it = releases_.find(notice.req); it != releases_.end()) {
    // Whatever it says, we don't have it any more.
    const Identity who = it->second;
    releases_.erase(it);
    return out_of_the_way(session, who, now);
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
  finish(attempt, code_of(word), line);
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
  if (ends) own_ends_.emplace(own_end - lead(attempt->max_hold), fence);
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
  releases_.clear();
  in_the_way_.clear();
  for (auto& [number, pending] : attempts_) pending.asked = false;
  for (Unsure& unsure : unsure_) attempts_.emplace(next_number_++, Pending{.attempt = std::move(unsure.attempt)});
  unsure_.clear();
}

void LockTable::fail_all(errc code, const std::string& message) {
  for (const auto& [number, pending] : attempts_) {
    if (!pending.given_up) finish(pending.attempt, code, message);
  }
  for (const Unsure& unsure : unsure_) finish(unsure.attempt, code, message);
  attempts_.clear();
  unsure_.clear();
  timeouts_.clear();
  parked_.clear();
}

// ---- what time says

void LockTable::publish(const Session& session) {
  lease_->set(session.belief().deadline().value_or(TimePoint::min()));
}

bool LockTable::sure(const Session& session, TimePoint now) const {
  const auto deadline = session.belief().deadline();
  return deadline && now < *deadline - lead(session.belief().ttl());
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
  const TimePoint warn_at = *deadline - lead(session.belief().ttl());
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
      release(session, unsure.hold, now);
      ask(session, attempt, now);
    } else if (until && now >= *until + kAnswerOnTheWay) {
      unsure.hold->release();
      release(session, unsure.hold, now);
      finish(attempt, errc::unreachable, "granted, but contact with the service was lost: " + trouble_);
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
  const bool asked = at->second.asked && !session_over_;
  if (!asked || session.give_up(req_of(at->first), now)) {
    attempts_.erase(at);
  } else {
    at->second.given_up = true;
    ++in_the_way_[{attempt->name, attempt->owner}];
  }
  if (attempt->until && session.connected()) return attempt->finish();
  finish(attempt, errc::unreachable,
         "no answer from the service in time" + (trouble_.empty() ? std::string() : " (" + trouble_ + ")") +
             "; is one running at the address that the Client was given?");
}

}  // namespace cleat::client
