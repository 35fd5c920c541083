// Exactly once: the outcome of each REQ of a session, kept within bounds that follow the log.
#include "base/mutant.hpp"
#include "lock/core.hpp"
#include "lock/hash.hpp"

namespace cleat::lock {
namespace {
uint32_t req_hash(std::string_view req) {
  return static_cast<uint32_t>(hash_bytes(req));
}
}  // namespace

Handle Core::find_req(const SessionRecord& s, std::string_view req) const {
  if (!s.reqs) return 0;
  return s.reqs->find(req_hash(req), [&](Handle h) { return reqs[h].req.view() == req; });
}

Handle Core::make_req(Handle session, std::string_view req, uint64_t arguments) {
  touch_session(session);
  SessionRecord& s = sessions[session];
  const Handle h = reqs.take();
  ++undecided_reqs;
  ReqRecord& q = reqs[h];
  q.arguments = arguments;
  q.req = Blob(req);
  q.session = session;
  if (!s.reqs) s.reqs = std::make_unique<HandleTable>();
  s.reqs->insert(req_hash(req), h);
  return h;
}

void Core::decide(Handle session, std::string_view req, uint64_t arguments, const Outcome& o, Handle pinned_by) {
  if (session && !req.empty() && !base::mutant("forget_req")) {
    const Handle h = make_req(session, req, arguments);
    if (pinned_by) holds[pinned_by].req_result = h;
    decide_req(h, o, pinned_by);
  }
  tell(o);
}

// Keeps the outcome of a request not decided before. A hold that it granted pins it: such ones are not counted.
void Core::decide_req(Handle req, const Outcome& o, Handle pinned_by) {
  ReqRecord& q = reqs[req];
  touch_session(q.session);
  --undecided_reqs;
  q.decision = ++last_decision;
  q.verb = o.verb;
  q.result = o.result;
  q.why = o.why;
  q.held_mode = o.held_mode;
  q.mode = o.mode;
  q.depth = o.depth;
  q.revision = o.revision;
  q.fence = o.fence;
  q.held_fence = o.held_fence;
  q.ms_left = o.ms_left;
  q.waited_ms = o.waited_ms;
  q.ttl_ms = o.ttl_ms;
  q.subject = pinned_by;
  if (pinned_by) {
    q.state = ReqRecord::State::kPinned;
    holds[pinned_by].req_result = req;
  } else {
    count_req(req);
  }
}

void Core::unpin_req(Handle req) {
  reqs[req].subject = 0;
  count_req(req);
}

// Counted ones stand in the order of their decisions, so the walk is short: only results unpinned late go back.
void Core::count_req(Handle req) {
  ReqRecord& q = reqs[req];
  touch_session(q.session);
  SessionRecord& s = sessions[q.session];
  if (s.ending) return;
  q.state = ReqRecord::State::kCounted;
  Handle after = s.last_req;
  while (after && reqs[after].decision > q.decision) after = reqs[after].prev;
  q.prev = after;
  q.next = after ? reqs[after].next : s.first_req;
  (q.prev ? reqs[q.prev].next : s.first_req) = req;
  (q.next ? reqs[q.next].prev : s.last_req) = req;
  ++s.counted_reqs;
  req_order.push({static_cast<int64_t>(q.decision), 0, req});
  while (s.counted_reqs > settings.req_results_per_session) drop_req(s.first_req);
  while (req_order.size() > settings.req_results) drop_req(req_order.top().ref);
}

void Core::drop_req(Handle req) {
  ReqRecord& q = reqs[req];
  touch_session(q.session);
  SessionRecord& s = sessions[q.session];
  if (q.state == ReqRecord::State::kCounted) {
    (q.prev ? reqs[q.prev].next : s.first_req) = q.next;
    (q.next ? reqs[q.next].prev : s.last_req) = q.prev;
    --s.counted_reqs;
    req_order.erase(q.order);
  }
  s.reqs->erase(req_hash(q.req.view()), req);
  reqs.give(req);
}

// The first answer again, or the refusal of other arguments under the same REQ.
void Core::repeat(Handle req, Outcome o, uint64_t arguments) {
  const ReqRecord& q = reqs[req];
  if (q.arguments != arguments) {
    o.result = Result::kReqReused;
    return tell(o);
  }
  o.repeated = true;
  o.verb = q.verb;
  o.result = q.result;
  o.why = q.why;
  o.held_mode = q.held_mode;
  o.mode = q.mode;
  o.depth = q.depth;
  o.revision = q.revision;
  o.fence = q.fence;
  o.held_fence = q.held_fence;
  o.ms_left = q.ms_left;
  o.waited_ms = q.waited_ms;
  o.ttl_ms = q.ttl_ms;
  tell(o);
}

}  // namespace cleat::lock
