// Bugs of a program for which the library ends it. Each dies in a child of fork(2) with a Client of its own. Under TSan
// such a child can have threads only if its parent had none: so the service is the one in memory, and these are not
// among tests that leave threads behind.
#include <cleat/cleat.hpp>
#include <cleat/testing.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <mutex>
#include <thread>

namespace cleat::testing {
namespace {

struct DeathTest : ::testing::Test {
  FakeService service;
};

TEST_F(DeathTest, UnlockingWhatIsNotHeld) {
  EXPECT_DEATH(
      {
        Client client(service);
        Mutex mutex(client, "orders");
        mutex.unlock();
      },
      "cleat::Mutex 'orders' unlocked by a thread that does not hold it");
}

TEST_F(DeathTest, DestroyingWhatIsHeld) {
  EXPECT_DEATH(
      {
        Client client(service);
        auto mutex = std::make_unique<SharedMutex>(client, "prices");
        mutex->lock_shared();
        mutex.reset();
      },
      "cleat::SharedMutex 'prices' destroyed while thread t[0-9]+ holds it");
}

TEST_F(DeathTest, UnlockingInAnotherMode) {
  EXPECT_DEATH(
      {
        Client client(service);
        SharedMutex mutex(client, "prices");
        mutex.lock();
        mutex.unlock_shared();
      },
      "cleat::SharedMutex 'prices' unlocked in another mode");
}

TEST_F(DeathTest, UnlockingWhatAnotherThreadHolds) {
  EXPECT_DEATH(
      {
        Client client(service);
        Mutex mutex(client, "orders");
        mutex.lock();
        std::thread([&] { mutex.unlock(); }).join();
      },
      "cleat::Mutex 'orders' unlocked by a thread that does not hold it");
}

TEST_F(DeathTest, UnlockingARecursiveMutexOnceTooOften) {
  EXPECT_DEATH(
      {
        Client client(service);
        RecursiveMutex mutex(client, "orders");
        mutex.lock();
        mutex.lock();
        for (int i = 0; i < 3; ++i) mutex.unlock();
      },
      "cleat::RecursiveMutex 'orders' unlocked by a thread that does not hold it");
}

TEST_F(DeathTest, WaitingForALockAgainstItsRank) {
  EXPECT_DEATH(
      {
        Client client(service);
        const LockOptions first{.rank = 1};
        const LockOptions second{.rank = 2};
        Mutex low(client, "low", first);
        Mutex high(client, "high", second);
        const std::lock_guard lock(high);
        low.lock();
      },
      "cleat: lock 'low' .rank 1, .* is waited for while 'high' .rank 2, ");
}

}  // namespace
}  // namespace cleat::testing
