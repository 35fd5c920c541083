#include "resp/words.hpp"

#include <gtest/gtest.h>

#include <random>

#include "resp/connection_reply.hpp"
#include "resp/cursor.hpp"
#include "resp/fields.hpp"

namespace cleat::resp {
namespace {

TEST(Words, Integers) {
  int64_t v = 0;
  for (const auto& [text, value] : std::vector<std::pair<std::string, int64_t>>{{"0", 0},
                                                                                {"-1", -1},
                                                                                {"007", 7},
                                                                                {"9223372036854775807", INT64_MAX},
                                                                                {"-9223372036854775807", -INT64_MAX}}) {
    EXPECT_TRUE(parse_integer(text, v)) << text;
    EXPECT_EQ(v, value);
  }
  for (const std::string text :
       {"", "-", "+1", " 1", "1 ", "1.0", "0x1", "9223372036854775808", "99999999999999999999"}) {
    EXPECT_FALSE(parse_integer(text, v)) << text;
  }
}

TEST(Words, Utf8) {
  for (const std::string good : {"", "a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x94\x92", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << printable(good);
  }
  for (const std::string bad :
       {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_FALSE(is_utf8(bad)) << printable(bad);
  }
  EXPECT_EQ(utf8_prefix("ab\xff"), 2u);
}

TEST(Words, Printable) {
  EXPECT_EQ(printable("a'b\\c\r\n\x7f\xff\xc2\x85\xc3\xa4"), "a\\'b\\\\c\\x0d\\x0a\\x7f\\xff\\xc2\\x85\xc3\xa4");
  EXPECT_EQ(printable(std::string(200, 'x'), 3), "xxx...");
}

TEST(Words, Globs) {
  const auto yes = [](const char* p, const char* t) { EXPECT_TRUE(glob_match(p, t)) << p << " " << t; };
  const auto no = [](const char* p, const char* t) { EXPECT_FALSE(glob_match(p, t)) << p << " " << t; };
  yes("*", ""), yes("a*", "abc"), yes("*c", "abc"), yes("a*b*c", "axxbyyc"), yes("a?c", "abc"), yes("[a-c]x", "bx");
  yes("[^a]x", "bx"), yes("\\*", "*"), yes("cleat:*", "cleat:orders/7"), yes("*ab", "aab"), yes("[\\]]", "]");
  no("", "a"), no("a", ""), no("a?c", "ac"), no("[a-c]x", "dx"), no("[^a]x", "ax"), no("\\*", "x"), no("a*b", "ac");
}

TEST(Words, GlobsEndInTime) {
  // The usual trap of backtracking matchers: must not take exponential time.
  std::string pattern;
  for (int i = 0; i < 64; ++i) pattern += "*a";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(512, 'a')));
}

TEST(Words, Base64) {
  EXPECT_EQ(base64("a"), "YQ==");
  EXPECT_EQ(base64("ab\xff"), "YWL/");
  EXPECT_EQ(base64url("ab\xff"), "YWL_");
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    std::string bytes(random() % 40, '\0'), back;
    for (char& c : bytes) c = static_cast<char>(random());
    ASSERT_TRUE(base64url_decode(base64url(bytes), back));
    EXPECT_EQ(back, bytes);
  }
  std::string out;
  for (const std::string bad : {"A", "AAAAA", "A*", "AB==", "AB"}) EXPECT_FALSE(base64url_decode(bad, out)) << bad;
}

TEST(Cursors, RoundTripAndRefuse) {
  const lock::Cursor cursor{8191, std::string("a\0\xff/", 4)};
  lock::Cursor back;
  ASSERT_TRUE(decode_cursor(encode_cursor(cursor), back));
  EXPECT_EQ(back.bucket, cursor.bucket);
  EXPECT_EQ(back.after_name, cursor.after_name);
  EXPECT_EQ(encode_cursor({7, "orders"}), "AQdvcmRlcnM");  // lies with clients: must not change
  uint64_t n = 0;
  ASSERT_TRUE(decode_number_cursor(encode_number_cursor(1ull << 60), n));
  EXPECT_EQ(n, 1ull << 60);
  EXPECT_TRUE(decode_number_cursor("0", n));
  EXPECT_TRUE(decode_cursor("0", back));
  EXPECT_EQ(back.bucket, 0u);
  EXPECT_FALSE(decode_number_cursor(encode_cursor(cursor), n));
  EXPECT_FALSE(decode_cursor(encode_number_cursor(5), back));
  for (const std::string bad : {"", "1", "zz!", "AQ", "AQ________________"}) {
    EXPECT_FALSE(decode_cursor(bad, back)) << bad;
    EXPECT_FALSE(decode_number_cursor(bad, n)) << bad;
  }
}

TEST(Fields, JsonOfBytes) {
  Fields f;
  f.text("name", "a\"\\\n\x7f\xc3\xa4");
  f.text("data", "\xff");
  f.integer("fence", -7);
  f.text_or_nil("why", "");
  std::string out;
  f.write_json(out);
  EXPECT_EQ(out, "\"name\":\"a\\\"\\\\\\u000a\\u007f\xc3\xa4\",\"data_base64\":\"/w==\",\"fence\":-7,\"why\":null");
}

TEST(SessionKeys, ArePrintable) {
  char key[16];
  for (int i = 0; i < 16; ++i) key[i] = static_cast<char>(i * 17);
  make_printable_key(key);
  for (const char c : key) EXPECT_TRUE(isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_');
  EXPECT_NE(key[0], key[1]);
}

}  // namespace
}  // namespace cleat::resp
