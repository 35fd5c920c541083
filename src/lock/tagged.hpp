// Tagged fields, the shape of all that is stored: a tag is number * 2 + (1 if bytes follow, 0 if a varint does), tags
// rise, fields at their default are left out, tag 0 ends the record. So an older build can skip what it does not know,
// and equal values have equal bytes.
#pragma once

#include <cstring>
#include <string_view>

#include "base/bytes.hpp"

namespace cleat::lock {

// Appends one record to `out`, in one piece if it is small: every command is encoded, so every append counts. Nothing
// is sure to be there before end().
class FieldWriter {
 public:
  explicit FieldWriter(std::string& out) : out_(out) {}
  FieldWriter(const FieldWriter&) = delete;
  FieldWriter& operator=(const FieldWriter&) = delete;
  void number(uint32_t field, uint64_t v, uint64_t absent = 0) {
    if (v == absent) return;
    make_room(2 * base::kLongestVarint);
    at_ = base::put_varint(at_, field * 2);
    at_ = base::put_varint(at_, v);
  }
  void bytes(uint32_t field, std::string_view v) {
    if (v.empty()) return;
    make_room(2 * base::kLongestVarint);
    at_ = base::put_varint(at_, field * 2 + 1);
    at_ = base::put_varint(at_, v.size());
    if (v.size() > room()) {
      flush();
      out_.append(v);
    } else {
      std::memcpy(at_, v.data(), v.size());
      at_ += v.size();
    }
  }
  void end() {
    make_room(1);
    *at_++ = 0;
    flush();
  }

 private:
  size_t room() const { return static_cast<size_t>(staged_ + sizeof staged_ - at_); }
  void make_room(size_t n) {
    if (room() < n) flush();
  }
  void flush() {
    out_.append(staged_, static_cast<size_t>(at_ - staged_));
    at_ = staged_;
  }

  std::string& out_;
  char staged_[256];
  char* at_ = staged_;
};

struct Field {
  uint32_t number = 0;
  bool is_bytes = false;
  uint64_t value = 0;
  std::string_view bytes;
};

// Reads one record: next() until false; then ok() tells whether it ended as it should.
class FieldReader {
 public:
  explicit FieldReader(base::Reader& in) : in_(in) {}
  bool next(Field& f) {
    const uint64_t tag = in_.varint();
    if (tag == 0 || !in_.ok()) return false;
    f.number = static_cast<uint32_t>(tag / 2);
    f.is_bytes = tag % 2 == 1;
    if (tag > UINT32_MAX || f.number <= last_) return in_.fail(), false;
    last_ = f.number;
    if (f.is_bytes)
      f.bytes = in_.bytes();
    else
      f.value = in_.varint();
    return in_.ok();
  }
  bool ok() const { return in_.ok(); }

 private:
  base::Reader& in_;
  uint32_t last_ = 0;
};

}  // namespace cleat::lock
