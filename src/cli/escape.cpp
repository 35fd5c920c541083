#include "cli/escape.hpp"

#include <cstdint>

namespace cleat::cli {
namespace {

// Length of the UTF-8 sequence at the front and its code point; 0: not UTF-8 (overlong forms and surrogates neither).
size_t decode_one(std::string_view s, uint32_t& code) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return code = first, 1;
  const size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || s.size() < n) return 0;
  code = first & (0x7fu >> n);
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return 0;
  return n;
}

// Characters that show nothing, break lines or turn the direction of what stands around them.
bool is_hidden(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
}

void append_hex(std::string& out, uint32_t value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 15];
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  uint32_t code;
  while (!bytes.empty()) {
    const size_t n = decode_one(bytes, code);
    if (n == 0) return false;
    bytes.remove_prefix(n);
  }
  return true;
}

namespace {

std::string escape(std::string_view bytes, std::string_view backslash) {
  std::string out;
  while (!bytes.empty()) {
    uint32_t code = 0;
    const size_t n = decode_one(bytes, code);
    if (n == 0 || (n == 1 && is_hidden(code))) {
      if (bytes[0] == '\n') {
        out += "\\n";
      } else {
        out += "\\x";
        append_hex(out, static_cast<unsigned char>(bytes[0]), 2);
      }
    } else if (is_hidden(code)) {
      out += "\\u{";
      append_hex(out, code, code > 0xffff ? 6 : 4);
      out += "}";
    } else if (code == '\\') {
      out += backslash;
    } else {
      out += bytes.substr(0, n);
    }
    bytes.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

}  // namespace

std::string escaped(std::string_view bytes) {
  return escape(bytes, "\\\\");
}
std::string escaped_line(std::string_view line) {
  return escape(line, "\\");
}

std::string one_word(std::string_view bytes) {
  const std::string text = escaped(bytes);
  if (!text.empty() && text.find_first_of(" \"") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string base64(std::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t n = bytes.size() - i < 3 ? bytes.size() - i : 3;
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += k <= n ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

size_t display_width(std::string_view text) {
  size_t n = 0;
  for (const char c : text) n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return n;
}

}  // namespace cleat::cli
