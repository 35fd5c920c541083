// Pushes and messages: EVENTS with PREFIX, FROM and gaps, SUBSCRIBE, slow readers, limits of what is kept for them.
#include <gmock/gmock.h>

#include "server/output_limits.hpp"
#include "server/service_kit.hpp"

namespace cleat::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class ServiceEvents : public ServiceTest {
 protected:
  static size_t count(std::string_view text, std::string_view what) {
    size_t n = 0;
    for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
    return n;
  }
  void churn(Client& client, int pairs) {  // each makes two events
    for (int i = 0; i < pairs; ++i) {
      send(client, "LOCK churn");
      send(client, "UNLOCK churn");
    }
    run();
    take(client);
  }
};

TEST_F(ServiceEvents, WatchersHearOfTheirPrefixInOrder) {
  auto& a = connect();
  auto& w = connect(3);
  EXPECT_THAT(ask(w, "EVENTS PREFIX or"), StartsWith("%2\r\n$11\r\nincarnation\r\n:1\r\n$8\r\nrevision\r\n"));
  ask(a, "LOCK other");
  ask(a, "LOCK orders");
  const std::string got = take(w);
  EXPECT_THAT(got, StartsWith(">5\r\n$5\r\ncleat\r\n$5\r\nevent\r\n$6\r\norders\r\n"));
  EXPECT_EQ(count(got, ">5\r\n"), 1u);
  EXPECT_EQ(ask(w, "NOEVENTS"), "+OK\r\n");
  ask(a, "UNLOCK orders");
  EXPECT_EQ(take(w), "");
}

TEST_F(ServiceEvents, ManyWatchersGetMuchInSeveralTurns) {
  auto& a = connect();
  for (int i = 0; i < 100; ++i) ask(a, "LOCK n" + std::to_string(i) + " DATA " + std::string(4000, 'd'));
  std::vector<Client*> watchers(20);
  for (Client*& w : watchers) w = &connect(3);
  for (Client* w : watchers) send(*w, "EVENTS FROM 0");
  size_t before = 0, most = 0;
  do {
    turn();
    size_t all = 0;
    for (const Client* w : watchers) all += w->got.size();
    most = std::max(most, all - std::exchange(before, all));
  } while (service_->has_more() || input_comes());
  EXPECT_LT(most, (4u << 20) + (512u << 10));
  for (const Client* w : watchers) EXPECT_EQ(count(w->got, ">5\r\n"), 100u);
}

TEST_F(ServiceEvents, WhatWatchersLeftBehindIsForNobody) {
  auto& a = connect();
  for (int i = 0; i < 150; ++i) ask(a, "LOCK n" + std::to_string(i) + " DATA " + std::string(4000, 'd'));
  std::vector<Client*> watchers(20);
  for (Client*& w : watchers) w = &connect(3);
  for (Client* w : watchers) send(*w, "EVENTS FROM 0");
  turn();
  ASSERT_TRUE(service_->has_more());
  service_->begin_turn();
  for (const Client* w : watchers) service_->disconnected(*w->connection);
  service_->finish_turn();
  service_->destroy_gone();
  EXPECT_FALSE(service_->has_more()) << "the loop would turn without a pause";
}

TEST_F(ServiceEvents, WatchersOfOtherNamesCostOneTurnLittle) {
  auto& a = connect();
  churn(a, 100);
  std::vector<Client*> watchers(150);
  for (Client*& w : watchers) w = &connect(3);
  for (Client* w : watchers) send(*w, "EVENTS PREFIX orders FROM 0");
  turn();
  EXPECT_TRUE(service_->has_more()) << "200 events for each of 150";
  run();
  for (Client* w : watchers) take(*w);
  ask(a, "LOCK orders");
  for (Client* w : watchers) EXPECT_EQ(count(take(*w), ">5\r\n"), 1u);
}

TEST_F(ServiceEvents, OnesOwnAnswerPrecedesItsEvent) {
  auto& w = connect(3);
  ask(w, "EVENTS");
  EXPECT_THAT(ask(w, "LOCK x"), StartsWith(":1\r\n>5\r\n"));
}

TEST_F(ServiceEvents, FromARevisionMissesNothing) {
  auto& a = connect();
  auto& w = connect(3);
  ask(a, "LOCK x");
  const auto revision = replica_->machine().revision().value;
  ask(a, "UNLOCK x");
  ask(a, "LOCK y");
  const std::string got = ask(w, "EVENTS FROM " + std::to_string(revision));
  EXPECT_EQ(count(got, "$5\r\nevent\r\n$"), 2u * 2) << got;  // as kind, and as a field of the map
  EXPECT_THAT(got, HasSubstr("released"));
  EXPECT_THAT(got, Not(HasSubstr("$3\r\ngap\r\n")));
}

