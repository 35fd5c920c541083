// Backup files: the image of one entry as a member's snapshot file has it, behind a head that says whose and when. What
// is read is checked whole. docs/formats.md has the bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "replica/image.hpp"
#include "storage/file_system.hpp"

namespace cleat::replica {

struct BackupHead {
  std::array<uint8_t, 16> cluster{};
  uint32_t incarnation = 1;
  uint64_t index = 0;   // the entry whose state it is
  std::string member;   // who wrote it
  int64_t made_ms = 0;  // Unix time, for people
  std::string version;  // of the program
  uint64_t image_bytes = 0;
  bool operator==(const BackupHead&) const = default;
};

// The file's first bytes; the image follows.
std::string encode(const BackupHead&);
// `path` is for messages. `length`: of the head. kInvalid: no backup, or of another version; kCorrupt: damaged.
base::Result<BackupHead> decode_backup_head(std::string_view bytes, const std::string& path, size_t& length);

// Tells backups apart: equal for copies of one file.
using BackupId = std::array<uint8_t, 16>;

struct Backup {
  BackupHead head;
  BackupId id{};
  uint64_t bytes = 0;
  Members members;  // of then
};
// All of the file, its state into the (empty) machine.
base::Result<Backup> read_backup(storage::FileSystem&, const std::string& path, lock::Machine&);

}  // namespace cleat::replica
