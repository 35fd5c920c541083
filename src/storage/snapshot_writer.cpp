#include <cstring>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "storage/snapshot.hpp"
#include "storage/snapshot_format.hpp"

namespace cleat::storage {
namespace {

constexpr size_t kBufferBytes = 256u << 10;
constexpr uint64_t kWriteBackBytes = 4u << 20;
constexpr std::string_view kAside = ".aside";

std::string header_payload(const SnapshotHeader& h) {
  std::string out;
  base::Writer w(out);
  w.fixed32(kSnapshotVersion);
  w.fixed64(h.group);
  w.fixed64(h.incarnation);
  w.fixed64(h.index);
  w.fixed64(h.term);
  w.bytes(h.members);
  return out;
}

}  // namespace

SnapshotWriter::SnapshotWriter(FileSystem& fs, std::string dir, std::string path, std::unique_ptr<WritableFile> file)
    : fs_(fs), dir_(std::move(dir)), path_(std::move(path)), file_(std::move(file)) {}

SnapshotWriter::~SnapshotWriter() {
  if (!file_) return;
  file_.reset();
  // If this fails clean_snapshots removes it later.
  (void)fs_.remove(path_ + std::string(kAside));
}

base::Result<std::unique_ptr<SnapshotWriter>> SnapshotWriter::begin(FileSystem& fs, const std::string& dir,
                                                                    const SnapshotHeader& header) {
  if (base::Status s = fs.make_dir(dir); !s.ok()) return s;
  const std::string path = snapshot_path(dir, header.index);
  auto file = fs.create(path + std::string(kAside));
  if (!file.ok()) return file.status();
  std::unique_ptr<SnapshotWriter> writer(new SnapshotWriter(fs, dir, path, *std::move(file)));
  writer->buffer_ = kSnapshotMagic;
  writer->bytes_ = kSnapshotMagic.size();
  if (base::Status s = writer->frame(kHeaderFrame, header_payload(header)); !s.ok()) return s;
  return writer;
}

base::Status SnapshotWriter::add(std::string_view block) {
  CLEAT_CHECK(!block.empty() && block.size() <= kMaxSnapshotBlockBytes, "a snapshot block within its limits");
  ++blocks_;
  block_bytes_ += block.size();
  return frame(kBlockFrame, block);
}

base::Status SnapshotWriter::frame(uint8_t kind, std::string_view payload) {
  const size_t begin = buffer_.size();
  base::Writer w(buffer_);
  w.u8(kind);
  w.fixed32(static_cast<uint32_t>(payload.size()));
  buffer_.append(payload);
  w.fixed64(frame_sum(std::string_view(buffer_).substr(begin), frames_++));
  bytes_ += buffer_.size() - begin;
  if (buffer_.size() < kBufferBytes) return {};
  base::Status s = file_->append(buffer_);
  buffer_.clear();
  if (s.ok() && bytes_ - flushed_at_ >= kWriteBackBytes) {
    file_->start_write_back();
    flushed_at_ = bytes_;
  }
  return s;
}

base::Result<std::string> SnapshotWriter::finish() {
  std::string footer;
  base::Writer w(footer);
  w.fixed64(blocks_);
  w.fixed64(block_bytes_);
  if (base::Status s = frame(kFooterFrame, footer); !s.ok()) return s;
  if (base::Status s = file_->append(buffer_); !s.ok()) return s;
  if (base::Status s = file_->sync(); !s.ok()) return s;
  if (base::Status s = fs_.rename(path_ + std::string(kAside), path_); !s.ok()) return s;
  file_.reset();
  if (base::Status s = fs_.sync_dir(dir_); !s.ok()) return s;
  return path_;
}

std::string snapshot_path(const std::string& dir, uint64_t index) {
  std::string digits = std::to_string(index);
  return dir + "/snapshot-" + std::string(20 - digits.size(), '0') + digits;
}

base::Result<std::vector<SnapshotFile>> list_snapshots(FileSystem& fs, const std::string& dir) {
  auto names = fs.list(dir);
  std::vector<SnapshotFile> found;
  if (!names.ok() && names.status().code() == base::Code::kNotFound) return found;
  if (!names.ok()) return names.status();
  constexpr std::string_view kPrefix = "snapshot-";
  for (auto it = names->rbegin(); it != names->rend(); ++it) {
    const std::string digits = it->starts_with(kPrefix) ? it->substr(kPrefix.size()) : "";
    if (digits.size() != 20 || digits.find_first_not_of("0123456789") != std::string::npos) continue;
    found.push_back({std::stoull(digits), dir + "/" + *it});
  }
  return found;
}

base::Status clean_snapshots(FileSystem& fs, const std::string& dir, uint64_t keep_from) {
  auto names = fs.list(dir);
  if (!names.ok()) return names.status().code() == base::Code::kNotFound ? base::Status() : names.status();
  auto finished = list_snapshots(fs, dir);
  if (!finished.ok()) return finished.status();
  bool removed = false;
  for (const std::string& name : *names) {
    if (!name.starts_with("snapshot-") || !name.ends_with(kAside)) continue;
    if (base::Status s = fs.remove(dir + "/" + name); !s.ok()) return s;
    removed = true;
  }
  for (const SnapshotFile& f : *finished) {
    if (f.index >= keep_from) continue;
    if (base::Status s = fs.remove(f.path); !s.ok()) return s;
    removed = true;
  }
  return removed ? fs.sync_dir(dir) : base::Status();
}

}  // namespace cleat::storage
