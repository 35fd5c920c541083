// What befalls a group while it serves: chosen by the seed, as the plan allows. Each fault has dice of its own.
#pragma once

#include "cluster.hpp"

namespace cleat::sim {

class Faults {
 public:
  explicit Faults(Cluster& cluster) : c_(cluster), pace_(cluster.world.dice(Stream::kPace)) {}
  void begin() { next(); }
  void end() { over_ = true; }

 private:
  void next();
  bool one(Rng&);  // false: nothing befell anybody
  Server& victim(Rng&);
  bool crash(Rng&, Server&);
  bool crash_many(Rng&, bool all);
  void leave_behind(Rng&, Server&);
  bool stall(Rng&, Server&);
  bool part(Rng&, Server&);
  bool part_halves(Rng&);
  bool part_raggedly(Rng&);
  bool flap(Rng&, Server&);
  bool disturb_wires(Rng&, Server&);
  bool disturb_disk(Rng&, Server&);
  bool drift(Rng&, Server&);
  bool transfer(Rng&);
  void mend_later(Rng&);

  Cluster& c_;
  Rng pace_;
  uint64_t count_ = 0;
  bool over_ = false;
};

}  // namespace cleat::sim
