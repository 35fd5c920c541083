// What a Client tells its program by the callbacks of its options: locks taken against their ranks, and what happened
// to the connection.
#include <cleat/cleat.hpp>
#include <cleat/testing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace cleat::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct RankTest : ::testing::Test {
  FakeService service;
  std::vector<std::string> told;
  Client client{service, options()};

  Options options() {
    return {.on_rank_violation = [this](const RankViolation& violation) { told.push_back(violation.message()); }};
  }
};

TEST_F(RankTest, AgainstTheOrderIsToldWithBothPlaces) {
  const LockOptions low{.rank = 10};
  const unsigned low_line = __LINE__ - 1;
  Mutex accounts(client, "accounts", low);
  Mutex orders(client, "orders", {.rank = 20});
  const unsigned high_line = __LINE__ - 1;
  {
    const std::lock_guard first(accounts);
    const std::lock_guard second(orders);
  }
  EXPECT_THAT(told, ElementsAre());
  {
    const std::lock_guard first(orders);
    const std::lock_guard second(accounts);
  }
  const std::string file = __FILE__;
  EXPECT_THAT(told, ElementsAre(::testing::AllOf(
                        HasSubstr("'accounts' (rank 10, declared at " + file + ":" + std::to_string(low_line) + ")"),
                        HasSubstr("'orders' (rank 20, declared at " + file + ":" + std::to_string(high_line) + ")"))));
}

TEST_F(RankTest, TheSameRankIsAgainstTheOrderAndOnlyTheHighestCounts) {
  Mutex a(client, "a", {.rank = 1}), b(client, "b", {.rank = 2}), same(client, "same", {.rank = 2});
  SharedMutex c(client, "c", {.rank = 3});
  const std::scoped_lock both(a, b);
  {
    const std::lock_guard lock(same);
    EXPECT_THAT(told, ElementsAre(HasSubstr("'same'")));
    EXPECT_THAT(told[0], HasSubstr("while 'b'"));
  }
  const std::shared_lock reader(c);
  EXPECT_EQ(told.size(), 1u);
}

TEST_F(RankTest, RanksMayBeNegative) {
  Mutex low(client, "low", {.rank = -2}), high(client, "high", {.rank = -1});
  const std::lock_guard first(high);
  const std::lock_guard second(low);
  EXPECT_THAT(told, ElementsAre(HasSubstr("'low' (rank -2, "))) << "and then it waits after all";
  EXPECT_EQ(service.state("low").holders, 1u);
}

TEST_F(RankTest, TriesAndScopedLocksAndUnrankedLocksAreNoViolation) {
  Mutex low(client, "low", {.rank = 1}), high(client, "high", {.rank = 2}), plain(client, "plain");
  { const std::scoped_lock all(high, plain, low); }
  const std::lock_guard lock(high);
  EXPECT_TRUE(low.try_lock());
  low.unlock();
  const std::lock_guard other(plain);
  std::thread([&] { const std::lock_guard another_thread(low); }).join();
  EXPECT_THAT(told, ElementsAre());
  EXPECT_TRUE(low.try_lock_for(1s));
  low.unlock();
  EXPECT_EQ(told.size(), 1u) << "this one would have waited";
}

TEST_F(RankTest, WhatIsLetGoOrLostDoesNotCount) {
  Mutex low(client, "low", {.rank = 1});
  RecursiveMutex high(client, "high", {.rank = 2});
  high.lock();
  high.lock();
  high.unlock();
  high.unlock();
  low.lock();
  low.unlock();
  EXPECT_THAT(told, ElementsAre());
  high.lock();
  service.end_session(client.session_id());
  low.lock();
  EXPECT_THAT(told, ElementsAre());
  low.unlock();
  high.unlock();
}

TEST_F(RankTest, AHandlerThatThrowsKeepsTheLockFromBeingTaken) {
  Client strict(service, {.on_rank_violation = [](const RankViolation& v) { throw std::logic_error(v.message()); }});
  Mutex low(strict, "low", {.rank = 1}), high(strict, "high", {.rank = 2});
  const std::lock_guard lock(high);
  EXPECT_THROW(low.lock(), std::logic_error);
  EXPECT_EQ(service.state("low").holders, 0u);
}

struct EventTest : ::testing::Test {
  FakeService service;
  std::vector<ClientEvent::Kind> told;
  std::string last;
};

TEST_F(EventTest, TheWayOfAConnectionIsTold) {
  Client client(service, {.on_event = [this](const ClientEvent& event) {
                  told.push_back(event.kind);
                  last = event.message;
                }});
  Mutex mutex(client, "a");
  mutex.lock();
  mutex.unlock();
  EXPECT_THAT(told, ElementsAre(ClientEvent::Kind::connected));
  service.disconnect();
  service.advance(2s);
  EXPECT_THAT(told,
              ElementsAre(ClientEvent::Kind::connected, ClientEvent::Kind::disconnected, ClientEvent::Kind::connected));
  told.clear();
  service.end_session(client.session_id());
  service.advance(5s);
  EXPECT_THAT(told, ::testing::Contains(ClientEvent::Kind::session_lost));
  EXPECT_EQ(told.back(), ClientEvent::Kind::connected) << "with the next session";
  told.clear();
  service.stop();
  service.advance(1s);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.back(), ClientEvent::Kind::disconnected);
  EXPECT_FALSE(last.empty());
}

}  // namespace
}  // namespace cleat::testing
