// Disks that a member must not go on with. Somebody puts one back to an older copy, from before its latest start: the
// others have met that start, and send the member away. Or to one of its latest start: the leader to which it has
// acknowledged more since does so. (Where nobody met a start since, or that leader leads no more, nothing can tell.) Or
// a byte rots: the member does not start, or did not need it. The operator replaces the member.
#pragma once

#include "changes.hpp"
#include "cluster.hpp"

namespace cleat::sim {

class LostDisks {
 public:
  LostDisks(Cluster& cluster, Changes& changes)
      : c_(cluster), changes_(changes), pace_(cluster.world.dice(Stream::kPace, 2)) {}
  void begin() { turn(); }
  void end() { over_ = true; }  // nothing new; what is lost is replaced
  bool settled() const { return doing_ == Doing::kNothing || doing_ == Doing::kCopied; }

 private:
  enum class Doing : uint8_t { kNothing, kCopied, kPutBack, kPutBackWithinStart, kRots };
  void turn();
  void look();
  void choose();
  void put_back();
  void put_back_within_start();
  void judge();
  bool judge_leads() const;
  uint64_t acknowledged() const;
  bool all_met() const;
  bool is_spare() const;

  Cluster& c_;
  Changes& changes_;
  Rng pace_;
  uint64_t count_ = 0;
  Doing doing_ = Doing::kNothing;
  Server* victim_ = nullptr;
  bool within_start_ = false;
  Server* judge_ = nullptr;  // the leader that knows what the victim acknowledged
  uint64_t judged_term_ = 0;
  bool over_ = false;
};

}  // namespace cleat::sim
