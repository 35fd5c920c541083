// The public library when servers restart, stop, and are not there.
#include <cleat/cleat.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "server_process.hpp"

namespace cleat::tests {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

Options options_for(const ServerProcess& server, std::chrono::milliseconds ttl) {
  Options options;
  options.servers = {server.address()};
  options.ttl = ttl;
  return options;
}

TEST(LibraryLossTest, HoldsAndPlacesInTheQueueSurviveARestartOfTheServer) {
  ServerProcess server;
  Client client(options_for(server, 20s));
  Mutex mutex(client, "restart");
  mutex.lock();
  const Hold hold = mutex.hold();
  const auto deadline = hold.deadline();
  std::atomic<uint64_t> next_fence{0};
  std::thread waiter([&] {
    const std::lock_guard lock(mutex);
    next_fence = mutex.fence();
  });
  while (server("show restart").find("1 waiting") == std::string::npos) std::this_thread::yield();
  server.kill();
  server.start();
  while (hold.deadline() == deadline) std::this_thread::yield();  // the first keep-alive that the new process confirmed
  EXPECT_TRUE(hold.held());
  EXPECT_FALSE(hold.stop_token().stop_requested());
  EXPECT_THAT(server("show restart --json"), HasSubstr("\"fence\":" + std::to_string(hold.fence())));
  mutex.unlock();
  waiter.join();
  EXPECT_EQ(next_fence, hold.fence() + 1) << "the waiter kept its place: nothing was granted in between";
}

TEST(LibraryLossTest, LocksGoOnWhileTheServerIsKilledAgainAndAgain) {
  ServerProcess server;
  Client client(options_for(server, 20s));
  Mutex mutex(client, "killed");
  std::atomic<bool> over{false};
  int inside = 0, rounds = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      while (!over) {
        const std::lock_guard lock(mutex);
        EXPECT_EQ(++inside, 1);
        ++rounds;
        --inside;
      }
    });
  }
  const auto round_now = [&] {
    const std::lock_guard lock(mutex);
    return rounds;
  };
  for (int i = 0; i < 3; ++i) {
    const int before = round_now();
    while (round_now() < before + 20) {
    }
    server.kill();
    server.start();
  }
  const int before = round_now();
  while (round_now() < before + 20) {
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
}

TEST(LibraryLossTest, AHoldIsLostAtItsLocalDeadlineAndNotGrantedToOthersBefore) {
  ServerProcess server;
  Client client(options_for(server, 1'500ms));
  Mutex mutex(client, "stopped");
  mutex.lock();
  const Hold hold = mutex.hold();
  server.pause();
  std::atomic<bool> stopped{false};
  boot_clock::time_point warned_at, deadline;
  const std::stop_callback callback(hold.stop_token(), [&] {
    warned_at = boot_clock::now();
    deadline = hold.deadline();
    stopped = true;
    stopped.notify_all();
  });
  stopped.wait(false);
  EXPECT_GE(warned_at, deadline - 500ms) << "a third of the TTL before";
  EXPECT_LT(warned_at, deadline) << "there is time to let go in good order";
  EXPECT_TRUE(hold.held());
  while (hold.held()) std::this_thread::yield();
  EXPECT_GE(boot_clock::now(), deadline);
  EXPECT_THAT(hold.why_lost(), HasSubstr("without contact"));
  server.go_on();
  // What is lost stays lost, although the service still knew the session, and is let go by itself.
  Client other(options_for(server, 10s));
  Mutex theirs(other, "stopped");
  ASSERT_TRUE(theirs.try_lock_for(20s));
  EXPECT_GT(theirs.fence(), hold.fence());
  EXPECT_FALSE(hold.held());
  theirs.unlock();
  mutex.unlock();
  mutex.lock();
  EXPECT_GT(mutex.fence(), hold.fence());
  mutex.unlock();
}

TEST(LibraryLossTest, AWaiterGoesOnWithANewSessionWhenTheServerForgotTheOldOne) {
  ServerProcess server;
  Client client(options_for(server, 1'000ms));
  Mutex mutex(client, "forgotten");
  mutex.lock();
  const Hold hold = mutex.hold();
  std::thread waiter([&] { const std::lock_guard lock(mutex); });
  while (server("show forgotten").find("1 waiting") == std::string::npos) std::this_thread::yield();
  server.forget();
  server.start();
  waiter.join();
  EXPECT_FALSE(hold.held());
  EXPECT_TRUE(hold.stop_token().stop_requested());
  mutex.unlock();
}

TEST(LibraryLossTest, WithoutAServerCallsEndWithAnError) {
  std::string address;
  {
    const ServerProcess gone;
    address = gone.address();
  }
  Options options;
  options.servers = {address};
  options.connect_timeout = 200ms;
  Client client(options);
  Mutex mutex(client, "nowhere");
  for (const auto& call : {+[](Mutex& m) { m.lock(); }, +[](Mutex& m) { (void)m.try_lock(); },
                           +[](Mutex& m) { (void)m.try_lock_for(10ms); }}) {
    try {
      call(mutex);
      FAIL() << "locked without a server";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), errc::unreachable);
      EXPECT_THAT(e.what(), HasSubstr(address));
    }
  }
}

TEST(LibraryLossTest, TheProgramOfTheGuideRuns) {
  ServerProcess server;
  const std::string command = std::string(CLEAT_GUIDE) + " " + server.address() + " 2>&1";
  FILE* out = ::popen(command.c_str(), "r");
  ASSERT_NE(out, nullptr);
  char buffer[4096] = "";
  const size_t n = std::fread(buffer, 1, sizeof buffer - 1, out);
  EXPECT_EQ(::pclose(out), 0) << buffer;
  EXPECT_THAT(std::string(buffer, n), HasSubstr("saved order 1 with fence "));
}

}  // namespace
}  // namespace cleat::tests
