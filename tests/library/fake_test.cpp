// The service in memory: what users' own tests build on. Nothing here sleeps, and time moves only by advance().
#include <cleat/cleat.hpp>
#include <cleat/testing.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace cleat::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct FakeTest : ::testing::Test {
  FakeService service;
  Client client{service};
  Client other{service};
};

errc code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return static_cast<errc>(e.code().value());
  }
  return {};
}

TEST_F(FakeTest, LocksExcludeAndFencesGrow) {
  Mutex mine(client, "orders"), theirs(other, "orders");
  mine.lock();
  const uint64_t fence = mine.fence();
  EXPECT_EQ(service.state("orders").fence, fence);
  EXPECT_FALSE(theirs.try_lock());
  mine.unlock();
  ASSERT_TRUE(theirs.try_lock());
  EXPECT_GT(theirs.fence(), fence);
  theirs.unlock();
  EXPECT_EQ(service.state("orders").holders, 0u);
}

TEST_F(FakeTest, HoldsLiveAsLongAsThereIsContact) {
  Mutex mutex(client, "kept");
  mutex.lock();
  const Hold hold = mutex.hold();
  service.advance(24h);
  EXPECT_TRUE(hold.held());
  EXPECT_FALSE(hold.stop_token().stop_requested());
  EXPECT_GT(hold.time_left(), 6s) << "a keep-alive goes out at each third of the TTL";
  EXPECT_EQ(hold.deadline(), service.now() + hold.time_left());
  mutex.unlock();
}

