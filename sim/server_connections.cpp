// The server's side of connections: order, runs, answers.
#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.hpp"
#include "server.hpp"

namespace cleat::sim {

using replica::Trouble;

void Server::drain() {
  take_peer_input();
  size_t take = mailbox_.size();
  // More comes than a turn reads, for a turn or for some; or none of it is read.
  if (take > 0 && plan_.stalls && happens(0.02)) {
    undrained_until_us_ = world_.now_us + dice_.in(0, 100'000);
    reads_nothing_ = dice_.chance(0.5);
  }
  if (take > 0 && world_.now_us <= undrained_until_us_) {
    take = reads_nothing_ ? 0 : static_cast<size_t>(dice_.in(0, static_cast<int64_t>(take) - 1));
    world_.cover(kUndrained);
    replica_->input_left();
  }
  for (; take > 0; --take) {
    auto [id, request] = std::move(mailbox_.front());
    mailbox_.pop_front();
    const auto c = connections_.find(id);
    if (c == connections_.end() || !c->second.open) continue;
    if (request.kind == Kind::kGone) {
      feed(id, c->second);  // what stands before the end in the socket is taken first
      c->second.open = false;
      c->second.client = nullptr;
      continue;
    }
    // Heard when read, even if it must wait its turn on the connection.
    if (c->second.session != 0) replica_->vouch({c->second.session}, 0);
    c->second.heard_us = world_.now_us;
    c->second.queue.push_back(std::move(request));
  }
}

// While something is unanswered on its connection a session cannot send a keep-alive that is read; an implicit one
// lives
void Server::vouch() {
  for (const auto& [id, c] : connections_) {
    if (!c.open) continue;
    const int64_t silent_ms = c.vanished ? (world_.now_us - c.heard_us) / 1000 : 0;
    const bool unanswered = c.waiting != 0 || c.busy || !c.run.empty() || !c.queue.empty();
    if (unanswered && c.session != 0 && !c.vanished) {
      replica_->vouch({c.session}, 0);
      heard(c.session, static_cast<int64_t>(awake_us_));
    }
    if (c.implicit != 0) replica_->vouch({c.implicit}, silent_ms);
  }
}

void Server::feed(uint64_t id, Connection& c) {
  while (!c.queue.empty() && c.run.empty() && c.waiting == 0 && !c.busy) {
    const Request& r = c.queue.front();
    if (r.kind == Kind::kCommand) return feed_run(id, c);
    if (r.kind == Kind::kQuit) {
      c.clean = true;
      c.open = false;
      return;
    }
    const uint64_t cookie = ++cookie_;
    cookies_[cookie] = {id, r, c.session, alone() ? checks_.last_index() : self_.group->decided_by(world_.now_us)};
    c.busy = true;
    if (r.kind == Kind::kCheck)
      replica_->read(cookie);
    else
      replica_->keep_alive({cookie, {c.session}, r.key, c.epoch});
    c.queue.pop_front();
  }
}

void Server::feed_run(uint64_t id, Connection& c) {
  if (replica_->begin_run({self_.member, replica_->boot(), number_of(id)}) != Trouble::kNone)
    return hold_or_refuse(id, c);
  c.held_since_us = -1;
  c.run_term = replica_->term();
  c.run_since_us = world_.now_us;
  c.run_awake_us = static_cast<int64_t>(awake_us_);
  while (!c.queue.empty() && c.queue.front().kind == Kind::kCommand) {
    Request& r = c.queue.front();
    const lock::Command command = complete(c, r);
    if (lock::required_level(command) > replica_->machine().level()) {
      if (!c.run.empty()) return;
      reply(id, {.number = r.number, .trouble = Trouble::kBusy, .verb = r.c.verb, .key = {}});  // an ERR: not done
      c.queue.pop_front();
      continue;
    }
    const bool barrier = r.c.verb < lock::Verb::kLock;
    if (barrier && !c.run.empty()) return;
    if (command.by == lock::By::kExplicit && c.session == 0) {
      reply(id, {.number = r.number, .result = lock::Result::kNoSession, .verb = r.c.verb});
      c.queue.pop_front();
      continue;
    }
    const Trouble trouble = replica_->add(command);
    if (trouble == Trouble::kBusy || trouble == Trouble::kNoQuorum) return;
    if (!alone() && !serving_ && trouble == Trouble::kNone) world_.cover(kForwarded);
    if (trouble == Trouble::kDiskFull) {
      world_.cover(kDiskFull);
      reply(id, {.number = r.number, .trouble = trouble, .verb = r.c.verb});
    } else {
      if (!c.client->speaks_on(id)) checks_.late({self_.member, replica_->boot(), number_of(id)}, command.seq);
      c.run.push_back(r);
      c.run.back().c.seq = command.seq;
      if (command.async) c.asynchronous[command.seq] = c.run.back();
    }
    c.queue.pop_front();
    if (barrier) return;
  }
}

lock::Command Server::complete(const Connection& c, const Request& r) const {
  lock::Command out = r.command();
  out.seq = const_cast<Server*>(this)->seq_ += 1;
  if (out.by == lock::By::kExplicit) {
    out.session = {c.session};
    out.session_epoch = c.epoch;
  }
  return out;
}

void Server::feed_closed(uint64_t id, Connection& c) {
  // The log hears of it a little later, or much: meanwhile the connection's waiters may be granted.
  if (c.told_closed) return;
  if (c.told_at_us < 0)
    c.told_at_us = world_.now_us + (dice_.chance(0.5)   ? 0
                                    : dice_.chance(0.6) ? dice_.in(500, 4'000)
                                                        : dice_.in(4'000, 400'000));
  if (world_.now_us < c.told_at_us) return schedule(c.told_at_us);
  lock::Command closed;
  closed.verb = lock::Verb::kConnectionClosed;
  closed.clean = c.clean;
  if (replica_->begin_run({self_.member, replica_->boot(), number_of(id)}) != Trouble::kNone) return;
  if (replica_->add(closed) != Trouble::kNone) return;
  c.told_closed = true;
  c.told_term = replica_->term();
}

void Server::feed_undelivered() {
  if (alone() && !serving_) return;
  for (Undelivered& u : undelivered_) {
    if (u.told) continue;
    lock::Command c;
    c.verb = lock::Verb::kUndeliver;
    c.name = u.name;
    c.fence = u.fence;
    c.session = u.session;
    if (replica_->begin_run({self_.member, replica_->boot(), 0}) != Trouble::kNone) return;
    if (replica_->add(c) != Trouble::kNone) return;
    u.told = true;
    u.told_term = replica_->term();
  }
  if (alone()) undelivered_.clear();
}

void Server::reply(uint64_t id, const Reply& r) {
  const auto c = connections_.find(id);
  if (c == connections_.end() || c->second.client == nullptr || c->second.vanished) return;
  if (unreachable_) return vanish(id);
  const int64_t sent_us = std::max(world_.now_us + elapsed_in_turn_us(), busy_until_us_);
  // In order, as a connection is.
  world_.at(sent_us + 200, [client = c->second.client, id, r] { client->on_reply(id, r); });
}

void Server::on_outcome(const lock::Outcome& o) {
  world_.trace(o.seq);
  world_.trace(o.fence.value);
  const auto found = connections_.find(handle_of(o.to.connection));
  if (o.to.member != self_.member || o.to.boot != replica_->boot()) return;
  const bool gone = found == connections_.end() || !found->second.open;
  if (gone) {
    if (o.verb == lock::Verb::kLock && o.result == lock::Result::kGranted && o.req.empty() && o.token.empty() &&
        o.session)
      undelivered_.push_back({std::string(o.name), o.fence, o.session});
    return;
  }
  Connection& c = found->second;
  Reply out{.number = 0,
            .result = o.result,
            .why = o.why,
            .verb = o.verb,
            .fence = o.fence.value,
            .session = o.session.value,
            .count = o.count,
            .epoch = o.session_epoch,
            .depth = o.depth,
            .waited_ms = o.waited_ms,
            .ttl_ms = o.ttl_ms,
            .ms_left = o.ms_left,
            .repeated = o.repeated,
            .pushed = o.pushed,
            .key = std::string(o.key)};
  Request request;
  if (const auto a = c.asynchronous.find(o.seq); a != c.asynchronous.end()) {
    request = a->second;
    if (o.result != lock::Result::kQueued)
      c.asynchronous.erase(a);
    else
      world_.cover(kAsync);
  }
  if (!c.run.empty() && c.run.front().c.seq == o.seq) {
    request = c.run.front();
    c.run.pop_front();
    if (o.result == lock::Result::kQueued && !request.c.async) {
      // The rest of the run was not done: it is asked again when this is decided.
      c.waiting = o.seq;
      for (; !c.run.empty(); c.run.pop_back()) c.queue.push_front(c.run.back());
      c.run.push_back(request);
      return;
    }
    if (c.waiting == o.seq) c.waiting = 0;
  }
  if (request.number == 0) return;
  if (o.result == lock::Result::kOpened || o.result == lock::Result::kAttached) {
    c.session = o.session.value;
    c.epoch = o.session_epoch;
    if (alone()) heard(c.session, c.run_awake_us);  // else it came some time before this
  }
  if (o.verb == lock::Verb::kCloseSession && o.result == lock::Result::kDone) c.session = 0;
  if (request.c.by == lock::By::kImplicit && o.session) c.implicit = o.session.value;
  out.number = request.number;
  const uint64_t speaker = request.c.by == lock::By::kExplicit ? c.session : c.implicit;
  checks_.answered(request, request.c.by == lock::By::kNone ? 0 : speaker, out);
  reply(handle_of(o.to.connection), out);
}

void Server::on_event(const lock::Event& e) {
  checks_.event_told(e);
  if (!e.forced || !e.session) return;
  for (const auto& [id, c] : connections_)
    if (c.session == e.session.value || c.implicit == e.session.value)
      reply(id, {.fence = e.fence.value, .lost = true, .key = {}});
}

void Server::on_read(uint64_t cookie, Trouble trouble) {
  const auto found = cookies_.find(cookie);
  if (found == cookies_.end()) return;
  const Asked asked = found->second;
  cookies_.erase(found);
  if (const auto c = connections_.find(asked.connection); c != connections_.end()) c->second.busy = false;
  Reply out{.number = asked.request.number, .kind = Kind::kCheck, .trouble = trouble, .key = {}};
  if (trouble == Trouble::kNone) {
    world_.cover(kReads);
    out.count = replica_->machine().check(asked.request.name, asked.request.c.fence);
    const bool ours = checks_.machine().check(asked.request.name, asked.request.c.fence);
    if (alone() && ours != (out.count == 1)) world_.fail("reads", "a read does not show what was applied before it");
    if (!alone()) self_.group->read_answered(self_.member, asked.decided, replica_->status().applied);
    if (!alone() && !serving_) world_.cover(kFollowerReads);
  }
  reply(asked.connection, out);
}

void Server::on_keep_alive(uint64_t cookie, const replica::KeepAliveAnswer& a, Trouble trouble) {
  const auto found = cookies_.find(cookie);
  if (found == cookies_.end()) return;
  const Asked asked = found->second;
  cookies_.erase(found);
  if (const auto c = connections_.find(asked.connection); c != connections_.end()) c->second.busy = false;
  if (trouble == Trouble::kNone) checks_.keep_alive_answered(asked.session, a, asked.decided);
  reply(asked.connection, {.number = asked.request.number,
                           .kind = Kind::kKeepAlive,
                           .trouble = trouble,
                           .session = asked.session,
                           .losses = a.losses,
                           .ttl_ms = a.ttl_ms,
                           .alive = a.alive,
                           .key = {}});
}

}  // namespace cleat::sim
