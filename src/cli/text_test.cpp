// What the command line reads and prints: durations, escapes, tables, JSON.
#include <gtest/gtest.h>

#include "cli/duration.hpp"
#include "cli/escape.hpp"
#include "cli/json.hpp"
#include "cli/table.hpp"

namespace cleat::cli {
namespace {

using std::chrono::milliseconds;

TEST(Duration, ReadsTheFourUnits) {
  EXPECT_EQ(*parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(*parse_duration("30s"), milliseconds(30'000));
  EXPECT_EQ(*parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(*parse_duration("24h"), milliseconds(86'400'000));
  EXPECT_EQ(*parse_duration("0s"), milliseconds(0));
}

TEST(Duration, RefusalsSayWhatToWrite) {
  const auto error = [](const char* text) { return parse_duration(text).status().message(); };
  EXPECT_EQ(error("30"), "'30' has no unit: write 30s for seconds or 30ms for milliseconds");
  EXPECT_EQ(error(""), "'' is no duration: write a whole number and a unit, such as 500ms, 30s, 5m or 1h");
  EXPECT_EQ(error("soon"), "'soon' is no duration: write a whole number and a unit, such as 500ms, 30s, 5m or 1h");
  EXPECT_EQ(error("1.5s"), "'1.5s' is no whole number: write it in a smaller unit, such as 1500ms");
  EXPECT_EQ(error("-1s"), "'-1s' is negative");
  EXPECT_EQ(error("3d"), "'3d' has an unknown unit: the units are ms, s, m and h");
  EXPECT_EQ(error("25h"), "'25h' is longer than 24h");
  EXPECT_EQ(error("99999999999999999999s"), "'99999999999999999999s' is longer than 24h");
}

TEST(Duration, IsWrittenInTheLargestUnitThatLosesNothing) {
  EXPECT_EQ(format_duration(milliseconds(0)), "0s");
  EXPECT_EQ(format_duration(milliseconds(1'500)), "1500ms");
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(7'200'000)), "2h");
  EXPECT_EQ(rough_duration(milliseconds(740)), "740ms");
  EXPECT_EQ(rough_duration(milliseconds(2'940)), "2.9s");
  EXPECT_EQ(rough_duration(milliseconds(125'000)), "2m 5s");
  EXPECT_EQ(rough_duration(milliseconds(90'000'000)), "1d 1h");
}

TEST(Escape, LeavesWhatIsReadable) {
  EXPECT_EQ(escaped("db/orders-7"), "db/orders-7");
  EXPECT_EQ(escaped("größe 鍵"), "größe 鍵");
}

TEST(Escape, NothingReachesTheTerminalThatIsNotMeantToBeSeen) {
  EXPECT_EQ(escaped("a\x1b[2Jb"), "a\\x1b[2Jb");
  EXPECT_EQ(escaped("a\nb\\c"), "a\\nb\\\\c");
  EXPECT_EQ(escaped("\xff\xc0\x80"), "\\xff\\xc0\\x80");
  EXPECT_EQ(escaped("a\xe2\x80\xae"
                    "b"),
            "a\\u{202e}b");
  EXPECT_EQ(escaped("\xc2\x9b"), "\\u{009b}") << "an 8-bit CSI";
  EXPECT_EQ(escaped("\xed\xa0\x80"), "\\xed\\xa0\\x80") << "a surrogate";
  EXPECT_EQ(escaped(std::string_view("\0", 1)), "\\x00");
}

TEST(Escape, ALineOfTheServerIsNotEscapedTwice) {
  EXPECT_EQ(escaped_line("BADNAME the name 'a\\x01b\\\\' has"), "BADNAME the name 'a\\x01b\\\\' has");
  EXPECT_EQ(escaped_line("a\x1b[2Jb\n"), "a\\x1b[2Jb\\n");
}

TEST(Escape, OneWord) {
  EXPECT_EQ(one_word("orders"), "orders");
  EXPECT_EQ(one_word(""), "\"\"");
  EXPECT_EQ(one_word("my \"name\""), "\"my \\\"name\\\"\"");
}

TEST(Escape, Base64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xff\xfe"), "//4=");
}

TEST(Table, AlignsByWhatIsSeen) {
  Table table({"NAME", "N"});
  table.add({"größe", "1"});
  table.add({"", "22"});
  EXPECT_EQ(table.text(), "NAME   N\ngröße  1\n-      22\n");
}

TEST(JsonOut, BytesThatAreNoUtf8StandUnderAnotherKey) {
  Json json;
  json.open_object()
      .bytes("name", "a\"\n\x01")
      .bytes("data", "\xff")
      .field("n", int64_t{-1})
      .field("b", true)
      .null("x");
  json.close_object();
  EXPECT_EQ(json.text(), R"({"name":"a\"\n\u0001","data_base64":"/w==","n":-1,"b":true,"x":null})");
}

TEST(JsonOut, AReplyKeepsItsShape) {
  using client::Reply;
  Reply hold{.type = Reply::Type::kMap, .integer = 0, .text = {}, .items = {}};
  hold.items = {Reply::of("fence"), Reply::of(7), Reply::of("data"), Reply::of("\xff"), Reply::of("end"), Reply::nil()};
  Reply list{.type = Reply::Type::kArray, .integer = 0, .text = {}, .items = {hold, Reply::of("x")}};
  Json json;
  json.open_object().reply("holders", list).close_object();
  EXPECT_EQ(json.text(), R"({"holders":[{"fence":7,"data_base64":"/w==","end":null},"x"]})");
}

}  // namespace
}  // namespace cleat::cli
