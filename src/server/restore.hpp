// What a backup becomes: a data directory of a new incarnation of its cluster (engine.md "Restore and recovery"). One
// member is ready at once. Of several each restores the same file with the same list, and they found the group when all
// of them are there, like one that begins empty (founding.hpp): so nobody votes from a directory that others know as
// another one, and a restore that was done on some only waits. docs/design.md says what becomes of the state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lock/machine.hpp"
#include "server/cluster_identity.hpp"

namespace cleat::server {

struct RestoreRequest {
  std::string file, dir;           // `dir` is made, or is empty
  std::string name;                // of this member
  std::vector<ListedMember> list;  // of all, by name, this one among them; empty: it is alone
  uint64_t fence_above = 0;        // given by the operator; 0: not
  int64_t now_ms = 0;              // Unix time
};

struct Restored {
  replica::Backup backup;
  Origin origin;
  uint64_t fence = 0;  // the counter; of several members the highest of theirs counts
  lock::Totals before, after;
  bool waits = false;  // for the other members
};

// kInvalid, kCorrupt, kNoSpace, kIo with a line for the operator; then the directory is as it was.
base::Result<Restored> restore(storage::FileSystem&, const RestoreRequest&);

// The group of `identity`, which has an origin, begins with the backup that lies in the directory: writes the image and
// the identity, removes what is no longer needed. May be done again after a crash.
base::Status finish_restore(storage::FileSystem&, const std::string& dir, const ClusterIdentity&);
void forget_restore(storage::FileSystem&, const std::string& dir);

// Numbers of a new incarnation at that time: fences go on above what the clock says in seconds x 2^20, which no earlier
// incarnation reached unless it granted more than a million a second, or a clock was back. kInvalid where that can be
// seen in the state, unless the operator gives a number himself.
inline constexpr uint64_t kMostFenceAbove = uint64_t{UINT32_MAX - 1} << 20;
base::Result<Origin> next_incarnation(const lock::Machine&, uint32_t incarnation, int64_t now_ms, uint64_t fence_above);
// The state of the new incarnation, as the first image of its group.
base::Status begin_image(storage::FileSystem&, const std::string& dir, const ClusterIdentity&, lock::Machine&);

}  // namespace cleat::server
