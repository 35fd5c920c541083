// Threads of a program that send and read for themselves while they wait alone (src/client/thread_runner.hpp): they
// stand in nobody's way, whatever becomes of them.
#include <cleat/cleat.hpp>

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "server_process.hpp"

namespace cleat::tests {
namespace {

using namespace std::chrono_literals;

struct CallerTest : ::testing::Test {
  static void SetUpTestSuite() { server = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server.reset(); }

  static Options options(std::chrono::milliseconds ttl) {
    Options out;
    out.servers = {server->address()};
    out.ttl = ttl;
    return out;
  }
  static std::unique_ptr<ServerProcess> server;
};
std::unique_ptr<ServerProcess> CallerTest::server;

std::atomic<bool> in_handler{false}, may_return{false};

void stay_for_long(int) {
  in_handler = true;
  for (int ms = 0; ms < 5'000 && !may_return; ++ms) ::poll(nullptr, 0, 1);
  in_handler = false;
}

// A signal for this thread, a little later.
void send_to_self(std::chrono::nanoseconds later) {
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGUSR1;
  event._sigev_un._tid = ::gettid();
  timer_t timer;
  ASSERT_EQ(::timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
  const itimerspec at{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = later.count()}};
  ASSERT_EQ(::timer_settime(timer, 0, &at, nullptr), 0);
}

TEST_F(CallerTest, AHandlerThatStaysForLongInOneStopsNoOther) {
  in_handler = may_return = false;
  struct sigaction action {
  }, before{};
  action.sa_handler = stay_for_long;
  ASSERT_EQ(::sigaction(SIGUSR1, &action, &before), 0);
  Client client(options(500ms)), other(server->address());
  Mutex theirs(other, "handler"), same(client, "handler"), free(client, "free");
  const std::unique_lock held(theirs);
  std::thread waiter([&] {
    for (int i = 0; i < 10; ++i) const std::lock_guard alone(free);
    send_to_self(2ms);
    EXPECT_FALSE(same.try_lock_for(1500ms));
  });
  while (!in_handler) std::this_thread::yield();
  {
    const std::lock_guard lock(free);
    const Hold hold = free.hold();
    const auto until = boot_clock::now() + 800ms;
    while (hold.held() && boot_clock::now() < until) std::this_thread::yield();
    EXPECT_TRUE(in_handler) << "others go on meanwhile";
    EXPECT_TRUE(hold.held()) << "the signs of life go on: " << hold.why_lost();
  }
  may_return = true;
  waiter.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_F(CallerTest, TheClientMayEndAtAnyMomentOfACall) {
  for (int round = 0; round < 40; ++round) {
    auto client = std::make_unique<Client>(server->address());
    Mutex mutex(*client, "end");
    std::atomic<int> locked{0};
    std::thread thread([&] {
      try {
        for (;; ++locked) const std::lock_guard lock(mutex);
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), errc::closed) << e.what();
      }
    });
    while (locked < round % 8) std::this_thread::yield();
    client.reset();
    thread.join();
  }
}

TEST_F(CallerTest, WithCallsThatNoThreadWaitsForEachIsDecidedOnce) {
  Client client(server->address());
  std::atomic<bool> over{false};
  std::thread alone([&] {
    Mutex mutex(client, "alone");
    while (!over) const std::lock_guard lock(mutex);
  });
  Mutex mutex(client, "calls");
  for (int round = 0; round < 300; ++round) {
    std::promise<bool> told;
    LockCall call(mutex, Wait::during(10s));
    call.start([&told](std::error_code code, Grant grant) { told.set_value(grant || code == errc::cancelled); });
    if (round % 3 == 0) call.cancel();
    EXPECT_TRUE(told.get_future().get());
  }
  over = true;
  alone.join();
}

}  // namespace
}  // namespace cleat::tests
