#include "network.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "replica/peer_messages.hpp"

namespace cleat::sim {
namespace {

bool is_raft(std::string_view message) {
  return !message.empty() && message[0] == static_cast<char>(replica::PeerKind::kRaft);
}

}  // namespace

Network::Wire& Network::wire(uint32_t from, uint32_t to) {
  const auto found = wires_.find({from, to});
  if (found != wires_.end()) return found->second;
  return wires_.emplace(std::pair(from, to), world_.dice(Stream::kWire, from << 8 | to)).first->second;
}

// Of the message that is being sent.
bool Network::happens(uint32_t from, uint32_t to, double chance) {
  Wire& w = wire(from, to);
  return w.dice.chance(chance) && world_.happens(Stream::kWireTrouble, from << 8 | to, w.sent);
}

void Network::started(uint32_t member, uint32_t boot, uint32_t level) {
  ends_[member].up = true;
  ends_[member].boot = boot;
  ends_[member].level = level;
  for (auto& [other, end] : ends_) {
    if (other == member) continue;
    // What stood from before this start: the new process knows nothing of it, and resets it.
    if (wire(other, member).up) break_wire(other, member);
    dial(member, other, wire(member, other).dice.in(500, 30'000));
    if (end.up) dial(other, member, wire(other, member).dice.in(500, 100'000));
  }
}

void Network::stopped(uint32_t member, bool told) {
  ends_[member].up = false;
  for (auto& [other, end] : ends_) {
    if (other == member) continue;
    Wire& out = wire(member, other);
    ++out.life;
    out.up = false;
    lost_ += out.stuck.size() + (out.under_way > 0);
    out.stuck.clear();
    out.under_way = 0;
    Wire& in = wire(other, member);
    if (!in.up) continue;
    in.dead = true;
    const int64_t notice_us = told ? in.dice.in(200, 2'000) : kUserTimeoutUs;
    world_.after(notice_us, [this, other = other, member, life = in.life] {
      if (wire(other, member).life == life && wire(other, member).dead) break_wire(other, member);
    });
  }
}

void Network::dial(uint32_t from, uint32_t to, int64_t after_us) {
  Wire& planned = wire(from, to);
  world_.after(after_us, [this, from, to, mine = ++planned.tries] {
    Wire& w = wire(from, to);
    if (w.up || mine != w.tries || !ends_[from].up) return;
    const bool reachable = ends_[to].up && !w.cut && !wire(to, from).cut && ends_[from].port->knows(to);
    if (!reachable || !admitted(from, to)) return dial(from, to, w.dice.in(50'000, 1'000'000));
    w.up = true;
    w.dead = false;
    ++w.life;
    w.last_us = world_.now_us;
    ends_[from].port->peer_up(to, ends_[to].boot, ends_[to].level);
  });
}

bool Network::admitted(uint32_t from, uint32_t to) {
  Port &dialing = *ends_[from].port, &dialed = *ends_[to].port;
  if (const base::Status status = dialed.admit(dialing.hello()); !status.ok()) {
    dialing.refused(status.message());
    return false;
  }
  if (const base::Status status = dialing.admit(dialed.hello()); !status.ok()) {
    dialed.refused(status.message());
    return false;
  }
  return true;
}

void Network::break_wire(uint32_t from, uint32_t to) {
  Wire& w = wire(from, to);
  if (!w.up) return;
  world_.cover(kWiresBroken);
  lost_ += w.stuck.size() + (w.under_way > 0);
  w.up = w.dead = false;
  ++w.life;
  w.stuck.clear();
  w.under_way = 0;
  if (!ends_[from].up) return;
  ends_[from].port->peer_down(to);
  dial(from, to, w.dice.in(50'000, 500'000));
}

void Network::send(uint32_t from, uint32_t to, std::string_view bytes, int64_t leaves_us) {
  Wire& w = wire(from, to);
  if (!w.up || (w.under_way > 0 && w.under_way + bytes.size() > plan_.wire_buffer)) {
    lost_ += w.up;
    return;
  }
  ++w.sent;
  if (plan_.wire_drops && happens(from, to, 0.01)) {  // as if its buffer had been full for a moment
    ++lost_;
    return;
  }
  w.under_way += bytes.size();
  const int64_t delay_us = plan_.wire_us + w.dice.in(0, plan_.wire_us / 2) + w.extra_us;
  w.last_us = std::max(w.last_us, std::max(leaves_us, world_.now_us) + delay_us);
  // Peers do neither to each other, but Raft must bear it.
  if (plan_.shuffles && is_raft(bytes) && happens(from, to, 0.02)) {
    const int64_t later_us = w.last_us + w.dice.in(100, 20'000);
    const bool twice = w.dice.chance(0.5);
    world_.cover(twice ? kMessagesDoubled : kMessagesOvertaken);
    world_.at(later_us, [this, from, to, life = w.life, b = std::string(bytes)]() mutable {
      if (wire(from, to).life == life && !wire(from, to).cut) deliver(from, to, wire(from, to), std::move(b));
    });
    if (!twice) return;
  }
  world_.at(w.last_us,
            [this, from, to, life = w.life, b = std::string(bytes)]() mutable { land(from, to, life, std::move(b)); });
}

void Network::land(uint32_t from, uint32_t to, uint64_t life, std::string bytes) {
  Wire& w = wire(from, to);
  if (w.life != life) return;
  if (w.cut || !w.stuck.empty()) {
    w.stuck.push_back(std::move(bytes));
    return;
  }
  deliver(from, to, w, std::move(bytes));
}

void Network::deliver(uint32_t from, uint32_t to, Wire& w, std::string bytes) {
  w.under_way -= std::min(w.under_way, bytes.size());
  if (w.dead || !ends_[to].up) {
    ++lost_;
    return;
  }
  ends_[to].port->arrive(from, std::move(bytes));
}

void Network::cut(uint32_t from, uint32_t to, bool quiet) {
  Wire& w = wire(from, to);
  if (w.cut) return;
  w.cut = true;
  w.quiet = quiet;
  if (quiet) return;
  world_.after(kUserTimeoutUs, [this, from, to, cut = ++w.cuts] {
    if (!wire(from, to).cut || wire(from, to).cuts != cut) return;
    break_wire(from, to);
    break_wire(to, from);  // its acknowledgements did not arrive
  });
}

void Network::cut_off(uint32_t member, bool in, bool out) {
  for (const auto& [other, end] : ends_) {
    if (other == member) continue;
    if (in) cut(other, member);
    if (out) cut(member, other);
  }
}

void Network::mend(uint32_t from, uint32_t to) {
  Wire& w = wire(from, to);
  if (!w.cut) return;
  w.cut = false;
  ++w.cuts;
  // The kernel sends again what it kept, in order, before anything newer.
  for (auto stuck = std::exchange(w.stuck, {}); !stuck.empty(); stuck.pop_front())
    deliver(from, to, w, std::move(stuck.front()));
}

void Network::mend_all() {
  for (auto& [ends, w] : wires_) {
    w.extra_us = 0;
    mend(ends.first, ends.second);
  }
}

bool Network::is_cut(uint32_t from, uint32_t to) const {
  const auto w = wires_.find({from, to});
  return w != wires_.end() && w->second.cut;
}

}  // namespace cleat::sim
