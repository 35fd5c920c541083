// The public library against a real server: what the threads of one program see.
#include <cleat/cleat.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "server_process.hpp"

namespace cleat::tests {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct LibraryTest : ::testing::Test {
  static void SetUpTestSuite() { server = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server.reset(); }

  static std::unique_ptr<ServerProcess> server;
  Client client{server->address()};
};
std::unique_ptr<ServerProcess> LibraryTest::server;

errc code_of(const Error& e) {
  return static_cast<errc>(e.code().value());
}

TEST_F(LibraryTest, EightThreadsOfOneClientExcludeEachOther) {
  Mutex one(client, "eight");
  Mutex same(client, "eight");
  int inside = 0;  // no atomic: what guards it is the lock
  int done = 0;
  uint64_t last_fence = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      Mutex& mutex = t % 2 == 0 ? one : same;
      for (int i = 0; i < 25; ++i) {
        const std::lock_guard lock(mutex);
        EXPECT_EQ(++inside, 1);
        EXPECT_GT(mutex.fence(), last_fence);
        last_fence = mutex.fence();
        EXPECT_TRUE(mutex.hold().held());
        ++done;
        --inside;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 8 * 25);
}

TEST_F(LibraryTest, ScopedLocksOfSeveralInAnyOrderDoNotDeadlock) {
  Mutex a(client, "several-a"), b(client, "several-b"), c(client, "several-c");
  int shared = 0;
  std::thread other([&] {
    for (int i = 0; i < 20; ++i) {
      const std::scoped_lock lock(a, b, c);
      ++shared;
    }
  });
  for (int i = 0; i < 20; ++i) {
    const std::scoped_lock lock(c, b, a);
    ++shared;
  }
  other.join();
  EXPECT_EQ(shared, 40);
}

TEST_F(LibraryTest, AnotherProgramIsExcludedAndSeesTheHolder) {
  Mutex mutex(client, "visible");
  Client other(server->address());
  Mutex theirs(other, "visible");
  std::unique_lock lock(mutex);
  EXPECT_THAT((*server)("show visible"), HasSubstr(client.session_id()));
  EXPECT_FALSE(theirs.try_lock());
  const auto began = boot_clock::now();
  EXPECT_FALSE(theirs.try_lock_for(100ms));
  EXPECT_GE(boot_clock::now() - began, 100ms);
  lock.unlock();
  std::unique_lock next(theirs, 5s);
  EXPECT_TRUE(next.owns_lock());
}

TEST_F(LibraryTest, UnlockWakesWhoWaits) {
  Mutex mutex(client, "wakes");
  mutex.lock();
  std::atomic<bool> got{false};
  std::thread waiter([&] {
    const std::lock_guard lock(mutex);
    got = true;
  });
  while ((*server)("show wakes").find("1 waiting") == std::string::npos) std::this_thread::yield();
  EXPECT_FALSE(got);
  const Hold hold = mutex.hold();
  EXPECT_GT(hold.deadline(), boot_clock::now());
  mutex.unlock();
  EXPECT_EQ(hold.deadline(), boot_clock::time_point::min());
  EXPECT_FALSE(hold.held());
  EXPECT_FALSE(hold.stop_token().stop_requested()) << "it was let go, not lost";
  waiter.join();
}

TEST_F(LibraryTest, ATimedWaitThatEndsLeavesNothingInTheQueue) {
  Mutex mutex(client, "timed");
  const std::lock_guard lock(mutex);
  std::thread([&] { EXPECT_FALSE(mutex.try_lock_until(std::chrono::system_clock::now() + 50ms)); }).join();
  EXPECT_THAT((*server)("show timed --json"), HasSubstr("\"waiters_total\":0"));
}

TEST_F(LibraryTest, ReadersShareAndAWriterWaitsForThem) {
  SharedMutex mutex(client, "shared");
  std::shared_lock first(mutex);
  std::thread([&] {
    const std::shared_lock second(mutex, std::try_to_lock);
    EXPECT_TRUE(second.owns_lock());
    EXPECT_NE(second.mutex()->fence(), 0u);
  }).join();
  std::thread([&] { EXPECT_FALSE(mutex.try_lock()); }).join();
  first.unlock();
  const std::unique_lock writer(mutex, 5s);
  ASSERT_TRUE(writer.owns_lock());
  std::thread([&] { EXPECT_FALSE(mutex.try_lock_shared_for(20ms)); }).join();
}

TEST_F(LibraryTest, TheOwnerOfARecursiveMutexEntersAgain) {
  RecursiveMutex mutex(client, "recursive");
  mutex.lock();
  const uint64_t fence = mutex.fence();
  EXPECT_TRUE(mutex.try_lock());
  EXPECT_EQ(mutex.fence(), fence);
  mutex.unlock();
  std::thread([&] { EXPECT_FALSE(mutex.try_lock()); }).join();
  mutex.unlock();
  std::thread([&] {
    EXPECT_TRUE(mutex.try_lock_for(5s));
    EXPECT_GT(mutex.fence(), fence);
    mutex.unlock();
  }).join();
}

TEST_F(LibraryTest, LockingTwiceByOneThreadIsADeadlockAlsoThroughAnotherMutex) {
  Mutex mutex(client, "twice");
  Mutex same(client, "twice");
  const std::lock_guard lock(mutex);
  for (Mutex* m : {&mutex, &same}) {
    try {
      m->lock();
      FAIL() << "locked twice";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), std::errc::resource_deadlock_would_occur) << e.what();
    }
    EXPECT_FALSE(m->try_lock());
  }
}

