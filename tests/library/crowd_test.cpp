// Many locks of one Client, and many Clients, while their server restarts or their leader is killed.
#include <cleat/cleat.hpp>
#include <cleat/grant.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "client/connection.hpp"
#include "judge.hpp"
#include "server_process.hpp"

namespace cleat::tests {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// Counts up from many threads; one waits.
class Counter {
 public:
  void add() {
    const std::lock_guard guard(mutex_);
    ++count_;
    changed_.notify_all();
  }
  // False: not within a minute.
  bool wait_for(size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 60s, [&] { return count_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t count_ = 0;
};

std::string info_of(const ServerProcess& server) {
  client::Connection connection;
  const auto limit = boot_clock::now() + 10s;
  EXPECT_TRUE(connection.open(*client::parse_endpoint(server.address()), {}, limit).ok());
  return connection.call({"INFO"}, limit)->text;
}

TEST(CrowdTest, TenThousandLocksOfOneClientOnOneConnectionSurviveARestart) {
  constexpr size_t kLocks = 10'000;  // as many as a session may hold
  ServerProcess server;
  Options options;
  options.servers = {server.address()};
  options.ttl = 60s;
  Client client(options);
  std::vector<Grant> grants(kLocks);
  Counter granted, released;
  const auto began = boot_clock::now();
  for (size_t i = 0; i < kLocks; ++i) {
    LockCall(Mutex(client, "many/" + std::to_string(i))).start([&, i](std::error_code code, Grant grant) {
      EXPECT_FALSE(code) << code.message();
      grants[i] = std::move(grant);
      granted.add();
    });
  }
  ASSERT_TRUE(granted.wait_for(kLocks));
  EXPECT_LT(boot_clock::now() - began, 20s);
  EXPECT_THAT(info_of(server), HasSubstr("connected_clients:2\r\n")) << "the Client's and this one";
  const auto deadline = grants[0].deadline();
  server.kill();
  server.start();
  while (grants[0].deadline() == deadline) std::this_thread::yield();  // the new process confirmed it
  EXPECT_THAT(server("sessions --json " + client.session_id()), HasSubstr("\"holds\":" + std::to_string(kLocks)));
  for (Grant& grant : grants) {
    EXPECT_TRUE(grant.held());
    grant.unlock([&](std::error_code code) {
      EXPECT_FALSE(code) << code.message();
      released.add();
    });
  }
  ASSERT_TRUE(released.wait_for(kLocks));
  EXPECT_THAT(server("sessions --json " + client.session_id()), HasSubstr("\"holds\":0"));
}

// A hundred programs' worth of Clients. Each holds a name of its own all the time, and takes turns with the others on
// some that they share.
class Crowd {
 public:
  static constexpr size_t kClients = 100;
  static constexpr size_t kShared = 10;

  explicit Crowd(const std::vector<std::string>& servers) {
    for (size_t i = 0; i < kClients; ++i) {
      threads_.emplace_back([this, servers, i] { run(servers, static_cast<uint32_t>(i)); });
    }
  }
  ~Crowd() { finish(); }

  // Until each has had a turn that began after this.
  void wait_round() {
    const size_t goal = ++round_;
    EXPECT_TRUE(turns_[goal].wait_for(kClients)) << "somebody hangs";
  }
  void finish() {
    over_ = true;
    for (std::thread& thread : threads_) {
      if (thread.joinable()) thread.join();
    }
  }
  Judge judge() {
    const std::lock_guard guard(mutex_);
    return judge_;
  }

 private:
  static constexpr size_t kMostRounds = 8;

  void run(const std::vector<std::string>& servers, uint32_t number) try {
    Options options;
    options.servers = servers;
    options.ttl = 30s;
    options.connect_timeout = 60s;
    Client client(options);
    Mutex own(client, "own/" + std::to_string(number));
    const std::lock_guard all_the_time(own);
    const Hold hold = own.hold();
    size_t counted = 0;
    for (uint32_t turn = number; !over_ || counted < round_; ++turn) {
      const size_t round = round_;
      take_turn(client, number, static_cast<uint16_t>(turn % kShared));
      while (counted < round) turns_[++counted].add();
    }
    EXPECT_TRUE(hold.held()) << number << " lost its own: " << hold.why_lost();
    EXPECT_FALSE(hold.stop_token().stop_requested());
  } catch (const Error& e) {
    ADD_FAILURE() << number << ": " << e.what();
  }

  void take_turn(Client& client, uint32_t number, uint16_t name) {
    Mutex mutex(client, "shared/" + std::to_string(name));
    const std::lock_guard lock(mutex);
    const Hold hold = mutex.hold();
    Event event{.name = name, .worker = number, .fence = hold.fence()};
    tell(event, Event::Kind::kGranted, hold.deadline());
    EXPECT_TRUE(hold.held()) << number << " lost " << mutex.name() << ": " << hold.why_lost();
    tell(event, Event::Kind::kReleasing, boot_clock::time_point::min());
  }

  void tell(Event event, Event::Kind kind, boot_clock::time_point deadline) {
    event.kind = kind;
    event.at_ns = boot_clock::now().time_since_epoch().count();
    event.deadline_ns = deadline.time_since_epoch().count();
    const std::lock_guard guard(mutex_);
    judge_.see(event);
  }

  std::mutex mutex_;
  Judge judge_;
  std::atomic<size_t> round_{0};
  std::array<Counter, kMostRounds> turns_;
  std::atomic<bool> over_{false};
  std::vector<std::thread> threads_;
};

TEST(CrowdTest, AHundredClientsLoseNothingWhenTheirServerRestarts) {
  ServerProcess server;
  Crowd crowd({server.address()});
  crowd.wait_round();
  for (int i = 0; i < 2; ++i) {
    server.kill();
    server.start();
    crowd.wait_round();
  }
  crowd.finish();
  EXPECT_EQ(crowd.judge().verdict().value_or(""), "");
  EXPECT_GE(crowd.judge().counts().grants, 3 * Crowd::kClients);
}

TEST(CrowdTest, AHundredClientsLoseNothingWhenTheLeaderIsKilled) {
  ClusterProcess cluster;
  Crowd crowd(cluster.addresses());
  crowd.wait_round();
  const size_t leader = cluster.wait_leader();
  cluster[leader].kill();
  crowd.wait_round();
  cluster[leader].start();
  crowd.wait_round();
  crowd.finish();
  EXPECT_EQ(crowd.judge().verdict().value_or(""), "");
  EXPECT_GE(crowd.judge().counts().grants, 3 * Crowd::kClients);
}

}  // namespace
}  // namespace cleat::tests
