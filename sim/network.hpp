// The wires between members, as net::Peers makes them: one ordered connection per direction, at most once; what a
// broken connection had under way is lost. Cut and slowed at will, each direction alone. A wire that is cut keeps what
// is sent (its kernel repeats it) until it is whole again or its user timeout breaks it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.hpp"
#include "net/peer_hello.hpp"
#include "world.hpp"

namespace cleat::sim {

// A member's end of its wires.
class Port {
 public:
  virtual ~Port() = default;
  virtual void arrive(uint32_t from, std::string bytes) = 0;
  virtual void peer_up(uint32_t member, uint32_t boot, uint32_t level) = 0;
  virtual void peer_down(uint32_t member) = 0;
  virtual bool knows(uint32_t member) const = 0;  // it belongs to the group, as far as this one knows: to be dialed
  // What both ends of a new connection say and ask of each other first.
  virtual net::PeerHello hello() const = 0;
  virtual base::Status admit(const net::PeerHello& theirs) = 0;
  virtual void refused(const std::string& why) = 0;
};

class Network {
 public:
  Network(World& world, const Plan& plan) : world_(world), plan_(plan) {}

  void attach(uint32_t member, Port* port) { ends_[member].port = port; }
  void started(uint32_t member, uint32_t boot, uint32_t level);  // it dials all others from now on
  // Its process is gone. `told`: its kernel closes its connections; otherwise the others find out by silence.
  void stopped(uint32_t member, bool told);
  void send(uint32_t from, uint32_t to, std::string_view bytes, int64_t leaves_us);

  // Nothing goes from one to the other. `quiet`: no acknowledgements are missed, so that neither connection breaks.
  void cut(uint32_t from, uint32_t to, bool quiet = false);
  void cut_off(uint32_t member, bool in, bool out);
  void mend(uint32_t from, uint32_t to);
  void mend_all();
  void slow(uint32_t from, uint32_t to, int64_t us) { wire(from, to).extra_us = us; }
  void break_wire(uint32_t from, uint32_t to);
  bool is_cut(uint32_t from, uint32_t to) const;
  uint64_t lost() const { return lost_; }

  static constexpr int64_t kUserTimeoutUs = 2'000'000;

 private:
  struct End {
    Port* port = nullptr;
    bool up = false;
    uint32_t boot = 0, level = 0;
  };
  struct Wire {
    explicit Wire(Rng its_dice) : dice(its_dice) {}
    Rng dice;
    uint64_t sent = 0;
    bool up = false;    // the sender holds a connection
    bool dead = false;  // its other end is gone, unknown to the sender
    bool cut = false, quiet = false;
    uint64_t life = 0, cuts = 0, tries = 0;  // so that what was planned for an earlier one is void
    int64_t extra_us = 0, last_us = 0;
    size_t under_way = 0;
    std::deque<std::string> stuck;
  };

  Wire& wire(uint32_t from, uint32_t to);
  bool happens(uint32_t from, uint32_t to, double chance);
  void dial(uint32_t from, uint32_t to, int64_t after_us);
  bool admitted(uint32_t from, uint32_t to);
  void land(uint32_t from, uint32_t to, uint64_t life, std::string bytes);
  void deliver(uint32_t from, uint32_t to, Wire&, std::string bytes);

  World& world_;
  const Plan& plan_;
  std::map<uint32_t, End> ends_;
  std::map<std::pair<uint32_t, uint32_t>, Wire> wires_;
  uint64_t lost_ = 0;
};

}  // namespace cleat::sim
