// What the library says to programs that use it wrongly.
#include <cleat/cleat.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <thread>

#include "server_process.hpp"

namespace cleat::tests {
namespace {

// The statements that die do so in a child of fork(2). It has no thread but one, like this process in that moment,
// which keeps the server and ends it.
struct MisuseTest : ::testing::Test {};

TEST_F(MisuseTest, UnlockingWhatIsNotHeldEndsTheProcessWithAMessage) {
  EXPECT_DEATH(
      {
        Client client("127.0.0.1:1");
        Mutex mutex(client, "orders");
        mutex.unlock();
      },
      "cleat::Mutex 'orders' unlocked by a thread that does not hold it");
}

TEST_F(MisuseTest, DestroyingWhatIsHeldEndsTheProcessWithAMessage) {
  const ServerProcess server;
  EXPECT_DEATH(
      {
        Client client(server.address());
        auto mutex = std::make_unique<SharedMutex>(client, "orders");
        mutex->lock_shared();
        mutex.reset();
      },
      "cleat::SharedMutex 'orders' destroyed while thread t[0-9]+ holds it");
}

TEST_F(MisuseTest, UnlockingInAnotherModeEndsTheProcessWithAMessage) {
  const ServerProcess server;
  EXPECT_DEATH(
      {
        Client client(server.address());
        SharedMutex mutex(client, "orders");
        mutex.lock();
        mutex.unlock_shared();
      },
      "unlocked in another mode");
}

TEST_F(MisuseTest, AChildOfForkCanNeitherLockNorHarm) {
  ServerProcess server;
  auto client = std::make_unique<Client>(server.address());
  auto mutex = std::make_unique<Mutex>(*client, "forked");
  mutex->lock();
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    try {
      (void)mutex->try_lock();
    } catch (const Error& e) {
      status = e.code() == errc::forked ? 0 : 2;
    }
    mutex->unlock();
    mutex.reset();
    client.reset();
    ::_exit(status);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(mutex->hold().held());
  Client other(server.address());
  EXPECT_FALSE(Mutex(other, "forked").try_lock());
  mutex->unlock();
}

TEST_F(MisuseTest, OptionsThatCannotBeMeantAreErrors) {
  EXPECT_THROW(Client("no port:x"), Error);
  Options options;
  options.ttl = std::chrono::milliseconds(1);
  EXPECT_THROW(Client{options}, Error);
  Client client("127.0.0.1:1");
  Mutex mutex(client, "orders");
  try {
    (void)mutex.fence();
    FAIL() << "nothing is held";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), errc::not_held);
  }
}

}  // namespace
}  // namespace cleat::tests