TEST_F(ServiceEvents, FromTooOldARevisionGivesOneGap) {
  config_.event_buffer = 16;
  start();
  auto& a = connect();
  auto& w = connect(3);
  churn(a, 20);
  const std::string got = ask(w, "EVENTS FROM 1");
  EXPECT_EQ(count(got, "$3\r\ngap\r\n"), 1u);
  EXPECT_EQ(count(got, ">5\r\n"), 1u + 16u);
  churn(a, 1);
  EXPECT_EQ(count(take(w), "$3\r\ngap\r\n"), 0u);
}

TEST_F(ServiceEvents, AWatcherThatReadsTooSlowlyGetsOneGapAndGoesOn) {
  config_.event_buffer = 1'000;
  start();
  auto& a = connect();
  auto& w = connect(3);
  ask(w, "EVENTS");
  w.reads = false;
  const int pairs = 3'000;
  for (int i = 0; i < pairs; i += 100) churn(a, 100);
  ASSERT_NE(w.connection, nullptr);
  EXPECT_LE(w.connection->unsent(), static_cast<size_t>(config_.event_pause_bytes) + 1'000) << "no more is kept for it";
  w.reads = true;
  run();
  const std::string got = take(w);
  EXPECT_EQ(count(got, "$3\r\ngap\r\n"), 1u);
  churn(a, 1);
  EXPECT_EQ(count(take(w), ">5\r\n"), 2u);
}

TEST_F(ServiceEvents, SubscribersGetALineOfJson) {
  auto& a = connect();
  auto& s = connect();
  EXPECT_EQ(ask(s, "SUBSCRIBE cleat:x"), "*3\r\n$9\r\nsubscribe\r\n$7\r\ncleat:x\r\n:1\r\n");
  ask(a, "LOCK y");
  EXPECT_EQ(take(s), "");
  ask(a, "LOCK x");
  const std::string got = take(s);
  EXPECT_THAT(got, StartsWith("*3\r\n$7\r\nmessage\r\n$7\r\ncleat:x\r\n$"));
  EXPECT_THAT(got, HasSubstr("\"kind\":\"event\""));
  EXPECT_THAT(got, HasSubstr("\"event\":\"granted\""));
  EXPECT_EQ(ask(s, "UNSUBSCRIBE"), "*3\r\n$11\r\nunsubscribe\r\n$7\r\ncleat:x\r\n:0\r\n");
  ask(a, "UNLOCK x");
  EXPECT_EQ(take(s), "");
}

TEST_F(ServiceEvents, PatternsMatchChannels) {
  auto& a = connect();
  auto& s = connect();
  EXPECT_EQ(ask(s, "PSUBSCRIBE cleat:or*"), "*3\r\n$10\r\npsubscribe\r\n$9\r\ncleat:or*\r\n:1\r\n");
  ask(a, "LOCK x");
  EXPECT_EQ(take(s), "");
  ask(a, "LOCK orders");
  EXPECT_THAT(take(s), StartsWith("*4\r\n$8\r\npmessage\r\n$9\r\ncleat:or*\r\n$12\r\ncleat:orders\r\n$"));
  EXPECT_EQ(ask(s, "PUNSUBSCRIBE cleat:or*"), "*3\r\n$12\r\npunsubscribe\r\n$9\r\ncleat:or*\r\n:0\r\n");
}

TEST_F(ServiceEvents, ASubscribedRespTwoConnectionMayDoLittleElse) {
  auto& s = connect();
  EXPECT_EQ(ask(s, "LOCK kept"), ":1\r\n");
  ask(s, "SUBSCRIBE cleat:x");
  EXPECT_THAT(ask(s, "LOCK y"), StartsWith("-ERR Can't execute 'lock': only (P)SUBSCRIBE"));
  EXPECT_EQ(ask(s, "PING"), "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
  EXPECT_EQ(ask(connect(), "LOCK kept WAIT 0"), "$-1\r\n") << "locks taken before stay";
  EXPECT_EQ(ask(s, "RESET"), "+RESET\r\n");
  EXPECT_EQ(ask(s, "LOCK y"), ":2\r\n");
  auto& three = connect(3);
  ask(three, "SUBSCRIBE cleat:x");
  EXPECT_EQ(ask(three, "LOCK z"), ":3\r\n") << "RESP3 has no such rule";
}

TEST_F(ServiceEvents, SubscriptionsHaveALimit) {
  config_.max_subscriptions = 2;
  auto& s = connect();
  EXPECT_THAT(ask(s, "SUBSCRIBE a b c"), MatchesRegex("\\*3.*:1\r\n\\*3.*:2\r\n-LIMIT max-subscriptions .*"));
}

TEST_F(ServiceEvents, ASubscriberThatReadsTooSlowlyGetsOneGap) {
  auto& a = connect();
  auto& s = connect();
  ask(s, "SUBSCRIBE cleat:churn");
  s.reads = false;
  for (int i = 0; i < 30; ++i) churn(a, 100);
  EXPECT_LE(s.connection->unsent(), static_cast<size_t>(config_.event_pause_bytes) + 1'000);
  s.reads = true;
  run();
  const std::string got = take(s);
  EXPECT_EQ(count(got, "\"kind\":\"gap\""), 1u);
  churn(a, 1);
  EXPECT_EQ(count(take(s), "\"kind\":\"event\""), 2u);
}

TEST_F(ServiceEvents, ASlowReaderOfAnswersIsNotReadFrom) {
  auto& a = connect();
  a.reads = false;
  const std::string request = "*2\r\n$4\r\nECHO\r\n$60000\r\n" + std::string(60'000, 'x') + "\r\n";
  for (int i = 0; i < 100; ++i) send_bytes(a, request);
  run();
  EXPECT_FALSE(service_->wants_input(*a.connection));
  EXPECT_LE(a.connection->unsent(), static_cast<size_t>(config_.read_pause_bytes) + 100'000);
  a.reads = true;
  run();
  EXPECT_EQ(count(take(a), "$60000\r\n"), 100u) << "nothing was lost";
}

TEST_F(ServiceEvents, WhereReadingPausesIsASetting) {
  auto& a = connect();
  auto& b = connect();
  EXPECT_EQ(ask(b, "CONFIG SET read-pause-bytes 128KiB"), "+OK\r\n");
  a.reads = false;
  const std::string request = "*2\r\n$4\r\nECHO\r\n$60000\r\n" + std::string(60'000, 'x') + "\r\n";
  for (int i = 0; i < 10; ++i) send_bytes(a, request);
  run();
  EXPECT_FALSE(service_->wants_input(*a.connection));
  EXPECT_EQ(a.connection->unsent(), 3 * 60'010u);
  a.reads = true;
  run();
  EXPECT_EQ(count(take(a), "$60000\r\n"), 10u);
}

TEST_F(ServiceEvents, WhereEventsPauseIsASetting) {
  auto& a = connect();
  auto& w = connect(3);
  auto& s = connect();
  EXPECT_EQ(ask(a, "CONFIG SET event-pause-bytes 8KiB"), "+OK\r\n");
  ask(w, "EVENTS");
  ask(s, "PSUBSCRIBE cleat:*");
  w.reads = s.reads = false;
  churn(a, 500);
  for (const Client* c : {&w, &s}) {
    EXPECT_GT(c->connection->unsent(), 8u << 10);
    EXPECT_LE(c->connection->unsent(), 9u << 10);
  }
}

TEST_F(ServiceEvents, OutputOfOneConnectionHasALimit) {
  config_.max_output_bytes = 16 << 10;
  auto& a = connect();
  auto& b = connect();
  a.reads = false;
  send_bytes(a, "*2\r\n$4\r\nECHO\r\n$20000\r\n" + std::string(20'000, 'x') + "\r\n");
  run();
  EXPECT_EQ(a.connection, nullptr);
  EXPECT_EQ(service_->metrics().connections_dropped_slow, 1u);
  EXPECT_EQ(ask(b, "PING"), "+PONG\r\n");
}

TEST_F(ServiceEvents, OutputOfAllConnectionsHasALimitThatTheSlowestMeets) {
  config_.max_output_total_bytes = 64 << 10;
  auto& a = connect();
  auto& b = connect();
  a.reads = b.reads = false;
  send_bytes(a, "*2\r\n$4\r\nECHO\r\n$40000\r\n" + std::string(40'000, 'x') + "\r\n");
  send_bytes(b, "*2\r\n$4\r\nECHO\r\n$30000\r\n" + std::string(30'000, 'x') + "\r\n");
  run();
  EXPECT_EQ(a.connection, nullptr);
  ASSERT_NE(b.connection, nullptr);
  b.reads = true;
  run();
  EXPECT_EQ(take(b).size(), 30'000u + 10);
}

TEST_F(ServiceEvents, InputOfAllConnectionsHasALimit) {
  config_.max_input_total_bytes = 64 << 10;
  auto& a = connect();
  auto& b = connect();
  send_bytes(a, "*2\r\n$4\r\nECHO\r\n$200000\r\n" + std::string(100'000, 'x'));
  run();
  EXPECT_THAT(take(a), StartsWith("-LIMIT max-input-total-bytes is reached"));
  EXPECT_EQ(a.connection, nullptr);
  EXPECT_EQ(ask(b, "PING"), "+PONG\r\n");
}

}  // namespace
}  // namespace cleat::server
