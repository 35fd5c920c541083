// Open addressing from a 32-bit hash to handles: linear probing, deletion by shifting back (Knuth, vol. 3, 6.4,
// algorithm R), so no tombstones. Equal hashes may stand several times. Small when small: nothing is allocated for an
// empty table, eight slots for the first entries.
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
    for (uint32_t i = hash & mask(); slots_[i].handle; i = (i + 1) & mask())
      if (slots_[i].hash == hash && is_it(slots_[i].handle)) return slots_[i].handle;
    return 0;
  }

  void insert(uint32_t hash, Handle handle) {
    if ((size_ + 1) * 4 > capacity_ * 3) resize(capacity_ ? capacity_ * 2 : 8);
    place(hash, handle);
    ++size_;
  }

  void erase(uint32_t hash, Handle handle) {
    CLEAT_CHECK(size_ > 0, "erase of an entry that is not there");
    uint32_t i = hash & mask();
    while (slots_[i].handle != handle) {
      CLEAT_CHECK(slots_[i].handle != 0, "erase of an entry that is not there");
      i = (i + 1) & mask();
    }
    for (uint32_t j = (i + 1) & mask(); slots_[j].handle; j = (j + 1) & mask()) {
      const uint32_t home = slots_[j].hash & mask();
      if (((j - home) & mask()) < ((j - i) & mask())) continue;  // would come to stand before its home
      slots_[i] = slots_[j];
      i = j;
    }
    slots_[i] = {};
    --size_;
    if (size_ == 0) {
      slots_.reset();
      capacity_ = 0;
    } else if (capacity_ > 8 && size_ * 8 < capacity_) {
      resize(capacity_ / 2);
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
  uint32_t mask() const { return capacity_ - 1; }
  void place(uint32_t hash, Handle handle) {
    uint32_t i = hash & mask();
    while (slots_[i].handle) i = (i + 1) & mask();
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
  uint32_t capacity_ = 0;  // 0 or a power of two
  uint32_t size_ = 0;
};

}  // namespace cleat::lock
