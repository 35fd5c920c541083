// Snapshots on their way to a member that lacks the log before them. The receiver asks for pieces at its own pace, so
// nothing stands in the way of Raft's messages, and goes on where it was after a lost connection. What it got is read
// and checked whole before it is used (storage/snapshot.hpp: a checksum a frame).
#pragma once

#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "raft/group.hpp"
#include "replica/peer_messages.hpp"
#include "storage/file_system.hpp"

namespace cleat::replica {

inline constexpr size_t kSnapshotPieceBytes = 256u << 10;
inline constexpr uint64_t kSnapshotWindowBytes = 1u << 20;  // asked for and not come yet

class SnapshotSender {
 public:
  static constexpr int64_t kPatienceUs = 10'000'000;  // without a question from the receiver

  SnapshotSender(storage::FileSystem& files, std::string dir) : files_(files), dir_(std::move(dir)) {}

  // The message to send, or why not: the file is gone.
  base::Result<std::string> offer(uint32_t member, const raft::SnapshotMark&, std::string_view wire, int64_t now_us);
  std::optional<std::string> piece(uint32_t member, const SnapshotGet&, int64_t now_us);
  // True: an offer of that snapshot to that member was open.
  bool end(uint32_t member, uint64_t index);
  bool end(uint32_t member);
  std::vector<uint32_t> overdue(int64_t now_us) const;
  int percent(uint32_t member) const;  // -1: none under way

 private:
  struct Offer {
    uint64_t index = 0, sent = 0;
    std::unique_ptr<storage::ReadableFile> file;  // stays readable when a newer snapshot takes its place
    int64_t heard_us = 0;
  };
  storage::FileSystem& files_;
  std::string dir_;
  std::map<uint32_t, Offer> offers_;
};

class SnapshotReceiver {
 public:
  struct Whole {
    uint32_t from = 0;
    uint64_t index = 0;
    std::string path, wire;
  };
  static constexpr int64_t kAgainUs = 1'000'000;  // without a piece: asked for again

  SnapshotReceiver(storage::FileSystem& files, std::string dir, std::launch launch)
      : files_(files), dir_(std::move(dir)), launch_(launch) {}
  ~SnapshotReceiver();

  // The questions to send. An offer of what is being received already goes on where it was.
  base::Status offered(uint32_t from, const SnapshotOffer&, int64_t now_us);
  base::Status came(uint32_t from, const SnapshotPiece&, int64_t now_us);
  template <class Send>
  void ask(int64_t now_us, const Send& send) {
    if (!file_ || done_) return;
    if (now_us - moved_us_ >= kAgainUs) asked_ = written_, moved_us_ = now_us;
    for (; asked_ < size_ && asked_ - written_ < kSnapshotWindowBytes; asked_ += kSnapshotPieceBytes)
      send(from_, encode(SnapshotGet{index_, asked_}));
  }
  // Once the file is on disk under its final name. An error: given up, it is to be offered again.
  std::optional<base::Result<Whole>> take_whole();
  bool whole() const { return done_ && synced_.wait_for(std::chrono::seconds(0)) != std::future_status::timeout; }
  uint32_t from() const { return from_; }
  uint64_t index() const { return index_; }
  void give_up();

 private:
  storage::FileSystem& files_;
  std::string dir_;
  std::launch launch_;
  uint32_t from_ = 0;
  uint64_t index_ = 0, size_ = 0, written_ = 0, asked_ = 0;
  int64_t moved_us_ = 0;
  std::string wire_;
  std::unique_ptr<storage::WritableFile> file_;
  bool done_ = false;
  std::future<base::Result<std::string>> synced_;
};

}  // namespace cleat::replica
