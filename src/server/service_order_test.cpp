// Order on a connection: runs, what ends them, reads in order, back-pressure, pushes behind QUEUED.
#include <gmock/gmock.h>

#include "server/service_kit.hpp"

namespace cleat::server {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

using ServiceOrder = ServiceTest;

TEST_F(ServiceOrder, OnePipelineIsOneRun) {
  auto& a = connect();
  send(a, "LOCK x");
  send(a, "LOCK y");
  send(a, "UNLOCK x");
  send(a, "UNLOCK y");
  const int before = replica_->steps;
  turn();
  EXPECT_EQ(replica_->steps, before + 1);
  EXPECT_EQ(replica_->commands_in_last_entry, 4u);
  EXPECT_EQ(take(a), ":1\r\n:2\r\n:0\r\n:0\r\n");
}

TEST_F(ServiceOrder, ARunStopsAtTheFirstThatMustWait) {
  auto& a = connect();
  auto& b = connect();
  EXPECT_EQ(ask(a, "LOCK x"), ":1\r\n");
  send(b, "LOCK y");
  send(b, "LOCK x");
  send(b, "UNLOCK x");
  send(b, "UNLOCK y");
  run();
  EXPECT_EQ(take(b), ":2\r\n") << "nothing behind the waiting LOCK is done";
  EXPECT_EQ(ask(a, "UNLOCK x"), ":0\r\n");
  EXPECT_EQ(take(b), ":3\r\n:0\r\n:0\r\n");
}

TEST_F(ServiceOrder, WhatComesWhileWaitingIsReadInOrderLater) {
  auto& a = connect();
  auto& b = connect();
  ask(a, "LOCK x");
  send_bytes(b, "LOCK x\r\nUNLOCK x\r\nPI");  // half a request behind
  run();
  send_bytes(b, "NG\r\nCHECK x FENCE 2\r\n");
  run();
  EXPECT_EQ(take(b), "");
  ask(a, "UNLOCK x");
  EXPECT_EQ(take(b), ":2\r\n:0\r\n+PONG\r\n:0\r\n");
}

TEST_F(ServiceOrder, ReadsSeeWhatStandsBeforeThem) {
  auto& a = connect();
  send(a, "LOCK x");
  send(a, "CHECK x FENCE 1");
  send(a, "CHECK x FENCE 1");
  send(a, "UNLOCK x");
  send(a, "CHECK x FENCE 1");
  run();
  EXPECT_EQ(take(a), ":1\r\n:1\r\n:1\r\n:0\r\n:0\r\n");
}

TEST_F(ServiceOrder, AnErrorDoesNotStopWhatFollows) {
  auto& a = connect();
  send(a, "LOCK x");
  send(a, "FROB");
  send(a, "UNLOCK nothing");
  send(a, "UNLOCK x");
  run();
  EXPECT_THAT(take(a), MatchesRegex(":1\r\n-ERR unknown command.*\r\n-NOTHELD .*\r\n:0\r\n"));
}

TEST_F(ServiceOrder, SessionCommandsEndARun) {
  auto& a = connect();
  send(a, "SESSION OPEN TTL 5000");
  send(a, "LOCK x");
  send(a, "SESSION CLOSE");
  send(a, "LOCK x WAIT 0");
  run();
  const std::string got = take(a);
  EXPECT_THAT(got, StartsWith("*6\r\n$2\r\nid\r\n")) << got;
  EXPECT_THAT(got, EndsWith(":5000\r\n:1\r\n+OK\r\n:2\r\n")) << got;
}

TEST_F(ServiceOrder, QuitEndsAtOnceAndWhatFollowsIsNotDone) {
  auto& a = connect();
  send(a, "LOCK x");
  send(a, "QUIT");
  send(a, "LOCK y");
  run();
  EXPECT_EQ(take(a), ":1\r\n+OK\r\n");
  EXPECT_EQ(a.connection, nullptr);
  EXPECT_EQ(ask(connect(), "LOCK y WAIT 0"), ":2\r\n");
}

TEST_F(ServiceOrder, AsyncAnswersQueuedAndPushesLater) {
  auto& a = connect();
  auto& b = connect(3);
  ask(a, "LOCK x");
  send(b, "LOCK x ASYNC REQ r1");
  send(b, "LOCK y ASYNC REQ r2");
  send(b, "PING");
  run();
  EXPECT_EQ(take(b), "+QUEUED\r\n:2\r\n+PONG\r\n");
  ask(a, "UNLOCK x");
  EXPECT_THAT(take(b), StartsWith(">5\r\n$5\r\ncleat\r\n$7\r\ngranted\r\n$1\r\nx\r\n$2\r\nr1\r\n"));
}

TEST_F(ServiceOrder, AsyncOnAFreedNameInOneEntryPushesBehindQueued) {
  auto& a = connect();
  auto& b = connect(3);
  ask(a, "LOCK x");
  // Both lie in one entry: b's first, then a's UNLOCK grants it.
  auto& c = connect();
  send(b, "LOCK x ASYNC REQ r");
  send(a, "PING");
  run();
  take(a);
  EXPECT_EQ(take(b), "+QUEUED\r\n");
  send(a, "UNLOCK x");
  send(c, "LOCK x WAIT 0");
  run();
  EXPECT_THAT(take(b), StartsWith(">5\r\n"));
  EXPECT_EQ(take(c), "$-1\r\n");
}

TEST_F(ServiceOrder, AtTheLimitOfUnansweredTheConnectionIsReadNoFurther) {
  config_.max_pipeline = 8;
  auto& a = connect();
  replica_->trouble = replica::Trouble::kNoQuorum;
  for (int i = 0; i < 40; ++i) send(a, "PING");
  replica_->trouble = replica::Trouble::kNone;
  std::string all;
  for (int i = 0; i < 20; ++i) send(a, "LOCK k" + std::to_string(i) + " WAIT 0");
  turn();
  for (int i = 0; i < 40; ++i) all += "+PONG\r\n";
  for (int i = 1; i <= 8; ++i) all += ":" + std::to_string(i) + "\r\n";
  EXPECT_EQ(a.got, all) << "no more than eight are taken in a turn";
  EXPECT_EQ(replica_->commands_in_last_entry, 8u);
  run();
  for (int i = 9; i <= 20; ++i) all += ":" + std::to_string(i) + "\r\n";
  EXPECT_EQ(take(a), all) << "and none is refused";
}

TEST_F(ServiceOrder, AWaitingConnectionTakesOnlyABufferFull) {
  auto& a = connect();
  auto& b = connect();
  ask(a, "LOCK x");
  send(b, "LOCK x");
  const int many = 10'000;
  for (int i = 0; i < many; ++i) send(b, "PING");
  run();
  EXPECT_FALSE(service_->wants_input(*b.connection));
  EXPECT_LE(b.connection->input.capacity(), kInputBlock);
  EXPECT_GT(b.coming.size(), many * 6 - kInputBlock - 100);
  ask(a, "UNLOCK x");
  run();
  std::string pongs;
  for (int i = 0; i < many; ++i) pongs += "+PONG\r\n";
  EXPECT_EQ(take(b), ":2\r\n" + pongs);
  EXPECT_EQ(b.connection->input.capacity(), 0u) << "an idle connection has no buffer";
}

TEST_F(ServiceOrder, BehindAWaitReadingStopsAtTheCountOfUnanswered) {
  auto& a = connect();
  auto& b = connect();
  ask(a, "LOCK x");
  ask(b, "LOCK x");
  for (int i = 0; i < 2'000; ++i) {
    send(b, "ECHO " + std::to_string(i));
    turn();
  }
  EXPECT_FALSE(service_->wants_input(*b.connection));
  EXPECT_EQ(b.connection->input.ahead(), 1'023u) << "and the LOCK that waits";
  EXPECT_EQ(b.connection->input.unread().substr(0, 8), "ECHO 0\r\n");
  EXPECT_TRUE(b.coming.starts_with("ECHO 1023\r\n"));
}

TEST_F(ServiceOrder, BehindAWaitLargerRequestsAreTakenUpToTheirCount) {
  auto& a = connect();
  auto& b = connect();
  ask(a, "LOCK x");
  ask(b, "LOCK x");
  const std::string data(300, 'd');
  std::string all = ":2\r\n";
  for (int i = 3; i < 2'000; ++i) {
    send(b, "LOCK k" + std::to_string(i) + " WAIT 0 DATA " + data);
    all += ":" + std::to_string(i) + "\r\n";
  }
  run();
  EXPECT_FALSE(service_->wants_input(*b.connection));
  EXPECT_GE(b.connection->input.ahead(), 1'023u);
  EXPECT_LT(b.connection->input.ahead(), 1'023u + kInputBlock / data.size()) << "a block at a time";
  EXPECT_GT(b.connection->input.capacity(), 1'000 * data.size());
  ask(a, "UNLOCK x");
  run();
  EXPECT_EQ(take(b), all) << "all were done in their order";
  EXPECT_EQ(b.connection->input.capacity(), 0u);
}

TEST_F(ServiceOrder, BehindAWaitBytesHaveALimitToo) {
  config_.max_pipeline_bytes = 64 << 10;
  auto& a = connect();
  auto& b = connect();
  ask(a, "LOCK x");
  ask(b, "LOCK x");
  for (int i = 0; i < 1'000; ++i) send(b, "ECHO " + std::string(300, 'd'));
  run();
  EXPECT_FALSE(service_->wants_input(*b.connection));
  EXPECT_EQ(b.connection->input.capacity(), 64u << 10);
  EXPECT_LT(b.connection->input.ahead(), 1'000u);
  ask(a, "UNLOCK x");
  run();
  EXPECT_EQ(take(b).size(), 4 + 1'000 * 308u);
}

TEST_F(ServiceOrder, WhatAllSendAheadLeavesRoomForOthers) {
  config_.max_input_total_bytes = 128 << 10;
  auto& a = connect();
  auto& b = connect();
  auto& c = connect();
  ask(a, "LOCK x");
  ask(b, "LOCK x");
  for (int i = 0; i < 1'000; ++i) send(b, "ECHO " + std::string(300, 'd'));
  run();
  ASSERT_NE(b.connection, nullptr);
  EXPECT_LE(b.connection->input.capacity(), 64u << 10);
  const std::string word(60'000, 'x');
  send_bytes(c, "*2\r\n$4\r\nECHO\r\n$60000\r\n" + word + "\r\n");
  run();
  EXPECT_EQ(take(c).size(), 60'010u);
}

TEST_F(ServiceOrder, AMalformedFrameBehindAWaitIsFoundInItsPlace) {
  auto& a = connect();
  auto& b = connect();
  ask(a, "LOCK x");
  ask(b, "LOCK x");
  send_bytes(b, "PING\r\n*1\r\n$-7\r\nPING\r\n");
  run();
  EXPECT_EQ(take(b), "");
  EXPECT_FALSE(service_->wants_input(*b.connection));
  ask(a, "UNLOCK x");
  EXPECT_THAT(take(b), MatchesRegex(":2\r\n\\+PONG\r\n-ERR Protocol error.*\r\n"));
}

TEST_F(ServiceOrder, AFullEntryIsContinuedInTheNextTurn) {
  replica_->most_commands = 3;
  auto& a = connect();
  for (int i = 0; i < 7; ++i) send(a, "LOCK k" + std::to_string(i) + " WAIT 0");
  run();
  EXPECT_EQ(take(a), ":1\r\n:2\r\n:3\r\n:4\r\n:5\r\n:6\r\n:7\r\n");
}

TEST_F(ServiceOrder, WhoeverWaitedInVainIsToldWhoHoldsIt) {
  auto& holder = connect();
  ask(holder, "SESSION OPEN LABEL billing");
  ask(holder, "LOCK x OWNER w1 TTL 60000");
  auto& a = connect(3);
  auto& b = connect(3);
  send(a, "LOCK x WAIT 100 FULL");
  send(b, "LOCK x WAIT 100 REQ r ASYNC FULL");
  pass(0);
  EXPECT_EQ(take(b), "+QUEUED\r\n");
  pass(150);
  const std::string who =
      "\\$8\r\nretry_ms\r\n:59[0-9]{3}\r\n\\$6\r\nholder\r\n%7\r\n\\$7\r\nsession\r\n:1\r\n"
      "\\$5\r\nowner\r\n\\$2\r\nw1\r\n\\$5\r\nlabel\r\n\\$7\r\nbilling\r\n[^_]*"
      "\\$10\r\ngranted_at\r\n:1700000001000\r\n\\$7\r\nheld_ms\r\n:150\r\n";
  EXPECT_THAT(take(a), MatchesRegex("%8\r\n(.|\r|\n)*" + who));
  EXPECT_THAT(take(b), MatchesRegex(">5\r\n\\$5\r\ncleat\r\n\\$7\r\nrefused\r\n(.|\r|\n)*" + who));
}

TEST_F(ServiceOrder, WithoutALeaderRequestsAreKeptForAWhile) {
  auto& a = connect();
  replica_->trouble = replica::Trouble::kNoQuorum;
  send(a, "LOCK x");
  send(a, "PING");
  turn();
  EXPECT_EQ(take(a), "");
  ASSERT_TRUE(service_->next_wake_us().has_value());
  EXPECT_EQ(*service_->next_wake_us(), clock_.now_us + 2'000'000);
  clock_.now_us += 1'999'000;
  turn();
  EXPECT_EQ(take(a), "");
  clock_.now_us += 1'000;
  turn();
  EXPECT_THAT(take(a), MatchesRegex("-NOQUORUM .*\r\n\\+PONG\r\n"));
  send(a, "LOCK x");
  turn();
  replica_->trouble = replica::Trouble::kNone;
  service_->on_leadership(true, 2);
  EXPECT_TRUE(service_->has_more());
  run();
  EXPECT_EQ(take(a), ":1\r\n");
}

TEST_F(ServiceOrder, WhatIsNotDecidedInTimeIsUnknownAndItsRepetitionFindsIt) {
  auto& a = connect();
  ask(a, "SESSION OPEN");
  replica_->stuck = true;
  send(a, "LOCK x REQ r");
  send(a, "LOCK y REQ s");
  send(a, "PING");
  run();
  ASSERT_TRUE(service_->next_wake_us().has_value());
  EXPECT_EQ(*service_->next_wake_us(), clock_.now_us + 5'000'000);
  pass(4'999);
  EXPECT_EQ(take(a), "");
  pass(1);
  EXPECT_THAT(take(a), MatchesRegex("-UNKNOWN [^\r]*same REQ[^\r]*\r\n-UNKNOWN [^\r]*\r\n\\+PONG\r\n"));
  send(a, "LOCK x REQ r");
  run();
  replica_->stuck = false;
  pass(1);
  EXPECT_EQ(take(a), ":1\r\n") << "one answer: that of the repetition, with the first one's fence";
  EXPECT_EQ(ask(a, "LOCK y REQ s"), ":2\r\n");
  EXPECT_THAT(ask(a, "INFO locks"), HasSubstr("\r\nanswered_unknown:2\r\n"));
}

TEST_F(ServiceOrder, ReadsWithoutAnAnswerAreUnknownAndALateProofIsNotTakenForALaterRead) {
  auto& a = connect();
  auto& b = connect();
  ask(a, "SESSION OPEN");
  ask(a, "LOCK x");
  replica_->stuck = true;
  send(a, "SESSION KEEPALIVE");
  send(b, "SHOW x");
  run();
  pass(5'000);
  EXPECT_THAT(take(a), MatchesRegex("-UNKNOWN [^\r]*ask again[^\r]*\r\n"));
  EXPECT_THAT(take(b), MatchesRegex("-UNKNOWN [^\r]*ask again[^\r]*\r\n"));
  send(a, "SESSION KEEPALIVE");
  send(b, "CHECK x FENCE 1");
  run();
  service_->on_read(1, replica::Trouble::kNone);
  service_->on_keep_alive(1 << 17, {true, 10'000, 0}, replica::Trouble::kNone);
  EXPECT_EQ(a.connection->out + b.connection->out, "");
  pass(5'000);
  EXPECT_THAT(take(a), MatchesRegex("-UNKNOWN [^\r]*ask again[^\r]*\r\n"));
  EXPECT_THAT(take(b), MatchesRegex("-UNKNOWN [^\r]*ask again[^\r]*\r\n"));
  replica_->stuck = false;
  pass(1);
  EXPECT_EQ(take(a) + take(b), "");
  EXPECT_EQ(ask(b, "CHECK x FENCE 1"), ":1\r\n");
}

TEST_F(ServiceOrder, ALockThatWaitsIsDecidedAndNeverUnknown) {
  auto& a = connect();
  auto& b = connect();
  ask(a, "LOCK x");
  replica_->stuck = true;
  send(b, "LOCK x");
  run();
  replica_->stuck = false;
  pass(3'000);
  pass(60'000);
  EXPECT_EQ(take(b), "");
  ask(a, "UNLOCK x");
  EXPECT_EQ(take(b), ":2\r\n");
}

TEST_F(ServiceOrder, AnOpenThatIsUnknownLeavesNoSessionToFallBackTo) {
  config_.undecided_wait_ms = 1'000;
  auto& a = connect();
  replica_->stuck = true;
  send(a, "SESSION OPEN");
  run();
  pass(1'000);
  EXPECT_THAT(take(a), StartsWith("-UNKNOWN "));
  replica_->stuck = false;
  pass(1);
  EXPECT_THAT(ask(a, "LOCK x"), StartsWith("-NOSESSION "));
  EXPECT_THAT(ask(a, "SESSION OPEN"), StartsWith("*6\r\n"));
  EXPECT_EQ(ask(a, "LOCK x"), ":1\r\n");
}

TEST_F(ServiceOrder, ADiskThatIsFullRefusesInItsPlace) {
  auto& a = connect();
  ask(a, "LOCK x");
  replica_->disk_full = true;
  send(a, "UNLOCK x");
  send(a, "LOCK y");
  send(a, "UNLOCK y");
  send(a, "LOCK z");
  run();
  EXPECT_THAT(take(a), MatchesRegex(":0\r\n-DISKFULL [^\r]*\r\n-NOTHELD [^\r]*\r\n-DISKFULL [^\r]*\r\n"));
}

TEST_F(ServiceOrder, AMalformedFrameClosesItsConnectionAfterWhatCameBefore) {
  auto& a = connect();
  auto& b = connect();
  send_bytes(a, "LOCK x\r\n*1\r\n$-7\r\nPING\r\n");
  run();
  EXPECT_THAT(take(a), MatchesRegex(":1\r\n-ERR Protocol error.*\r\n"));
  EXPECT_EQ(a.connection, nullptr);
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), ":2\r\n") << "its implicit session ended with it";
}

TEST_F(ServiceOrder, AFrameInManyPiecesIsOneFrame) {
  auto& a = connect();
  const std::string frame = "*4\r\n$4\r\nLOCK\r\n$1\r\nx\r\n$4\r\nWAIT\r\n$1\r\n0\r\n";
  for (const char byte : frame) {
    send_bytes(a, std::string_view(&byte, 1));
    turn();
  }
  EXPECT_EQ(take(a), ":1\r\n");
}

TEST_F(ServiceOrder, AFrameLargerThanABlockGrowsItsBuffer) {
  auto& a = connect();
  const std::string word(200'000, 'x');
  send_bytes(a, "*2\r\n$4\r\nECHO\r\n$200000\r\n" + word + "\r\n*1\r\n$4\r\nPING\r\n");
  run();
  EXPECT_EQ(take(a), "$200000\r\n" + word + "\r\n+PONG\r\n");
  EXPECT_EQ(a.connection->input.capacity(), 0u);
}

}  // namespace
}  // namespace cleat::server
