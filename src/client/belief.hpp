// Until when a client may believe that it holds what it holds: the rules of docs/time.md, "What the client may
// believe", and nothing else. Pure: times come in, all on boot_clock. Whoever calls must hand in, for each answer, the
// moment just before the *first* sending of that very request.
#pragma once

#include <algorithm>
#include <optional>

#include "base/mutant.hpp"
#include "client/boot_clock.hpp"

namespace cleat::client {

// An explicit session: alive until (sending of the last confirmation) + TTL.
class SessionBelief {
 public:
  explicit SessionBelief(milliseconds ttl) : ttl_(ttl) {}

  // A KEEPALIVE was answered OK, or a change was answered that was decided by its own entry and sent only once. Not for
  // errors, reads, and repeats that may have been served from memory.
  void confirmed(TimePoint sent) {
    if (!ended_ && (!last_sent_ || sent > *last_sent_)) last_sent_ = sent;
  }
  // CLOSE or QUIT is being sent, or the service said that the session is gone. No later answer revives it.
  void end() { ended_ = true; }

  bool ended() const { return ended_; }
  milliseconds ttl() const { return ttl_; }
  // None: nothing may be believed.
  std::optional<TimePoint> deadline() const {
    if (ended_ || !last_sent_) return std::nullopt;
    return *last_sent_ + ttl_;
  }

 private:
  milliseconds ttl_;
  std::optional<TimePoint> last_sent_;
  bool ended_ = false;
};

// What a LOCK that was granted said and was told.
struct GrantTerms {
  TimePoint first_sent;
  milliseconds waited{0};  // waited_ms of the FULL answer; 0 without FULL (safe, only early)
  std::optional<milliseconds> ttl = std::nullopt;
  std::optional<milliseconds> max_hold = std::nullopt;
};

// One hold: the earliest of its session's end, its TTL's and its MAXHOLD's.
class HoldBelief {
 public:
  explicit HoldBelief(const GrantTerms& terms) {
    if (terms.ttl) own_end_ = terms.first_sent + terms.waited + *terms.ttl;
    if (terms.max_hold && !base::mutant("library_ignores_max_hold"))
      max_end_ = terms.first_sent + terms.waited + *terms.max_hold;
  }

  // A RENEW (or a re-entry with a TTL) is being sent: on a hold without a TTL it may set one, answered or not. Of
  // several that go unanswered any may have been the only one applied.
  void renew_sent(TimePoint first_sent, milliseconds ttl) {
    if (!own_end_) feared_end_ = std::min(feared_end_, first_sent + ttl);
  }
  // It was answered: the end moves to the later of both, never earlier. What went unanswered before may not count as
  // the earlier end: perhaps it was never applied.
  void renewed(TimePoint first_sent, milliseconds ttl) {
    own_end_ =
        own_end_ && !base::mutant("library_renew_shortens") ? std::max(*own_end_, first_sent + ttl) : first_sent + ttl;
    feared_end_ = TimePoint::max();  // on a hold with a TTL it can only lengthen
  }
  // UNLOCK is being sent, or the hold was told to be lost. No later answer revives it.
  void end() { ended_ = !base::mutant("library_believes_until_unlocked"); }

  bool ended() const { return ended_; }
  // Of a hold in a session. None: nothing may be believed.
  std::optional<TimePoint> deadline(const SessionBelief& session) const {
    const auto session_end = session.deadline();
    if (ended_ || !session_end) return std::nullopt;
    return std::min(*session_end, own_deadline());
  }
  // Of a token's hold, which has no session.
  std::optional<TimePoint> token_deadline() const {
    if (ended_ || !own_end_) return std::nullopt;
    return own_deadline();
  }

 private:
  TimePoint own_deadline() const {
    return std::min({own_end_.value_or(TimePoint::max()), feared_end_, max_end_.value_or(TimePoint::max())});
  }

  std::optional<TimePoint> own_end_;  // of the TTL that it is known to have
  TimePoint feared_end_ = TimePoint::max();
  std::optional<TimePoint> max_end_;
  bool ended_ = false;
};

}  // namespace cleat::client
