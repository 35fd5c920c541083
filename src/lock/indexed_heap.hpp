// A 4-ary heap whose items know their place, so that any of them can be moved or taken out in O(log n). Items lie in
// chunks: growing never copies a big array. `Placed` is told each item's new place (ref, place); places begin at 1.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <vector>

namespace cleat::lock {

struct HeapItem {
  int64_t first = 0;
  uint64_t second = 0;
  uint32_t ref = 0;
  bool before(const HeapItem& o) const { return first != o.first ? first < o.first : second < o.second; }
};

template <class Placed>
class IndexedHeap {
 public:
  explicit IndexedHeap(Placed placed) : placed_(placed) {}

  bool empty() const { return size_ == 0; }
  uint32_t size() const { return size_; }
  const HeapItem& top() const { return at(1); }
  const HeapItem& item(uint32_t place) const { return at(place); }

  void push(const HeapItem& item) {
    ++size_;
    if ((size_ >> kChunkBits) >= chunks_.size()) chunks_.push_back(std::make_unique<HeapItem[]>(kChunk));
    up(size_, item);
  }
  void erase(uint32_t place) {
    placed_(at(place).ref, 0);
    const HeapItem last = at(size_--);
    if (place <= size_) settle(place, last);
    if (chunks_.size() > (size_ >> kChunkBits) + 2) chunks_.pop_back();
  }
  void update(uint32_t place, const HeapItem& item) { settle(place, item); }

 private:
  static constexpr unsigned kChunkBits = 10;
  static constexpr uint32_t kChunk = 1u << kChunkBits;

  HeapItem& at(uint32_t i) { return chunks_[i >> kChunkBits][i & (kChunk - 1)]; }
  const HeapItem& at(uint32_t i) const { return chunks_[i >> kChunkBits][i & (kChunk - 1)]; }
  void put(uint32_t i, const HeapItem& item) {
    at(i) = item;
    placed_(item.ref, i);
  }
  void settle(uint32_t i, const HeapItem& item) {
    if (i > 1 && item.before(at(parent(i))))
      up(i, item);
    else
      down(i, item);
  }
  static uint32_t parent(uint32_t i) { return (i + 2) / 4; }  // of 2..5 is 1
  static uint32_t first_child(uint32_t i) { return 4 * i - 2; }
  void up(uint32_t i, const HeapItem& item) {
    for (; i > 1 && item.before(at(parent(i))); i = parent(i)) put(i, at(parent(i)));
    put(i, item);
  }
  void down(uint32_t i, const HeapItem& item) {
    while (true) {
      const uint32_t from = first_child(i);
      if (from > size_) break;
      uint32_t best = from;
      for (uint32_t c = from + 1; c <= size_ && c < from + 4; ++c)
        if (at(c).before(at(best))) best = c;
      if (!at(best).before(item)) break;
      put(i, at(best));
      i = best;
    }
    put(i, item);
  }

  std::vector<std::unique_ptr<HeapItem[]>> chunks_;
  uint32_t size_ = 0;
  Placed placed_;
};

}  // namespace cleat::lock
