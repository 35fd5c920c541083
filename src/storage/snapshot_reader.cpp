#include <cstring>

#include "base/bytes.hpp"
#include "base/mutant.hpp"
#include "storage/snapshot.hpp"
#include "storage/snapshot_format.hpp"

namespace cleat::storage {

using base::Code;
using base::Status;

Status SnapshotReader::damaged(uint64_t offset, const std::string& what) const {
  return {Code::kCorrupt, what_ + " is damaged at byte " + std::to_string(offset) + ": " + what + ". " + advice_};
}

base::Result<std::unique_ptr<SnapshotReader>> SnapshotReader::open(FileSystem& fs, const std::string& path) {
  auto file = fs.open(path);
  if (!file.ok()) return file.status();
  return read(*std::move(file), "the snapshot " + path,
              "Restore the data directory from a backup, or let a healthy member send a new snapshot");
}

base::Result<std::unique_ptr<SnapshotReader>> SnapshotReader::read(std::unique_ptr<ReadableFile> file, std::string what,
                                                                   std::string advice) {
  std::unique_ptr<SnapshotReader> reader(new SnapshotReader(std::move(file), std::move(what), std::move(advice)));
  if (Status s = reader->read_header(); !s.ok()) return s;
  return reader;
}

Status SnapshotReader::read_header() {
  char magic[8];
  auto n = file_->read_at(0, magic, sizeof magic);
  if (!n.ok()) return n.status();
  if (*n != sizeof magic || std::string_view(magic, sizeof magic) != kSnapshotMagic) {
    return damaged(0, "it does not begin as a snapshot");
  }
  offset_ = sizeof magic;
  auto f = frame();
  if (!f.ok()) return f.status();
  if (f->kind != kHeaderFrame) return damaged(8, "the header is missing");
  base::Reader r(f->payload);
  if (const uint32_t version = r.fixed32(); version != kSnapshotVersion) {
    return {Code::kInvalid, what_ + " has version " + std::to_string(version) + ", this program knows " +
                                std::to_string(kSnapshotVersion) +
                                "; use the version of cleat that wrote it, or a newer one"};
  }
  header_.group = r.fixed64();
  header_.incarnation = r.fixed64();
  header_.index = r.fixed64();
  header_.term = r.fixed64();
  header_.members = r.bytes();
  if (!r.ok() || !r.at_end()) return damaged(8, "the header is malformed");
  return {};
}

base::Result<SnapshotReader::Frame> SnapshotReader::frame() {
  const uint64_t at = offset_, left = file_->size() - offset_;
  char head[kFrameHead];
  if (left < kFrameHead + kFrameSum) return damaged(at, "it ends early");
  auto n = file_->read_at(at, head, sizeof head);
  if (!n.ok()) return n.status();
  uint32_t length = 0;
  std::memcpy(&length, head + 1, sizeof length);
  if (length > kMaxSnapshotBlockBytes || length > left - kFrameHead - kFrameSum) {
    return damaged(at, "frame " + std::to_string(frames_) + " is longer than the file, or the file ends early");
  }
  std::string whole(kFrameHead + length + kFrameSum, '\0');
  n = file_->read_at(at, whole.data(), whole.size());
  if (!n.ok()) return n.status();
  if (*n != whole.size()) return damaged(at, "it ends early");
  uint64_t sum = 0;
  std::memcpy(&sum, whole.data() + whole.size() - kFrameSum, sizeof sum);
  const std::string_view body(whole.data(), whole.size() - kFrameSum);
  if (frame_sum(body, frames_) != sum && !base::mutant("snapshot_rot_ignored")) {
    return damaged(at, "frame " + std::to_string(frames_) + " does not match its checksum");
  }
  ++frames_;
  offset_ += whole.size();
  Frame f{static_cast<uint8_t>(whole[0]), {}};
  whole.resize(kFrameHead + length);
  whole.erase(0, kFrameHead);
  f.payload = std::move(whole);
  return f;
}

base::Result<std::optional<std::string>> SnapshotReader::next() {
  const uint64_t at = offset_;
  auto f = frame();
  if (!f.ok()) return f.status();
  if (f->kind == kBlockFrame) {
    ++blocks_;
    block_bytes_ += f->payload.size();
    return std::optional<std::string>(std::move(f->payload));
  }
  if (f->kind != kFooterFrame) return damaged(at, "a frame of an unknown kind");
  if (Status s = check_footer(f->payload); !s.ok()) return s;
  return std::optional<std::string>();
}

Status SnapshotReader::check_footer(std::string_view payload) const {
  base::Reader r(payload);
  const uint64_t blocks = r.fixed64(), bytes = r.fixed64();
  if (!r.ok() || !r.at_end() || blocks != blocks_ || bytes != block_bytes_) {
    return damaged(offset_, "its footer counts other blocks than it has");
  }
  if (offset_ != file_->size()) return damaged(offset_, "there are bytes after its end");
  return {};
}

Status verify_snapshot(FileSystem& fs, const std::string& path) {
  auto reader = SnapshotReader::open(fs, path);
  if (!reader.ok()) return reader.status();
  while (true) {
    auto block = (*reader)->next();
    if (!block.ok()) return block.status();
    if (!*block) return {};
  }
}

}  // namespace cleat::storage
