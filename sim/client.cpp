#include "client.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.hpp"
#include "words.hpp"

namespace cleat::sim {

using lock::By;
using lock::Verb;

Client::Client(World& world, const std::vector<Server*>& servers, Checks& checks, Beliefs& beliefs, const Plan& plan,
               int id, Sort sort)
    : world_(world),
      servers_(servers),
      at_(static_cast<size_t>(id)),
      checks_(checks),
      beliefs_(beliefs),
      plan_(plan),
      id_(id),
      sort_(sort),
      dice_(world.dice(Stream::kClientLife, static_cast<uint64_t>(id))),
      quiet_(dice_.chance(0.3)),
      number_(plan.first_number) {}

void Client::begin() {
  dead_ = !world_.happens(Stream::kClientLife, static_cast<uint64_t>(id_), 0);
  world_.after(dice_.in(1'000, 200'000), [this] { turn(); });
}

void Client::finish() {
  finishing_ = true;
  finishing_us_ = world_.now_us;
}

bool Client::done() const {
  return dead_ || (pending_.empty() && held_.empty());
}

std::string Client::state() const {
  std::string out = fmt::format("client {} (sort {}), connection {}, session {}", id_, static_cast<int>(sort_),
                                connection_, session_);
  for (const auto& [n, p] : pending_)
    out += fmt::format("; asked #{} verb {} '{}'", n, static_cast<int>(p.request.c.verb), p.request.name);
  for (const auto& [fence, h] : held_) out += fmt::format("; holds {} fence {}", h.name, fence);
  return out;
}

void Client::turn() {
  if (dead_) return;
  if (world_.now_us < away_until_us_) return world_.at(away_until_us_, [this] { turn(); });
  dice_ = world_.dice(Stream::kClientTurn, static_cast<uint64_t>(id_), ++turn_);
  const int64_t gap_us = dice_.chance(0.4) ? dice_.in(200, 5'000) : dice_.in(5'000, 60'000);
  world_.after(gap_us, [this] { turn(); });
  did_something_ = false;
  take_turn();
  if (did_something_) world_.note(Stream::kClientTurn, static_cast<uint64_t>(id_), turn_);
}

// What it does for no reason but the dice; in a turn that is left out it does nothing of that kind.
bool Client::misbehaves(double chance) {
  if (!dice_.chance(chance) || finishing_ || !world_.may_happen(Stream::kClientTurn, static_cast<uint64_t>(id_), turn_))
    return false;
  return did_something_ = true;
}

void Client::take_turn() {
  if (connection_ != 0 && waits_in_vain()) move();
  if (plan_.slow_clients && connection_ != 0 && misbehaves(0.01)) line_.extra_us = dice_.in(300'000, 8'000'000);
  if (connection_ == 0 && !(finishing_ && session_ == 0 && pending_.empty() && held_.empty())) connect();
  if (connection_ != 0) {
    if (sort_ == Sort::kExplicit && attached_ && now_us() >= next_keep_alive_us_) keep_alive();
    act();
  }
  // Now and then it is away for longer than its session may be silent, and comes back to the same connection.
  if (sort_ == Sort::kExplicit && plan_.deaths && misbehaves(0.002))
    away_until_us_ = world_.now_us + ttl_ms_ * dice_.in(600, 1800);
}

// Its member is silent: it tries another after a third of its TTL. Now and then it goes for no reason.
bool Client::waits_in_vain() {
  if (plan_.drops && misbehaves(0.001)) return true;
  const int64_t patience_us = sort_ == Sort::kExplicit ? std::max<int64_t>(ttl_ms_ * 333, 300'000) : 1'500'000;
  return std::any_of(pending_.begin(), pending_.end(), [&](const auto& pending) {
    const Pending& p = pending.second;
    if (p.queued && sort_ == Sort::kExplicit) return false;  // its keep-alives tell whether it is heard
    int64_t wait_us = 0;
    if (p.request.kind == Kind::kCommand && p.request.c.verb == Verb::kLock)
      wait_us = p.request.c.wait_ms == lock::kForever ? 4'000'000 : p.request.c.wait_ms * 1000;
    else if (blocking_wait())
      wait_us = 4'000'000;
    return now_us() - p.sent_us > wait_us + patience_us;
  });
}

void Client::move() {
  world_.cover(kMoved);
  at_ += servers_.size() > 2 ? static_cast<size_t>(dice_.in(1, static_cast<int64_t>(servers_.size()) - 1)) : 1;
  if (world_.telling()) world_.say(fmt::format("client {} gives its connection up and goes to another member", id_));
  for (auto& [n, p] : pending_) p.moved = true;
  leave(false);
}

// What was sent before arrives before the end of the connection, however late.
void Client::leave(bool politely) {
  const uint64_t old = connection_;
  if (politely) {
    Request quit;
    quit.kind = Kind::kQuit;
    arrive_later([old, quit](Server& s) { s.send(old, quit); });
  } else {
    arrive_later([old](Server& s) { s.disconnect(old); });
  }
  on_disconnected(old);
}

void Client::arrive_later(std::function<void(Server&)> what) {
  line_.last_us = std::max(line_.last_us, world_.now_us + 200 + line_.extra_us);
  world_.at(line_.last_us, [server = line_.server, what = std::move(what)] { what(*server); });
}

void Client::connect() {
  line_ = {servers_[at_ % servers_.size()]};
  connection_ = line_.server->connect(this);
  if (connection_ == 0) {
    ++at_;
    return;
  }
  attached_ = false;
  implicit_ = 0;
  for (auto& [n, p] : pending_) p.sent_us = now_us();  // it is patient anew
  if (sort_ != Sort::kExplicit) {
    // Tokens are asked for again; what an implicit session asked and held is gone with its connection.
    for (auto& [n, p] : pending_) send(p);
    return;
  }
  Request r;
  if (session_ == 0) {
    r.c.verb = Verb::kOpenSession;
    ttl_ms_ = dice_.in(plan_.session_ttl_min_ms, plan_.session_ttl_max_ms);
    r.c.ttl_ms = ttl_ms_;
    key_ = fmt::format("key{:04}{:08}", id_, dice_.in(0, 99'999'999));
  } else {
    r.c.verb = Verb::kAttachSession;
    r.c.session = {session_};
    r.c.takeover = true;  // what it said on connections that it left, and comes later, is refused
  }
  r.key = key_;
  ask(r);
}

bool Client::blocking_wait() const {
  return std::any_of(pending_.begin(), pending_.end(), [](const auto& p) { return !p.second.request.c.async; });
}

bool Client::waits_unnamed() const {
  return std::any_of(pending_.begin(), pending_.end(), [](const auto& p) {
    const Request& r = p.second.request;
    return r.c.verb == Verb::kLock && r.req.empty() && r.token.empty();
  });
}

void Client::act() {
  if (finishing_ && sort_ != Sort::kToken && tired()) return give_up();
  if (sort_ == Sort::kExplicit && !attached_) return;
  // More often while something waits that nobody can ask for again.
  if (plan_.drops && misbehaves(waits_unnamed() ? 0.1 : 0.005)) return drop_connection();
  if (plan_.deaths && misbehaves(0.001)) return die();
  if (!finishing_ && !world_.may_happen(Stream::kClientTurn, static_cast<uint64_t>(id_), turn_)) return;
  if (quiet_ && !finishing_ && dice_.chance(0.97)) return;
  const bool busy = blocking_wait();
  if (busy && dice_.chance(0.8)) return;  // sometimes it pipelines behind what waits
  for (auto& [fence, h] : held_) {
    if (h.unlocking) continue;
    if (finishing_ || dice_.chance(0.4)) return let_go(h);
    if (dice_.chance(0.1)) return renew(h);
    if (dice_.chance(0.05)) return put(h);
    if (dice_.chance(0.1)) return check(h);
  }
  if (finishing_ && sort_ == Sort::kExplicit && session_ != 0 && pending_.empty()) return close_session();
  if (finishing_) return;
  if (pending_.size() >= 4) return;
  if (sort_ == Sort::kExplicit && dice_.chance(0.005)) return close_session();
  if (dice_.chance(0.08)) return cancel_something();
  if (servers_.size() > 1 && dice_.chance(0.15)) return look_at_something();
  if (held_.size() < 3 && dice_.chance(0.6)) lock_something();
}

void Client::fill_by(Request& r) const {
  r.c.by = sort_ == Sort::kExplicit ? By::kExplicit : sort_ == Sort::kImplicit ? By::kImplicit : By::kNone;
}

// Often one that the margin leaves no rounding.
int64_t Client::a_ttl_ms() {
  return dice_.chance(0.5) ? dice_.in(500, 2500) : dice_.in(5, 25) * 100;
}

void Client::lock_something() {
  Request r;
  fill_by(r);
  r.c.verb = Verb::kLock;
  r.name = fmt::format("n{}", dice_.in(1, plan_.names));
  r.c.mode = dice_.chance(0.4) ? lock::Mode::kExclusive : static_cast<lock::Mode>(dice_.in(0, 5));
  // Nothing breaks a circle of waits but their ends: who holds something does not wait for long.
  r.c.wait_ms = dice_.chance(0.4) ? 0 : held_.empty() ? dice_.in(50, 2000) : dice_.in(20, 300);
  if (held_.empty() && pending_.empty() && dice_.chance(0.1)) r.c.wait_ms = lock::kForever;
  if (plan_.priorities && dice_.chance(0.3)) r.c.priority = static_cast<uint8_t>(dice_.in(0, 3));
  if (dice_.chance(0.4)) r.c.ttl_ms = a_ttl_ms();
  if (dice_.chance(0.2)) r.c.max_hold_ms = dice_.in(300, 2500);
  if (plan_.delays && dice_.chance(0.3)) r.c.delay_ms = dice_.in(50, 800);
  if (dice_.chance(0.1)) r.owner = fmt::format("o{}", dice_.in(1, 2));
  if (dice_.chance(0.05)) r.c.no_reentry = true;
  if (dice_.chance(0.1)) r.data = "d", r.c.has_data = true;
  if (dice_.chance(0.8)) r.req = fmt::format("r{}-{}", id_, number_ + 1);
  if (sort_ == Sort::kToken) {
    r.owner.clear();
    r.c.no_reentry = false;
    r.token = fmt::format("t{}-{}", id_, number_ + 1);
    if (r.c.ttl_ms == 0) r.c.ttl_ms = a_ttl_ms();
    if (r.c.wait_ms == lock::kForever) r.c.wait_ms = 2500;
  } else if (!r.req.empty() && dice_.chance(plan_.async)) {
    r.c.async = true;
  }
  ask(r);
}

Request Client::about(const Held& h, Verb verb) {
  Request r;
  fill_by(r);
  r.c.verb = verb;
  r.name = h.name;
  r.token = h.token;
  r.owner = held_owner_[h.fence];
  r.c.fence = {h.fence};
  return r;
}

void Client::let_go(Held& h) {
  Request r = about(h, Verb::kUnlock);
  if (dice_.chance(0.6) && sort_ != Sort::kToken) r.req = fmt::format("u{}-{}", id_, number_ + 1);
  h.unlocking = true;
  if (!base::mutant("client_believes_until_unlocked")) beliefs_.holds.erase(h.fence);
  ask(r);
}

void Client::renew(Held& h) {
  Request r = about(h, Verb::kRenew);
  r.c.ttl_ms = a_ttl_ms();
  if (plan_.upgrades && dice_.chance(0.3)) r.data = "renewed", r.c.has_data = true;  // of the next feature level
  // A hold without TTL gets one, which may be all that is ever heard of this: it is believed in no longer than that.
  if (const auto b = beliefs_.holds.find(h.fence); b != beliefs_.holds.end() && ttl_ends_[h.fence] == INT64_MAX) {
    b->second.own_end_us = std::min(b->second.own_end_us, now_us() + r.c.ttl_ms * 1000);
  }
  ask(r);
}

void Client::put(Held& h) {
  Request r = about(h, Verb::kPut);
  r.data = "new";
  r.c.has_data = true;
  ask(r);
}

void Client::check(const Held& h) {
  Request r;
  r.kind = Kind::kCheck;
  r.name = h.name;
  r.c.fence = {h.fence};
  ask(r);
}

void Client::look_at_something() {
  Request r;
  r.kind = Kind::kCheck;
  r.name = fmt::format("n{}", dice_.in(1, plan_.names));
  r.c.fence = {1};
  ask(r);
}

void Client::cancel_something() {
  for (const auto& [n, p] : pending_) {
    if (p.request.c.verb != Verb::kLock || !p.request.c.async) continue;
    Request r;
    fill_by(r);
    r.c.verb = Verb::kCancel;
    r.req = p.request.req;
    ask(r);
    return;
  }
}

void Client::close_session() {
  Request r;
  fill_by(r);
  r.c.verb = Verb::kCloseSession;
  beliefs_.drop_session(session_);
  held_.clear();
  leaving_ = true;
  attached_ = false;
  ask(r);
}

// It holds something unknown to it, or waits for one who does: its session ends, and with it all it has.
bool Client::tired() const {
  return std::any_of(pending_.begin(), pending_.end(),
                     [&](const auto& p) { return now_us() - p.second.first_us > 8'000'000; }) &&
         world_.now_us - finishing_us_ > 8'000'000;
}

// It is well connected and was granted something for seconds: then it was told so.
void Client::check_told() {
  constexpr int64_t kToldWithinUs = 5'000'000;
  if (sort_ != Sort::kExplicit || !attached_ || world_.now_us - attached_us_ < kToldWithinUs) return;
  for (const auto& [n, p] : pending_) {
    const int64_t granted_us = p.request.c.verb == Verb::kLock ? checks_.granted_us(session_, p.request.req) : 0;
    if (granted_us != 0 && world_.now_us - granted_us > kToldWithinUs)
      world_.fail("exactly once", fmt::format("exactly once: client {} waits for REQ {}, which was granted long ago",
                                              id_, p.request.req));
  }
}

void Client::give_up() {
  check_told();
  drop_connection();
  pending_.clear();
  giving_up_ = true;
}

void Client::drop_connection() {
  world_.cover(kConnectionsLost);
  world_.say(fmt::format("client {} loses its connection", id_));
  leave(sort_ == Sort::kImplicit && dice_.chance(0.4));
}

// Without a word: the server finds out by silence.
void Client::die() {
  world_.cover(kDeadClients);
  world_.say(fmt::format("client {} dies without a word", id_));
  dead_ = true;
  if (line_.server != nullptr) line_.server->vanish(connection_);
  if (sort_ == Sort::kImplicit) beliefs_.drop_session(implicit_);
  world_.after(dice_.in(200'000, 4'000'000), [this] { be_reborn(); });
}

// Another program takes its place, which knows nothing of it. What it believed in is still believed in.
void Client::be_reborn() {
  if (finishing_) return;
  dead_ = attached_ = leaving_ = false;
  connection_ = session_ = implicit_ = 0;
  away_until_us_ = 0;
  pending_.clear();
  held_.clear();
  held_owner_.clear();
  turn();
}

void Client::keep_alive() {
  Request r;
  r.kind = Kind::kKeepAlive;
  r.key = key_;
  // Mostly in good time, sometimes at the last moment.
  const int64_t from = dice_.chance(0.1) ? 960 : 200;
  const int64_t to = from > 200 ? 1'000 : dice_.chance(0.9) ? 400 : 900;
  next_keep_alive_us_ = now_us() + dice_.in(ttl_ms_ * from, ttl_ms_ * to);
  if (blocking_wait()) return;
  ask(r);
}

uint64_t Client::ask(Request r) {
  r.number = ++number_;
  Pending& p = pending_[number_];
  p.request = std::move(r);
  p.first_us = now_us();
  const bool keeps_up = p.request.kind == Kind::kKeepAlive || p.request.c.verb == Verb::kOpenSession ||
                        p.request.c.verb == Verb::kAttachSession;
  did_something_ |= !keeps_up;
  world_.cover(kRequests);
  world_.cover(kOperations, !keeps_up);
  send(p);
  return number_;
}

void Client::send(Pending& p) {
  p.sent_us = now_us();
  if (world_.telling() && (p.request.kind == Kind::kCommand || world_.telling_all()))
    world_.say(fmt::format("client {} asks member {}: {}", id_, line_.server->member(), in_words(p.request)));
  arrive_later([to = connection_, r = p.request](Server& s) { s.send(to, r); });
}

}  // namespace cleat::sim
