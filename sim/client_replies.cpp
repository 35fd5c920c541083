// What a client does with an answer, and what it believes because of it.
#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.hpp"
#include "client.hpp"
#include "words.hpp"

namespace cleat::sim {

using lock::Result;
using lock::Verb;
using replica::Trouble;

void Client::on_disconnected(uint64_t connection) {
  if (connection != connection_ || dead_) return;
  connection_ = 0;
  attached_ = false;
  if (sort_ == Sort::kImplicit) {
    beliefs_.drop_session(implicit_);
    held_.clear();
    pending_.clear();
    return;
  }
  // What names itself may be asked again; of the rest the outcome is unknown.
  std::erase_if(pending_, [](const auto& p) {
    const Request& r = p.second.request;
    const bool again = r.kind == Kind::kCommand && r.c.verb >= Verb::kLock && r.c.verb != Verb::kCancel;
    return !again || (r.req.empty() && r.token.empty());
  });
  for (auto& held : held_) {
    auto& h = held.second;
    const bool asked = std::any_of(pending_.begin(), pending_.end(), [&](const auto& p) {
      return p.second.request.c.verb == Verb::kUnlock && p.second.request.c.fence.value == h.fence;
    });
    if (!asked) h.unlocking = false;
  }
}

void Client::lost_session() {
  beliefs_.drop_session(session_);
  session_ = 0;
  attached_ = false;
  leaving_ = false;
  held_.clear();
  pending_.clear();
  if (connection_ != 0) leave(false);
}

// The session is gone, or an ATTACH that it gave up long ago came now and took it from this connection: a new ATTACH
// tells.
void Client::attach_again() {
  world_.cover(kAttachedAgain);
  leave(false);
}

void Client::on_reply(uint64_t connection, const Reply& r) {
  if (dead_ || connection != connection_) return;
  if (r.lost) return on_lost(r.fence);
  const auto found = pending_.find(r.number);
  if (found == pending_.end()) return;
  if (r.result == Result::kQueued) {  // decided later, by a push
    found->second.queued = true;
    return;
  }
  Pending p = found->second;
  pending_.erase(found);
  if (base::mutant("client_counts_from_answer")) p.first_us = now_us();
  if (base::mutant("client_counts_from_last_sending")) p.first_us = p.sent_us;
  if (base::mutant("client_counts_from_memory") && r.repeated) p.first_us = p.sent_us;
  if (world_.telling() && (r.kind == Kind::kCommand || world_.telling_all()))
    world_.say(fmt::format("client {} is answered: {}: {}", id_, in_words(p.request), in_words(r)));
  if (r.kind == Kind::kKeepAlive) {
    if (r.trouble != Trouble::kNone) return move();
    if (!r.alive) return attach_again();
    // The worst moment to fall silent: it believes as long as it can, and the node may be gone at once.
    if (plan_.deaths && misbehaves(0.05)) {
      world_.note(Stream::kClientTurn, static_cast<uint64_t>(id_), turn_);
      away_until_us_ = world_.now_us + ttl_ms_ * 1500;
      if (world_.telling()) world_.say(fmt::format("client {} falls silent for {} ms", id_, ttl_ms_ * 3 / 2));
    }
    return session_confirmed(p.first_us);
  }
  if (r.kind == Kind::kCheck) return;
  if (r.trouble != Trouble::kNone) return on_trouble(p, r);
  if (r.repeated && p.moved) world_.cover(kRepeatedElsewhere);
  on_command(p, r);
}

// What was not decided, or whose outcome is unknown, is asked again elsewhere if it has a name.
void Client::on_trouble(const Pending& p, const Reply& r) {
  const bool session = p.request.c.verb == Verb::kOpenSession || p.request.c.verb == Verb::kCloseSession;
  if (p.request.c.verb == Verb::kOpenSession || (session && r.trouble == Trouble::kUnknown)) return lost_session();
  if (r.trouble == Trouble::kDiskFull || r.trouble == Trouble::kBusy) return;
  pending_[r.number] = p;
  move();
}

void Client::session_confirmed(int64_t sent_us) {
  if (session_ == 0 || leaving_) return;
  SessionBelief& b = beliefs_.sessions[session_];
  b.client = id_;
  b.deadline_us = std::max(b.deadline_us, sent_us + ttl_ms_ * 1000);
  checks_.believed_session(session_);
}

void Client::on_command(const Pending& p, const Reply& r) {
  const bool refused = static_cast<int>(r.result) >= static_cast<int>(Result::kNotHeld);
  if (r.result == Result::kNoSession && sort_ == Sort::kExplicit && p.request.c.verb >= Verb::kLock) {
    pending_[r.number] = p;
    return attach_again();
  }
  if (r.result == Result::kNoSession) return lost_session();
  switch (p.request.c.verb) {
    case Verb::kOpenSession:
    case Verb::kAttachSession:
      on_session(p, r);
      break;
    case Verb::kCloseSession:
      return lost_session();
    case Verb::kLock:
      on_lock(p, r);
      break;
    case Verb::kUnlock:
      on_unlock(p, r);
      break;
    case Verb::kRenew:
      if (refused) {
        held_.erase(p.request.c.fence.value);
        beliefs_.holds.erase(p.request.c.fence.value);
      } else if (const auto b = beliefs_.holds.find(r.fence); b != beliefs_.holds.end()) {
        world_.cover(kRenewals);
        // Never beyond MAXHOLD, which is kept apart; a hold without TTL gets one.
        const int64_t end_us = p.first_us + p.request.c.ttl_ms * 1000;
        auto& ttl_end = ttl_ends_[r.fence];
        ttl_end = ttl_end == INT64_MAX ? end_us : std::max(ttl_end, end_us);
        b->second.own_end_us = std::min(ttl_end, max_ends_[r.fence]);
        checks_.believed(r.fence);
      }
      break;
    default:
      break;
  }
  if (!refused && sort_ == Sort::kExplicit) session_confirmed(p.first_us);
}

void Client::on_session(const Pending& p, const Reply& r) {
  if (r.result != Result::kOpened && r.result != Result::kAttached) return lost_session();
  const bool again = r.result == Result::kAttached;
  session_ = r.session;
  attached_ = true;
  attached_us_ = world_.now_us;
  next_keep_alive_us_ = now_us() + ttl_ms_ * 300;
  session_confirmed(p.first_us);
  if (!again) return;
  if (giving_up_) return close_session();
  for (auto& [n, waiting] : pending_) send(waiting);
}

void Client::on_lock(const Pending& p, const Reply& r) {
  if (r.result == Result::kNotGranted && r.why == lock::Why::kTakenOver) return on_taken_over(p);
  if (r.result != Result::kGranted) return;
  const lock::Command& c = p.request.c;
  if (sort_ == Sort::kImplicit) {
    // Its session is its connection's own, and it heard of every grant.
    if (r.depth > 1 && held_.count(r.fence) == 0)
      world_.fail("sessions", fmt::format("sessions: client {} entered fence {} again, which it never had: the session "
                                          "of another connection",
                                          id_, r.fence));
    implicit_ = r.session;
  }
  Held& h = held_[r.fence];
  h.name = p.request.name;
  h.token = p.request.token;
  h.fence = r.fence;
  if (h.depth >= r.depth && r.depth > 1) return;
  const bool reentry = r.depth > 1;
  h.depth = std::max(h.depth, r.depth);
  held_owner_[r.fence] = p.request.owner;
  const int64_t start_us = p.first_us + r.waited_ms * 1000;
  if (reentry) {
    // Renews nothing but its own TTL, and only where there is one.
    const auto b = beliefs_.holds.find(r.fence);
    if (b == beliefs_.holds.end() || c.ttl_ms == 0) return;
    auto& ttl_end = ttl_ends_[r.fence];
    if (ttl_end == INT64_MAX) return;
    ttl_end = std::max(ttl_end, p.first_us + c.ttl_ms * 1000);
    b->second.own_end_us = std::min(ttl_end, max_ends_[r.fence]);
    return checks_.believed(r.fence);
  }
  ttl_ends_[r.fence] = c.ttl_ms > 0 ? start_us + c.ttl_ms * 1000 : INT64_MAX;
  max_ends_[r.fence] =
      c.max_hold_ms > 0 && !base::mutant("client_ignores_max_hold") ? start_us + c.max_hold_ms * 1000 : INT64_MAX;
  if (sort_ == Sort::kImplicit) return;  // it has no deadline to count on
  HoldBelief b;
  b.client = id_;
  b.name = p.request.name;
  b.mode = c.mode;
  b.fence = r.fence;
  b.session = sort_ == Sort::kExplicit ? session_ : 0;
  b.own_end_us = std::min(ttl_ends_[r.fence], max_ends_[r.fence]);
  beliefs_.holds[r.fence] = b;
  checks_.believed(r.fence);
}

// Nobody but itself asks with its REQs, and it asked here last. A token may be asked with anywhere: it asks again.
void Client::on_taken_over(const Pending& p) {
  if (sort_ != Sort::kToken)
    return world_.fail("exactly once", fmt::format("exactly once: client {} is told that REQ {} was asked again "
                                                   "elsewhere, but it asked here last",
                                                   id_, p.request.req));
  send(pending_[p.request.number] = p);
}

void Client::on_unlock(const Pending& p, const Reply& r) {
  beliefs_.holds.erase(p.request.c.fence.value);
  const auto h = held_.find(p.request.c.fence.value);
  if (h == held_.end()) return;
  if (r.result == Result::kDone && r.depth > 0) {
    h->second.unlocking = false;
    h->second.depth = r.depth;
    return;
  }
  held_.erase(h);
}

void Client::on_lost(uint64_t fence) {
  held_.erase(fence);
  beliefs_.holds.erase(fence);
}

}  // namespace cleat::sim
