// Small readings of text that the whole layer shares: words without case, whole numbers, printable escapes, globs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cleat::resp {

constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
constexpr char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c;
}

// ASCII letters compared without case; other bytes as they are.
constexpr bool same_word(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string lower_copy(std::string_view);
std::string upper_copy(std::string_view);

// Decimal digits with an optional minus, nothing else, within int64. No leading plus or blank.
bool parse_integer(std::string_view text, int64_t& out);

// Length of the well-formed UTF-8 prefix (no surrogates, no overlong forms, up to U+10FFFF).
size_t utf8_prefix(std::string_view);
inline bool is_utf8(std::string_view s) {
  return utf8_prefix(s) == s.size();
}

// For error lines: one line whatever the bytes are. Control and non-UTF-8 bytes as \xNN, quote and backslash with a
// backslash; cut after `most` bytes of input with "...".
std::string printable(std::string_view bytes, size_t most = 128);

// Redis' glob: * ? [a-c] [^x] and backslash. `pattern` and `text` are bytes; case counts.
bool glob_match(std::string_view pattern, std::string_view text);

std::string base64(std::string_view);
// base64url without padding, for cursors; false when not of that form.
std::string base64url(std::string_view);
bool base64url_decode(std::string_view text, std::string& out);

}  // namespace cleat::resp
