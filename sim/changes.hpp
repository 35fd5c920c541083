// The operator of a group: now and then a member joins (empty, learner first, promoted when it has caught up) and
// another leaves for good. What was asked and not decided is asked again, of whoever leads then.
#pragma once

#include "cluster.hpp"

namespace cleat::sim {

class Changes {
 public:
  explicit Changes(Cluster& cluster) : c_(cluster), pace_(cluster.world.dice(Stream::kPace, 1)) {}
  void begin();
  void end() { over_ = true; }  // nothing new; what is under way goes on
  bool settled() const { return joiner_ == nullptr && leaver_ == nullptr && !wants_joiner_; }
  void join();
  void leave(Server& server) { leaver_ = &server; }
  void replace(Server& server) { leaver_ = &server, wants_joiner_ = true; }

 private:
  void turn();
  void look(Server& leader);
  void go_on_joining(Server& leader);
  void go_on_leaving(Server& leader);
  void ask(Server& leader, replica::MemberChange::Kind, const Server& about);

  Cluster& c_;
  Rng pace_;
  uint64_t turns_ = 0;
  Server* joiner_ = nullptr;
  Server* leaver_ = nullptr;
  bool over_ = false, promoted_ = false, wants_joiner_ = false;
  uint64_t cookie_ = 0;
};

}  // namespace cleat::sim
