// What a change of leader leaves undecided is asked again, once, and answered once.
#include <gmock/gmock.h>

#include "server/service_kit.hpp"

namespace cleat::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(ServiceTest, WhatALostLeaderDidNotDecideIsAskedOfTheNextOne) {
  Client& c = connect();
  replica_->stuck = true;
  send(c, "LOCK a TOKEN t TTL 60000");
  send(c, "LOCK b TOKEN t TTL 60000");
  run();
  ASSERT_EQ(replica_->taken(), 2u);
  EXPECT_EQ(take(c), "");
  replica_->lose_and_elect();
  run();
  EXPECT_EQ(replica_->taken(), 2u) << "both again, in their order";
  replica_->stuck = false;
  pass(1);
  EXPECT_EQ(take(c), ":1\r\n:2\r\n");
}

TEST_F(ServiceTest, WhatIsDecidedOrAskedInTheNewTermIsNotAskedAgain) {
  Client &holder = connect(), &waits = connect(), &asks = connect();
  ASSERT_EQ(ask(holder, "LOCK a TOKEN t TTL 60000"), ":1\r\n");
  ASSERT_EQ(ask(waits, "LOCK a TOKEN u TTL 60000 WAIT 50000"), "") << "it stands in the queue";
  replica_->stuck = true;
  replica_->term_now = 2;  // known before its first entry is applied here
  send(asks, "LOCK b TOKEN u TTL 60000");
  run();
  ASSERT_EQ(replica_->taken(), 1u);
  service_->on_term(2);
  run();
  EXPECT_EQ(replica_->taken(), 1u);
  replica_->stuck = false;
  pass(1);
  EXPECT_EQ(take(asks), ":2\r\n");
  EXPECT_EQ(ask(holder, "UNLOCK a TOKEN t"), ":0\r\n");
  EXPECT_EQ(take(waits), ":3\r\n");
}

TEST_F(ServiceTest, TheEndOfAConnectionIsToldUntilItIsInTheLog) {
  Client& c = connect();
  ASSERT_EQ(ask(c, "LOCK a"), ":1\r\n");
  replica_->stuck = true;
  drop(c);
  replica_->lose_and_elect();
  run();
  EXPECT_EQ(replica_->taken(), 1u);
  replica_->stuck = false;
  pass(1);
  Client& other = connect();
  EXPECT_EQ(ask(other, "TRYLOCK a"), ":2\r\n");
  replica_->lose_and_elect();
  run();
  EXPECT_EQ(replica_->taken(), 0u) << "what is met is not told again";
}

TEST_F(ServiceTest, TheTimeToUnknownRunsFromTheFirstAsking) {
  Client& c = connect();
  replica_->stuck = true;
  send(c, "LOCK a TOKEN t TTL 60000");
  run();
  pass(config_.undecided_wait_ms * 3 / 4);
  replica_->lose_and_elect();
  run();
  EXPECT_EQ(take(c), "");
  pass(config_.undecided_wait_ms / 2);
  EXPECT_THAT(take(c), StartsWith("-UNKNOWN"));
}

// This member was stopped, and hears of all at once when it goes on. Its client has given up long ago.
TEST_F(ServiceTest, WhatIsUndecidedForTooLongIsNotAskedOfTheNextLeader) {
  Client& c = connect();
  replica_->stuck = true;
  send(c, "LOCK a TOKEN t TTL 60000");
  run();
  ASSERT_EQ(replica_->taken(), 1u);
  clock_.now_us += config_.undecided_wait_ms * 1000;
  service_->begin_turn();
  replica_->lose_and_elect();
  service_->finish_turn();
  run();
  EXPECT_EQ(replica_->taken(), 0u);
  EXPECT_THAT(take(c), StartsWith("-UNKNOWN"));
  replica_->stuck = false;
  EXPECT_EQ(ask(c, "LOCK a TOKEN u TTL 60000"), ":1\r\n");
}

TEST_F(ServiceTest, ASnapshotInPlaceOfTheStateLeavesNobodyHanging) {
  Client &holder = connect(3), &waits = connect(3), &watches = connect(3);
  ASSERT_THAT(ask(holder, "LOCK a"), HasSubstr(":1"));
  ASSERT_EQ(ask(waits, "LOCK a WAIT 50000"), "");
  ask(watches, "EVENTS");
  service_->on_state_replaced();
  run();
  EXPECT_THAT(take(waits), StartsWith("-UNKNOWN"));
  EXPECT_EQ(ask(waits, "PING"), "+PONG\r\n");
  EXPECT_THAT(take(watches), HasSubstr("gap"));
  EXPECT_EQ(ask(holder, "UNLOCK a"), ":0\r\n") << "its session lives";
}

}  // namespace
}  // namespace cleat::server
