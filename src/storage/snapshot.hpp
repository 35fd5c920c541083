// Snapshot files: the machine's state after one entry, as blocks of bytes that only the machine understands.
//
// Format, version 1; numbers little-endian:
//   magic "CLEATSN1", then frames: kind u8, length u32, payload, checksum u64 (XXH3 of kind, length and payload, seeded
//   with the frame's number, from 0, so that no frame can stand in for another)
//   frame 0, kind 1, header: version u32, group u64, incarnation u64, index u64, term u64, members (varint length,
//   bytes) frames 1.., kind 2, blocks last frame, kind 3, footer: number of blocks u64, bytes in blocks u64; the file
//   ends with it
//
// Written beside its final name, synced, renamed, directory synced: a file under its final name is whole unless the
// disk damaged it. Names: snapshot-<index, 20 digits>, while it is written with .aside behind.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "storage/file_system.hpp"

namespace cleat::storage {

inline constexpr uint32_t kSnapshotVersion = 1;
inline constexpr uint32_t kMaxSnapshotBlockBytes = 64u << 20;

struct SnapshotHeader {
  uint64_t group = 0;
  uint64_t incarnation = 0;  // of the cluster: a restore begins a new one
  uint64_t index = 0;
  uint64_t term = 0;
  std::string members;  // opaque
  bool operator==(const SnapshotHeader&) const = default;
};

// Streams one snapshot to disk, in slices of the caller's choice. Dropped unfinished, it removes its file. One thread
// at a time, not always the same: finish() waits for the disk and may run on a thread of its own. After an error only
// the destructor may follow.
class SnapshotWriter {
 public:
  static base::Result<std::unique_ptr<SnapshotWriter>> begin(FileSystem&, const std::string& dir,
                                                             const SnapshotHeader&);
  ~SnapshotWriter();
  SnapshotWriter(const SnapshotWriter&) = delete;
  SnapshotWriter& operator=(const SnapshotWriter&) = delete;

  base::Status add(std::string_view block);  // 1 to kMaxSnapshotBlockBytes; does not wait for the disk
  base::Result<std::string> finish();        // the path; when it returns the snapshot survives a crash
  uint64_t bytes() const { return bytes_; }  // written so far

 private:
  SnapshotWriter(FileSystem& fs, std::string dir, std::string path, std::unique_ptr<WritableFile> file);
  base::Status frame(uint8_t kind, std::string_view payload);

  FileSystem& fs_;
  std::string dir_, path_;
  std::unique_ptr<WritableFile> file_;
  std::string buffer_;  // frames not yet handed to the file
  uint64_t frames_ = 0, blocks_ = 0, block_bytes_ = 0, bytes_ = 0, flushed_at_ = 0;
};

// Reads one snapshot, checking everything. Errors: kCorrupt, naming file, place and what is wrong; kNotFound, kIo.
class SnapshotReader {
 public:
  static base::Result<std::unique_ptr<SnapshotReader>> open(FileSystem&, const std::string& path);
  // What `file` holds, from its first byte on. Errors call it `what` and end with `advice`, a sentence.
  static base::Result<std::unique_ptr<SnapshotReader>> read(std::unique_ptr<ReadableFile> file, std::string what,
                                                            std::string advice);

  const SnapshotHeader& header() const { return header_; }
  uint64_t size() const { return file_->size(); }
  // The next block, or none after the last, when the footer was found right and the file to end there. Until then the
  // blocks given are known to be whole, the snapshot is not.
  base::Result<std::optional<std::string>> next();

 private:
  SnapshotReader(std::unique_ptr<ReadableFile> file, std::string what, std::string advice)
      : file_(std::move(file)), what_(std::move(what)), advice_(std::move(advice)) {}
  struct Frame {
    uint8_t kind = 0;
    std::string payload;
  };
  base::Result<Frame> frame();
  base::Status read_header();
  base::Status check_footer(std::string_view payload) const;
  base::Status damaged(uint64_t offset, const std::string& what) const;

  std::unique_ptr<ReadableFile> file_;
  std::string what_, advice_;
  SnapshotHeader header_;
  uint64_t offset_ = 0, frames_ = 0, blocks_ = 0, block_bytes_ = 0;
};

// Reads all of it: is it whole?
base::Status verify_snapshot(FileSystem&, const std::string& path);

struct SnapshotFile {
  uint64_t index = 0;  // by its name
  std::string path;
};

std::string snapshot_path(const std::string& dir, uint64_t index);
// Finished snapshots, newest first. No directory: none.
base::Result<std::vector<SnapshotFile>> list_snapshots(FileSystem&, const std::string& dir);
// Removes unfinished snapshots and those older than `keep_from`. Only when none is being written in the directory.
base::Status clean_snapshots(FileSystem&, const std::string& dir, uint64_t keep_from);

}  // namespace cleat::storage
