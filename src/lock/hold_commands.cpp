// UNLOCK, RENEW, PUT, CANCEL, and the undoing of a grant that could not be delivered.
#include <algorithm>

#include "base/mutant.hpp"
#include "lock/core.hpp"

namespace cleat::lock {

Outcome Core::outcome_of(const base::ConnectionRef& from, const Command& c) const {
  Outcome o;
  o.to = from;
  o.seq = c.seq;
  o.verb = c.verb;
  o.mode = c.mode;
  o.revision = revision;
  o.name = c.name;
  o.req = c.req;
  o.owner = c.token.empty() ? c.owner : std::string_view{};
  o.token = c.token;
  return o;
}

void Core::answer(const Holder& h, std::string_view req) {
  decide(h.session, req, h.arguments, h.outcome);
}

Core::Holder Core::find_holder(const base::ConnectionRef& from, const Command& c) {
  Holder h;
  h.outcome = outcome_of(from, c);
  if (c.token.empty()) {
    bool refused = false;
    h.session = speaker(from, c, refused, h.outcome.why);
    if (refused || !h.session) {
      h.outcome.result = refused ? Result::kNoSession : Result::kNotHeld;
      if (refused)
        h.outcome.session = c.session;
      else
        h.outcome.fence = c.fence;
      tell(h.outcome);
      h.answered = true;
      return h;
    }
    h.outcome.session = session_id(h.session);
    if (!c.req.empty()) {
      h.arguments = argument_hash(c);
      if (const Handle kept = find_req(sessions[h.session], c.req)) {
        repeat(kept, h.outcome, h.arguments);
        h.answered = true;
        return h;
      }
    }
  }
  const Handle name = find_name(c.name);
  const Identity id{h.session, c.token.empty() ? c.owner : c.token};
  const Handle hold = name ? find_hold(names[name], id) : 0;
  if (hold && (!c.fence || holds[hold].fence == c.fence)) {
    h.hold = hold;
    return h;
  }
  refuse_missing(h, c, hold);
  answer(h, c.req);
  h.answered = true;
  return h;
}

// Mine was freed, so: a loss that I remember, another hold of mine, or nothing (corners: UNLOCK with FENCE).
void Core::refuse_missing(Holder& h, const Command& c, Handle other_hold) {
  Outcome& o = h.outcome;
  o.fence = c.fence;
  if (c.fence && h.session && sessions[h.session].last_losses) {
    for (const LossRecord& loss : *sessions[h.session].last_losses) {
      if (loss.fence != c.fence || loss.name.view() != c.name) continue;
      o.result = loss.why == Why::kRevoked ? Result::kRevoked : Result::kExpired;
      o.why = loss.why;
      return;
    }
  }
  if (other_hold) {
    o.result = Result::kStale;
    o.held_fence = holds[other_hold].fence;
    return;
  }
  o.result = !c.token.empty() && c.verb != Verb::kPut ? Result::kNil : Result::kNotHeld;
}

void Core::unlock(const base::ConnectionRef& from, const Command& c) {
  Holder holder = find_holder(from, c);
  if (holder.answered) return;
  HoldRecord& h = holds[holder.hold];
  touch_name(h.name);
  const Handle name = h.name;
  Outcome& o = holder.outcome;
  o.fence = h.fence;

  o.depth = h.depth - 1;
  if (h.depth > 1) {  // no change that others see
    --h.depth;
    return answer(holder, c.req);
  }
  Event e = event_of(h, EventKind::kReleased, Why::kReleased);
  e.held_ms = log_ms - h.granted_ms;
  if (base::mutant("fence_reused") && h.fence == last_fence) --last_fence.value;
  const Blob req(h.session ? e.req : std::string_view{});  // its record may be dropped as soon as nothing pins it
  if (h.session) e.req = req.view();
  const Blobs3 bytes = drop_hold(holder.hold);
  record(name, e);
  o.revision = revision;
  answer(holder, c.req);
  sink->on_event(e);
  serve(name);
}

void Core::renew(const base::ConnectionRef& from, const Command& c) {
  Holder holder = find_holder(from, c);
  if (holder.answered) return;
  HoldRecord& h = holds[holder.hold];
  touch_name(h.name);
  if (c.ttl_ms) {
    const int64_t end_ms = log_ms + kept_ms(c.ttl_ms, settings.margin_ppm);
    const bool shortens = h.ttl_end_ms != kNever && end_ms < h.ttl_end_ms && !base::mutant("renew_shortens");
    if (!shortens) h.ttl_end_ms = end_ms;
    time_hold(holder.hold);
  }
  if (!h.session) h.connection = from;
  Outcome& o = holder.outcome;
  o.fence = h.fence;
  o.ms_left = told(h.end_ms());
  if (!renewals_recorded(level)) return answer(holder, c.req);
  if (c.has_data) put_data(h, c.data);
  Event e = event_of(h, EventKind::kData, Why::kNone);
  const Blob req(e.req);
  e.req = req.view();
  record(h.name, e);
  answer(holder, c.req);
  sink->on_event(e);
}

void Core::put_data(HoldRecord& h, std::string_view data) {
  h.bytes = Blobs3(h.who(), data, h.token_req());
  h.has_data = true;
}

void Core::put(const base::ConnectionRef& from, const Command& c) {
  Holder holder = find_holder(from, c);
  if (holder.answered) return;
  HoldRecord& h = holds[holder.hold];
  touch_name(h.name);
  put_data(h, c.data);
  const Handle name = h.name;
  Event e = event_of(h, EventKind::kData, Why::kNone);
  const Blob req(e.req);
  e.req = req.view();
  record(name, e);
  Outcome& o = holder.outcome;
  o.fence = h.fence;
  o.revision = revision;
  answer(holder, c.req);
  sink->on_event(e);
}

void Core::cancel(const base::ConnectionRef& from, const Command& c) {
  Outcome o = outcome_of(from, c);
  Handle waiter = 0;
  if (!c.token.empty()) {
    const Handle name = find_name(c.name);
    std::vector<Handle> own;
    if (name) waiters_of(names[name], {0, c.token}, own);
    for (const Handle w : own)
      if (waiters[w].token_req.view() == c.req) waiter = w;
  } else {
    bool refused = false;
    const Handle session = speaker(from, c, refused, o.why);
    if (refused) {
      o.session = c.session;
      o.result = Result::kNoSession;
      return tell(o);
    }
    o.session = session_id(session);
    const Handle req = session && !c.req.empty() ? find_req(sessions[session], c.req) : 0;
    if (req && reqs[req].state == ReqRecord::State::kWaiting) waiter = reqs[req].subject;
  }
  o.count = waiter ? 1 : 0;
  o.revision = {revision.value + o.count};
  tell(o);
  if (!waiter || base::mutant("cancel_leaves_waiter")) return;
  const Handle name = waiters[waiter].name;
  end_waiter(waiter, Result::kNotGranted, Why::kCancelled, EventKind::kCancelled, Why::kCancelled);
  serve(name);
}

void Core::undeliver(const Command& c) {
  const Handle name = find_name(c.name);
  const Handle hold = name ? find_fence(names[name], c.fence) : 0;
  if (!hold || !holds[hold].session || base::mutant("undeliver_ignored")) return;
  HoldRecord& h = holds[hold];
  if (h.depth == 1 && h.req_result) return;
  if (h.depth > 1) {
    touch_name(name);
    --h.depth;
    return;
  }
  end_hold(hold, EventKind::kUndelivered, Why::kUndelivered, false);
  serve(name);
}

}  // namespace cleat::lock
