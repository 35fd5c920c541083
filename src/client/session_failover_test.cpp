// What a session does when the member that it talks to is silent, gone, or has no quorum, and there are others.
#include "client/session_fixture.hpp"

namespace cleat::client {
namespace {

std::vector<Endpoint> three() {
  return {{"10.0.0.1", 1}, {"10.0.0.1", 2}, {"10.0.0.1", 3}};
}

constexpr auto kNoQuorum = "-NOQUORUM there is no leader\r\n";
constexpr auto kUnknown = "-UNKNOWN undecided after 5 s\r\n";

struct FailoverTest : SessionFixture {
  FailoverTest() : SessionFixture(three()) {}

  milliseconds since(TimePoint then) const { return std::chrono::duration_cast<milliseconds>(now - then); }
  // Time goes on until the session wants to disconnect or connect, or something was said.
  void wait() {
    for (int i = 0; i < 100 && !session.wants_disconnect() && !session.wants_connect(now) && session.output().empty();
         ++i) {
      now = std::max(now, *session.next_wake());
      session.tick(now);
    }
  }
  void lose() {
    session.disconnected({base::Code::kIo, "gone"}, now);
    EXPECT_EQ(notice().kind, Kind::kDisconnected);
  }
  void attach() {
    wait();
    connect();
    answer(kHello);
    answer("+OK\r\n");
  }
};

TEST_F(FailoverTest, ASilentMemberIsLeftAfterASixthOfTheTtl) {
  open();
  const Endpoint first = session.server();
  const TimePoint opened = now;
  wait();
  EXPECT_THAT(sent(), HasSubstr("KEEPALIVE"));
  wait();
  ASSERT_TRUE(session.wants_disconnect());
  EXPECT_EQ(since(opened), 9000ms / 3 + 9000ms / 6);
  lose();
  EXPECT_NE(session.server(), first);
  const TimePoint left = now;
  attach();
  EXPECT_LE(since(left), 25ms) << "the next member is asked almost at once";
  EXPECT_THAT(sent(), HasSubstr("ATTACH\r\n$1\r\n7\r\n$3\r\nabc"));
  answer(kAlive);
  EXPECT_EQ(session.belief().deadline(), now + 9s);
}

// One of three is stopped: it keeps its connections, accepts new ones, and says nothing.
TEST_F(FailoverTest, WithOneMemberStoppedAnotherConfirmsBeforeTheHolderMustLetGo) {
  for (const milliseconds ttl : {1'000ms, 2'000ms, 5'000ms, 10'000ms, 60'000ms}) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
      SessionOptions options{.servers = three(), .ttl = ttl, .label = {}, .credentials = {}, .seed = seed};
      session = Session(options, now);
      connect();
      answer(kHello);
      answer("%3\r\n+id\r\n:7\r\n+key\r\n$3\r\nabc\r\n+ttl\r\n:" + std::to_string(ttl.count()) + "\r\n");
      answer(kAlone);
      const Endpoint stopped = session.server();
      const TimePoint deadline = *session.belief().deadline();
      while (session.belief().deadline() == deadline) {
        sent();
        wait();
        if (session.wants_disconnect()) session.disconnected({base::Code::kIo, "silent"}, now);
        if (!session.wants_connect(now)) continue;
        connect();
        if (session.server() == stopped) continue;
        answer(kHello);
        answer("+OK\r\n");
        answer(kAlive);
      }
      EXPECT_LT(now, deadline - std::min<milliseconds>(ttl / 3, 3s)) << ttl.count() << " ms, seed " << seed;
      while (session.next_notice()) {
      }
    }
  }
}

TEST_F(FailoverTest, AMemberThatDoesNotGreetIsLeftSooner) {
  open();
  lose();
  wait();
  connect();
  const TimePoint asked = now;
  sent();
  wait();
  EXPECT_TRUE(session.wants_disconnect());
  EXPECT_EQ(since(asked), 9000ms / 12);
}

TEST_F(FailoverTest, AMemberWithoutQuorumIsAskedAgainAndThenLeft) {
  open();
  wait();
  const TimePoint asked = now;
  int times = 0;
  for (; !session.wants_disconnect(); ++times) {
    EXPECT_THAT(sent(), HasSubstr("KEEPALIVE"));
    answer(kNoQuorum);
    wait();
  }
  EXPECT_GE(times, 2);
  EXPECT_GE(since(asked), 9000ms / 6 - 1s);
  EXPECT_LE(since(asked), 9000ms / 6 + 1s);
  session.disconnected({base::Code::kIo, "closed"}, now);
  EXPECT_EQ(notice().status.message(), "it has no quorum");
}

TEST_F(FailoverTest, AQuorumThatComesBackInTimeKeepsTheConnection) {
  open();
  for (int i = 0; i < 30; ++i) {
    wait();
    ASSERT_FALSE(session.wants_disconnect());
    sent();
    answer(i % 2 == 0 ? kNoQuorum : kAlive);
  }
}

TEST_F(SessionTest, TheOnlyServerIsNotLeftForWantOfAQuorum) {
  open();
  const TimePoint opened = now;
  for (int i = 0; i < 30; ++i) {
    now = *session.next_wake();
    session.tick(now);
    ASSERT_FALSE(session.wants_disconnect());
    ASSERT_THAT(sent(), HasSubstr("KEEPALIVE"));
    answer(kNoQuorum);
  }
  EXPECT_GE(now - opened, 10s) << "the pauses grow";
}

TEST_F(SessionTest, GoesToMembersThatItLearnedOf) {
  connect();
  answer(kHello);
  answer(kOpened);
  EXPECT_THAT(sent(), HasSubstr("MEMBERS\r\n$6\r\nSTATUS"));
  answer("%1\r\n+members\r\n*2\r\n%1\r\n+client\r\n+127.0.0.1:7420\r\n%1\r\n+client\r\n+10.0.0.2:7000\r\n");
  session.disconnected({base::Code::kIo, "gone"}, now);
  EXPECT_EQ(session.server().text(), "10.0.0.2:7000");
}

TEST_F(SessionTest, AsksForTheMembersNowAndThen) {
  open();
  int asked = 0;
  const TimePoint opened = now;
  while (now < opened + 10min) {
    now = *session.next_wake();
    session.tick(now);
    const bool members = sent().find("MEMBERS") != std::string::npos;
    answer(kAlive);
    if (members) answer(kAlone);
    asked += members ? 1 : 0;
    ASSERT_FALSE(session.wants_disconnect());
  }
  EXPECT_GE(asked, 9);
  EXPECT_LE(asked, 11);
}

TEST_F(FailoverTest, UnknownIsSaidAgainWithTheSameReqAndCountsFromTheFirstSending) {
  open();
  now += 1s;
  const TimePoint first = now;
  session.request("1", {"UNLOCK", "a"}, now);
  const std::string said = sent();
  answer(kUnknown);
  quiet();
  wait();
  EXPECT_LE(since(first), 50ms) << "not only with the next keep-alive";
  EXPECT_THAT(sent(), HasSubstr(said));
  answer(kAlive);
  answer(":0\r\n");
  const Notice n = notice();
  EXPECT_EQ(n.kind, Kind::kAnswered);
  EXPECT_EQ(n.first_sent, first);
}

TEST_F(FailoverTest, ARefusalIsNotSaidAgain) {
  open();
  session.request("1", {"LOCK", "a"}, now);
  answer("-LIMIT too many waiters\r\n");
  EXPECT_EQ(notice().reply.error_code(), "LIMIT");
  sent();
  wait();
  EXPECT_THAT(sent(), ::testing::Not(HasSubstr("LOCK")));
}

TEST_F(FailoverTest, RepeatsEndAtTheDeadlineOfTheRequest) {
  open();
  session.request("1", {"UNLOCK", "a"}, now, now + 2s);
  const TimePoint asked = now;
  sent();
  lose();
  attach();
  answer(kAlive);
  sent();
  EXPECT_EQ(session.next_wake(), now + 9000ms / 6) << "the answer's patience comes first";
  now = asked + 2s;
  session.tick(now);
  const Notice n = notice();
  EXPECT_EQ(n.kind, Kind::kUndecided);
  EXPECT_EQ(n.req, "1");
  EXPECT_EQ(n.first_sent, asked);
  EXPECT_TRUE(n.maybe_done);
}

TEST_F(FailoverTest, WhatOnlyMetNoQuorumWasNotDone) {
  open();
  session.request("1", {"UNLOCK", "a"}, now, now + 40ms);
  answer(kNoQuorum);
  now += 40ms;
  session.tick(now);
  const Notice n = notice();
  EXPECT_EQ(n.kind, Kind::kUndecided);
  EXPECT_FALSE(n.maybe_done);
}

TEST_F(FailoverTest, WhatWasAnsweredUnknownOnceMayBeDone) {
  open();
  session.request("1", {"UNLOCK", "a"}, now, now + 10ms);
  answer(kUnknown);
  now += 10ms;
  session.tick(now);
  EXPECT_TRUE(notice().maybe_done);
}

TEST_F(FailoverTest, NoRoomForARepetitionIsNoAnswerToTheFirstSending) {
  open();
  session.request("1", {"LOCK", "a"}, now, now + 10s);
  sent();
  lose();
  attach();
  answer(kAlive);
  sent();
  answer("-DISKFULL make room\r\n");
  answer(kAlone);
  EXPECT_FALSE(session.next_notice());
  now += 1s;
  session.tick(now);
  EXPECT_THAT(sent(), AllOf(HasSubstr("KEEPALIVE"), HasSubstr("LOCK")));
  answer(kAlive);
  answer(":7\r\n");
  const Notice n = notice();
  EXPECT_EQ(n.kind, Kind::kAnswered);
  EXPECT_EQ(n.reply.integer, 7);
}

TEST_F(FailoverTest, NoRoomForTheOnlySendingIsAnAnswer) {
  open();
  session.request("1", {"LOCK", "a"}, now, now + 10s);
  answer("-DISKFULL make room\r\n");
  EXPECT_EQ(notice().kind, Kind::kAnswered);
}

TEST_F(FailoverTest, WhatWasNeverSentWasNotDone) {
  session.request("1", {"LOCK", "a"}, now, now + 1s);
  now += 1s;
  session.tick(now);
  const Notice n = notice();
  EXPECT_EQ(n.kind, Kind::kUndecided);
  EXPECT_FALSE(n.maybe_done);
  connect();
  answer(kHello);
  answer(kOpened);
  EXPECT_THAT(sent(), ::testing::Not(HasSubstr("LOCK"))) << "nor is it later";
}

TEST_F(FailoverTest, WhatIsQueuedAtItsDeadlineMayStillBeDone) {
  open();
  session.request("1", {"LOCK", "a", "ASYNC"}, now, now + 1s);
  answer("+QUEUED\r\n");
  EXPECT_EQ(session.next_wake(), now + 1s);
  now += 1s;
  session.tick(now);
  EXPECT_TRUE(notice().maybe_done);
}

TEST_F(FailoverTest, AMemberThatGreetedIsGivenTheTimeToFindNoQuorum) {
  connect();
  answer(kHello);
  now += 2'100ms;
  session.tick(now);
  ASSERT_FALSE(session.wants_disconnect());
  answer(kNoQuorum);
  ASSERT_TRUE(session.wants_disconnect());
  session.disconnected({base::Code::kIo, "closed"}, now);
  EXPECT_THAT(notice().status.message(), HasSubstr("NOQUORUM"));
}

TEST_F(FailoverTest, OneMemberThatRefusesIsLeftAllOfThemAreFinal) {
  for (int i = 0; i < 2; ++i) {
    wait();
    connect();
    answer("-WRONGPASS invalid username-password pair\r\n");
    ASSERT_TRUE(session.wants_disconnect());
    lose();
  }
  wait();
  connect();
  answer("-WRONGPASS invalid username-password pair\r\n");
  EXPECT_EQ(notice().kind, Kind::kRefused);
}

TEST_F(FailoverTest, AnAttachThatFailsForAnotherReasonIsNoLossOfTheSession) {
  open();
  const auto believed = session.belief().deadline();
  lose();
  wait();
  connect();
  answer(kHello);
  answer("-LIMIT too many connections\r\n");
  EXPECT_TRUE(session.wants_disconnect());
  EXPECT_EQ(session.belief().deadline(), believed);
  quiet();
}

constexpr auto kTakenOver = "-NOSESSION the session of this connection is gone (taken over)\r\n";

// What the connection before may still deliver, late, must not be done.
TEST_F(FailoverTest, ANewConnectionShutsOutTheOneBefore) {
  open();
  session.request("1", {"LOCK", "a"}, now);
  lose();
  wait();
  connect();
  sent();
  answer(kHello);
  EXPECT_EQ(sent(), "*5\r\n$7\r\nSESSION\r\n$6\r\nATTACH\r\n$1\r\n7\r\n$3\r\nabc\r\n$8\r\nTAKEOVER\r\n")
      << "and nothing else before it is answered";
}

TEST_F(FailoverTest, AnAttachGivenUpThatComesLateIsNoLossOfTheSession) {
  open();
  const auto believed = session.belief().deadline();
  session.request("1", {"LOCK", "a"}, now);
  session.request("2", {"LOCK", "b"}, now);
  sent();
  answer(kTakenOver);
  EXPECT_THAT(sent(), HasSubstr("ATTACH")) << "on the same connection";
  answer(kTakenOver);
  EXPECT_EQ(sent(), "") << "it asked already";
  answer("+OK\r\n");
  const std::string again = sent();
  EXPECT_LT(again.find("REQ\r\n$1\r\n1"), again.find("REQ\r\n$1\r\n2"));
  EXPECT_NE(again.find("REQ\r\n$1\r\n2"), std::string::npos);
  EXPECT_EQ(session.belief().deadline(), believed);
  now += 1s;
  answer(kAlive);
  answer(":1\r\n:2\r\n");
  EXPECT_EQ(notice().req, "1");
  EXPECT_EQ(notice().req, "2");
  EXPECT_TRUE(session.connected());
}

TEST_F(FailoverTest, WhoIsShutOutAgainAndAgainPausesInBetween) {
  open();
  int attached = 0;
  for (const TimePoint end = now + 60s; now < end;) {
    const std::string said = sent();
    attached += said.find("ATTACH") != std::string::npos ? 1 : 0;
    if (said.find("HELLO") != std::string::npos) answer(kHello);
    if (said.find("ATTACH") != std::string::npos) answer("+OK\r\n");
    if (said.find("KEEPALIVE") != std::string::npos) answer(kTakenOver);
    if (session.wants_disconnect()) lose();
    if (session.wants_connect(now)) connect();
    if (!session.output().empty()) continue;
    now = std::max(now, *session.next_wake());
    session.tick(now);
  }
  EXPECT_GT(attached, 10);
  EXPECT_LT(attached, 400);
  EXPECT_FALSE(session.over());
}

TEST_F(FailoverTest, ACloseThatIsShutOutIsSaidAgain) {
  open();
  session.close(now);
  sent();
  answer(kTakenOver);
  EXPECT_THAT(sent(), HasSubstr("ATTACH"));
  answer("+OK\r\n");
  EXPECT_THAT(sent(), HasSubstr("CLOSE"));
  answer("+OK\r\n");
  EXPECT_EQ(notice().kind, Kind::kClosed);
}

// The service keeps the results of 256 requests of a session: more must never be said again at once.
TEST_F(FailoverTest, RequestsWithoutAnAnswerAreBounded) {
  open();
  for (int i = 0; i < 300; ++i) session.request(std::to_string(i), {"UNLOCK", "a"}, now);
  const auto requests = [&] {
    const std::string out = sent();
    size_t n = 0;
    for (size_t at = out.find("UNLOCK"); at != std::string::npos; at = out.find("UNLOCK", at + 1)) ++n;
    return n;
  };
  EXPECT_EQ(requests(), 128u);
  answer(":0\r\n");
  EXPECT_EQ(requests(), 1u);
  EXPECT_EQ(notice().req, "0");
  lose();
  attach();
  EXPECT_EQ(requests(), 128u);
  answer(kAlive);
  for (int i = 0; i < 128; ++i) answer(":0\r\n");
  EXPECT_EQ(requests(), 128u);
  answer(kAlone);
  for (int i = 0; i < 171; ++i) answer(":0\r\n");
  for (int i = 1; i < 300; ++i) EXPECT_EQ(notice().req, std::to_string(i));
}

}  // namespace
}  // namespace cleat::client
