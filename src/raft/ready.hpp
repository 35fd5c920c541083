// What a Group has to say, taken at one moment. Move-only; its views end with it.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "raft/group.hpp"

struct ce_ready;

namespace cleat::raft {

struct MessageView {
  uint64_t to = 0;
  Bytes wire;             // opaque
  uint64_t commit = 0;    // that the receiver knows of afterwards, if it takes the message
  uint8_t kind = 0;       // eraftpb.MessageType, for counting
  bool snapshot = false;  // the snapshot's file goes first; report_snapshot() after
};

struct ReadView {
  uint64_t index = 0;  // answer once applied up to here
  ReadContext context{};
};

class Ready {
 public:
  Ready(Ready&& other) noexcept;
  Ready& operator=(Ready&&) = delete;
  Ready(const Ready&) = delete;
  Ready& operator=(const Ready&) = delete;
  ~Ready();

  size_t entry_count() const;  // to be persisted
  EntryView entry(size_t i) const;
  size_t committed_count() const;  // to be applied, in order; on disk already
  EntryView committed(size_t i) const;
  size_t message_count() const;  // may be sent before persist()
  MessageView message(size_t i) const;
  size_t late_message_count() const;  // only after persist() said kDone (checked)
  MessageView late_message(size_t i) const;
  size_t read_count() const;
  ReadView read(size_t i) const;

  bool has_snapshot() const;  // a received snapshot replaces the machine's state before anything of committed
  SnapshotMark snapshot() const;
  bool must_sync() const;  // false: persist() touches no disk
  // The first half of Group::persist(), on any thread, also while the group is used on its own: the Readys in the order
  // in which they were taken, one at a time.
  Persisted write();
  uint64_t term() const;
  uint64_t commit() const;

 private:
  friend class Group;
  friend struct ReadyAccess;
  Ready() = default;
  ce_ready* ready_ = nullptr;
  // ce_ready_view, kept in place: no allocation for each Ready.
  alignas(8) std::byte view_[256];
  bool persisted_ = false;
};

}  // namespace cleat::raft
