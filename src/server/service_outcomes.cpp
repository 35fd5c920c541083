// What the replica tells: outcomes to those who asked, pushes to those whom they concern, events to the hub.
#include <spdlog/spdlog.h>

#include <algorithm>

#include "resp/errors.hpp"
#include "resp/outcome_reply.hpp"
#include "server/service.hpp"

namespace cleat::server {

using lock::Outcome;
using lock::Result;
using lock::Verb;

namespace {

// The client itself took back what it was granted just before, so that the server has nothing to take back.
bool undoes_grant(const Outcome& o) {
  return o.verb == Verb::kUnlock && o.result == Result::kDone && !o.repeated && o.token.empty();
}

template <class T, class Condition>
void erase_last(std::vector<T>& list, const Condition& is_it) {
  const auto last = std::find_if(list.rbegin(), list.rend(), is_it);
  if (last != list.rend()) list.erase(std::next(last).base());
}

}  // namespace

void Service::on_outcome(const Outcome& o) {
  if (!replica_ || o.to.member != member_ || o.to.boot != replica_->boot() || o.verb == Verb::kConnectionClosed) return;
  metrics_.count(o);
  Connection* c = find(o.to.connection);
  if (o.pushed) {
    push_outcome(o);
  } else if (c && !c->gone) {
    answer_outcome(*c, o);
  } else if (may_be_undone(o)) {
    owe_undeliver(o.to, o.name, o.fence);
  } else if (undoes_grant(o)) {
    erase_last(owed_, [&](const Owed& owed) {
      return owed.command.verb == Verb::kUndeliver && owed.ref == o.to && owed.command.fence == o.fence;
    });
  }
}

void Service::on_wait() {
  if (around_.send_touched) around_.send_touched();
}

void Service::answer_outcome(Connection& c, const Outcome& o) {
  const auto is_it = [&](const Pending& p) { return p.kind == Pending::Kind::kChange && p.seq == o.seq; };
  if (!c.has_pending() || !is_it(c.front())) return;  // of a request that another connection joined since
  met_through(c.run_order);
  Pending& p = c.front();
  if (o.result == Result::kQueued && !p.async) {
    // The run stopped here. What is behind it is read again when this is decided.
    c.waiting = true;
    c.input.rewind(p.end);
    c.pending.resize(c.answered + 1);
    c.input.settle();
    c.input.look_ahead();
    if (c.speaks == Speaks::kExplicit) vouch_while_waiting(c);
    return;
  }
  auto writer = c.writer();
  apply_session_change(c, o);
  if (resp::wants_blocker(o, p.full)) {
    const lock::Blocker blocker = replica_->machine().blocker(o.name, o.mode);
    resp::write_outcome(writer, o, true, &blocker);
  } else {
    resp::write_outcome(writer, o, p.full);
  }
  if (c.speaks == Speaks::kExplicit && may_be_undone(o)) {
    c.unsent_grants.push_back({std::string(o.name), o.fence, c.out.size()});
  } else if (!c.unsent_grants.empty() && undoes_grant(o)) {
    erase_last(c.unsent_grants, [&](const UnsentGrant& g) { return g.fence == o.fence; });
  }
  pop_answered(c);
}

void Service::pop_answered(Connection& c) {
  c.waiting = false;
  c.pop_front();
  go_on(c);
}

// With what stands behind the answer that was just written.
void Service::go_on(Connection& c) {
  while (c.has_pending() && c.front().kind == Pending::Kind::kRefused) {
    ++metrics_.refused_disk_full;
    c.writer().error(resp::kDiskFullError);
    c.pop_front();
  }
  touch(c);
  if (c.has_pending()) return;
  if (c.input.unread().empty()) {
    c.input.settle();
  } else {
    resume(c);
  }
}

// A session's grant that nobody heard of must not stand (protocol.md "Sessions and connections"); of a re-entry the
// machine takes back that one depth. An implicit session ends with its connection, so that only those of explicit ones
// can be left behind.
bool Service::may_be_undone(const Outcome& o) {
  return o.verb == Verb::kLock && o.result == Result::kGranted && !o.repeated && o.req.empty() && o.token.empty();
}

// To all RESP3 connections that speak for the session; a token's to the one that asked.
void Service::push_outcome(const Outcome& o) {
  lock::Blocker blocker;
  if (resp::wants_blocker(o, true)) blocker = replica_->machine().blocker(o.name, o.mode);
  const auto push_to = [&](Connection& c) {
    if (c.gone || !c.resp3()) return;
    auto writer = c.writer();
    resp::write_outcome_push(writer, o, &blocker);
    ++metrics_.pushes;
    touch(c);
  };
  Connection* asker = find(o.to.connection);
  if (!o.token.empty() || !asker || !asker->session) {
    if (asker) push_to(*asker);
    return;
  }
  const auto it = speakers_.find(asker->session.value);
  if (it == speakers_.end()) return;
  for (Connection* c : it->second) push_to(*c);
}

void Service::on_event(const lock::Event& e) {
  if (!replica_) return;
  metrics_.count(e);
  if (e.forced) push_loss(e);
  events_.add(e, [this](Connection& c, bool gap) {
    gap ? ++metrics_.gaps : ++metrics_.pushes;
    touch(c);
  });
}

void Service::push_loss(const lock::Event& e) {
  const auto push_to = [&](Connection& c) {
    if (c.gone || !c.resp3()) return;
    auto writer = c.writer();
    resp::write_lost_push(writer, e, events_.incarnation());
    ++metrics_.pushes;
    touch(c);
  };
  if (!e.session) {
    if (e.holder.member != member_ || e.holder.boot != replica_->boot()) return;
    if (Connection* c = find(e.holder.connection)) push_to(*c);
    return;
  }
  const auto it = speakers_.find(e.session.value);
  if (it == speakers_.end()) return;
  for (Connection* c : it->second) push_to(*c);
}

void Service::on_leadership(bool leads, uint64_t term) {
  spdlog::info("term {}: this node {}", term, leads ? "leads" : "does not lead");
  leader_came_ |= leads;
}

void Service::on_log(int level, std::string_view line) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                   spdlog::level::err, spdlog::level::critical};
  spdlog::log(kLevels[std::clamp(level, 0, 4)], "{}", line);
}

}  // namespace cleat::server
