#include "properties.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model.hpp"

namespace cleat::auditor {

using lock::EventKind;
using lock::Result;
using lock::Verb;
using lock::Why;

void Properties::fail(std::string why) {
  if (broken_.empty()) broken_ = std::move(why);
}

Properties::Place Properties::place(const lock::Outcome& o) {
  return {o.to.member, o.to.boot, o.to.connection, o.seq};
}

void Properties::begin(const lock::Machine& machine, std::string_view entry) {
  machine_ = &machine;
  const uint32_t ageing = ageing_ms_ = machine.settings().ageing_ms;
  lock::EntryReader reader(entry);
  now_ms_ = reader.stamp().log_ms;
  base::ConnectionRef from;
  lock::Command c;
  while (reader.next_run(from)) {
    while (reader.next_command(c)) {
      if (c.verb == Verb::kConfigure) reconfigured_ = std::exchange(configured_, true);
      Request r{c.mode, now_ms_, now_ms_ - int64_t{c.priority} * ageing, c.wait_ms, c.ttl_ms, {}, false};
      if (c.by == lock::By::kExplicit && c.token.empty() && c.verb != Verb::kCancel && !c.req.empty()) {
        r.req = {c.session.value, std::string(c.req)};
      }
      if (c.seq != 0) requests_[{from.member, from.boot, from.connection, c.seq}] = std::move(r);
    }
  }
}

void Properties::on_outcome(const lock::Outcome& o) {
  const auto request = requests_.find(place(o));
  if (request == requests_.end()) return fail(fmt::format("an answer to a request that nobody made, seq {}", o.seq));
  const Request& r = request->second;
  granted_request_ = nullptr;
  if (!o.token.empty() && o.result == Result::kGranted && o.depth != 1)
    fail(fmt::format("a token's hold of {} is {} deep: it never deepens", o.name, o.depth));
  cancelled(o);
  if (o.result == Result::kQueued) {
    if (!o.repeated) ++waiters_, request->second.first_waits = true;
    queued_[place(o)] = true;
    return;
  }
  const bool waited = queued_.erase(place(o)) != 0;
  if (waited && o.why != Why::kTakenOver) {
    --waiters_;
    if (o.result == Result::kNotGranted && o.why == Why::kTimedOut && r.first_waits &&
        now_ms_ < r.arrival_ms + r.wait_ms) {
      fail("a wait ended before its deadline");
    }
  }
  // A request that joined an earlier one stands where that one stood, which is not known here.
  if (o.result == Result::kGranted && !o.repeated && (!waited || r.first_waits)) granted_request_ = &r;
  believes(o, r);
  if (!r.req.second.empty()) answered_again(o, r.req);
}

// CANCEL answers 1 only for a waiter that hears of it in the same moment.
void Properties::cancelled(const lock::Outcome& o) {
  const Cancelled which{o.session.value, std::string(o.token), std::string(o.req)};
  if (o.verb == Verb::kCancel && o.result == Result::kDone && o.count == 1) cancels_.insert(which);
  if (o.result == Result::kNotGranted && o.why == Why::kCancelled) cancels_.erase(which);
}

// What a holder was told only grows, but for the first RENEW of a hold without TTL, which gives it one.
void Properties::believes(const lock::Outcome& o, const Request& r) {
  const bool renewed = o.verb == Verb::kRenew && o.result == Result::kDone;
  if (!o.fence || (o.result != Result::kGranted && !renewed) || (o.repeated && o.token.empty())) return;
  auto [belief, is_new] = beliefs_.try_emplace(o.fence.value);
  auto& [until_ms, entitled_ms, has_ttl] = belief->second;
  if (renewed && !has_ttl) until_ms = 0;
  has_ttl = has_ttl || renewed || (is_new && r.ttl_ms > 0);
  if (o.ms_left > 0) until_ms = std::max(until_ms, now_ms_ + o.ms_left);
  if (is_new && r.ttl_ms > 0) {  // D(TTL) without its last ms
    entitled_ms = now_ms_ + r.ttl_ms + (r.ttl_ms * machine_->settings().margin_ppm + 999'999) / 1'000'000;
  }
}

// An answered REQ repeated gives the first answer.
void Properties::answered_again(const lock::Outcome& o, const Req& req) {
  if (o.result == Result::kReqReused || o.result == Result::kLimit || o.result == Result::kNoSession) return;
  const auto first = first_answers_.find(req);
  if (!o.repeated) {
    // Decided anew: only when the first answer may have been dropped.
    const auto& s = machine_->settings();
    uint64_t others = 0;
    for (const auto& [other, answer] : first_answers_) others += other.first == req.first && other != req ? 1 : 0;
    const bool may_be_dropped =
        others >= s.req_results_per_session || most_results_ + 2 >= s.req_results || reconfigured_;
    if (first != first_answers_.end() && !may_be_dropped) {
      const auto& then = first->second.o;
      if (then.result == Result::kGranted && o.result == Result::kGranted && then.fence != o.fence) {
        fail(fmt::format("REQ {} of session {} was granted twice: fences {} and {}", req.second, req.first,
                         then.fence.value, o.fence.value));
      }
    }
    first_answers_[req] = own(o);
    return;
  }
  if (first == first_answers_.end()) return fail("a repeated answer to a REQ that was never answered");
  const auto& then = first->second.o;
  if (then.result != o.result || then.fence != o.fence || then.depth != o.depth || then.why != o.why ||
      then.count != o.count) {
    fail(fmt::format("REQ {} of session {} repeated: another answer than the first", req.second, req.first));
  }
}

void Properties::on_session_ended(base::SessionId id, Why) {
  std::erase_if(first_answers_, [&](const auto& f) { return f.first.first == id.value; });
}

void Properties::on_event(const lock::Event& e) {
  if (e.revision.value <= last_revision_) fail("revisions do not rise");
  last_revision_ = e.revision.value;
  const std::string name(e.name);
  touched_.insert(name);
  switch (e.kind) {
    case EventKind::kGranted:
      return granted(e);
    case EventKind::kExpired:
    case EventKind::kRevoked: {
      const auto belief = beliefs_.find(e.fence.value);
      if ((e.why == Why::kTtl || e.why == Why::kMaxHold) && belief != beliefs_.end() &&
          e.log_ms < belief->second.until_ms) {
        fail(fmt::format("fence {} of {} ended at {}, its holder was told {}", e.fence.value, name, e.log_ms,
                         belief->second.until_ms));
      }
      if (e.why == Why::kTtl && belief != beliefs_.end() && e.log_ms <= belief->second.entitled_ms) {
        fail(fmt::format("fence {} of {} ended at {}, before its D(TTL) was over", e.fence.value, name, e.log_ms));
      }
      if (e.delay_ms > 0) ghosts_[name][e.fence.value] = {e.mode, e.session.value, std::string(e.owner)};
      [[fallthrough]];
    }
    case EventKind::kReleased:
    case EventKind::kUndelivered:
      if (holds_[name].erase(e.fence.value) == 0) fail(fmt::format("the end of a hold that is none: {}", name));
      beliefs_.erase(e.fence.value);
      return;
    case EventKind::kDelayOver:
      ghosts_[name].erase(e.fence.value);
      return;
    default:
      return;
  }
}

void Properties::granted(const lock::Event& e) {
  const std::string name(e.name);
  if (e.fence.value <= last_fence_) fail(fmt::format("fence {} after fence {}", e.fence.value, last_fence_));
  last_fence_ = std::max(last_fence_, e.fence.value);
  for (const auto& [fence, h] : holds_[name]) {
    if (!may_both_hold(h.mode, e.mode)) {
      fail(fmt::format("{} is held in {} and {} at once", name, lock::short_name(h.mode), lock::short_name(e.mode)));
    }
  }
  for (const auto& [fence, g] : ghosts_[name]) {
    const bool own = g.session == e.session.value && g.owner == e.owner;
    if (!own && !may_both_hold(g.mode, e.mode)) fail(fmt::format("{} was granted during the delay of {}", name, fence));
  }
  holds_[name][e.fence.value] = {e.mode, e.session.value, std::string(e.owner)};
  nobody_overtaken(e);
}

// No compatible newcomer passes an incompatible waiter that stands before it.
void Properties::nobody_overtaken(const lock::Event& e) {
  if (granted_request_ == nullptr || reconfigured_) return;
  for (const auto& w : machine_->show(e.name, {1000, 0}).waiters) {
    const int64_t stand_ms = now_ms_ - w.waiting_ms - int64_t{w.priority} * ageing_ms_;
    if (stand_ms < granted_request_->stand_ms && !may_both_hold(w.mode, e.mode)) {
      fail(fmt::format("{} in {} was granted past a waiter for {} that stands before it", e.name,
                       lock::short_name(e.mode), lock::short_name(w.mode)));
    }
  }
}

// Whoever stands first and is compatible with all that is held should not be waiting.
void Properties::nobody_waits_for_nothing() {
  for (const auto& name : touched_) {
    const auto view = machine_->show(name, {1000, 0});
    if (view.waiters.empty() || !view.delayed.empty()) continue;
    const auto& w = view.waiters.front();
    if (std::all_of(view.holders.begin(), view.holders.end(),
                    [&](const lock::HoldView& h) { return may_both_hold(h.mode, w.mode); })) {
      fail(fmt::format("the first waiter of {}, for {}, waits for nobody", name, lock::short_name(w.mode)));
    }
  }
  touched_.clear();
}

void Properties::end() {
  nobody_waits_for_nothing();
  if (!cancels_.empty())
    fail(fmt::format("CANCEL of {} was answered 1, and nobody was told", std::get<2>(*cancels_.begin())));
  cancels_.clear();
  const auto due = machine_->next_due_ms();
  if (due && *due <= now_ms_) fail(fmt::format("something due at {} stays at {}", *due, now_ms_));
  const auto totals = machine_->totals();
  most_results_ = std::max(most_results_, totals.req_results);
  if (totals.waiters != waiters_) {
    fail(fmt::format("{} requests wait for an answer, the machine has {} waiters", waiters_, totals.waiters));
  }
  uint64_t holds = 0;
  for (const auto& [name, of_name] : holds_) holds += of_name.size();
  if (totals.holds != holds) fail(fmt::format("{} holds by the events, {} by the machine", holds, totals.holds));
  if (requests_.size() > 4096) {
    // Requests that are answered and no longer wait are not needed.
    std::erase_if(requests_, [&](const auto& r) { return queued_.count(r.first) == 0; });
  }
}

}  // namespace cleat::auditor
