#include "client/reply_parser.hpp"

#include <gtest/gtest.h>

namespace cleat::client {
namespace {

// Fed whole, and byte by byte: the same must come out.
std::vector<Reply> parse(std::string_view bytes, std::string* error = nullptr, ParserLimits limits = {}) {
  std::vector<Reply> whole, pieces;
  ReplyParser at_once(limits), bytewise(limits);
  at_once.feed(bytes);
  while (auto reply = at_once.next()) whole.push_back(*reply);
  for (const char c : bytes) {
    bytewise.feed({&c, 1});
    while (auto reply = bytewise.next()) pieces.push_back(*reply);
  }
  EXPECT_EQ(whole, pieces);
  EXPECT_EQ(at_once.error(), bytewise.error());
  if (error != nullptr) *error = at_once.error();
  return whole;
}

Reply one(std::string_view bytes) {
  const auto replies = parse(bytes);
  EXPECT_EQ(replies.size(), 1u) << bytes;
  return replies.empty() ? Reply{} : replies.front();
}

std::string error_of(std::string_view bytes, ParserLimits limits = {}) {
  std::string error;
  parse(bytes, &error, limits);
  return error;
}

TEST(ReplyParser, Scalars) {
  EXPECT_EQ(one("+OK\r\n").text, "OK");
  EXPECT_EQ(one(":-42\r\n").integer, -42);
  EXPECT_TRUE(one("_\r\n").is_nil());
  EXPECT_TRUE(one("$-1\r\n").is_nil());
  EXPECT_TRUE(one("*-1\r\n").is_nil());
  EXPECT_EQ(one("#t\r\n").integer, 1);
  EXPECT_EQ(one("#f\r\n").integer, 0);
  EXPECT_EQ(one(",1.5\r\n").text, "1.5");
  EXPECT_EQ(one("$3\r\na\r\n\r\n").text, "a\r\n");
  EXPECT_EQ(one("$0\r\n\r\n").text, "");
  EXPECT_EQ(one("=7\r\ntxt:abc\r\n").text, "abc");
  EXPECT_EQ(one("-STALE fence 3\r\n").error_code(), "STALE");
  EXPECT_EQ(one("!8\r\nERR what\r\n").error_code(), "ERR");
}

TEST(ReplyParser, AggregatesNestAndMayBeEmpty) {
  const Reply r = one("%2\r\n+holders\r\n*2\r\n%1\r\n+fence\r\n:7\r\n*0\r\n+revision\r\n:9\r\n");
  EXPECT_EQ(r.integer_at("revision"), 9);
  ASSERT_NE(r.find("holders"), nullptr);
  ASSERT_EQ(r.find("holders")->items.size(), 2u);
  EXPECT_EQ(r.find("holders")->items[0].integer_at("fence"), 7);
  EXPECT_TRUE(r.find("holders")->items[1].items.empty());
  EXPECT_EQ(r.find("none"), nullptr);
  EXPECT_EQ(one("%0\r\n").type, Reply::Type::kMap);
}

TEST(ReplyParser, PushesAreToldApart) {
  const auto replies = parse(">2\r\n+cleat\r\n+lost\r\n+OK\r\n");
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(replies[0].type, Reply::Type::kPush);
  EXPECT_EQ(replies[1].text, "OK");
}

TEST(ReplyParser, WhatIsNotWholeYetGivesNothing) {
  for (const char* half : {"", "$", "$5\r\nab", "$5\r\nabcde", "*2\r\n+a\r\n", ":12", "+OK\r"}) {
    std::string error;
    EXPECT_TRUE(parse(half, &error).empty()) << half;
    EXPECT_EQ(error, "") << half;
  }
}

TEST(ReplyParser, RefusesWhatIsNotResp) {
  EXPECT_EQ(error_of("HTTP/1.1 400 Bad Request\r\n"), "not a RESP reply: a reply begins with 'H'");
  EXPECT_EQ(error_of("\x01\r\n"), "not a RESP reply: a reply begins with byte 0x01");
  EXPECT_EQ(error_of("+OK\n"), "not a RESP reply: a line does not end in CR LF");
  EXPECT_EQ(error_of(":1x\r\n"), "not a RESP reply: an integer reply is no integer");
  EXPECT_EQ(error_of(":99999999999999999999\r\n"), "not a RESP reply: an integer reply is no integer");
  EXPECT_EQ(error_of("$-2\r\n"), "not a RESP reply: a length is no number");
  EXPECT_EQ(error_of("$2\r\nabc\r\n"), "not a RESP reply: a string does not end in CR LF");
  EXPECT_EQ(error_of("*x\r\n"), "not a RESP reply: a count is no number");
  EXPECT_EQ(error_of("#y\r\n"), "not a RESP reply: a boolean is neither t nor f");
  EXPECT_EQ(error_of("_x\r\n"), "not a RESP reply: a null has bytes in it");
  EXPECT_EQ(error_of("=3\r\nabc\r\n"), "not a RESP reply: a verbatim string has no format");
}

TEST(ReplyParser, LimitsAreKept) {
  EXPECT_EQ(error_of("$11\r\n", {.bulk_bytes = 10}), "not a RESP reply: a string of 11 bytes is too long");
  EXPECT_EQ(error_of("+" + std::string(100, 'a'), {.line_bytes = 10}), "not a RESP reply: a line is too long");
  EXPECT_EQ(error_of("*11\r\n", {.reply_items = 10}), "not a RESP reply: a list of 11 values is too long");
  EXPECT_EQ(error_of("*2\r\n*6\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n*6\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n",
                     {.reply_items = 10}),
            "not a RESP reply: the reply is too large");
  EXPECT_EQ(error_of("*3\r\n$4\r\naaaa\r\n$4\r\naaaa\r\n", {.reply_bytes = 20}),
            "not a RESP reply: the reply is too large");
  EXPECT_EQ(error_of("*1\r\n*1\r\n*1\r\n", {.depth = 2}), "not a RESP reply: lists are nested too deep");
}

TEST(ReplyParser, LimitsCountPerReply) {
  std::string many;
  for (int i = 0; i < 50; ++i) many += "+OK\r\n";
  EXPECT_EQ(error_of(many, {.reply_bytes = 20, .reply_items = 3}), "");
}

}  // namespace
}  // namespace cleat::client
