// What the library says to programs that use it wrongly, if they go on (death_test.cpp: if they do not), and to
// children of fork(2).
#include <cleat/cleat.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <thread>

#include "server_process.hpp"

namespace cleat::tests {
namespace {

struct MisuseTest : ::testing::Test {
  static void SetUpTestSuite() { server = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server.reset(); }

  static std::unique_ptr<ServerProcess> server;
};
std::unique_ptr<ServerProcess> MisuseTest::server;

TEST_F(MisuseTest, LockingInACallbackOfAStopTokenIsAnError) {
  Client client(server->address());
  Mutex mutex(client, "short", {.max_hold = std::chrono::milliseconds(50)});
  mutex.lock();
  std::promise<std::error_code> told;
  const std::stop_callback callback(mutex.stop_token(), [&] {
    try {
      Mutex(client, "another").lock();
      told.set_value({});
    } catch (const Error& e) {
      told.set_value(e.code());
    }
  });
  EXPECT_EQ(told.get_future().get(), errc::deadlock);
  mutex.unlock();
}

TEST_F(MisuseTest, LockingWhenTheClientIsGoneIsAnError) {
  auto client = std::make_unique<Client>("127.0.0.1:1");
  Mutex mutex(*client, "orders");
  client.reset();
  for (const auto& call : {+[](Mutex& m) { m.lock(); }, +[](Mutex& m) { (void)m.try_lock(); }}) {
    try {
      call(mutex);
      FAIL() << "locked without a Client";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), errc::closed) << e.what();
    }
  }
}

TEST_F(MisuseTest, AChildOfForkWithAClientOfItsOwnIsAnotherProgram) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "TSan takes a child's threads for those of its parent that the child does not have";
#endif
  Client client(server->address());
  Mutex mutex(client, "family");
  mutex.lock();
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 1;
    {
      Client own(server->address());
      Mutex theirs(own, "family"), free(own, "free");
      status = !theirs.try_lock() && free.try_lock() ? 0 : 2;
      if (status == 0) free.unlock();
    }
    ::_exit(status);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  mutex.unlock();
}

TEST_F(MisuseTest, AChildOfForkCanNeitherLockNorHarm) {
  auto client = std::make_unique<Client>(server->address());
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
  Client other(server->address());
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
