#include "resp/cursor.hpp"

#include "base/bytes.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

// First byte of a cursor's bytes: its kind and version. A cursor of one command is none of another.
constexpr uint8_t kLocksCursor = 1;
constexpr uint8_t kNumberCursor = 2;

}  // namespace

std::string encode_cursor(const lock::Cursor& cursor) {
  std::string bytes;
  base::Writer w(bytes);
  w.u8(kLocksCursor);
  w.varint(cursor.bucket);
  bytes.append(cursor.after_name);
  return base64url(bytes);
}

bool decode_cursor(std::string_view word, lock::Cursor& out) {
  out = {};
  if (word == "0") return true;
  std::string bytes;
  if (!base64url_decode(word, bytes)) return false;
  base::Reader r(bytes);
  if (r.u8() != kLocksCursor) return false;
  const uint64_t bucket = r.varint();
  if (!r.ok() || bucket > UINT32_MAX) return false;
  out.bucket = static_cast<uint32_t>(bucket);
  out.after_name = r.take(r.left());
  return true;
}

std::string encode_number_cursor(uint64_t n) {
  std::string bytes;
  base::Writer w(bytes);
  w.u8(kNumberCursor);
  w.varint(n);
  return base64url(bytes);
}

bool decode_number_cursor(std::string_view word, uint64_t& out) {
  out = 0;
  if (word == "0") return true;
  std::string bytes;
  if (!base64url_decode(word, bytes)) return false;
  base::Reader r(bytes);
  if (r.u8() != kNumberCursor) return false;
  out = r.varint();
  return r.ok() && r.at_end();
}

std::string cursor_error(std::string_view word) {
  return "ERR '" + printable(word, 32) + "' is no cursor of this command: give the one it answered, or 0 for the start";
}

}  // namespace cleat::resp
