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
  void prefetch(Handle h) const {
    const auto* const record = reinterpret_cast<const char*>(&(*this)[h]);
    for (size_t line = 0; line < sizeof(T); line += 64) __builtin_prefetch(record + line);
  }

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
  void prefetch() const { __builtin_prefetch(p_); }

  static constexpr size_t kMaxSize = 65'535;

 private:
  char* p_ = nullptr;
};

// Three fields of up to 65,535 bytes in one pointer: a byte that says which are there, their lengths, their bytes. For
// records that there are a million of and that mostly have one of the three or none.
class Blobs3 {
 public:
  Blobs3() = default;
  Blobs3(std::string_view a, std::string_view b, std::string_view c) {
    const std::string_view fields[] = {a, b, c};
    size_t size = 1;
    for (const std::string_view f : fields) {
      CLEAT_CHECK(f.size() <= Blob::kMaxSize, "a field longer than the decoder lets through");
      if (!f.empty()) size += sizeof(uint16_t) + f.size();
    }
    if (size == 1) return;
    p_ = static_cast<char*>(std::malloc(size));
    CLEAT_CHECK(p_ != nullptr, "out of memory");
    char* out = p_ + 1;
    *p_ = 0;
    for (int i = 0; i < 3; ++i) {
      if (fields[i].empty()) continue;
      *p_ = static_cast<char>(*p_ | 1 << i);
      const auto n = static_cast<uint16_t>(fields[i].size());
      std::memcpy(out, &n, sizeof n);
      std::memcpy(out + sizeof n, fields[i].data(), n);
      out += sizeof n + n;
    }
  }
  Blobs3(Blobs3&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Blobs3& operator=(Blobs3&& o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Blobs3() { std::free(p_); }

  // Field 0, 1 or 2; it stays where it is when the Blobs3 is moved.
  std::string_view operator[](int field) const {
    if (!p_ || !(*p_ >> field & 1)) return {};
    const char* at = p_ + 1;
    for (int i = 0;; ++i) {
      if (!(*p_ >> i & 1)) continue;
      uint16_t n;
      std::memcpy(&n, at, sizeof n);
      if (i == field) return {at + sizeof n, n};
      at += sizeof n + n;
    }
  }

 private:
  char* p_ = nullptr;
};

}  // namespace cleat::lock
