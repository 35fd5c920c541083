#include "raft/ready.hpp"

#include <cstring>

#include "base/check.hpp"
#include "raft/ready_view.hpp"

namespace cleat::raft {
namespace {

Bytes to_span(ce_bytes b) {
  return {reinterpret_cast<const std::byte*>(b.data), b.len};
}

EntryView to_view(const ce_entry* entries, size_t count, size_t i) {
  CLEAT_CHECK(i < count, "an entry that the Ready has");
  const ce_entry& e = entries[i];
  return {e.index, e.term, to_span(e.data), static_cast<EntryKind>(e.kind)};
}

MessageView to_view(const ce_message* messages, size_t count, size_t i) {
  CLEAT_CHECK(i < count, "a message that the Ready has");
  const ce_message& m = messages[i];
  return {m.to, to_span(m.wire), m.commit, m.kind, m.flags != 0};
}

}  // namespace

Ready::Ready(Ready&& other) noexcept : ready_(std::exchange(other.ready_, nullptr)), persisted_(other.persisted_) {
  std::memcpy(view_, other.view_, sizeof view_);
}

Ready::~Ready() {
  ce_free_ready(ready_);
}

size_t Ready::entry_count() const {
  return ReadyAccess::view(*this).entry_count;
}
EntryView Ready::entry(size_t i) const {
  const auto& v = ReadyAccess::view(*this);
  return to_view(v.entries, v.entry_count, i);
}

size_t Ready::committed_count() const {
  return ReadyAccess::view(*this).committed_count;
}
EntryView Ready::committed(size_t i) const {
  const auto& v = ReadyAccess::view(*this);
  return to_view(v.committed, v.committed_count, i);
}

size_t Ready::message_count() const {
  return ReadyAccess::view(*this).message_count;
}
MessageView Ready::message(size_t i) const {
  const auto& v = ReadyAccess::view(*this);
  return to_view(v.messages, v.message_count, i);
}

size_t Ready::late_message_count() const {
  return ReadyAccess::view(*this).late_message_count;
}
MessageView Ready::late_message(size_t i) const {
  CLEAT_CHECK(persisted_, "an answer leaves only after what it promises is on disk");
  const auto& v = ReadyAccess::view(*this);
  return to_view(v.late_messages, v.late_message_count, i);
}

size_t Ready::read_count() const {
  return ReadyAccess::view(*this).read_count;
}
ReadView Ready::read(size_t i) const {
  const auto& v = ReadyAccess::view(*this);
  CLEAT_CHECK(i < v.read_count, "a read that the Ready has");
  ReadView r{v.reads[i].index, {}};
  std::memcpy(r.context.data(), v.reads[i].context, r.context.size());
  return r;
}

bool Ready::has_snapshot() const {
  return ReadyAccess::view(*this).snapshot_index != 0;
}
SnapshotMark Ready::snapshot() const {
  const auto& v = ReadyAccess::view(*this);
  return {v.snapshot_index, v.snapshot_term,
          std::string(reinterpret_cast<const char*>(v.snapshot_conf.data), v.snapshot_conf.len)};
}

Persisted Ready::write() {
  CLEAT_CHECK(ready_ && !persisted_, "a Ready is persisted once");
  switch (ce_persist(ready_, nullptr)) {
    case CE_OK:
      return Persisted::kDone;
    case CE_NO_SPACE:
      return Persisted::kNoSpace;
    default:
      return Persisted::kStopped;
  }
}

bool Ready::must_sync() const {
  return ReadyAccess::view(*this).must_sync;
}
uint64_t Ready::term() const {
  return ReadyAccess::view(*this).term;
}
uint64_t Ready::commit() const {
  return ReadyAccess::view(*this).commit;
}

}  // namespace cleat::raft
