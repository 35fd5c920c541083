// What this member knows of each other one: its connection, its boot, what it last said, how far away it is, and how
// fast its clock runs (time.md "Rates are watched").
#pragma once

#include <map>
#include <string>

#include "base/rate_watch.hpp"
#include "replica/peer_messages.hpp"
#include "replica/replica.hpp"

namespace cleat::replica {

class PeerBook {
 public:
  struct Peer {
    bool up = false;
    uint32_t boot = 0, level = 0;
    uint64_t applied = 0;
    bool disk_full = false;
    std::string client_address, version;
    int64_t heard_us = -1;  // this member's clock
    int64_t round_trip_us = -1;
    uint64_t their_sent_us = 0;  // of their last PeerState ...
    int64_t their_came_us = 0;   // ... which came then
    base::RateWatch clock;
  };

  void up(uint32_t member, uint32_t boot, uint32_t level);
  void down(uint32_t member);
  void heard(uint32_t member, int64_t now_us) { peers_[member].heard_us = now_us; }
  void said(uint32_t member, const PeerState&, int64_t now_us);
  void forget(uint32_t member) { peers_.erase(member); }

  bool is_up(uint32_t member) const;
  uint32_t boot(uint32_t member) const;
  const Peer* find(uint32_t member) const;
  const std::map<uint32_t, Peer>& all() const { return peers_; }
  // The part of a PeerState that depends on whom it goes to.
  void echo(uint32_t member, int64_t now_us, PeerState&) const;
  // The greatest difference of rates to any peer, in parts per million; 0: none known.
  int64_t worst_clock_ppm() const;

 private:
  std::map<uint32_t, Peer> peers_;
};

}  // namespace cleat::replica
