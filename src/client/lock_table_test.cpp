// A LockTable against a server that answers by hand, with time that stands still unless moved.
#include "client/lock_table.hpp"

#include "client/session_fixture.hpp"

namespace cleat::client {
namespace {

using ::testing::Not;

constexpr auto kGranted = "%3\r\n+granted\r\n:1\r\n+fence\r\n:5\r\n+waited_ms\r\n:0\r\n";
constexpr auto kHeld = "%2\r\n+granted\r\n:0\r\n+fence\r\n_\r\n";
constexpr auto kOwnHold = "-DEADLOCK you hold 'a' already\r\n";

struct LockTableTest : SessionFixture {
  LockTable table{5s, std::make_shared<SystemClock>()};

  // As the engine does it each turn.
  void turn() {
    while (auto n = session.next_notice()) table.on_notice(session, *n, now);
    table.tick(session, now);
  }
  void start() {
    connect();
    answer(kHello);
    answer(kOpened);
    answer(kAlone);
    turn();
    sent();
  }
  AttemptPtr lock(const char* name = "a", std::optional<TimePoint> until = std::nullopt) {
    auto attempt = std::make_shared<Attempt>();
    attempt->name = name;
    attempt->owner = "t1";
    attempt->until = until;
    table.acquire(session, attempt, now);
    return attempt;
  }
  std::shared_ptr<HoldState> held() {
    const AttemptPtr attempt = lock();
    answer(kGranted);
    turn();
    EXPECT_TRUE(attempt->done);
    sent();
    return attempt->hold;
  }
  void push(const std::string& kind, const std::string& req, const std::string& map) {
    answer(">5\r\n+cleat\r\n+" + kind + "\r\n+a\r\n$" + std::to_string(req.size()) + "\r\n" + req + "\r\n" + map);
    turn();
  }
  void lose_connection() {
    session.disconnected({base::Code::kIo, "gone"}, now);
    turn();
  }
  void attach() {
    now = std::max(now, *session.next_wake());
    connect();
    answer(kHello);
    answer("+OK\r\n");
    turn();
  }
};

TEST_F(LockTableTest, AGrantMovesOnWithEachKeepAlive) {
  start();
  const auto hold = held();
  ASSERT_NE(hold, nullptr);
  EXPECT_EQ(hold->fence(), 5);
  EXPECT_EQ(hold->deadline(), now + 9s);
  now += 3s;
  session.tick(now);
  answer(kAlive);
  turn();
  EXPECT_EQ(hold->deadline(), now + 9s);
}

TEST_F(LockTableTest, TheHolderIsWarnedAThirdBeforeTheDeadlineAndLosesItThere) {
  start();
  const auto hold = held();
  const TimePoint deadline = hold->deadline();
  lose_connection();
  now = deadline - 3s - 1ms;
  turn();
  EXPECT_FALSE(hold->stop_token().stop_requested());
  EXPECT_LE(*table.next_wake(), deadline - 3s);
  now = deadline - 3s;
  turn();
  EXPECT_TRUE(hold->stop_token().stop_requested());
  EXPECT_TRUE(hold->held(now));
  EXPECT_EQ(table.next_wake(), deadline);
  now = deadline;
  turn();
  EXPECT_FALSE(hold->held(now));
  EXPECT_THAT(hold->why_lost(), HasSubstr("without contact"));
  attach();
  EXPECT_THAT(sent(), HasSubstr("UNLOCK")) << "what the service may still think ours is let go";
  answer(kAlive);
  answer(":0\r\n");
  turn();
  EXPECT_FALSE(hold->held(now)) << "a late confirmation revives nothing";
}

TEST_F(LockTableTest, AJumpOfTheClockIsALossAlsoBeforeTheTableLooks) {
  start();
  const auto hold = held();
  now += 1h;  // suspended
  EXPECT_FALSE(hold->held(now));
  EXPECT_TRUE(hold->stop_token().stop_requested());
}

TEST_F(LockTableTest, APushedLossEndsTheHoldAndIsTakenOnce) {
  start();
  const auto hold = held();
  push("lost", "", "%2\r\n+fence\r\n:5\r\n+why\r\n+revoked\r\n");
  EXPECT_FALSE(hold->held(now));
  EXPECT_EQ(hold->why_lost(), "revoked");
  table.release(session, hold, {}, now);
  EXPECT_THAT(sent(), Not(HasSubstr("UNLOCK"))) << "there is nothing to let go";
}

TEST_F(LockTableTest, ALossWhosePushWasLostIsFoundByTheNextKeepAlive) {
  start();
  const auto hold = held();
  lose_connection();
  attach();
  answer("*2\r\n:9000\r\n:1\r\n");
  EXPECT_THAT(sent(), HasSubstr("SHOW"));
  answer(kAlone);
  answer("%2\r\n+losses\r\n:1\r\n+last_losses\r\n*1\r\n%2\r\n+fence\r\n:5\r\n+why\r\n+max hold reached\r\n");
  turn();
  EXPECT_FALSE(hold->held(now));
  EXPECT_EQ(hold->why_lost(), "max hold reached");
}

TEST_F(LockTableTest, LossesThatAreNotNamedEndAllHolds) {
  start();
  const auto hold = held();
  now += 3s;
  session.tick(now);
  answer("*2\r\n:9000\r\n:65\r\n");
  answer("%2\r\n+losses\r\n:65\r\n+last_losses\r\n*0\r\n");
  turn();
  EXPECT_FALSE(hold->held(now));
}

TEST_F(LockTableTest, AWaitIsRepeatedUnderTheSameReqAfterAReconnect) {
  start();
  const AttemptPtr attempt = lock();
  const std::string asked = sent();
  answer("+QUEUED\r\n");
  turn();
  lose_connection();
  attach();
  EXPECT_THAT(sent(), HasSubstr(asked));
  answer(kAlive);
  answer("+QUEUED\r\n");
  push("granted", "a1", "%2\r\n+fence\r\n:5\r\n+waited_ms\r\n:1\r\n");
  EXPECT_TRUE(attempt->done);
  ASSERT_NE(attempt->hold, nullptr);
  EXPECT_TRUE(attempt->hold->held(now));
}

TEST_F(LockTableTest, AWaitThatIsGivenUpIsCancelledAndALateGrantLetGo) {
  start();
  const AttemptPtr attempt = lock("a", now + 2s);
  EXPECT_THAT(sent(), HasSubstr("WAIT\r\n$4\r\n2001"));
  answer("+QUEUED\r\n");
  turn();
  now += 2s;
  turn();
  EXPECT_FALSE(attempt->done) << "the service decides, and its answer is on the way";
  now = *table.next_wake();
  turn();
  EXPECT_TRUE(attempt->done);
  EXPECT_EQ(attempt->hold, nullptr);
  EXPECT_FALSE(attempt->error);
  EXPECT_THAT(sent(), HasSubstr("CANCEL\r\n$2\r\na1"));
  push("granted", "a1", "%2\r\n+fence\r\n:5\r\n+waited_ms\r\n:1\r\n");
  EXPECT_THAT(sent(), HasSubstr("FENCE\r\n$1\r\n5"));
  EXPECT_EQ(table.holds(), 0u);
}

TEST_F(LockTableTest, ACancelledWaitEndsAtOnceAndALateGrantIsLetGo) {
  start();
  const AttemptPtr attempt = lock();
  int told = 0;
  attempt->on_done = [&told](Attempt& a) {
    ++told;
    EXPECT_EQ(a.error, errc::cancelled);
  };
  answer("+QUEUED\r\n");
  turn();
  sent();
  table.cancel(session, attempt, now);
  EXPECT_EQ(told, 1);
  EXPECT_THAT(sent(), HasSubstr("CANCEL\r\n$2\r\na1"));
  push("granted", "a1", "%2\r\n+fence\r\n:5\r\n+waited_ms\r\n:1\r\n");
  EXPECT_THAT(sent(), HasSubstr("FENCE\r\n$1\r\n5"));
  table.cancel(session, attempt, now);
  EXPECT_EQ(told, 1) << "it had ended";
}

// The session has read the answer, and the table has not been told of it yet.
TEST_F(LockTableTest, AGrantThatCameWithTheCancellationIsLetGo) {
  start();
  const AttemptPtr attempt = lock();
  sent();
  answer(kGranted);
  table.cancel(session, attempt, now);
  EXPECT_EQ(attempt->error, errc::cancelled);
  turn();
  EXPECT_THAT(sent(), HasSubstr("UNLOCK"));
  EXPECT_EQ(attempt->hold, nullptr);
}

TEST_F(LockTableTest, ARefusalThatCameWithTheCancellationLeavesNothing) {
  start();
  const AttemptPtr attempt = lock();
  sent();
  answer(kHeld);
  table.cancel(session, attempt, now);
  turn();
  EXPECT_EQ(attempt->error, errc::cancelled);
  const AttemptPtr next = lock();
  answer(kOwnHold);
  turn();
  EXPECT_EQ(next->error, errc::deadlock) << "nothing of ours is in the way";
}

TEST_F(LockTableTest, WhatIsCancelledBeforeItWasSentIsForgotten) {
  const AttemptPtr attempt = lock();
  table.cancel(session, attempt, now);
  EXPECT_EQ(attempt->error, errc::cancelled);
  start();
  EXPECT_THAT(sent(), Not(HasSubstr("LOCK")));
}

TEST_F(LockTableTest, AGrantThatWaitsForAConfirmationCanBeCancelled) {
  start();
  const AttemptPtr attempt = lock();
  answer("+QUEUED\r\n");
  turn();
  now += 7s;
  push("granted", "a1", "%2\r\n+fence\r\n:5\r\n+waited_ms\r\n:6000\r\n");
  sent();
  table.cancel(session, attempt, now);
  EXPECT_EQ(attempt->error, errc::cancelled);
  EXPECT_EQ(attempt->hold, nullptr);
  EXPECT_THAT(sent(), HasSubstr("UNLOCK"));
  EXPECT_EQ(table.holds(), 0u);
}

TEST_F(LockTableTest, AReleaseIsConfirmedByItsAnswerOrByTheEndOfTheSession) {
  start();
  std::vector<std::error_code> told;
  const auto confirmed = [&](std::error_code code) { told.push_back(code); };
  const auto first = held();
  first->release();
  table.release(session, first, confirmed, now);
  EXPECT_TRUE(told.empty());
  answer(":0\r\n");
  turn();
  EXPECT_EQ(told.size(), 1u);
  table.release(session, first, confirmed, now);
  EXPECT_EQ(told.size(), 2u) << "it is over already";
  table.release(session, held(), confirmed, now);
  answer("-NOSESSION it is gone\r\n");
  answer("-NOSESSION it is gone\r\n");  // the word of ATTACH
  turn();
  EXPECT_THAT(told, ::testing::Each(std::error_code()));
  EXPECT_EQ(told.size(), 3u);
}

TEST_F(LockTableTest, TheEndOfTheClientLeavesAReleaseUnconfirmed) {
  start();
  std::error_code told;
  table.release(
      session, held(), [&](std::error_code code) { told = code; }, now);
  table.close();
  EXPECT_EQ(told, errc::closed);
}

TEST_F(LockTableTest, WhatIsGivenUpWithoutContactIsCancelledAfterIt) {
  start();
  const AttemptPtr attempt = lock("a", now + 1s);
  const std::string asked = sent();
  lose_connection();
  now += 1s;
  turn();
  EXPECT_TRUE(attempt->done);
  EXPECT_EQ(attempt->error, errc::unreachable);
  attach();
  const std::string said = sent();
  EXPECT_THAT(said, HasSubstr(asked));
  EXPECT_LT(said.find(asked), said.find("CANCEL"));
}

TEST_F(LockTableTest, WhatWasNeverSentIsForgotten) {
  start();
  lose_connection();
  const AttemptPtr attempt = lock("a", now + 1s);
  now += 1s;
  turn();
  EXPECT_TRUE(attempt->done);
  attach();
  EXPECT_THAT(sent(), Not(HasSubstr("LOCK")));
}

TEST_F(LockTableTest, WithoutAnyContactALockEndsAfterItsPatience) {
  const AttemptPtr attempt = lock();
  turn();
  now += 5s;
  turn();
  EXPECT_TRUE(attempt->done);
  EXPECT_EQ(attempt->error, errc::unreachable);
}

TEST_F(LockTableTest, AfterContactALockWaitsForAsLongAsItTakes) {
  const AttemptPtr attempt = lock();
  connect();
  answer(kHello);
  answer(kOpened);
  answer("+QUEUED\r\n");
  answer(kAlone);
  turn();
  lose_connection();
  now += 1h;
  turn();
  EXPECT_FALSE(attempt->done);
}

// The release was answered UNKNOWN and is said again, behind the next LOCK of the same thread.
TEST_F(LockTableTest, AnOwnHoldWhoseReleaseIsUnderWayIsNoDeadlock) {
  start();
  const auto hold = held();
  hold->release();
  table.release(session, hold, {}, now);
  answer("-UNKNOWN undecided after 5 s\r\n");
  turn();
  const AttemptPtr attempt = lock();
  answer(":0\r\n");  // the release, said again with the LOCK
  answer(kOwnHold);
  turn();
  EXPECT_FALSE(attempt->done) << "asked again";
  answer(kGranted);
  turn();
  ASSERT_TRUE(attempt->done);
  EXPECT_NE(attempt->hold, nullptr);
}

TEST_F(LockTableTest, AnOwnHoldInTheWayIsWaitedFor) {
  start();
  const auto hold = held();
  hold->release();
  table.release(session, hold, {}, now);
  const AttemptPtr attempt = lock();
  answer("-UNKNOWN undecided after 5 s\r\n");
  answer(kOwnHold);
  turn();
  sent();
  EXPECT_FALSE(attempt->done);
  now = *session.next_wake();
  session.tick(now);
  answer(kAlive);
  answer(":0\r\n");
  turn();
  EXPECT_THAT(sent(), HasSubstr("a4")) << "a new REQ";
  answer(kGranted);
  turn();
  EXPECT_TRUE(attempt->done);
  EXPECT_NE(attempt->hold, nullptr);
}

TEST_F(LockTableTest, ARealDeadlockIsAnError) {
  start();
  const auto hold = held();
  const AttemptPtr attempt = lock();
  answer(kOwnHold);
  turn();
  EXPECT_EQ(attempt->error, errc::deadlock);
}

TEST_F(LockTableTest, ARefusalInTimeIsNoError) {
  start();
  const AttemptPtr attempt = lock("a", now + 1s);
  answer(kHeld);
  turn();
  EXPECT_TRUE(attempt->done);
  EXPECT_EQ(attempt->hold, nullptr);
  EXPECT_FALSE(attempt->error);
}

// The grant comes when the session's belief is nearly over: only the next confirmation makes it good.
TEST_F(LockTableTest, AGrantTooCloseToTheDeadlineWaitsForAConfirmation) {
  start();
  const AttemptPtr attempt = lock();
  answer("+QUEUED\r\n");
  turn();
  now += 7s;
  push("granted", "a1", "%2\r\n+fence\r\n:5\r\n+waited_ms\r\n:6000\r\n");
  EXPECT_FALSE(attempt->done);
  session.tick(now);
  answer(kAlive);
  turn();
  ASSERT_TRUE(attempt->done);
  EXPECT_TRUE(attempt->hold->held(now));
}

TEST_F(LockTableTest, AnotherSessionIsAskedForWhatTheLastOneDidNotGive) {
  start();
  const auto hold = held();
  const AttemptPtr attempt = lock("b");
  answer("+QUEUED\r\n");
  now += 3s;
  session.tick(now);
  answer("-NOSESSION it is gone\r\n");
  answer("-NOSESSION it is gone\r\n");  // the word of ATTACH
  turn();
  EXPECT_FALSE(hold->held(now));
  EXPECT_THAT(hold->why_lost(), HasSubstr("it is gone"));
  EXPECT_TRUE(table.wants_session());
  session = Session(options({Endpoint{}}), now);
  table.begin(session, now);
  connect();
  answer(kHello);
  answer(kOpened);
  turn();
  EXPECT_THAT(sent(), HasSubstr("LOCK\r\n$1\r\nb"));
  answer(kGranted);
  turn();
  EXPECT_TRUE(attempt->done);
  EXPECT_NE(attempt->hold, nullptr);
}

TEST_F(LockTableTest, ARefusedClientTellsAllThatWait) {
  const AttemptPtr attempt = lock();
  connect();
  answer("-WRONGPASS invalid username-password pair\r\n");
  turn();
  EXPECT_TRUE(attempt->done);
  EXPECT_EQ(attempt->error, errc::refused);
  EXPECT_FALSE(table.wants_session()) << "not before somebody asks again";
  lock();
  EXPECT_TRUE(table.wants_session());
}

TEST_F(LockTableTest, MaxHoldWarnsAndEndsByTheLocalClock) {
  start();
  auto attempt = std::make_shared<Attempt>();
  attempt->name = "a";
  attempt->owner = "t1";
  attempt->max_hold = 3s;
  table.acquire(session, attempt, now);
  EXPECT_THAT(sent(), HasSubstr("MAXHOLD\r\n$4\r\n3000"));
  answer(kGranted);
  turn();
  const auto hold = attempt->hold;
  EXPECT_EQ(hold->deadline(), now + 3s);
  now = *table.next_wake();
  turn();
  EXPECT_TRUE(hold->stop_token().stop_requested());
  EXPECT_TRUE(hold->held(now));
  now = *table.next_wake();
  turn();
  EXPECT_EQ(hold->why_lost(), "its max_hold is over");
}

TEST_F(LockTableTest, TheEndOfTheClientEndsAllThatWaitsAndIsHeld) {
  start();
  const auto hold = held();
  const AttemptPtr waiting = lock("b");
  table.close();
  EXPECT_EQ(waiting->error, errc::closed);
  EXPECT_FALSE(hold->held(now));
  EXPECT_EQ(lock("c")->error, errc::closed);
}

}  // namespace
}  // namespace cleat::client
