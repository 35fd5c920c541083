// The queue of one name: a treap over waiter records (Seidel & Aragon, "Randomized search trees", 1996; priorities are
// a hash of the arrival number, so the same log builds the same tree). Each node knows size and modes of its subtree,
// so that the first waiter of given modes is found in O(log n).
#pragma once

#include "lock/records.hpp"

namespace cleat::lock {

class Queue {
 public:
  explicit Queue(Pool<WaiterRecord>& pool) : pool_(pool) {}

  void insert(Handle& root, Handle waiter);
  void erase(Handle& root, Handle waiter);
  // First in queue order with a mode of `modes` (bits); 0: none.
  Handle first_of(Handle root, uint8_t modes) const;
  // In queue order from position `from`, until `f(waiter)` is false.
  template <class F>
  bool walk(Handle t, uint32_t from, F& f) const {
    if (!t || from >= pool_[t].below) return true;
    const uint32_t before = pool_[t].left ? pool_[pool_[t].left].below : 0;
    if (from < before && !walk(pool_[t].left, from, f)) return false;
    if (from <= before && !f(t)) return false;
    return walk(pool_[t].right, from > before ? from - before - 1 : 0, f);
  }
  static bool before(const WaiterRecord& a, const WaiterRecord& b) {
    return a.key_ms != b.key_ms ? a.key_ms < b.key_ms : a.arrival < b.arrival;
  }

 private:
  void update(Handle t);
  void split(Handle t, const WaiterRecord& at, Handle& left, Handle& right);
  Handle merge(Handle a, Handle b);

  Pool<WaiterRecord>& pool_;
};

}  // namespace cleat::lock
