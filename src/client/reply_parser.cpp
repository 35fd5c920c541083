#include "client/reply_parser.hpp"

#include <algorithm>
#include <charconv>

namespace cleat::client {
namespace {

template <class T>
bool parse_number(std::string_view s, T& out) {
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), out);
  return error == std::errc{} && end == s.data() + s.size();
}

std::string printable(char c) {
  if (c >= 0x20 && c < 0x7f) return std::string("'") + c + "'";
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return std::string("byte 0x") + kHex[byte >> 4] + kHex[byte & 15];
}

}  // namespace

void ReplyParser::feed(std::string_view bytes) {
  if (at_ > 0) {
    buffer_.erase(0, at_);
    scanned_ = scanned_ > at_ ? scanned_ - at_ : 0;
    at_ = 0;
  }
  buffer_.append(bytes);
}

std::optional<Reply> ReplyParser::next() {
  while (!failed()) {
    const size_t before = at_;
    Reply value;
    const size_t depth = open_.size();
    const Step step = read_value(value);
    reply_bytes_ += at_ - before;
    if (step != Step::kValue) return std::nullopt;
    if (reply_bytes_ > limits_.reply_bytes || ++reply_items_ > limits_.reply_items) {
      fail("the reply is too large");
      return std::nullopt;
    }
    if (open_.size() > depth) {  // an aggregate began
      if (open_.back().missing > 0) continue;
      value = std::move(open_.back().reply);
      open_.pop_back();
    }
    std::optional<Reply> done;
    if (close_into(std::move(value), done)) {
      reply_bytes_ = reply_items_ = 0;
      return done;
    }
  }
  return std::nullopt;
}

// Puts a whole value where it belongs and closes what it completes; true when that is the whole reply.
bool ReplyParser::close_into(Reply value, std::optional<Reply>& done) {
  while (!open_.empty()) {
    Open& top = open_.back();
    top.reply.items.push_back(std::move(value));
    if (--top.missing > 0) return false;
    value = std::move(top.reply);
    open_.pop_back();
  }
  done = std::move(value);
  return true;
}

// kValue: `out` is a scalar, or an aggregate was pushed on open_. at_ moves only then, except that a bulk's line waits
// for its bytes.
ReplyParser::Step ReplyParser::read_value(Reply& out) {
  if (at_ == buffer_.size()) return Step::kMore;
  const char kind = buffer_[at_];
  const auto found = line();
  if (!found) return failed() ? Step::kFailed : Step::kMore;
  switch (kind) {
    case '$':
    case '!':
    case '=':
      return read_bulk(kind, *found, out);
    case '*':
    case '~':
    case '>':
    case '%':
      return open_aggregate(kind, *found);
    default:
      return scalar(kind, *found, out);
  }
}

// The line at at_, without its first byte and its end; at_ stays. None: not there yet, or too long.
std::optional<std::string_view> ReplyParser::line() {
  const size_t from = std::max(at_ + 1, scanned_);
  const size_t end = buffer_.find('\n', from);
  if (end == std::string::npos) {
    scanned_ = buffer_.size();
    if (scanned_ - at_ > limits_.line_bytes) fail("a line is too long");
    return std::nullopt;
  }
  if (end - at_ > limits_.line_bytes) return fail("a line is too long"), std::nullopt;
  if (end == at_ + 1 || buffer_[end - 1] != '\r') return fail("a line does not end in CR LF"), std::nullopt;
  scanned_ = end;
  return std::string_view(buffer_).substr(at_ + 1, end - 1 - (at_ + 1));
}

ReplyParser::Step ReplyParser::scalar(char kind, std::string_view text, Reply& out) {
  using Type = Reply::Type;
  switch (kind) {
    case '+':
      out.type = Type::kText;
      out.text = text;
      break;
    case '-':
      out.type = Type::kError;
      out.text = text;
      break;
    case ':':
      out.type = Type::kInteger;
      if (!parse_number(text, out.integer)) return fail("an integer reply is no integer");
      break;
    case '_':
      if (!text.empty()) return fail("a null has bytes in it");
      break;
    case '#':
      if (text != "t" && text != "f") return fail("a boolean is neither t nor f");
      out.type = Type::kBoolean;
      out.integer = text == "t";
      break;
    case ',':
    case '(':
      out.type = kind == ',' ? Type::kDouble : Type::kText;
      out.text = text;
      break;
    default:
      return fail("a reply begins with " + printable(kind));
  }
  at_ = scanned_ + 1;
  return Step::kValue;
}

ReplyParser::Step ReplyParser::read_bulk(char kind, std::string_view length, Reply& out) {
  const size_t begin = scanned_ + 1;
  if (length == "-1" && kind == '$') {
    at_ = begin;
    return Step::kValue;
  }
  size_t n = 0;
  if (!parse_number(length, n)) return fail("a length is no number");
  if (n > limits_.bulk_bytes) return fail("a string of " + std::to_string(n) + " bytes is too long");
  if (buffer_.size() - begin < n + 2) return Step::kMore;
  if (buffer_.compare(begin + n, 2, "\r\n") != 0) return fail("a string does not end in CR LF");
  std::string_view bytes(buffer_.data() + begin, n);
  if (kind == '=') {  // verbatim: "txt:" and the text
    if (n < 4 || bytes[3] != ':') return fail("a verbatim string has no format");
    bytes.remove_prefix(4);
  }
  out.type = kind == '!' ? Reply::Type::kError : Reply::Type::kBytes;
  out.text = bytes;
  at_ = begin + n + 2;
  return Step::kValue;
}

ReplyParser::Step ReplyParser::open_aggregate(char kind, std::string_view length) {
  const size_t begin = scanned_ + 1;
  if (length == "-1" && kind == '*') {
    at_ = begin;
    return Step::kValue;
  }
  size_t n = 0;
  if (!parse_number(length, n)) return fail("a count is no number");
  if (n > limits_.reply_items) return fail("a list of " + std::to_string(n) + " values is too long");
  if (open_.size() >= limits_.depth) return fail("lists are nested too deep");
  Open open{.reply = {}, .missing = kind == '%' ? 2 * n : n};
  open.reply.type = kind == '%' ? Reply::Type::kMap : kind == '>' ? Reply::Type::kPush : Reply::Type::kArray;
  open_.push_back(std::move(open));
  at_ = begin;
  return Step::kValue;
}

ReplyParser::Step ReplyParser::fail(std::string why) {
  error_ = "not a RESP reply: " + std::move(why);
  return Step::kFailed;
}

}  // namespace cleat::client
