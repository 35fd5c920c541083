#include "client/belief.hpp"

#include <gtest/gtest.h>

namespace cleat::client {
namespace {

using std::chrono::seconds;
using namespace std::chrono_literals;

TimePoint at(milliseconds t) {
  return TimePoint(t);
}

TEST(SessionBelief, NothingBeforeTheFirstConfirmation) {
  EXPECT_EQ(SessionBelief(10s).deadline(), std::nullopt);
}

TEST(SessionBelief, CountsFromTheSendingOfTheLastConfirmation) {
  SessionBelief session(10s);
  session.confirmed(at(1s));
  EXPECT_EQ(session.deadline(), at(11s));
  session.confirmed(at(4s));
  EXPECT_EQ(session.deadline(), at(14s));
}

TEST(SessionBelief, AnAnswerThatComesLateMovesNothingBack) {
  SessionBelief session(10s);
  session.confirmed(at(4s));
  session.confirmed(at(1s));
  EXPECT_EQ(session.deadline(), at(14s));
}

TEST(SessionBelief, EndsAtTheSendingOfCloseForGood) {
  SessionBelief session(10s);
  session.confirmed(at(1s));
  session.end();
  EXPECT_EQ(session.deadline(), std::nullopt);
  session.confirmed(at(2s));
  EXPECT_EQ(session.deadline(), std::nullopt);
}

SessionBelief session_until(milliseconds end) {
  SessionBelief session(10s);
  session.confirmed(at(end - 10s));
  return session;
}

TEST(HoldBelief, WithoutTtlItIsItsSessions) {
  EXPECT_EQ(HoldBelief({.first_sent = at(1s)}).deadline(session_until(20s)), at(20s));
}

TEST(HoldBelief, WithoutASessionToBelieveInThereIsNone) {
  HoldBelief hold({.first_sent = at(1s), .ttl = 60s});
  EXPECT_EQ(hold.deadline(SessionBelief(10s)), std::nullopt);
}

TEST(HoldBelief, TtlCountsFromTheFirstSendingPlusTheWaitThatWasTold) {
  HoldBelief hold({.first_sent = at(1s), .waited = 500ms, .ttl = 3s});
  EXPECT_EQ(hold.deadline(session_until(20s)), at(4500ms));
  EXPECT_EQ(hold.deadline(session_until(4s)), at(4s)) << "the session may end first";
  EXPECT_EQ(hold.token_deadline(), at(4500ms));
}

TEST(HoldBelief, MaxHoldCapsEveryRenewal) {
  HoldBelief hold({.first_sent = at(1s), .waited = 500ms, .ttl = 3s, .max_hold = 5s});
  hold.renewed(at(6s), 3s);
  EXPECT_EQ(hold.deadline(session_until(20s)), at(6500ms));
  EXPECT_EQ(hold.token_deadline(), at(6500ms));
}

TEST(HoldBelief, RenewNeverShortens) {
  HoldBelief hold({.first_sent = at(0s), .ttl = 10s});
  hold.renewed(at(2s), 1s);
  EXPECT_EQ(hold.token_deadline(), at(10s));
  hold.renewed(at(5s), 10s);
  EXPECT_EQ(hold.token_deadline(), at(15s));
}

TEST(HoldBelief, ARenewUnderWayMaySetATtlWhereThereWasNone) {
  HoldBelief hold({.first_sent = at(0s)});
  hold.renew_sent(at(2s), 3s);
  EXPECT_EQ(hold.deadline(session_until(20s)), at(5s)) << "it may have been applied though no answer came";
  hold.renew_sent(at(4s), 9s);
  EXPECT_EQ(hold.deadline(session_until(20s)), at(5s)) << "the first may be the only one applied";
  hold.renew_sent(at(3s), 1s);
  EXPECT_EQ(hold.deadline(session_until(20s)), at(4s)) << "so may the last";
}

TEST(HoldBelief, AnAnsweredRenewCountsAloneNotBesideAnUnansweredOne) {
  HoldBelief hold({.first_sent = at(0s)});
  hold.renew_sent(at(1s), 15s);
  hold.renew_sent(at(2s), 4s);
  hold.renewed(at(2s), 4s);
  EXPECT_EQ(hold.deadline(session_until(20s)), at(6s)) << "the other may never have been applied";
  hold.renew_sent(at(3s), 1s);
  EXPECT_EQ(hold.deadline(session_until(20s)), at(6s)) << "with a TTL there, a RENEW can only lengthen";
}

TEST(HoldBelief, EndsAtTheSendingOfUnlockForGood) {
  HoldBelief hold({.first_sent = at(0s), .ttl = 10s});
  hold.end();
  hold.renewed(at(2s), 10s);
  EXPECT_EQ(hold.deadline(session_until(20s)), std::nullopt);
  EXPECT_EQ(hold.token_deadline(), std::nullopt);
}

TEST(BootClock, NeverGoesBack) {
  auto last = boot_clock::now();
  for (int i = 0; i < 100'000; ++i) {
    const auto now = boot_clock::now();
    ASSERT_GE(now, last);
    last = now;
  }
}

}  // namespace
}  // namespace cleat::client
