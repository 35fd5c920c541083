#include "resp/words.hpp"

namespace cleat::resp {
namespace {

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kBase64Url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode64(std::string_view in, const char* alphabet, bool pad) {
  std::string out;
  out.reserve((in.size() + 2) / 3 * 4);
  size_t i = 0;
  for (; i < in.size(); i += 3) {
    const size_t n = in.size() - i < 3 ? in.size() - i : 3;
    uint32_t v = 0;
    for (size_t k = 0; k < 3; ++k) v = v << 8 | (k < n ? static_cast<uint8_t>(in[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) {
      if (k <= n) {
        out.push_back(alphabet[v >> (18 - 6 * k) & 63]);
      } else if (pad) {
        out.push_back('=');
      }
    }
  }
  return out;
}

int value64url(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '-') return 62;
  return c == '_' ? 63 : -1;
}

// Bytes of the well-formed sequence at the front of `s`, 0 if there is none.
size_t utf8_sequence(std::string_view s) {
  const auto at = [&](size_t i) { return i < s.size() ? static_cast<uint8_t>(s[i]) : uint8_t{0}; };
  const uint8_t a = at(0), b = at(1);
  const auto tail = [&](size_t i) { return (at(i) & 0xc0) == 0x80; };
  if (s.empty()) return 0;
  if (a < 0x80) return 1;
  if (a >= 0xc2 && a <= 0xdf) return tail(1) ? 2 : 0;
  if (a >= 0xe0 && a <= 0xef) {
    if ((a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f)) return 0;
    return tail(1) && tail(2) ? 3 : 0;
  }
  if (a >= 0xf0 && a <= 0xf4) {
    if ((a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f)) return 0;
    return tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

// One [class] at the front of `p` (behind the bracket); moves `p` behind its end.
bool class_match(std::string_view& p, char c) {
  const bool negated = !p.empty() && p[0] == '^';
  if (negated) p.remove_prefix(1);
  bool hit = false;
  while (!p.empty() && p[0] != ']') {
    if (p[0] == '\\' && p.size() >= 2) {
      hit |= p[1] == c;
      p.remove_prefix(2);
    } else if (p.size() >= 3 && p[1] == '-' && p[2] != ']') {
      const char low = p[0] < p[2] ? p[0] : p[2], high = p[0] < p[2] ? p[2] : p[0];
      hit |= c >= low && c <= high;
      p.remove_prefix(3);
    } else {
      hit |= p[0] == c;
      p.remove_prefix(1);
    }
  }
  if (!p.empty()) p.remove_prefix(1);
  return hit != negated;
}

// One pattern element that is not a star against one byte; moves `p` behind the element.
bool element_match(std::string_view& p, char c) {
  const char first = p[0];
  p.remove_prefix(1);
  if (first == '?') return true;
  if (first == '[') return class_match(p, c);
  if (first == '\\' && !p.empty()) {
    const char literal = p[0];
    p.remove_prefix(1);
    return literal == c;
  }
  return first == c;
}

}  // namespace

std::string lower_copy(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = lower(c);
  return out;
}

std::string upper_copy(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = upper(c);
  return out;
}

bool parse_integer(std::string_view text, int64_t& out) {
  const bool minus = !text.empty() && text[0] == '-';
  if (minus) text.remove_prefix(1);
  if (text.empty() || text.size() > 19) return false;
  uint64_t v = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    v = v * 10 + static_cast<uint64_t>(c - '0');
  }
  if (v > static_cast<uint64_t>(INT64_MAX)) return false;
  out = minus ? -static_cast<int64_t>(v) : static_cast<int64_t>(v);
  return true;
}

size_t utf8_prefix(std::string_view s) {
  size_t i = 0;
  while (i < s.size()) {
    const size_t n = utf8_sequence(s.substr(i));
    if (n == 0) break;
    i += n;
  }
  return i;
}

std::string printable(std::string_view bytes, size_t most) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  size_t i = 0;
  while (i < bytes.size()) {
    if (i >= most) return out + "...";
    const size_t n = utf8_sequence(bytes.substr(i));
    const auto c = static_cast<uint8_t>(bytes[i]);
    const bool c1 = n == 2 && c == 0xc2 && static_cast<uint8_t>(bytes[i + 1]) < 0xa0;
    if (n == 0 || c < 0x20 || c == 0x7f || c1) {
      out += {'\\', 'x', kHex[c >> 4], kHex[c & 15]};
      ++i;
      continue;
    }
    if (c == '\'' || c == '\\') out.push_back('\\');
    out.append(bytes.substr(i, n));
    i += n;
  }
  return out;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::string_view star_pattern, star_text;
  bool star = false;
  for (;;) {
    if (!pattern.empty() && pattern[0] == '*') {
      pattern.remove_prefix(1);
      star = true, star_pattern = pattern, star_text = text;
      continue;
    }
    if (!pattern.empty() && !text.empty()) {
      if (element_match(pattern, text[0])) {
        text.remove_prefix(1);
        continue;
      }
    } else if (pattern.empty() && text.empty()) {
      return true;
    }
    // No match here: let the last star take one byte more.
    if (!star || star_text.empty()) return false;
    star_text.remove_prefix(1);
    pattern = star_pattern, text = star_text;
  }
}

std::string base64(std::string_view in) {
  return encode64(in, kBase64, true);
}
std::string base64url(std::string_view in) {
  return encode64(in, kBase64Url, false);
}

bool base64url_decode(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 == 1) return false;
  uint32_t v = 0;
  int bits = 0;
  for (const char c : text) {
    const int x = value64url(c);
    if (x < 0) return false;
    v = (v << 6 | static_cast<uint32_t>(x)) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>(v >> bits & 0xff));
    }
  }
  return (v & ((1u << bits) - 1)) == 0;
}

}  // namespace cleat::resp
