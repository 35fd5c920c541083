// The library's calls for Asio, against a real server.
#include <cleat/asio.hpp>
#include <cleat/cleat.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/bind_executor.hpp>
#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/experimental/as_tuple.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/use_future.hpp>

#include <array>
#include <future>
#include <optional>
#include <thread>
#include <vector>

#include "server_process.hpp"

namespace cleat::tests {
namespace {

using namespace std::chrono_literals;
using asio::use_awaitable;
using ::testing::HasSubstr;

struct AsyncTest : ::testing::Test {
  static void SetUpTestSuite() { server = std::make_unique<ServerProcess>(); }
  static void TearDownTestSuite() { server.reset(); }

  static void wait_until_shown(const std::string& name, const std::string& what) {
    while ((*server)("show " + name + " --json").find(what) == std::string::npos) std::this_thread::yield();
  }

  static std::unique_ptr<ServerProcess> server;
  Client client{server->address()};
  asio::io_context context;
};
std::unique_ptr<ServerProcess> AsyncTest::server;

// Four names, so that it does not take a thousand times as long as a hand-over does.
TEST_F(AsyncTest, AThousandCoroutinesOfOneThreadExcludeEachOther) {
  constexpr int kTasks = 1'000;
  struct Guarded {
    Mutex mutex;
    int inside = 0, done = 0;
    uint64_t last_fence = 0;
  };
  std::array<Guarded, 4> all{Guarded{{client, "tasks/0"}}, Guarded{{client, "tasks/1"}}, Guarded{{client, "tasks/2"}},
                             Guarded{{client, "tasks/3"}}};
  const auto task = [](Guarded& guarded) -> asio::awaitable<void> {
    Grant grant = co_await async_lock(guarded.mutex, use_awaitable);
    EXPECT_EQ(++guarded.inside, 1);
    EXPECT_GT(grant.fence(), guarded.last_fence);
    guarded.last_fence = grant.fence();
    co_await asio::post(use_awaitable);  // others run here
    EXPECT_TRUE(grant.held());
    --guarded.inside;
    ++guarded.done;
  };
  for (size_t i = 0; i < kTasks; ++i) asio::co_spawn(context, task(all[i % all.size()]), asio::detached);
  context.run();
  for (const Guarded& guarded : all) EXPECT_EQ(guarded.done, kTasks / 4);
}

TEST_F(AsyncTest, AThousandWaitsOfDifferentNamesShareTheConnection) {
  constexpr int kTasks = 1'000;
  Client other(server->address());
  int done = 0;
  const auto task = [&](int i) -> asio::awaitable<void> {
    Mutex mutex(client, "many/" + std::to_string(i));
    Mutex theirs(other, mutex.name());
    Grant grant = co_await async_lock(mutex, use_awaitable);
    EXPECT_FALSE(co_await async_try_lock(theirs, use_awaitable));
    co_await async_unlock(std::move(grant), use_awaitable);
    EXPECT_TRUE(co_await async_try_lock(theirs, use_awaitable)) << "the service has heard of the release";
    ++done;
  };
  for (int i = 0; i < kTasks; ++i) asio::co_spawn(context, task(i), asio::detached);
  context.run();
  EXPECT_EQ(done, kTasks);
}

TEST_F(AsyncTest, ACallbackRunsOnItsExecutorAndCountsAsWorkUntilThen) {
  Mutex mutex(client, "callback");
  std::optional<std::thread::id> ran_on;
  async_lock(mutex, asio::bind_executor(context, [&](std::error_code code, Grant grant) {
               EXPECT_FALSE(code) << code.message();
               EXPECT_TRUE(grant);
               ran_on = std::this_thread::get_id();
             }));
  context.run();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST_F(AsyncTest, FuturesWork) {
  Mutex mutex(client, "future");
  Grant grant = async_lock(mutex, asio::use_future).get();
  EXPECT_TRUE(grant.held());
  EXPECT_GT(grant.deadline(), boot_clock::now());
  EXPECT_FALSE(async_try_lock(mutex, asio::use_future).get()) << "each call is another owner";
  const auto began = boot_clock::now();
  EXPECT_FALSE(async_try_lock_for(mutex, 50ms, asio::use_future).get());
  EXPECT_GE(boot_clock::now() - began, 50ms);
  EXPECT_FALSE(async_try_lock_until(mutex, boot_clock::now(), asio::use_future).get());
  auto next = async_lock(mutex, asio::use_future);
  grant.unlock();
  EXPECT_FALSE(grant);
  EXPECT_THROW((void)grant.fence(), Error);
  EXPECT_TRUE(next.get().held());
}

TEST_F(AsyncTest, AnErrorIsACodeOfOurCategory) {
  Mutex bad(client, "line\nbreak");
  try {
    async_lock(bad, asio::use_future).get();
    FAIL() << "that is no name";
  } catch (const std::system_error& e) {
    EXPECT_EQ(e.code(), errc::bad_name);
  }
}

TEST_F(AsyncTest, ReadersShareAndAWriterWaitsForAll) {
  SharedMutex mutex(client, "readers");
  Grant first = async_lock_shared(mutex, asio::use_future).get();
  Grant second = async_try_lock_shared(mutex, asio::use_future).get();
  ASSERT_TRUE(first && second);
  auto writer = async_lock(mutex, asio::use_future);
  wait_until_shown("readers", "\"waiters_total\":1");
  EXPECT_FALSE(async_try_lock_shared_for(mutex, 20ms, asio::use_future).get()) << "the writer came first";
  first.unlock();
  second = Grant();
  Grant alone = writer.get();
  EXPECT_TRUE(alone.held());
  EXPECT_FALSE(async_try_lock_shared_until(mutex, boot_clock::now(), asio::use_future).get());
}

TEST_F(AsyncTest, CancellingAWaitLeavesNothingInTheQueue) {
  Mutex mutex(client, "cancelled");
  Grant held = async_lock(mutex, asio::use_future).get();
  asio::cancellation_signal signal;
  std::error_code ended;
  const auto done = [&](std::error_code code, Grant grant) {
    ended = code;
    EXPECT_FALSE(grant);
  };
  async_lock(mutex, asio::bind_cancellation_slot(signal.slot(), asio::bind_executor(context, done)));
  wait_until_shown("cancelled", "\"waiters_total\":1");
  signal.emit(asio::cancellation_type::terminal);
  context.run();
  EXPECT_EQ(ended, errc::cancelled);
  EXPECT_EQ(ended, std::errc::operation_canceled);
  wait_until_shown("cancelled", "\"waiters_total\":0");
  signal.emit(asio::cancellation_type::terminal);  // of a call that is over
}

TEST_F(AsyncTest, AContextThatIsDestroyedTakesItsWaitsAlong) {
  Mutex mutex(client, "context");
  Grant held = async_lock(mutex, asio::use_future).get();
  auto alive = std::make_shared<int>();
  const auto task = [](Mutex& m, std::shared_ptr<int>) -> asio::awaitable<void> {
    (void)co_await async_lock(m, use_awaitable);
    ADD_FAILURE() << "went on";
  };
  {
    asio::io_context short_lived;
    asio::co_spawn(short_lived, task(mutex, alive), asio::detached);
    short_lived.poll();
    EXPECT_EQ(alive.use_count(), 2);
    wait_until_shown("context", "\"waiters_total\":1");
  }
  EXPECT_EQ(alive.use_count(), 1) << "the coroutine is destroyed";
  wait_until_shown("context", "\"waiters_total\":0");
}

TEST_F(AsyncTest, AGrantThatNobodyTakesAnyMoreIsLetGo) {
  Mutex mutex(client, "untaken");
  {
    asio::io_context short_lived;
    async_lock(mutex, asio::bind_executor(short_lived, [](std::error_code, Grant) { ADD_FAILURE() << "ran"; }));
    wait_until_shown("untaken", "\"holders_total\":1");
  }
  EXPECT_TRUE(async_try_lock_for(mutex, 5s, asio::use_future).get());
}

TEST_F(AsyncTest, TheEndOfTheClientEndsWhatWaitsAndWhatComesLater) {
  auto own = std::make_unique<Client>(server->address());
  Mutex mutex(*own, "end-async");
  Grant held = async_lock(mutex, asio::use_future).get();
  std::vector<std::error_code> codes;
  const auto task = [&]() -> asio::awaitable<void> {
    for (int i = 0; i < 2; ++i) {
      const auto [code, grant] = co_await async_lock(mutex, asio::experimental::as_tuple(use_awaitable));
      codes.push_back(code);
    }
    codes.push_back(std::get<0>(co_await async_unlock(std::move(held), asio::experimental::as_tuple(use_awaitable))));
  };
  asio::co_spawn(context, task, asio::detached);
  context.poll();
  wait_until_shown("end-async", "\"waiters_total\":1");
  own.reset();
  EXPECT_FALSE(held.held());
  context.restart();
  context.run();
  EXPECT_THAT(codes, ::testing::ElementsAre(errc::closed, errc::closed, errc::closed));
}

TEST_F(AsyncTest, ALockCallWorksWithoutAsio) {
  const Mutex mutex(client, "plain");
  std::promise<Grant> got;
  LockCall(mutex).start([&](std::error_code, Grant grant) { got.set_value(std::move(grant)); });
  Grant grant = got.get_future().get();
  ASSERT_TRUE(grant.held());
  std::promise<std::error_code> ended;
  LockCall second(mutex, Wait::during(1h));
  second.start([&](std::error_code code, const Grant&) { ended.set_value(code); });
  second.cancel();
  EXPECT_EQ(ended.get_future().get(), errc::cancelled);
  Grant moved = std::move(grant);
  EXPECT_FALSE(grant);  // NOLINT(bugprone-use-after-move): it is empty then
  std::promise<std::error_code> confirmed;
  moved.unlock([&](std::error_code code) { confirmed.set_value(code); });
  EXPECT_FALSE(confirmed.get_future().get());
  Client other(server->address());
  Mutex theirs(other, "plain");
  ASSERT_TRUE(theirs.try_lock());
  theirs.unlock();
}

}  // namespace
}  // namespace cleat::tests
