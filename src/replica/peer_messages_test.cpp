#include "replica/peer_messages.hpp"

#include <gtest/gtest.h>

#include "replica/forwards.hpp"
#include "replica/peer_book.hpp"

namespace cleat::replica {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    constexpr char kDigits[] = "0123456789abcdef";
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

// What is said to a member of another version must stay as it is.
TEST(PeerMessages, GoldenBytes) {
  EXPECT_EQ(hex(encode_raft("ab")), "016162");
  EXPECT_EQ(hex(encode(Forward{300, 2, 1, "runs"})), "02ac0202010472756e73");
  EXPECT_EQ(hex(encode(ForwardSeen{1, 2})), "030102");
  EXPECT_EQ(hex(encode(ReadAsk{1, 2})), "040102");
  EXPECT_EQ(hex(encode(ReadAnswer{1, 2, 3})), "05010203");
  EXPECT_EQ(hex(encode(KeepAliveAsk{1, {{2, 3, 4, "k"}}})), "060101020304016b");
  EXPECT_EQ(hex(encode(KeepAliveAnswers{1, {{2, true, 3, 4}}, 5})), "0701010201030405");
  EXPECT_EQ(hex(encode(Vouches{1, {{2, 3}, {4, 5}}})), "08010202030405");
  EXPECT_EQ(hex(encode(PeerState{1, 2, true, "c", "v", 3, 4, 5, "n", "a"})),
            "090102010163017603"
            "0405016e0161");
  EXPECT_EQ(hex(encode(SnapshotOffer{1, 2, 3, "w"})), "0a0102030177");
  EXPECT_EQ(hex(encode(SnapshotGet{1, 2})), "0b0102");
  EXPECT_EQ(hex(encode(SnapshotPiece{1, 2, "p"})), "0c01020170");
  EXPECT_EQ(hex(encode(SnapshotDone{1, true})), "0d0101");
  EXPECT_EQ(hex(encode(Committed{300, 2})), "0eac0202");
}

template <class T>
void expect_whole_only(const T& message) {
  const std::string bytes = encode(message);
  T out;
  ASSERT_TRUE(decode(bytes, out));
  EXPECT_EQ(encode(out), bytes);
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_FALSE(decode(bytes.substr(0, n), out)) << n;
  EXPECT_FALSE(decode(bytes + "x", out));
  std::string other = bytes;
  other[0] = '\x7f';
  EXPECT_FALSE(decode(other, out));
}

TEST(PeerMessages, CutOrLongerOnesAreRefused) {
  expect_whole_only(Forward{300, 2, 1, "runs"});
  expect_whole_only(ReadAnswer{1, 2, 3});
  expect_whole_only(KeepAliveAsk{1, {{2, 3, 4, "k"}, {5, 6, 7, ""}}});
  expect_whole_only(KeepAliveAnswers{1, {{2, true, 3, 4}}});
  expect_whole_only(Vouches{1, {{2, 3}, {4, 5}}});
  expect_whole_only(PeerState{1, 2, true, "c", "v", 3, 4, 5, "n", "a"});
  expect_whole_only(SnapshotOffer{1, 2, 3, "w"});
  expect_whole_only(SnapshotDone{1, true});
  expect_whole_only(Committed{300, 2});
}

TEST(PeerMessages, AListLongerThanTheMessageTakesNoRoom) {
  Vouches out;
  EXPECT_FALSE(decode(std::string("\x08\x01\xff\xff\xff\xff\x0f", 7), out));
  EXPECT_TRUE(out.items.empty());
}

TEST(Forwards, AreSentAgainUntilTakenAndDieWithTheirTerm) {
  Forwards f(3'000'000);
  const std::string first = f.add(5, "a", 0), second = f.add(5, "b", 0);
  EXPECT_FALSE(f.overdue(Forwards::kAgainUs - 1));
  EXPECT_TRUE(f.overdue(Forwards::kAgainUs));
  f.seen({5, 1});
  std::vector<std::string> sent;
  const auto send = [&](const std::string& m) { sent.push_back(m); };
  f.again(5, Forwards::kAgainUs, send);
  EXPECT_EQ(sent, std::vector{second});
  f.seen({4, 2});
  EXPECT_TRUE(f.any()) << "of another term";
  sent.clear();
  f.again(6, 0, send);
  EXPECT_TRUE(sent.empty());
  EXPECT_FALSE(f.any());
  Forward m;
  ASSERT_TRUE(decode(f.add(6, "c", 0), m));
  EXPECT_EQ(m.number, 1u);
}

TEST(Forwards, TheLeaderTakesEachOnceAndInOrder) {
  Takings t;
  EXPECT_FALSE(t.take(2, 2, 1)) << "one before it is missing";
  EXPECT_TRUE(t.take(2, 1, 1));
  EXPECT_FALSE(t.take(2, 1, 1));
  EXPECT_TRUE(t.take(2, 2, 1));
  EXPECT_TRUE(t.take(3, 1, 1));
  EXPECT_EQ(t.last(2), 2u);
  EXPECT_TRUE(t.take(2, 7, 7)) << "its sender has nothing older any more";
  EXPECT_FALSE(t.take(2, 6, 7));
  t.clear();
  EXPECT_TRUE(t.take(2, 1, 1));
}

// A peer whose clock runs 2% faster is seen as such once a minute has passed; one that is merely far away is not.
TEST(PeerBook, RatesAreComparedOverAMinute) {
  PeerBook book;
  book.up(2, 1, 1);
  book.up(3, 1, 1);
  for (int64_t t = 1'000'000; t <= 121'000'000; t += 1'000'000) {
    const auto mine = static_cast<uint64_t>(t);
    const int64_t fast_us = t + t / 50;
    book.said(2, {1, 0, false, "", "", static_cast<uint64_t>(fast_us), mine - 200, 100}, t);
    const int64_t jitter_us = (t / 1'000'000 % 7) * 3000;
    book.said(3, {1, 0, false, "", "", mine - 20'000 - static_cast<uint64_t>(jitter_us), mine - 60'000, 0}, t);
    if (t == 31'000'000) {
      EXPECT_EQ(book.worst_clock_ppm(), 0);
    }
  }
  EXPECT_NEAR(static_cast<double>(book.worst_clock_ppm()), 20'000, 100);
  EXPECT_EQ(book.find(3)->clock.ppm(), 0);
  EXPECT_EQ(book.find(2)->round_trip_us, 100);
  book.up(2, 2, 1);
  EXPECT_EQ(book.worst_clock_ppm(), 0) << "a new boot, a new clock";
}

}  // namespace
}  // namespace cleat::replica
