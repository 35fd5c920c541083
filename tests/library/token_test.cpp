// Locks by token against a real server.
#include <cleat/cleat.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mutex>
#include <thread>

#include "server_process.hpp"

namespace cleat::tests {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

struct TokenTest : ::testing::Test {
  static void SetUpTestSuite() { server = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server.reset(); }

  static TokenLock lock(const std::string& name, TokenOptions options = {}) {
    return TokenLock(server->address(), name, std::move(options));
  }
  static void wait_until_shown(const std::string& name, const std::string& what) {
    while ((*server)("show " + name + " --json").find(what) == std::string::npos) std::this_thread::yield();
  }

  static std::unique_ptr<ServerProcess> server;
};
std::unique_ptr<ServerProcess> TokenTest::server;

TEST_F(TokenTest, TokensExcludeEachOtherAndSessions) {
  TokenLock one = lock("token"), other = lock("token");
  EXPECT_EQ(one.token().size(), 32u);
  EXPECT_NE(one.token(), other.token());
  EXPECT_THROW((void)one.fence(), Error);
  EXPECT_FALSE(one.held());
  const auto before = boot_clock::now();
  std::unique_lock guard(one);
  EXPECT_TRUE(one.held());
  EXPECT_GE(one.deadline(), before + 29s);
  EXPECT_LE(one.deadline(), boot_clock::now() + 30s);
  EXPECT_FALSE(other.try_lock());
  EXPECT_FALSE(other.try_lock_for(20ms));
  EXPECT_FALSE(other.held());
  EXPECT_THAT((*server)("sessions"), Not(HasSubstr("session "))) << "no session is needed";
  {
    Client client(server->address());
    EXPECT_FALSE(Mutex(client, "token").try_lock());
  }
  const uint64_t fence = one.fence();
  guard.unlock();
  EXPECT_FALSE(one.held());
  EXPECT_EQ(one.fence(), fence);
  EXPECT_TRUE(other.try_lock_until(boot_clock::now() + 1s));
  EXPECT_GT(other.fence(), fence);
  EXPECT_TRUE(other.unlock());
}

TEST_F(TokenTest, LockingAgainIsTheSameHold) {
  TokenLock one = lock("again", {.ttl = 2s});
  one.lock();
  const auto end = one.deadline();
  const uint64_t fence = one.fence();
  TokenLock same = lock("again", {.token = one.token()});
  EXPECT_TRUE(same.try_lock());
  EXPECT_EQ(same.fence(), fence);
  EXPECT_GT(same.deadline(), end);
  one.lock();
  EXPECT_EQ(one.fence(), fence);
  EXPECT_GT(one.deadline(), end) << "what the other one made of it";
  EXPECT_TRUE(one.unlock());
  EXPECT_FALSE(same.renew()) << "it never was deeper";
}

TEST_F(TokenTest, AnotherProcessGoesOnWithTheToken) {
  TokenLock giver = lock("given");
  giver.lock();
  const pid_t child = ::fork();
  if (child == 0) {
    // Of its own, and one that it inherited.
    TokenLock taker = lock("given", {.token = giver.token()});
    const bool ok = taker.renew() && taker.held() && giver.renew() && taker.unlock() && !giver.renew();
    ::_exit(ok ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_FALSE(giver.renew());
  EXPECT_FALSE(giver.held());
  EXPECT_TRUE(lock("given").try_lock());
}

TEST_F(TokenTest, ItEndsByItsTimeAndIsNotTakenForALaterHold) {
  TokenLock one = lock("short", {.ttl = 500ms});
  one.lock();
  const auto deadline = one.deadline();
  const uint64_t fence = one.fence();
  TokenLock other = lock("short");
  other.lock();
  EXPECT_GE(boot_clock::now(), deadline);
  EXPECT_FALSE(one.held());
  EXPECT_GT(other.fence(), fence);
  EXPECT_FALSE(one.renew());
  EXPECT_TRUE(one.unlock()) << "it is free of this hold";
  EXPECT_TRUE(other.renew());
  other.unlock();
  // The same token holds it again: what the first object had is over all the same.
  TokenLock same = lock("short", {.token = one.token()});
  same.lock();
  EXPECT_FALSE(one.renew());
  EXPECT_TRUE(one.unlock());
  EXPECT_TRUE(same.renew());
  same.unlock();
}

TEST_F(TokenTest, AfterALongWaitTheWholeTimeIsLeft) {
  TokenLock holder = lock("long-wait", {.ttl = 900ms});
  holder.lock();
  TokenLock waiter = lock("long-wait", {.ttl = 600ms});
  waiter.lock();
  EXPECT_TRUE(waiter.held());
  EXPECT_GT(waiter.deadline(), holder.deadline()) << "not counted from the beginning of the wait";
  waiter.unlock();
}

TEST_F(TokenTest, WhoJoinsAWaitOfTheSameTokenIsGrantedWithIt) {
  TokenLock holder = lock("joined");
  holder.lock();
  TokenLock first = lock("joined", {.token = "shared token"}), second = lock("joined", {.token = "shared token"});
  std::thread a([&] { EXPECT_FALSE(first.try_lock_for(100ms)); });
  wait_until_shown("joined", "\"waiters_total\":1");
  std::thread b([&] { EXPECT_TRUE(second.try_lock_for(20s)); });
  a.join();
  EXPECT_TRUE(holder.unlock());
  b.join();
  EXPECT_TRUE(second.held());
  EXPECT_TRUE(first.try_lock());
  EXPECT_EQ(first.fence(), second.fence());
  first.unlock();
}

TEST_F(TokenTest, ReadersShare) {
  TokenLock one = lock("read", {.shared = true}), two = lock("read", {.shared = true}), writer = lock("read");
  EXPECT_TRUE(one.try_lock() && two.try_lock());
  EXPECT_FALSE(writer.try_lock());
  EXPECT_TRUE(one.unlock() && two.unlock());
  EXPECT_TRUE(writer.try_lock());
  writer.unlock();
}

TEST_F(TokenTest, MaxHoldCountsIntoTheDeadline) {
  TokenLock one = lock("max-hold", {.lock = {.max_hold = 1s}});
  one.lock();
  EXPECT_LE(one.deadline(), boot_clock::now() + 1s);
  EXPECT_TRUE(one.renew());
  EXPECT_LE(one.deadline(), boot_clock::now() + 1s);
  one.unlock();
}

TEST_F(TokenTest, ItSurvivesARestartOfTheServer) {
  TokenLock one = lock("restarted");
  one.lock();
  server->kill();
  server->start();
  EXPECT_TRUE(one.renew());
  EXPECT_TRUE(one.unlock());
}

TEST_F(TokenTest, ErrorsTellWhatIsWrong) {
  const auto code = [](TokenLock bad) {
    try {
      bad.lock();
    } catch (const Error& e) {
      EXPECT_THAT(e.what(), HasSubstr("cleat::TokenLock"));
      return e.code();
    }
    return std::error_code();
  };
  EXPECT_EQ(code(lock("line\nbreak")), errc::bad_name);
  EXPECT_EQ(code(lock("token", {.token = std::string(65, 'x')})), errc::invalid);
  EXPECT_EQ(code(TokenLock("127.0.0.1:1", "token")), errc::unreachable);
  EXPECT_FALSE(TokenLock("127.0.0.1:1", "token").unlock());
  EXPECT_THROW(TokenLock("no port:x", "token"), Error);
}

}  // namespace
}  // namespace cleat::tests
