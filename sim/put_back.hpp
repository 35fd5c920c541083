// Somebody who puts the disk of a member back to an older copy, from before its latest start. All others have met that
// start: they send it away, and its operator replaces it. (Where nobody met a start since, nothing can tell.)
#pragma once

#include "changes.hpp"
#include "cluster.hpp"

namespace cleat::sim {

class PutBack {
 public:
  PutBack(Cluster& cluster, Changes& changes)
      : c_(cluster), changes_(changes), pace_(cluster.world.dice(Stream::kPace, 2)) {}
  void begin() { turn(); }
  void end() { over_ = true; }  // nothing new; what was put back is replaced
  bool settled() const { return !waits_; }

 private:
  void turn();
  void look();
  void copy();
  void go_on();
  bool all_met() const;

  Cluster& c_;
  Changes& changes_;
  Rng pace_;
  uint64_t copies_ = 0;
  Server* victim_ = nullptr;  // of whose disk there is a copy
  bool waits_ = false;        // for the others to send it away
  bool over_ = false;
};

}  // namespace cleat::sim
