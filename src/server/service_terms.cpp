// What a change of leader leaves undecided (protocol.md "Forwarding"). The first entry of a new term is applied, and
// with it all that earlier leaders left in the log: what was handed over in an older term and is not met now never will
// be, and is asked again as if it had just come: so nothing happens twice and nobody waits for ever. Unless it has been
// undecided for so long that its client, which may not have heard so, asks elsewhere by now.
#include <algorithm>

#include "resp/errors.hpp"
#include "server/service.hpp"

namespace cleat::server {

void Service::on_term(uint64_t term) {
  if (!replica_) return;
  for (auto& [id, c] : connections_) ask_again(*c, term);
  const auto newer =
      std::find_if(handed_over_.begin(), handed_over_.end(), [&](const Owed& o) { return o.term >= term; });
  owed_.insert(owed_.end(), std::make_move_iterator(handed_over_.begin()), std::make_move_iterator(newer));
  handed_over_.erase(handed_over_.begin(), newer);
  ending_ = 0;  // what it counted may be owed again
}

void Service::ask_again(Connection& c, uint64_t term) {
  if (c.gone || c.waiting || !c.has_pending() || c.front().kind != Pending::Kind::kChange || c.run_term >= term) return;
  if (now_us_ - c.run_since_us >= config_.undecided_wait_ms * 1000) return give_up(c);
  c.asked_since_us = c.run_since_us;
  c.input.rewind(c.front().begin);
  c.pending.clear();
  c.answered = 0;
  resume(c);
}

// What was handed over before something that is met now stands before it in the log.
void Service::met_through(uint64_t order) {
  while (!handed_over_.empty() && handed_over_.front().order < order) handed_over_.pop_front();
}

// This member was away for so long that a leader's snapshot took the place of what it had. What happened meanwhile to
// the requests of its clients was not told to it.
void Service::on_state_replaced() {
  if (!replica_) return;
  for (auto& [id, c] : connections_) {
    if (c->gone) continue;
    if (c->has_pending() && c->front().kind == Pending::Kind::kChange) {
      c->waiting = false;
      give_up(*c);
    }
    if (c->session && !replica_->machine().session_state(c->session)) stop_speaking(*c, Speaks::kLost);
  }
  owed_.insert(owed_.end(), std::make_move_iterator(handed_over_.begin()), std::make_move_iterator(handed_over_.end()));
  handed_over_.clear();
  ending_ = 0;
  events_.restart_after(replica_->machine().revision());
}

}  // namespace cleat::server
