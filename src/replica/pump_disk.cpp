// A leader of others writes its log beside the pump (log_writer.hpp): its own acknowledgement is only one of those that
// an entry waits for. Whatever else is persisted waits for what was begun, and for the disk.
#include <algorithm>

#include "base/mutant.hpp"
#include "replica/pump.hpp"

namespace cleat::replica {

// What one client alone asks is written in the loop: it waits for the disk anyway, and no thread has to wake up for it.
bool Pump::writes_beside(const raft::Ready& ready) const {
  if (phase_ != Phase::kServing || solo() || log_full_ || ready.has_snapshot()) return false;
  return ready.late_message_count() == 0 && (writer_.busy() || (ready.must_sync() && crowded_));
}

void Pump::begin_write() {
  apply_committed(unwritten_.front());
  confirm_reads(unwritten_.front());
  if (base::mutant("written_before_sync")) group_->written(unwritten_.front());
  writer_.begin(std::move(unwritten_.front()));
  unwritten_.pop_front();
  group_->applied(applied_);
}

// Nothing is confirmed behind what a disk that stopped did not write.
void Pump::take_written() {
  while (!stopped_ && writer_.due()) took_written(*writer_.take());
}

// What found no room was taken before what is at hand.
void Pump::finish_writes() {
  std::deque<raft::Ready> after = std::exchange(unwritten_, {});
  while (!stopped_ && writer_.busy()) took_written(*writer_.take());
  for (raft::Ready& ready : after) unwritten_.push_back(std::move(ready));
}

void Pump::took_written(LogWriter::Tried one) {
  switch (one.result) {
    case raft::Persisted::kDone:
      if (!base::mutant("written_before_sync")) group_->written(one.ready);
      return wrote(one.ready.must_sync(), one.took_us);
    case raft::Persisted::kNoSpace:
      no_room();
      return unwritten_.push_back(std::move(one.ready));
    case raft::Persisted::kStopped:
      stopped_ = true;
  }
}

void Pump::wrote(bool synced, int64_t took_us) {
  if (synced) {
    ++status_.syncs;
    status_.last_sync_us = took_us;
    slow_syncs_ = took_us > options_.slow_sync_us ? slow_syncs_ + 1 : 0;
  }
  if (log_full_) listener_.on_log(2, "there is room for the log again: requests are answered");
  log_full_ = false;
}

void Pump::no_room() {
  if (!log_full_)
    listener_.on_log(
        4, "the disk is full: nothing is answered until there is room for the log. Free space in " + options_.dir);
  log_full_ = true;
}

// Something can go on as soon as the disk is done: what waits to be proposed, or what the others have acknowledged.
bool Pump::wants_disk() const {
  if (!writer_.busy()) return false;
  if (!entry_.empty()) return true;
  const uint64_t durable = group_->status().durable;
  return std::any_of(peers_.all().begin(), peers_.all().end(), [&](const auto& peer) {
    const auto progress = group_->progress(peer.first);
    return progress && progress->match > durable;
  });
}

}  // namespace cleat::replica
