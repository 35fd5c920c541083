// A whole state of the machine in a snapshot file, read or written in one go: for starts and offline tools. The running
// pump writes its own in slices (snapshots.hpp).
#pragma once

#include <string>

#include "lock/level.hpp"
#include "lock/machine.hpp"
#include "replica/members.hpp"
#include "storage/snapshot.hpp"

namespace cleat::replica {

struct ImageMembers {
  Members members;
  std::string conf_state;  // the engine's part
};

// All of it into an empty machine. kCorrupt, kInvalid: begins with `what`. One of a higher feature level than
// `known_level` is refused.
base::Result<ImageMembers> read_image(storage::SnapshotReader&, const std::string& what, lock::Machine&,
                                      uint32_t known_level = lock::known_level());
// Of a machine in whose image nobody else has part. On disk when it returns.
base::Status write_image(storage::FileSystem&, const std::string& dir, const storage::SnapshotHeader&, lock::Machine&);

// An eraftpb.ConfState of these voters, for a group that begins with an image.
std::string conf_state_of(const std::vector<Member>& voters);

}  // namespace cleat::replica
