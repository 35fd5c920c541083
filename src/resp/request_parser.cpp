#include "resp/request_parser.hpp"

#include <algorithm>
#include <cstring>

#include "resp/words.hpp"

namespace cleat::resp {
namespace {

constexpr size_t kMaxLengthLine = 32;  // "*" or "$", digits, CRLF: more digits than any number we take
constexpr size_t kKeptArguments = 256;
constexpr size_t kMaxInlineBytes = 64 * 1024;  // as Redis

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char l = lower(c);
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f' || c == '\0';
}

// One quoted word of an inline command, `i` at its first byte behind the quote. False: no closing quote, or text right
// behind it.
bool unquote(std::string_view line, size_t& i, char quote, std::string& out) {
  for (; i < line.size(); ++i) {
    const char c = line[i];
    if (c == quote) {
      ++i;
      return i == line.size() || is_blank(line[i]);
    }
    if (c != '\\' || i + 1 == line.size()) {
      out.push_back(c);
      continue;
    }
    const char next = line[++i];
    if (quote == '\'') {
      if (next != '\'') out.push_back('\\');
      out.push_back(next);
    } else if (next == 'x' && i + 2 < line.size() && hex_value(line[i + 1]) >= 0 && hex_value(line[i + 2]) >= 0) {
      out.push_back(static_cast<char>(hex_value(line[i + 1]) << 4 | hex_value(line[i + 2])));
      i += 2;
    } else {
      constexpr std::string_view kFrom = "nrtba", kTo = "\n\r\t\b\a";
      const size_t k = kFrom.find(next);
      out.push_back(k == std::string_view::npos ? next : kTo[k]);
    }
  }
  return false;
}

}  // namespace

RequestParser::Step RequestParser::need(size_t bytes) {
  wanted_ = bytes;
  return Step::kNeedMore;
}

RequestParser::Step RequestParser::fail(const std::string& what) {
  error_ = "ERR Protocol error: " + what;
  reset();
  return Step::kProtocolError;
}

void RequestParser::reset() {
  position_ = 0, expected_ = -1, bulk_bytes_ = -1, scanned_ = 0;
}

void RequestParser::rebase(std::string_view in) {
  if (in.data() != in_.data()) {
    for (std::string_view& a : arguments_) a = {in.data() + (a.data() - in_.data()), a.size()};
  }
  in_ = in;
}

RequestParser::Step RequestParser::next(std::string_view in) {
  if (position_ == 0) {
    // A giant request must not leave its memory with each of many connections.
    if (arguments_.capacity() > kKeptArguments) std::vector<std::string_view>().swap(arguments_);
    arguments_.clear();
    in_ = in;
  } else {
    rebase(in);
  }
  if (in.empty()) return need(1);
  return in[0] == '*' ? next_array() : next_inline();
}

RequestParser::Step RequestParser::read_length(int64_t& out, const char* too_big, const char* invalid) {
  const char* p = in_.data() + position_ + 1;
  const char* const end = in_.data() + in_.size();
  // Almost every length has one to three digits, all there.
  int64_t v = 0;
  const char* q = p;
  while (q != end && *q >= '0' && *q <= '9' && q - p < 9) v = v * 10 + (*q++ - '0');
  if (end - q >= 2 && q != p && q[0] == '\r' && q[1] == '\n') {
    out = v;
    position_ = static_cast<size_t>(q + 2 - in_.data());
    return Step::kRequest;
  }
  const size_t there = static_cast<size_t>(end - p);
  const auto* cr = static_cast<const char*>(std::memchr(p, '\r', there < kMaxLengthLine ? there : kMaxLengthLine));
  if (cr == nullptr) return there >= kMaxLengthLine ? fail(too_big) : need(in_.size() + 2);
  if (cr + 1 == end) return need(in_.size() + 1);
  if (cr[1] != '\n' || !parse_integer({p, static_cast<size_t>(cr - p)}, out)) return fail(invalid);
  position_ = static_cast<size_t>(cr + 2 - in_.data());
  return Step::kRequest;
}

