// Byte codecs of entries, snapshots and files: LEB128 varints, little-endian fixed numbers, length-prefixed bytes.
// A Reader never reads past its end: after a malformed field ok() is false and every further read gives zero or empty.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cleat::base {

static_assert(std::endian::native == std::endian::little, "fixed numbers are copied as they lie in memory");

inline constexpr size_t kLongestVarint = 10;
// Returns the end of what it wrote.
inline char* put_varint(char* out, uint64_t v) {
  while (v >= 0x80) {
    *out++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *out++ = static_cast<char>(v);
  return out;
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void u8(uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void varint(uint64_t v) {
    char buffer[kLongestVarint];
    out_.append(buffer, static_cast<size_t>(put_varint(buffer, v) - buffer));
  }
  void fixed32(uint32_t v) { raw(&v, sizeof v); }
  void fixed64(uint64_t v) { raw(&v, sizeof v); }
  void bytes(std::string_view v) {
    varint(v.size());
    out_.append(v);
  }
  std::string& out() { return out_; }

 private:
  void raw(const void* p, size_t n) { out_.append(static_cast<const char*>(p), n); }
  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : p_(in.data()), end_(in.data() + in.size()) {}

  bool ok() const { return ok_; }
  bool at_end() const { return p_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - p_); }
  void fail() {
    ok_ = false;
    p_ = end_;
  }

  uint8_t u8() { return p_ == end_ ? (fail(), uint8_t{0}) : static_cast<uint8_t>(*p_++); }
  uint64_t varint() {
    if (p_ != end_ && static_cast<uint8_t>(*p_) < 0x80) return static_cast<uint8_t>(*p_++);
    return long_varint();
  }
  uint32_t fixed32() { return fixed<uint32_t>(); }
  uint64_t fixed64() { return fixed<uint64_t>(); }
  std::string_view bytes() { return take(varint()); }
  std::string_view take(uint64_t n) {
    if (n > left()) return fail(), std::string_view{};
    std::string_view v(p_, static_cast<size_t>(n));
    p_ += n;
    return v;
  }

 private:
  uint64_t long_varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && p_ != end_; shift += 7) {
      const auto byte = static_cast<uint8_t>(*p_++);
      if (shift == 63 && byte > 1) break;
      v |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return v;
    }
    fail();
    return 0;
  }
  template <class T>
  T fixed() {
    T v{};
    if (left() < sizeof v) return fail(), v;
    std::memcpy(&v, p_, sizeof v);
    p_ += sizeof v;
    return v;
  }

  const char* p_;
  const char* end_;
  bool ok_ = true;
};

}  // namespace cleat::base
