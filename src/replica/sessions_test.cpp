// The rules of time.md about sessions that one node can show.
#include <gtest/gtest.h>

#include "replica/testing.hpp"

namespace cleat::replica {
namespace {

using testing::Node;

TEST(Sessions, AKeepAliveCostsNoWrite) {
  Node node;
  node.start();
  const auto s = node.open_session(3000);
  const uint64_t syncs = node.disk.syncs();
  for (uint64_t i = 1; i <= 30; ++i) {
    node.keep_alive(i, s);
    node.pass_ms(90);
    EXPECT_TRUE(node.alive(i));
  }
  EXPECT_EQ(node.disk.syncs(), syncs);
  EXPECT_TRUE(node.heard.ended.empty());
}

TEST(Sessions, SilenceIsMarkedAtHalfAndEndsAtTheWhole) {
  Node node;
  node.start();
  const auto s = node.open_session(2000);
  node.run_ms(1000);
  EXPECT_EQ(node.heard.count(lock::Verb::kMark), 0u);
  node.run_ms(40);
  EXPECT_EQ(node.heard.count(lock::Verb::kMark), 1u);
  node.run_ms(960);
  EXPECT_TRUE(node.heard.ended.empty()) << "not before ceil(TTL x 1.01) + 1 ms";
  node.run_ms(120);
  EXPECT_EQ(node.heard.ended, std::vector<uint64_t>{s.value});
}

TEST(Sessions, BehindAMarkAKeepAliveNeedsAnEntry) {
  Node node;
  node.start();
  const auto s = node.open_session(2000);
  node.run_ms(1100);
  ASSERT_TRUE(node.replica->machine().session_state(s)->marked);
  node.keep_alive(1, s);
  node.pass_ms(1);
  EXPECT_TRUE(node.alive(1));
  EXPECT_EQ(node.heard.count(lock::Verb::kHeard), 1u);
  EXPECT_FALSE(node.replica->machine().session_state(s)->marked);
  node.run_ms(1500);
  EXPECT_TRUE(node.heard.ended.empty());
}

TEST(Sessions, AMarkOutlivesARestartAndSoDoesTheBar) {
  Node node;
  node.start();
  const auto s = node.open_session(2000);
  node.run_ms(1100);
  node.crash();
  node.start();
  node.keep_alive(1, s);
  node.pass_ms(1);
  EXPECT_TRUE(node.alive(1));
  EXPECT_EQ(node.heard.count(lock::Verb::kHeard), 1u);
}

TEST(Sessions, CommandsCountAsHeard) {
  Node node;
  node.start();
  const auto s = node.open_session(1000);
  for (int i = 0; i < 10; ++i) {
    node.say_something(s);
    node.run_ms(400);
  }
  EXPECT_TRUE(node.heard.ended.empty());
}

TEST(Sessions, ACommandRefusedForAFullDiskCountsAsHeard) {
  Node node;
  node.start();
  const auto s = node.open_session(1000);
  node.files.set_capacity(500);
  node.run_ms(300);
  for (int i = 0; i < 10; ++i) {
    lock::Command c;
    c.verb = lock::Verb::kLock;
    c.by = lock::By::kExplicit;
    c.session = s;
    c.name = "a";
    EXPECT_EQ(node.ask(1, c), Trouble::kDiskFull);
    node.run_ms(400);
  }
  EXPECT_TRUE(node.heard.ended.empty());
}

TEST(Sessions, WhatIsSaidAgainOnAFullDiskGetsTheAnswerOfTheFirstTime) {
  Node node;
  node.start();
  const auto s = node.open_session(60'000);
  node.ask(1, Node::lock_token("a", "t", 600));
  lock::Command c;
  c.verb = lock::Verb::kLock;
  c.by = lock::By::kExplicit;
  c.session = s;
  c.session_epoch = node.replica->machine().session_state(s)->epoch;
  c.wait_ms = 60'000;
  c.name = "a";
  c.req = "1";
  ASSERT_EQ(node.ask(1, c), Trouble::kNone);  // in line
  node.run_ms(100);
  node.files.set_capacity(500);
  node.run_ms(300);
  EXPECT_EQ(node.ask(2, c), Trouble::kNone);
  c.req = "2";
  EXPECT_EQ(node.ask(2, c), Trouble::kDiskFull);
  node.run_ms(2'000);
  ASSERT_FALSE(node.heard.outcomes.empty());
  const auto& last = node.heard.outcomes.back();
  EXPECT_EQ(last.result, lock::Result::kGranted);
  EXPECT_EQ(last.connection, 2u) << "to whom said it last";
}

TEST(Sessions, AVoucherKeepsASessionAlive) {
  Node node;
  node.start();
  const auto s = node.open_session(1000);
  for (int i = 0; i < 10; ++i) {
    node.replica->vouch(s, 100);
    node.run_ms(400);
  }
  EXPECT_TRUE(node.heard.ended.empty());
  node.run_ms(1200);
  EXPECT_EQ(node.heard.ended.size(), 1u);
}

TEST(Sessions, AStrangersKeyKeepsNobodyAlive) {
  Node node;
  node.start();
  const auto s = node.open_session(1000);
  for (uint64_t i = 1; i <= 12; ++i) {
    node.keep_alive(i, s, "not the key of s");
    node.run_ms(100);
    EXPECT_FALSE(node.alive(i));
  }
  EXPECT_EQ(node.heard.ended.size(), 1u);
}

TEST(Sessions, APausedServerKillsNoOne) {
  Node node;
  node.start();
  const auto s = node.open_session(1000);
  node.run_ms(900);
  // An hour of standstill; what the client sent meanwhile is read in the first turn after it.
  node.clock.now_us += 3'600'000'000;
  node.keep_alive(1, s);
  node.replica->step();
  node.pass_ms(1);
  EXPECT_TRUE(node.alive(1));
  for (int i = 0; i < 5; ++i) node.pass_ms(900);  // five stalls: half a second of log time
  EXPECT_TRUE(node.heard.ended.empty());
}

TEST(Sessions, AnExpireWaitsForALaterDrainedTurn) {
  Node node;
  node.start();
  const auto s = node.open_session(1000);
  node.run_ms(960);
  for (int i = 0; i < 3; ++i) {
    node.replica->input_left();
    node.pass_ms(60);
  }
  EXPECT_TRUE(node.heard.ended.empty()) << "input was left unread: it may be the session's";
  node.keep_alive(1, s);
  node.pass_ms(1);
  EXPECT_TRUE(node.alive(1));
  EXPECT_EQ(node.heard.count(lock::Verb::kExpire), 0u);
}

TEST(Sessions, WhatArrivedDuringTheTurnThatSawSilenceIsStillHeard) {
  Node node;
  node.start();
  const auto s = node.open_session(1000);
  node.run_ms(1000, 10);
  node.pass_ms(90);  // silence is seen in this turn
  node.keep_alive(1, s);
  node.pass_ms(90);
  EXPECT_TRUE(node.alive(1));
  EXPECT_TRUE(node.heard.ended.empty());
}

TEST(Sessions, AllCountAsHeardAtAStart) {
  Node node;
  node.start();
  const auto s = node.open_session(2000);
  node.run_ms(900);
  node.crash();
  node.start();
  node.run_ms(1800);
  EXPECT_TRUE(node.heard.ended.empty());
  node.run_ms(400);
  EXPECT_EQ(node.heard.ended, std::vector<uint64_t>{s.value});
}

TEST(Sessions, ASessionOpenedInThisTermCountsFromItsOpening) {
  Node node;
  node.start();
  node.run_ms(5000);
  node.open_session(1000);
  node.run_ms(950);
  EXPECT_TRUE(node.heard.ended.empty());
  node.run_ms(200);
  EXPECT_EQ(node.heard.ended.size(), 1u);
}

TEST(Sessions, BeforeServingKeepAlivesAreNotAnswered) {
  Node node;
  ASSERT_TRUE(node.open().ok());
  EXPECT_EQ(node.ask(1, Node::lock_token("a", "t", 1000)), Trouble::kNoQuorum);
}

TEST(Sessions, ManySilentOnesEndWithoutStandingStill) {
  Node node;
  node.start();
  for (int i = 0; i < 1500; ++i) {
    lock::Command c;
    c.verb = lock::Verb::kOpenSession;
    c.ttl_ms = 1000;
    c.key = "0123456789abcdef";
    ASSERT_EQ(node.ask(static_cast<uint64_t>(i + 1), c), Trouble::kNone);
  }
  node.run_ms(3000);
  EXPECT_EQ(node.heard.ended.size(), 1500u);
}

}  // namespace
}  // namespace cleat::replica
