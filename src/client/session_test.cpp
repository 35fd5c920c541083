#include "client/session_fixture.hpp"

namespace cleat::client {
namespace {

TEST_F(SessionTest, OpensAndBelievesFromTheSendingOfOpen) {
  connect();
  EXPECT_EQ(sent(), "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
  EXPECT_EQ(session.belief().deadline(), std::nullopt);
  answer(kHello);
  EXPECT_THAT(sent(), HasSubstr("OPEN\r\n$3\r\nTTL\r\n$4\r\n9000\r\n$5\r\nLABEL\r\n$4\r\ntest"));
  const TimePoint opening = now;
  now += 1s;
  answer(kOpened);
  EXPECT_EQ(session.id(), "7");
  EXPECT_EQ(session.belief().deadline(), opening + 9s);
}

TEST_F(SessionTest, KeepsAliveEveryThirdOfTheTtl) {
  open();
  EXPECT_EQ(session.next_wake(), now + 3s);
  now += 2699ms;
  session.tick(now);
  EXPECT_EQ(sent(), "");
  now += 1ms;  // an alarm that rings early has not rung in vain
  const TimePoint asking = now;
  session.tick(now);
  EXPECT_THAT(sent(), HasSubstr("KEEPALIVE"));
  now += 500ms;
  answer(kAlive);
  EXPECT_EQ(session.belief().deadline(), asking + 9s);
}

// Keep-alives for so long, answered with a clock that runs at 1 + ppm/1e6 in this term.
void keep_alive_with_clock(SessionFixture& f, std::chrono::seconds time, int64_t ppm, int64_t term) {
  const TimePoint end = f.now + time;
  for (int64_t clock_us = term * 1'000; f.now < end; clock_us += 3 * (1'000'000 + ppm)) {
    f.now += 3s;
    f.session.tick(f.now);
    const std::string said = f.sent();
    const size_t kept = said.find("KEEPALIVE"), asked = said.find("MEMBERS");
    if (asked < kept) f.answer(kAlone);
    f.answer("*4\r\n:9000\r\n:0\r\n:" + std::to_string(clock_us) + "\r\n:" + std::to_string(term) + "\r\n");
    if (asked > kept && asked != std::string::npos) f.answer(kAlone);
  }
}

TEST_F(SessionTest, AClockOfTheLeaderThatRunsOtherwiseIsToldOnce) {
  open();
  keep_alive_with_clock(*this, 600s, 4'000, 3);
  keep_alive_with_clock(*this, 45s, 9'000, 4);
  quiet();  // less than a minute of this leader
  keep_alive_with_clock(*this, 90s, 9'000, 5);
  const Notice told = notice();
  EXPECT_EQ(told.kind, Kind::kClockRate);
  EXPECT_THAT(told.status.message(), HasSubstr("the leader's clock runs 9000 millionths faster than this machine's"));
  keep_alive_with_clock(*this, 90s, -9'000, 6);
  quiet();
}

TEST_F(SessionTest, AnUnansweredKeepAliveEndsTheConnectionAfterAThirdOfTheTtl) {
  open();
  now += 3s;
  session.tick(now);
  now += 3s;
  session.tick(now);
  EXPECT_TRUE(session.wants_disconnect());
  session.disconnected({base::Code::kIo, "closed"}, now);
  EXPECT_EQ(notice().status.message(), "no answer in time");
  EXPECT_EQ(session.belief().deadline(), now - 6s + 9s) << "what was confirmed stays";
}

TEST_F(SessionTest, AfterAReconnectItAttachesAndTheKeepAliveProves) {
  open();
  const auto before = session.belief().deadline();
  now += 1s;
  reconnect();
  EXPECT_THAT(sent(), HasSubstr("ATTACH\r\n$1\r\n7\r\n$3\r\nabc"));
  answer("+OK\r\n");
  EXPECT_EQ(session.belief().deadline(), before);
  EXPECT_THAT(sent(), HasSubstr("KEEPALIVE"));
  answer(kAlive);
  EXPECT_EQ(session.belief().deadline(), now + 9s);
}

TEST_F(SessionTest, AnErrorConfirmsNothing) {
  open();
  const auto before = session.belief().deadline();
  now += 3s;
  session.tick(now);
  answer("-NOQUORUM no leader\r\n");
  EXPECT_EQ(session.belief().deadline(), before);
  quiet();
}

TEST_F(SessionTest, ARequestIsAnsweredWithItsSending) {
  open();
  now += 1s;
  session.request("1", {"LOCK", "a"}, now);
  EXPECT_THAT(sent(), HasSubstr("*4\r\n$4\r\nLOCK\r\n$1\r\na\r\n$3\r\nREQ\r\n$1\r\n1\r\n"));
  const TimePoint asking = now;
  now += 1s;
  answer(":42\r\n");
  const Notice n = notice();
  EXPECT_EQ(n.kind, Kind::kAnswered);
  EXPECT_EQ(n.reply.integer, 42);
  EXPECT_EQ(n.first_sent, asking);
  EXPECT_EQ(session.belief().deadline(), asking + 9s) << "an answered change confirms the session";
}

TEST_F(SessionTest, ARepeatedRequestCountsFromItsFirstSendingAndConfirmsNothing) {
  open();
  now += 1s;
  session.request("1", {"LOCK", "a"}, now);
  const TimePoint first = now;
  sent();
  now += 1s;
  reconnect();
  answer("+OK\r\n");
  EXPECT_THAT(sent(), HasSubstr("REQ\r\n$1\r\n1\r\n")) << "the same REQ again";
  answer("-NOQUORUM no leader\r\n");  // of the keep-alive
  const auto before = session.belief().deadline();
  answer(":42\r\n");
  EXPECT_EQ(notice().first_sent, first);
  EXPECT_EQ(session.belief().deadline(), before) << "it may have come out of memory";
}

TEST_F(SessionTest, QueuedIsNoDecisionThePushIs) {
  open();
  session.request("1", {"LOCK", "a", "ASYNC"}, now);
  answer("+QUEUED\r\n");
  quiet();
  answer(">5\r\n+cleat\r\n+granted\r\n+a\r\n$1\r\n1\r\n%1\r\n+fence\r\n:5\r\n");
  const Notice n = notice();
  EXPECT_EQ(n.req, "1");
  EXPECT_EQ(n.reply.items[4].integer_at("fence"), 5);
  reconnect();
  answer("+OK\r\n");
  EXPECT_THAT(sent(), ::testing::Not(HasSubstr("LOCK"))) << "what is decided is not repeated";
}

TEST_F(SessionTest, AQueuedRequestIsRepeatedOnANewConnection) {
  open();
  session.request("1", {"LOCK", "a", "ASYNC"}, now);
  answer("+QUEUED\r\n");
  reconnect();
  answer("+OK\r\n");
  EXPECT_THAT(sent(), HasSubstr("LOCK"));
}

TEST_F(SessionTest, WhatTheLogDidNotDecideIsSentAgain) {
  open();
  session.request("1", {"LOCK", "a"}, now);
  sent();
  answer("-UNKNOWN undecided after 5 s\r\n");
  quiet();
  now += 3s;
  session.tick(now);
  EXPECT_THAT(sent(), HasSubstr("LOCK"));
}

TEST_F(SessionTest, OtherPushesAreHandedOn) {
  open();
  answer(">5\r\n+cleat\r\n+lost\r\n+a\r\n$0\r\n\r\n%1\r\n+why\r\n+expired\r\n");
  EXPECT_EQ(notice().reply.items[1].text, "lost");
}

TEST_F(SessionTest, LossesInAKeepAliveMakeItAskWhichOnes) {
  open();
  now += 3s;
  session.tick(now);
  sent();
  answer("*2\r\n:9000\r\n:1\r\n");
  EXPECT_THAT(sent(), HasSubstr("SHOW"));
  answer("%1\r\n+losses\r\n:1\r\n");
  EXPECT_EQ(notice().kind, Kind::kLosses);
}

TEST_F(SessionTest, NoSessionEndsTheBelief) {
  open();
  now += 3s;
  session.tick(now);
  answer("-NOSESSION it expired\r\n");
  quiet();
  answer("-NOSESSION there is no session 7 any more\r\n");  // the word of ATTACH
  EXPECT_EQ(notice().kind, Kind::kSessionLost);
  EXPECT_EQ(session.belief().deadline(), std::nullopt);
  EXPECT_TRUE(session.over());
}

TEST_F(SessionTest, AFailedAttachIsTheEndToo) {
  open();
  reconnect();
  answer("-NOSESSION no such session\r\n");
  EXPECT_EQ(notice().kind, Kind::kSessionLost);
}

TEST_F(SessionTest, BeliefEndsAtTheSendingOfClose) {
  open();
  session.close(now);
  EXPECT_EQ(session.belief().deadline(), std::nullopt);
  EXPECT_THAT(sent(), HasSubstr("CLOSE"));
  answer("+OK\r\n");
  EXPECT_EQ(notice().kind, Kind::kClosed);
}

TEST_F(SessionTest, CloseIsRepeatedAfterAReconnect) {
  open();
  session.request("2", {"UNLOCK", "a"}, now);
  session.close(now);
  reconnect();
  answer("+OK\r\n");
  const std::string out = sent();
  EXPECT_LT(out.find("UNLOCK"), out.find("CLOSE"));
  EXPECT_NE(out.find("CLOSE"), std::string::npos);
}

TEST_F(SessionTest, AWrongPasswordIsFinal) {
  connect();
  answer("-WRONGPASS invalid username-password pair\r\n");
  const Notice n = notice();
  EXPECT_EQ(n.kind, Kind::kRefused);
  EXPECT_THAT(n.status.message(), HasSubstr("the server refused the password"));
  EXPECT_TRUE(session.over());
}

TEST_F(SessionTest, ARefusalTellsWhatItIsAbout) {
  const auto code = [this](const char* hello, const char* opened) {
    session = Session(options({Endpoint{}}), now);
    connect();
    answer(hello);
    if (opened != nullptr) answer(opened);
    const Notice n = notice();
    EXPECT_EQ(n.kind, Kind::kRefused);
    return n.status.code();
  };
  EXPECT_EQ(code("-ERR no password is set\r\n", nullptr), base::Code::kInvalid);
  EXPECT_EQ(code("HTTP/1.1 400 Bad Request\r\n", nullptr), base::Code::kCorrupt);
  EXPECT_EQ(code(kHello, "-ERR unknown command 'SESSION', with args beginning with: 'OPEN' \r\n"),
            base::Code::kCorrupt);
  EXPECT_EQ(code(kHello, "-LIMIT sessions is reached (2): try again later\r\n"), base::Code::kUnavailable);
  EXPECT_EQ(code(kHello, "-DISKFULL there is too little free space\r\n"), base::Code::kUnavailable);
}

TEST_F(SessionTest, ARefusalAfterAReconnectIsNoLossOfTheSession) {
  open();
  const auto before = session.belief().deadline();
  session.disconnected({base::Code::kIo, "gone"}, now);
  notice();
  now = *session.next_wake();
  connect();
  answer("-WRONGPASS invalid username-password pair\r\n");
  quiet();
  EXPECT_TRUE(session.wants_disconnect());
  EXPECT_FALSE(session.over());
  EXPECT_EQ(session.belief().deadline(), before);
}

TEST_F(SessionTest, ASecondAnswerBreaksTheConnection) {
  open();
  answer(":1\r\n");
  EXPECT_TRUE(session.wants_disconnect());
}

TEST_F(SessionTest, BytesThatAreNoRespBreakTheConnection) {
  open();
  answer("HTTP/1.1 400\r\n");
  EXPECT_TRUE(session.wants_disconnect());
}

TEST_F(SessionTest, PausesBetweenAttemptsGrowUpToABoundAndDiffer) {
  milliseconds longest{0};
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(session.wants_connect(now));
    session.connecting(now);
    session.disconnected({base::Code::kIo, "refused"}, now);
    const auto pause = std::chrono::duration_cast<milliseconds>(*session.next_wake() - now);
    EXPECT_GE(pause, 25ms);
    EXPECT_LE(pause, 1s);
    longest = std::max(longest, pause);
    now = *session.next_wake();
  }
  EXPECT_GT(longest, 400ms);
}

}  // namespace
}  // namespace cleat::client