TEST_F(FakeTest, AHolderThatIsCutOffIsWarnedThenLosesItAndOnlyThenOthersGetIt) {
  Mutex mine(client, "cut"), theirs(other, "cut");
  mine.lock();
  const Hold hold = mine.hold();
  boot_clock::time_point warned{};
  const std::stop_callback callback(hold.stop_token(), [&] { warned = service.now(); });
  service.set_network(Network::cut);
  const auto deadline = hold.deadline();
  EXPECT_EQ(deadline, service.now() + 10s);
  service.advance(6'999ms);
  EXPECT_FALSE(hold.stop_token().stop_requested());
  service.advance(1ms);
  EXPECT_EQ(warned, deadline - 3s);
  service.advance(2'999ms);
  EXPECT_TRUE(hold.held());
  service.advance(1ms);
  EXPECT_FALSE(hold.held());
  EXPECT_EQ(hold.time_left(), 0s);
  EXPECT_THAT(hold.why_lost(), HasSubstr("without contact"));
  EXPECT_EQ(service.state("cut").holders, 1u) << "the service waits for longer than any client believes";
  service.advance(1s);
  EXPECT_EQ(service.state("cut").holders, 0u);
  service.set_network(Network::up);
  service.advance(1s);
  ASSERT_TRUE(theirs.try_lock());
  EXPECT_GT(theirs.fence(), hold.fence());
  mine.unlock();
  theirs.unlock();
}

TEST_F(FakeTest, AfterALossItMustBeUnlockedFirst) {
  Mutex mutex(client, "lost");
  mutex.lock();
  service.end_session(client.session_id());
  EXPECT_TRUE(mutex.stop_token().stop_requested()) << "told by a push, without time passing";
  EXPECT_EQ(code_of([&] { mutex.lock(); }), errc::lost);
  mutex.unlock();
  mutex.lock();
  mutex.unlock();
}

TEST_F(FakeTest, PlacesInTheQueueAndHoldsSurviveARestart) {
  Mutex mine(client, "restart"), theirs(other, "restart");
  mine.lock();
  std::thread waiter([&] { theirs.lock(); });
  ASSERT_TRUE(service.await_waiters("restart", 1));
  service.stop();
  service.advance(5s);
  service.start();
  service.advance(1s);
  EXPECT_TRUE(mine.hold().held());
  EXPECT_GT(mine.hold().time_left(), 6s) << "confirmed again";
  EXPECT_EQ(service.state("restart").waiters, 1u);
  const uint64_t fence = mine.fence();
  mine.unlock();
  waiter.join();
  EXPECT_EQ(service.state("restart").fence, fence + 1);
  service.end_session(other.session_id());
}

TEST_F(FakeTest, OneThreadCanSeeATimedWaitRunOut) {
  Mutex mine(client, "timed"), theirs(other, "timed");
  const std::lock_guard lock(mine);
  service.set_auto_advance(true);
  const auto began = service.now();
  EXPECT_FALSE(theirs.try_lock_for(2s));
  EXPECT_GE(service.now(), began + 2s);
  EXPECT_LT(service.now(), began + 3s);
  EXPECT_FALSE(theirs.try_lock_until(client.now() + 1s));
  EXPECT_GE(service.now(), began + 3s);
  EXPECT_TRUE(mine.hold().held());
  EXPECT_EQ(service.state("timed").waiters, 0u);
}

TEST_F(FakeTest, AThreadThatWaitsSeesTheTimeThatTheTestLetsPass) {
  Mutex mine(client, "threads");
  const std::lock_guard lock(mine);
  bool got = true;
  std::thread waiter([&] { got = Mutex(other, "threads").try_lock_for(30s); });
  ASSERT_TRUE(service.await_waiters("threads", 1));
  service.advance(29s);
  EXPECT_EQ(service.state("threads").waiters, 1u);
  service.advance(2s);
  waiter.join();
  EXPECT_FALSE(got);
}

TEST_F(FakeTest, AProgramThatStoodStillKnowsAtOnceThatItsHoldIsLost) {
  Mutex mine(client, "suspended"), theirs(other, "suspended");
  mine.lock();
  const Hold hold = mine.hold();
  bool held_in_callback = true;
  const std::stop_callback callback(hold.stop_token(), [&] { held_in_callback = hold.held(); });
  service.stall(client, 6s);
  EXPECT_TRUE(hold.held());
  EXPECT_GT(hold.time_left(), 9s) << "confirmed as soon as it was awake";
  service.stall(client, 20s);
  EXPECT_FALSE(hold.held());
  EXPECT_FALSE(held_in_callback);
  EXPECT_TRUE(theirs.try_lock());
  EXPECT_GT(theirs.fence(), hold.fence());
  theirs.unlock();
  mine.unlock();
  mine.lock();
  mine.unlock();
}

TEST_F(FakeTest, MaxHoldEndsAHold) {
  Mutex mine(client, "short", {.max_hold = 5s});
  mine.lock();
  service.advance(5s);
  EXPECT_FALSE(mine.hold().held());
  Mutex theirs(other, "short");
  EXPECT_TRUE(theirs.try_lock());
  theirs.unlock();
  mine.unlock();
}

TEST_F(FakeTest, WhatWasDoneUnheardIsNotDoneTwice) {
  Mutex mine(client, "twice");
  mine.lock();
  mine.unlock();
  service.set_network(Network::answers_cut);
  std::thread caller([&] { mine.lock(); });
  while (service.state("twice").holders == 0) std::this_thread::yield();
  const uint64_t fence = service.state("twice").fence;
  service.disconnect();
  service.advance(1s);
  EXPECT_EQ(service.state("twice").fence, fence);
  service.set_network(Network::up);
  service.advance(1s);
  caller.join();
  EXPECT_EQ(service.state("twice").fence, fence) << "the same REQ gave the first answer";
  service.end_session(client.session_id());
}

TEST_F(FakeTest, ConnectionsThatBreakComeBackByThemselves) {
  Mutex mutex(client, "broken");
  const std::lock_guard lock(mutex);
  const std::string session = client.session_id();
  for (int i = 0; i < 20; ++i) {
    service.disconnect();
    service.advance(3s);
  }
  EXPECT_TRUE(mutex.hold().held());
  EXPECT_EQ(client.session_id(), session);
}

TEST_F(FakeTest, ARestoreEndsAllAndFencesGoOn) {
  Mutex mine(client, "restored");
  mine.lock();
  const Hold hold = mine.hold();
  service.restore();
  service.advance(1s);
  EXPECT_FALSE(hold.held());
  mine.unlock();
  mine.lock();
  EXPECT_GT(mine.fence(), hold.fence());
  mine.unlock();
}

TEST_F(FakeTest, AServiceThatIsStoppedIsUnreachable) {
  service.stop();
  service.set_auto_advance(true);
  Client late(service, {.connect_timeout = 3s});
  Mutex mutex(late, "nowhere");
  const auto began = service.now();
  EXPECT_EQ(code_of([&] { mutex.lock(); }), errc::unreachable);
  EXPECT_GE(service.now(), began + 3s);
}

TEST_F(FakeTest, CallbacksMayNotAskTheServiceNorLock) {
  Mutex mutex(client, "callback"), second(client, "second"), third(client, "third");
  mutex.lock();
  second.lock();
  errc asked{}, locked{};
  const std::stop_callback callback(mutex.stop_token(), [&] {
    asked = code_of([&] { service.advance(1s); });
    locked = code_of([&] { third.lock(); });
    second.unlock();
  });
  service.end_session(client.session_id());
  EXPECT_EQ(asked, errc::deadlock);
  EXPECT_EQ(locked, errc::deadlock);
  mutex.unlock();
}

TEST_F(FakeTest, ClientsMayOutliveTheService) {
  auto service_too = std::make_unique<FakeService>();
  Client mine(*service_too);
  Mutex mutex(mine, "outlives");
  service_too.reset();
  mutex.lock();
  EXPECT_TRUE(mutex.hold().held());
  mutex.unlock();
}

TEST_F(FakeTest, AClientThatIsCutOffCanBeDestroyed) {
  auto mine = std::make_unique<Client>(service);
  Mutex mutex(*mine, "destroyed");
  mutex.lock();
  const Hold hold = mutex.hold();
  service.set_network(Network::cut);
  mine.reset();
  EXPECT_FALSE(hold.held());
  mutex.unlock();
  service.advance(20s);
  EXPECT_EQ(service.state("destroyed").holders, 0u);
}

TEST_F(FakeTest, ThreadsOfSeveralClientsExcludeEachOther) {
  std::vector<std::unique_ptr<Client>> clients;
  clients.reserve(3);
  for (int i = 0; i < 3; ++i) clients.push_back(std::make_unique<Client>(service));
  std::atomic<bool> over{false};
  int inside = 0, done = 0;
  std::vector<std::thread> threads;
  threads.reserve(6);
  for (size_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      Mutex mutex(*clients[t % clients.size()], "crowd");
      for (int i = 0; i < 50; ++i) {
        const std::lock_guard lock(mutex);
        EXPECT_EQ(++inside, 1);
        ++done;
        --inside;
      }
    });
  }
  std::thread time([&] {
    while (!over) service.advance(10ms);
  });
  for (std::thread& thread : threads) thread.join();
  over = true;
  time.join();
  EXPECT_EQ(done, 300);
}

// What happens, and when, is the same in each run.
std::vector<boot_clock::duration> history_of_a_cut() {
  FakeService service;
  Client client(service);
  Mutex mutex(client, "same");
  mutex.lock();
  const auto began = service.now();
  std::vector<boot_clock::duration> history;
  history.reserve(5);
  for (int i = 0; i < 5; ++i) {
    service.disconnect();
    service.advance(800ms * i);
    history.push_back(mutex.deadline() - began);
  }
  mutex.unlock();
  return history;
}

TEST_F(FakeTest, EachRunIsTheSame) {
  EXPECT_EQ(history_of_a_cut(), history_of_a_cut());
}

}  // namespace
}  // namespace cleat::testing