TEST_F(LibraryTest, MaxHoldEndsAHoldAndItsHolderHearsOfIt) {
  Mutex mutex(client, "max-hold", {.max_hold = 300ms});
  mutex.lock();
  const Hold hold = mutex.hold();
  EXPECT_LE(hold.deadline(), boot_clock::now() + 300ms);
  std::atomic<bool> stopped{false};
  const std::stop_callback callback(hold.stop_token(), [&] {
    stopped = true;
    stopped.notify_all();
  });
  stopped.wait(false);
  while (hold.held()) std::this_thread::yield();
  EXPECT_FALSE(hold.why_lost().empty());
  Client other(server->address());
  Mutex theirs(other, "max-hold");
  EXPECT_TRUE(theirs.try_lock_for(5s));
  EXPECT_GT(theirs.fence(), hold.fence());
  EXPECT_THROW(mutex.lock(), Error) << "it must be unlocked first";
  mutex.unlock();
  theirs.unlock();
}

TEST_F(LibraryTest, TheEndOfAClientLetsGoAndEndsWhatWaits) {
  auto first = std::make_unique<Client>(server->address());
  Mutex held(*first, "end");
  held.lock();
  const Hold hold = held.hold();
  std::thread waiter([&] {
    try {
      held.lock();
      ADD_FAILURE() << "locked with a dead client";
    } catch (const Error& e) {
      EXPECT_EQ(code_of(e), errc::closed);
    }
  });
  while ((*server)("show end").find("1 waiting") == std::string::npos) std::this_thread::yield();
  first.reset();
  waiter.join();
  EXPECT_FALSE(hold.held());
  EXPECT_TRUE(hold.stop_token().stop_requested());
  Mutex mine(client, "end");
  EXPECT_TRUE(mine.try_lock());
  mine.unlock();
  held.unlock();
}

TEST_F(LibraryTest, AStrangersRefusalIsAnError) {
  Mutex bad(client, "line\nbreak");
  try {
    bad.lock();
    FAIL() << "that is no name";
  } catch (const Error& e) {
    EXPECT_EQ(code_of(e), errc::bad_name) << e.what();
  }
  EXPECT_THROW(Mutex(client, "p", {.priority = 10}).lock(), Error);
}

}  // namespace
}  // namespace cleat::tests
