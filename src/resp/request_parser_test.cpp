#include "resp/request_parser.hpp"

#include <gtest/gtest.h>

#include <random>

namespace cleat::resp {
namespace {

using Step = RequestParser::Step;
using Strings = std::vector<std::string>;

std::string frame(const Strings& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const auto& w : words) out += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  return out;
}

Strings copy(const RequestParser& p) {
  return {p.arguments().begin(), p.arguments().end()};
}

// All requests of `bytes`, handed over in pieces of the given sizes, each time from new memory.
std::vector<Strings> parse_in_pieces(const std::string& bytes, const std::function<size_t()>& piece) {
  const Limits limits;
  RequestParser parser(limits);
  std::vector<Strings> out;
  std::string buffer;
  size_t given = 0;
  while (true) {
    auto held = std::make_unique<std::string>(buffer);  // the bytes move between calls
    const Step step = parser.next(*held);
    if (step == Step::kProtocolError) {
      out.push_back({parser.error()});
      return out;
    }
    if (step == Step::kRequest) out.push_back(copy(parser));
    if (step != Step::kNeedMore) {
      buffer.erase(0, parser.consumed());
      continue;
    }
    EXPECT_GT(parser.wanted(), buffer.size());
    if (given == bytes.size()) return out;
    const size_t n = std::min(piece(), bytes.size() - given);
    buffer += bytes.substr(given, n);
    given += n;
  }
}

TEST(RequestParser, ReadsArrays) {
  const Limits limits;
  RequestParser p(limits);
  const std::string bytes = frame({"LOCK", "a", "", std::string("\r\n\0x", 4)});
  ASSERT_EQ(p.next(bytes), Step::kRequest);
  EXPECT_EQ(copy(p), (Strings{"LOCK", "a", "", std::string("\r\n\0x", 4)}));
  EXPECT_EQ(p.consumed(), bytes.size());
  EXPECT_GE(p.arguments()[0].data(), bytes.data());  // nothing was copied
  EXPECT_LT(p.arguments()[0].data(), bytes.data() + bytes.size());
}

TEST(RequestParser, SplitAtEveryByte) {
  const std::vector<Strings> requests = {{"LOCK", "orders/7", "TOKEN", "t", "TTL", "60000"}, {"PING"}, {"", ""}};
  std::string bytes;
  for (const auto& r : requests) bytes += frame(r);
  bytes += "ping \"a b\"\r\n*0\r\n\r\nECHO x\n";
  std::vector<Strings> expected = requests;
  expected.push_back({"ping", "a b"});
  expected.push_back({"ECHO", "x"});
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    bool first = true;
    const auto piece = [&] { return std::exchange(first, false) ? cut : bytes.size(); };
    EXPECT_EQ(parse_in_pieces(bytes, piece), expected) << "cut at " << cut;
  }
  EXPECT_EQ(parse_in_pieces(bytes, [] { return size_t{1}; }), expected);
}

TEST(RequestParser, RandomRoundTrips) {
  std::mt19937 random(20260101);
  for (int round = 0; round < 300; ++round) {
    std::vector<Strings> requests(1 + random() % 5);
    std::string bytes;
    for (auto& r : requests) {
      r.resize(1 + random() % 12);
      for (auto& w : r) {
        w.resize(random() % (random() % 20 == 0 ? 2000 : 20));
        for (char& c : w) c = static_cast<char>(random());
      }
      bytes += frame(r);
    }
    EXPECT_EQ(parse_in_pieces(bytes, [&] { return 1 + random() % 40; }), requests) << "round " << round;
  }
}

struct Bad {
  std::string bytes, error;
};
class ProtocolErrors : public testing::TestWithParam<Bad> {};

TEST_P(ProtocolErrors, AreToldAsRedisDoes) {
  const auto& [bytes, error] = GetParam();
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    const auto got = parse_in_pieces(bytes, [piece] { return piece; });
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(got[0], Strings{"ERR Protocol error: " + error}) << "in pieces of " << piece;
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, ProtocolErrors,
    testing::Values(
        Bad{"*x\r\n", "invalid multibulk length"}, Bad{"*\r\n", "invalid multibulk length"},
        Bad{"*1\rx", "invalid multibulk length"},
        Bad{"*4097\r\n", "invalid multibulk length (more than 4096 arguments, max-arguments)"},
        Bad{"*99999999999999999999\r\n", "invalid multibulk length"},
        Bad{"*" + std::string(40, '1'), "too big mbulk count string"}, Bad{"*1\r\n:1\r\n", "expected '$', got ':'"},
        Bad{"*1\r\n\x01", "expected '$', got '\\x01'"}, Bad{"*1\r\n$-1\r\n", "invalid bulk length"},
        Bad{"*1\r\n$x\r\n", "invalid bulk length"}, Bad{"*1\r\n$" + std::string(40, '1'), "too big bulk count string"},
        Bad{"*1\r\n$262144\r\n", "invalid bulk length (the request is larger than 262144 bytes, max-frame-bytes)"},
        Bad{"*1\r\n$1\r\naxx", "expected CRLF behind a bulk string"},
        Bad{"echo \"a\r\n", "unbalanced quotes in request"}, Bad{"echo \"a\"b\r\n", "unbalanced quotes in request"},
        Bad{"POST / HTTP/1.1\r\n", "this is HTTP, not the Redis protocol"},
        Bad{"Host: x\r\n", "this is HTTP, not the Redis protocol"}));

TEST(RequestParser, LimitsAreExact) {
  Limits limits;
  limits.max_arguments = 3;
  limits.max_frame_bytes = 40;
  RequestParser p(limits);
  EXPECT_EQ(p.next(frame({"a", "b", "c"})), Step::kRequest);
  EXPECT_EQ(p.next(frame({"a", "b", "c", "d"})), Step::kProtocolError);
  // "*1\r\n$29\r\n" + 29 + "\r\n" is 40 bytes.
  EXPECT_EQ(p.next(frame({std::string(29, 'x')})), Step::kRequest);
  EXPECT_EQ(p.consumed(), 40u);
  EXPECT_EQ(p.next(frame({std::string(30, 'x')})), Step::kProtocolError);
  EXPECT_EQ(p.next(std::string(41, 'x')), Step::kProtocolError);  // an inline request without an end
  EXPECT_EQ(p.error(), "ERR Protocol error: too big inline request");
  EXPECT_EQ(p.next("PING\r\n"), Step::kRequest);  // it may be used again
}

TEST(RequestParser, InlineWords) {
  const Limits limits;
  RequestParser p(limits);
  ASSERT_EQ(p.next("  lock\t'a b' \"\\x41\\n\\\"\\q\" '' x'y'\r\nrest"), Step::kRequest);
  EXPECT_EQ(copy(p), (Strings{"lock", "a b", "A\n\"q", "", "xy"}));
  ASSERT_EQ(p.next("\r\n"), Step::kSkip);
  EXPECT_EQ(p.consumed(), 2u);
  ASSERT_EQ(p.next("*0\r\n"), Step::kSkip);
  ASSERT_EQ(p.next("*-1\r\n"), Step::kSkip);
  EXPECT_EQ(p.consumed(), 5u);
  ASSERT_EQ(p.next(""), Step::kNeedMore);
}

}  // namespace
}  // namespace cleat::resp
