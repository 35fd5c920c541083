// The last events of the node, in order, for EVENTS FROM and for watchers that fall behind. Bounded by a number of
// events and by their bytes; slots keep their memory, so a full ring of small events allocates nothing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lock/outcome.hpp"

namespace cleat::server {

class EventRing {
 public:
  // Takes the addresses of all slots at once, their memory as they are used: growing would copy them all in one turn.
  explicit EventRing(size_t capacity, size_t max_bytes = 64 << 20) : capacity_(capacity), max_bytes_(max_bytes) {
    slots_.reserve(capacity);
  }

  // Everything up to `revision` is not in here (a start from disk).
  void begin_after(base::Revision revision) { dropped_through_ = revision; }
  void restart_after(base::Revision revision);  // forgets all, and all up to `revision` is not in here
  void add(const lock::Event&);

  // Positions count from 0 for ever; [begin, end) are there.
  uint64_t begin() const { return begin_; }
  uint64_t end() const { return end_; }
  // Views into the ring, valid until the next add().
  lock::Event at(uint64_t position) const;
  // Events up to this revision are gone.
  base::Revision dropped_through() const { return dropped_through_; }
  // Position of the first event behind `revision`. Check dropped_through() first.
  uint64_t position_after(base::Revision revision) const;

 private:
  struct Slot {
    lock::EventFacts facts;
    uint16_t name = 0, owner = 0, label = 0, req = 0;
    std::string bytes;
  };
  const Slot& slot(uint64_t position) const { return slots_[static_cast<size_t>(position % capacity_)]; }

  void drop_oldest();

  size_t capacity_, max_bytes_, bytes_ = 0;
  uint64_t begin_ = 0, end_ = 0;
  base::Revision dropped_through_;
  std::vector<Slot> slots_;
};

}  // namespace cleat::server