// Arguments of up to 99 bytes that are there as a whole, which is nearly all; stops before any other for next_array().
void RequestParser::take_short_arguments() {
  const char* p = in_.data() + position_;
  const char* const end = in_.data() + std::min<size_t>(in_.size(), limits_.max_frame_bytes);
  for (auto left = static_cast<size_t>(expected_) - arguments_.size(); left > 0 && end - p >= 6; --left) {
    const unsigned high = static_cast<unsigned char>(p[1]) - unsigned{'0'};
    const unsigned low = static_cast<unsigned char>(p[2]) - unsigned{'0'};
    if (p[0] != '$' || high > 9) break;
    const bool one_digit = p[2] == '\r';
    if (!one_digit && (low > 9 || p[3] != '\r')) break;
    const size_t n = one_digit ? high : 10 * high + low;
    const char* const value = p + (one_digit ? 4 : 5);
    if (value[-1] != '\n' || static_cast<size_t>(end - value) < n + 2) break;
    if (value[n] != '\r' || value[n + 1] != '\n') break;
    arguments_.emplace_back(value, n);
    p = value + n + 2;
  }
  position_ = static_cast<size_t>(p - in_.data());
}

RequestParser::Step RequestParser::next_array() {
  if (expected_ < 0) {
    int64_t n = 0;
    if (const Step s = read_length(n, "too big mbulk count string", "invalid multibulk length"); s != Step::kRequest) {
      return s;
    }
    if (n <= 0) {
      consumed_ = position_;
      reset();
      return Step::kSkip;
    }
    if (static_cast<uint64_t>(n) > limits_.max_arguments) {
      return fail("invalid multibulk length (more than " + std::to_string(limits_.max_arguments) +
                  " arguments, max-arguments)");
    }
    expected_ = n;
  }
  while (arguments_.size() < static_cast<size_t>(expected_)) {
    if (bulk_bytes_ < 0) {
      take_short_arguments();
      if (arguments_.size() == static_cast<size_t>(expected_)) break;
      if (position_ == in_.size()) return need(position_ + 4);
      if (in_[position_] != '$') return fail("expected '$', got '" + printable(in_.substr(position_, 1)) + "'");
      int64_t n = 0;
      if (const Step s = read_length(n, "too big bulk count string", "invalid bulk length"); s != Step::kRequest) {
        return s;
      }
      if (n < 0) return fail("invalid bulk length");
      if (static_cast<uint64_t>(n) + position_ + 2 > limits_.max_frame_bytes) {
        return fail("invalid bulk length (the request is larger than " + std::to_string(limits_.max_frame_bytes) +
                    " bytes, max-frame-bytes)");
      }
      bulk_bytes_ = n;
    }
    const size_t n = static_cast<size_t>(bulk_bytes_), end = position_ + n + 2;
    if (in_.size() < end) return need(end);
    if (in_[end - 2] != '\r' || in_[end - 1] != '\n') return fail("expected CRLF behind a bulk string");
    arguments_.push_back(in_.substr(position_, n));
    position_ = end;
    bulk_bytes_ = -1;
  }
  consumed_ = position_;
  reset();
  return Step::kRequest;
}

RequestParser::Step RequestParser::next_inline() {
  const size_t most = limits_.max_frame_bytes < kMaxInlineBytes ? limits_.max_frame_bytes : kMaxInlineBytes;
  const size_t newline = in_.find('\n', scanned_);
  if (newline == std::string_view::npos || newline > most) {
    if (in_.size() > most) return fail("too big inline request");
    scanned_ = in_.size();
    return need(in_.size() + 1);
  }
  consumed_ = newline + 1;
  scanned_ = 0;
  if (!split_words(in_.substr(0, newline))) return fail("unbalanced quotes in request");
  if (arguments_.empty()) return Step::kSkip;
  if (arguments_.size() > limits_.max_arguments) return fail("too many words (max-arguments)");
  // A web page that makes a browser talk to us: nothing of it may be run.
  if (same_word(arguments_[0], "POST") || same_word(arguments_[0], "HOST:")) {
    return fail("this is HTTP, not the Redis protocol");
  }
  return Step::kRequest;
}

bool RequestParser::split_words(std::string_view line) {
  arguments_.clear();
  words_.clear();
  words_.reserve(line.size());  // no word grows when it is unquoted, so views into it stay
  size_t i = 0;
  for (;;) {
    while (i < line.size() && is_blank(line[i])) ++i;
    if (i == line.size()) return true;
    const size_t start = words_.size();
    while (i < line.size() && !is_blank(line[i])) {
      const char c = line[i++];
      if (c != '"' && c != '\'') {
        words_.push_back(c);
      } else if (!unquote(line, i, c, words_)) {
        return false;
      } else {
        break;
      }
    }
    arguments_.emplace_back(words_.data() + start, words_.size() - start);
  }
}

}  // namespace cleat::resp
