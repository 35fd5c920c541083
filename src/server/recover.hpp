// One member goes on alone, when a majority is lost for good: its directory becomes that of a cluster of one, a new
// incarnation with all that this member has (engine.md "Restore and recovery").
#pragma once

#include <cstdint>
#include <string>

#include "server/restore.hpp"

namespace cleat::server {

struct Recovered {
  Origin origin;
  std::string name, address;  // of the member
  uint32_t older_incarnation = 0;
  uint64_t index = 0;      // the last entry that it had
  uint64_t undecided = 0;  // entries of which it did not know that they were decided; they count
  uint64_t fence = 0;      // the counter
  lock::Totals before, after;
  std::string kept_in;  // where the directory's old files are
};

// A stopped member's directory. kInvalid, kBusy, kCorrupt, kNoSpace, kIo with a line for the operator. Ended half-way,
// by a crash or a full disk, a node does not start on it (see check_recovered()), and the same again goes on.
base::Result<Recovered> recover(storage::FileSystem&, const std::string& dir, int64_t now_ms, uint64_t fence_above);

// For starts: kInvalid where a recovery ended half-way.
base::Status check_recovered(storage::FileSystem&, const std::string& dir);

}  // namespace cleat::server
