#include "replica/snapshot_transfer.hpp"

#include "storage/snapshot.hpp"

namespace cleat::replica {

base::Result<std::string> SnapshotSender::offer(uint32_t member, const raft::SnapshotMark& mark, std::string_view wire,
                                                int64_t now_us) {
  auto file = files_.open(storage::snapshot_path(dir_, mark.index));
  if (!file.ok()) return file.status();
  Offer& o = offers_[member];
  const bool again = o.file && o.index == mark.index;
  const uint64_t sent = again ? o.sent : 0;
  o = {mark.index, sent, *std::move(file), now_us};
  return encode(SnapshotOffer{mark.index, mark.term, o.file->size(), wire});
}

std::optional<std::string> SnapshotSender::piece(uint32_t member, const SnapshotGet& get, int64_t now_us) {
  const auto it = offers_.find(member);
  if (it == offers_.end() || it->second.index != get.index || get.offset >= it->second.file->size()) return {};
  Offer& o = it->second;
  std::string bytes(kSnapshotPieceBytes, '\0');
  const auto n = o.file->read_at(get.offset, bytes.data(), bytes.size());
  if (!n.ok()) return {};
  o.heard_us = now_us;
  o.sent = std::max<uint64_t>(o.sent, get.offset + *n);
  return encode(SnapshotPiece{get.index, get.offset, std::string_view(bytes).substr(0, *n)});
}

bool SnapshotSender::end(uint32_t member, uint64_t index) {
  const auto it = offers_.find(member);
  if (it == offers_.end() || it->second.index != index) return false;
  offers_.erase(it);
  return true;
}

bool SnapshotSender::end(uint32_t member) {
  return offers_.erase(member) > 0;
}

std::vector<uint32_t> SnapshotSender::overdue(int64_t now_us) const {
  std::vector<uint32_t> out;
  for (const auto& [member, o] : offers_)
    if (now_us - o.heard_us > kPatienceUs) out.push_back(member);
  return out;
}

int SnapshotSender::percent(uint32_t member) const {
  const auto it = offers_.find(member);
  if (it == offers_.end()) return -1;
  return static_cast<int>(it->second.sent * 100 / std::max<uint64_t>(1, it->second.file->size()));
}

SnapshotReceiver::~SnapshotReceiver() {
  if (synced_.valid()) synced_.wait();
}

base::Status SnapshotReceiver::offered(uint32_t from, const SnapshotOffer& o, int64_t now_us) {
  if (done_) return {};
  const bool same = file_ && index_ == o.index && size_ == o.size && wire_ == o.wire;
  from_ = from;
  asked_ = written_;
  moved_us_ = now_us;
  if (same) return {};
  give_up();
  if (base::Status s = files_.make_dir(dir_); !s.ok()) return s;
  auto file = files_.create(dir_ + "/incoming");
  if (!file.ok()) return file.status();
  file_ = *std::move(file);
  index_ = o.index;
  size_ = o.size;
  wire_ = o.wire;
  return {};
}

// Pieces come in order: what was lost with a connection is asked for again from there.
base::Status SnapshotReceiver::came(uint32_t from, const SnapshotPiece& p, int64_t now_us) {
  if (!file_ || done_ || from != from_ || p.index != index_ || p.offset != written_ || p.bytes.empty()) return {};
  if (p.bytes.size() > size_ - written_) {
    give_up();
    return {base::Code::kCorrupt, "a snapshot came with more bytes than were offered"};
  }
  if (base::Status s = file_->append(p.bytes); !s.ok()) {
    give_up();
    return s;
  }
  written_ += p.bytes.size();
  moved_us_ = now_us;
  if (written_ < size_) return {};
  done_ = true;
  synced_ = std::async(launch_, [this]() -> base::Result<std::string> {
    if (base::Status s = file_->sync(); !s.ok()) return s;
    const std::string path = storage::snapshot_path(dir_, index_);
    if (base::Status s = storage::verify_snapshot(files_, dir_ + "/incoming"); !s.ok()) return s;
    if (base::Status s = files_.rename(dir_ + "/incoming", path); !s.ok()) return s;
    if (base::Status s = files_.sync_dir(dir_); !s.ok()) return s;
    return path;
  });
  return {};
}

std::optional<base::Result<SnapshotReceiver::Whole>> SnapshotReceiver::take_whole() {
  if (!done_ || synced_.wait_for(std::chrono::seconds(0)) == std::future_status::timeout) return {};
  const base::Result<std::string> path = synced_.get();
  Whole whole = {from_, index_, path.ok() ? *path : std::string(), wire_};
  done_ = false;
  give_up();
  if (!path.ok()) return base::Result<Whole>(path.status());
  return base::Result<Whole>(std::move(whole));
}

void SnapshotReceiver::give_up() {
  if (synced_.valid()) synced_.wait();
  synced_ = {};
  done_ = false;
  file_.reset();
  index_ = size_ = written_ = asked_ = 0;
  wire_.clear();
}

}  // namespace cleat::replica
