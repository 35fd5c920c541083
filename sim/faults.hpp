// What befalls a group while it serves: chosen by the seed, as the plan allows.
#pragma once

#include "cluster.hpp"

namespace cleat::sim {

class Faults {
 public:
  explicit Faults(Cluster& cluster) : c_(cluster) {}
  void begin() { next(); }
  void end() { over_ = true; }

 private:
  void next();
  void one();
  Server& victim();
  void crash(Server&);
  void crash_many(bool all);
  void leave_behind(Server&);
  void stall(Server&);
  void part(Server&);
  void part_halves();
  void disturb_wires(Server&);
  void disturb_disk(Server&);
  void transfer();
  void mend_later();

  Cluster& c_;
  bool over_ = false;
};

}  // namespace cleat::sim
