// The few file operations that snapshots need, as a seam: the real ones, and a fake that loses what was not synced
// (fake_file_system.hpp). Errors: kNotFound, kNoSpace (may be tried again), kIo; messages name the path. Any thread,
// but one file object on one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace cleat::storage {

class WritableFile {
 public:
  virtual ~WritableFile() = default;  // closes; what was not synced may be lost
  virtual base::Status append(std::string_view bytes) = 0;
  // Lets the system begin to write what was appended, without waiting, so that sync() has less left to do.
  virtual void start_write_back() {}
  virtual base::Status sync() = 0;  // after a failure the file's content is unknown: drop it
};

class ReadableFile {
 public:
  virtual ~ReadableFile() = default;
  virtual uint64_t size() const = 0;
  // Less than asked only at the end of the file.
  virtual base::Result<size_t> read_at(uint64_t offset, char* out, size_t n) const = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  static FileSystem& real();

  virtual base::Result<std::unique_ptr<WritableFile>> create(const std::string& path) = 0;  // empties an old one
  virtual base::Result<std::unique_ptr<ReadableFile>> open(const std::string& path) = 0;
  virtual base::Status rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  virtual base::Status remove(const std::string& path) = 0;
  virtual base::Status make_dir(const std::string& path) = 0;  // with its parents, synced; fine if there
  // Creations, renames and removals in the directory survive a crash only after this.
  virtual base::Status sync_dir(const std::string& path) = 0;
  virtual base::Result<std::vector<std::string>> list(const std::string& dir) = 0;  // names, sorted
  virtual base::Result<uint64_t> free_bytes(const std::string& dir) = 0;            // for us, not for root
};

}  // namespace cleat::storage
