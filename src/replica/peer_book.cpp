#include "replica/peer_book.hpp"

#include <cstdlib>

namespace cleat::replica {

void PeerBook::up(uint32_t member, uint32_t boot, uint32_t level) {
  Peer& p = peers_[member];
  if (boot != p.boot) p = {};
  p.up = true;
  p.boot = boot;
  p.level = level;
}

void PeerBook::down(uint32_t member) {
  const auto it = peers_.find(member);
  if (it != peers_.end()) it->second.up = false;
}

void PeerBook::said(uint32_t member, const PeerState& s, int64_t now_us) {
  Peer& p = peers_[member];
  p.applied = s.applied;
  p.disk_full = s.disk_full;
  p.client_address = s.client_address;
  p.version = s.version;
  p.their_sent_us = s.sent_us;
  p.their_came_us = now_us;
  if (s.echo_us == 0) return;
  const int64_t round_us = now_us - static_cast<int64_t>(s.echo_us) - static_cast<int64_t>(s.held_us);
  if (round_us < 0) return;
  p.round_trip_us = p.round_trip_us < 0 ? round_us : (p.round_trip_us * 7 + round_us) / 8;
  p.clock.sample(now_us, static_cast<int64_t>(s.sent_us), round_us);
}

bool PeerBook::is_up(uint32_t member) const {
  const Peer* p = find(member);
  return p != nullptr && p->up;
}

uint32_t PeerBook::boot(uint32_t member) const {
  const Peer* p = find(member);
  return p == nullptr ? 0 : p->boot;
}

const PeerBook::Peer* PeerBook::find(uint32_t member) const {
  const auto it = peers_.find(member);
  return it == peers_.end() ? nullptr : &it->second;
}

void PeerBook::echo(uint32_t member, int64_t now_us, PeerState& s) const {
  const Peer* p = find(member);
  if (p == nullptr || p->their_sent_us == 0) return;
  s.echo_us = p->their_sent_us;
  s.held_us = static_cast<uint64_t>(now_us - p->their_came_us);
}

int64_t PeerBook::worst_clock_ppm() const {
  int64_t worst = 0;
  for (const auto& [id, p] : peers_)
    if (std::llabs(p.clock.ppm()) > std::llabs(worst)) worst = p.clock.ppm();
  return worst;
}

}  // namespace cleat::replica
