// Watches the room left on the data directory's disk, so that new locks can be refused while there is still room for
// the log to release old ones (engine.md rule 13).
#pragma once

#include <cstdint>
#include <string>

#include "storage/file_system.hpp"

namespace cleat::storage {

class FreeSpace {
 public:
  // Short of room below `min_bytes`; again enough from an eighth more on, so that it does not flicker.
  FreeSpace(FileSystem& fs, std::string dir, uint64_t min_bytes)
      : fs_(fs), dir_(std::move(dir)), min_bytes_(min_bytes) {}

  // Asks the file system (a system call: some times a second is enough). If it does not answer, nothing changes.
  void look();

  bool is_short() const { return short_; }
  uint64_t free_bytes() const { return free_bytes_; }  // at the last look
  uint64_t min_bytes() const { return min_bytes_; }

 private:
  FileSystem& fs_;
  std::string dir_;
  uint64_t min_bytes_;
  uint64_t free_bytes_ = UINT64_MAX;
  bool short_ = false;
};

}  // namespace cleat::storage
