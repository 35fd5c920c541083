// Open addressing from a 32-bit hash to handles: linear probing, deletion by shifting back (Knuth, vol. 3, 6.4,
// algorithm R), so no tombstones. Equal hashes may stand several times. Small when small: nothing is allocated for an
// empty table, eight slots for the first entries. An entry's home is its hash scaled to the table's size (Lemire, "Fast
// random integer generation in an interval", 2019), which need not be a power of two: tables grow by half, so that few
// slots are empty whatever the number of entries.
#pragma once

#include <cstdint>
#include <memory>

#include "lock/pool.hpp"

namespace cleat::lock {

class HandleTable {
 public:
  // First entry with this hash for which is_it(handle) holds; 0: none.
  template <class IsIt>
  Handle find(uint32_t hash, IsIt is_it) const {
    if (size_ == 0) return 0;
    for (uint32_t i = home(hash); slots_[i].handle; i = next(i))
      if (slots_[i].hash == hash && is_it(slots_[i].handle)) return slots_[i].handle;
    return 0;
  }

  // What find() will read first. Only hints to the processor; wrong ones cost time, nothing else.
  void prefetch(uint32_t hash) const {
    if (size_ > 0) __builtin_prefetch(&slots_[home(hash)]);
  }
  // The handle that find() will most likely look at; 0: none.
  Handle guess(uint32_t hash) const {
    return find(hash, [](Handle) { return true; });
  }

  void insert(uint32_t hash, Handle handle) {
    if (size_ + 1 > most(capacity_)) resize(capacity_ ? capacity_ + capacity_ / 2 : kSmallest);
    place(hash, handle);
    ++size_;
  }

  void erase(uint32_t hash, Handle handle) {
    CLEAT_CHECK(size_ > 0, "erase of an entry that is not there");
    uint32_t i = home(hash);
    while (slots_[i].handle != handle) {
      CLEAT_CHECK(slots_[i].handle != 0, "erase of an entry that is not there");
      i = next(i);
    }
    for (uint32_t j = next(i); slots_[j].handle; j = next(j)) {
      if (distance(home(slots_[j].hash), j) < distance(i, j)) continue;  // would come to stand before its home
      slots_[i] = slots_[j];
      i = j;
    }
    slots_[i] = {};
    --size_;
    if (size_ == 0) {
      slots_.reset();
      capacity_ = 0;
    } else if (capacity_ > kSmallest && size_ < capacity_ / 8) {
      resize(capacity_ / 2 > kSmallest ? capacity_ / 2 : kSmallest);
    }
  }

  template <class F>
  void each(F f) const {
    for (uint32_t i = 0; i < capacity_; ++i)
      if (slots_[i].handle) f(slots_[i].handle);
  }
  uint32_t size() const { return size_; }

 private:
  struct Slot {
    uint32_t hash = 0;
    Handle handle = 0;
  };
  static constexpr uint32_t kSmallest = 8;
  static uint32_t most(uint32_t capacity) { return capacity - capacity / 4; }
  uint32_t home(uint32_t hash) const { return static_cast<uint32_t>(uint64_t{hash} * capacity_ >> 32); }
  uint32_t next(uint32_t i) const { return i + 1 == capacity_ ? 0 : i + 1; }
  uint32_t distance(uint32_t from, uint32_t to) const { return to >= from ? to - from : to + capacity_ - from; }
  void place(uint32_t hash, Handle handle) {
    uint32_t i = home(hash);
    while (slots_[i].handle) i = next(i);
    slots_[i] = {hash, handle};
  }
  void resize(uint32_t capacity) {
    auto old = std::move(slots_);
    const uint32_t old_capacity = capacity_;
    slots_ = std::make_unique<Slot[]>(capacity);
    capacity_ = capacity;
    for (uint32_t i = 0; i < old_capacity; ++i)
      if (old[i].handle) place(old[i].hash, old[i].handle);
  }

  std::unique_ptr<Slot[]> slots_;
  uint32_t capacity_ = 0;
  uint32_t size_ = 0;
};

}  // namespace cleat::lock
