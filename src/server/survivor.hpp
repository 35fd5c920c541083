// All that one member's data directory has of its group: the state of its snapshot and of every entry after it, for
// `cluster recover --unsafe`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lock/machine.hpp"
#include "raft/group.hpp"
#include "server/cluster_identity.hpp"

namespace cleat::server {

struct Survivor {
  ClusterIdentity identity;
  std::unique_ptr<lock::Machine> machine = std::make_unique<lock::Machine>();
  raft::Options log;           // with the snapshot that was loaded
  std::shared_ptr<void> lock;  // no node may start on the directory meanwhile
  uint64_t index = 0;          // the last entry that it has
  uint64_t undecided = 0;      // entries of which it does not know that they were decided; they count
};

// Of a stopped member; nothing is changed. `disk`: of the simulator. kInvalid, kBusy, kCorrupt, kIo with a line for the
// operator.
base::Result<Survivor> load_survivor(storage::FileSystem&, const std::string& dir, raft::VirtualDisk* disk = nullptr);

}  // namespace cleat::server
