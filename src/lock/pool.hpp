// Records by 32-bit handle instead of pointer: half the size of a link, and chunks never move, so growing never copies.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.hpp"

namespace cleat::lock {

using Handle = uint32_t;  // 0: none

// Not for more than 2^30 records (two bits of a timer's handle say its kind).
template <class T>
class Pool {
 public:
  Handle take() {
    ++size_;
    if (!free_.empty()) {
      const Handle h = free_.back();
      free_.pop_back();
      return h;
    }
    if (next_ >> kChunkBits >= chunks_.size()) chunks_.push_back(std::make_unique<T[]>(kChunk));
    CLEAT_CHECK(next_ < 1u << 30, "a pool of the lock machine is full: a limit failed to hold");
    return next_++;
  }
  void give(Handle h) {
    (*this)[h] = T{};
    free_.push_back(h);
    --size_;
  }
  T& operator[](Handle h) { return chunks_[h >> kChunkBits][h & (kChunk - 1)]; }
  const T& operator[](Handle h) const { return chunks_[h >> kChunkBits][h & (kChunk - 1)]; }
  size_t size() const { return size_; }

 private:
  static constexpr unsigned kChunkBits = 9;
  static constexpr size_t kChunk = size_t{1} << kChunkBits;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::vector<Handle> free_;
  Handle next_ = 1;
  size_t size_ = 0;
};

// Up to 65,535 owned bytes in one pointer; empty ones own nothing.
class Blob {
 public:
  Blob() = default;
  explicit Blob(std::string_view v) {
    if (v.empty()) return;
    CLEAT_CHECK(v.size() <= kMaxSize, "a field longer than the decoder lets through");
    const auto n = static_cast<uint16_t>(v.size());
    p_ = static_cast<char*>(std::malloc(sizeof n + n));
    CLEAT_CHECK(p_ != nullptr, "out of memory");
    std::memcpy(p_, &n, sizeof n);
    std::memcpy(p_ + sizeof n, v.data(), n);
  }
  Blob(Blob&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Blob& operator=(Blob&& o) noexcept {
    if (this != &o) {
      std::free(p_);
      p_ = std::exchange(o.p_, nullptr);
    }
    return *this;
  }
  ~Blob() { std::free(p_); }

  std::string_view view() const {
    if (!p_) return {};
    uint16_t n;
    std::memcpy(&n, p_, sizeof n);
    return {p_ + sizeof n, n};
  }
  bool empty() const { return p_ == nullptr; }

  static constexpr size_t kMaxSize = 65'535;

 private:
  char* p_ = nullptr;
};

}  // namespace cleat::lock
