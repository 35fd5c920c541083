// What was taken and is not decided in time is answered UNKNOWN (protocol.md "Forwarding"), so that no client hangs for
// as long as a log waits for its disk. The decision, when it comes, finds that its request is answered and is not told;
// a repetition with the same REQ or TOKEN gets it.
#include "resp/errors.hpp"
#include "server/service.hpp"

namespace cleat::server {

Connection* Service::find(const RunRef& ref) const {
  Connection* c = find(ref.connection);
  return c && !c->gone && c->has_pending() && c->run == ref.run ? c : nullptr;
}

// After a step that left something under way. All that was taken in this turn was touched.
void Service::note_undecided() {
  for (Connection* c : touched_) {
    if (c->gone || c->undecided || c->waiting || !c->has_pending()) continue;
    c->undecided = true;
    undecided_.push({c->run_since_us + config_.undecided_wait_ms * 1000, c->ref.connection});
  }
}

void Service::answer_undecided() {
  while (!undecided_.empty() && undecided_.top().due_us <= now_us_) {
    Connection* c = find(undecided_.top().connection);
    undecided_.pop();
    if (!c || c->gone) continue;
    c->undecided = false;
    if (c->waiting || !c->has_pending()) continue;  // a LOCK that waits is decided: it stands in the queue
    const int64_t due_us = c->run_since_us + config_.undecided_wait_ms * 1000;
    if (due_us <= now_us_) {
      give_up(*c);
    } else {  // a later run than the one that was noted
      c->undecided = true;
      undecided_.push({due_us, c->ref.connection});
    }
  }
}

void Service::give_up(Connection& c) {
  while (c.has_pending() && c.front().kind != Pending::Kind::kRefused) {
    const Pending& p = c.front();
    const bool change = p.kind == Pending::Kind::kChange || p.kind == Pending::Kind::kMembers;
    // It may speak for a session that it does not know: never for its own again without being told to.
    if (p.verb == lock::Verb::kOpenSession || p.verb == lock::Verb::kAttachSession) stop_speaking(c, Speaks::kLost);
    c.writer().error(change ? resp::kUnknownError : resp::kUnknownReadError);
    ++metrics_.unknown;
    c.pop_front();
    if (!c.has_pending() || c.front().kind == Pending::Kind::kRefused) go_on(c);
  }
}

}  // namespace cleat::server
