// What a FakeService and its Clients share: the clock, the service, the wires between them, and the one thread at a
// time that makes all of it happen.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cleat/testing.hpp"
#include "client/engine.hpp"
#include "server/service.hpp"
#include "testing/memory_replica.hpp"

namespace cleat::testing {

using client::TimePoint;

// One reading for all. Any thread may read it.
class WorldClock final : public client::Clock, public replica::Clock {
 public:
  TimePoint now() const override { return TimePoint(TimePoint::duration(ns_.load(std::memory_order_acquire))); }
  int64_t mono_us() override { return ns_.load(std::memory_order_acquire) / 1000; }
  int64_t wall_ms() override { return kWallMs + (mono_us() - began_us_) / 1000; }
  void set(TimePoint now) { ns_.store(now.time_since_epoch().count(), std::memory_order_release); }

 private:
  static constexpr int64_t kWallMs = 1'700'000'000'000;  // the same in each run, for display only

  std::atomic<int64_t> ns_{boot_clock::now().time_since_epoch().count()};
  const int64_t began_us_ = ns_ / 1000;
};

// One connection: what is on its way between a wire and the service.
struct Link {
  server::Connection* connection = nullptr;  // null: the service's end is gone
  std::string to_service, to_client;
  bool client_gone = false;  // closed by the client
  bool broken = false;       // both ends notice
};

class World;

// The client's end.
class WorldWire final : public client::Wire {
 public:
  explicit WorldWire(World& world) : world_(world) {}

  base::Status start(const client::Endpoint&) override;
  base::Status finish_connect() override;
  void close() override;
  Phase phase() const override { return phase_; }
  base::Status read(std::string& out) override;
  base::Status write(std::string& out) override;

  // There is something to be done by finish_connect() or read().
  bool ready() const;

 private:
  World& world_;
  Phase phase_ = Phase::kClosed;
  std::shared_ptr<Link> link_;  // while open
};

// Of one Client.
class WorldRunner final : public client::Runner {
 public:
  explicit WorldRunner(std::shared_ptr<World> world);

  std::shared_ptr<const client::Clock> clock() const override;
  client::Wire& wire() override { return wire_; }
  uint64_t seed() override;
  void begin(client::Engine& engine) override;
  void end() override;
  void wake() noexcept override;
  void send() noexcept override { wake(); }
  void await(const client::Attempt& attempt, bool must_wake) override;
  bool in_turn() const noexcept override;

  // ---- the world, while it is locked

  bool run();  // false: nothing was due
  const client::Engine* engine() const { return engine_; }

 private:
  const std::shared_ptr<World> world_;
  WorldWire wire_;
  client::Engine* engine_ = nullptr;
};

class World {
 public:
  World();

  // Locks the world; on the way out lets happen what is due. Throws Error (errc::deadlock) in a callback.
  class Visit {
   public:
    explicit Visit(World& world);
    ~Visit();
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;

   private:
    World& world_;
    const std::lock_guard<std::mutex> lock_;
  };

  // ---- any time

  const std::shared_ptr<WorldClock>& clock() const { return clock_; }
  // This thread visits.
  bool here() const noexcept { return at_work_.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  bool auto_advance() const { return auto_advance_; }
  void set_auto_advance(bool on) { auto_advance_ = on; }
  // `until` is looked at after each visit, `patience` is real time.
  bool await(const std::function<bool()>& until, std::chrono::milliseconds patience);

  // ---- during a visit

  void add(WorldRunner&);
  void remove(WorldRunner&);
  uint64_t next_seed() { return ++last_seed_; }

  // It makes no turns; null: all do.
  void set_stalled(const client::Engine* engine) { stalled_ = engine; }
  void settle();  // lets happen what is due, until nothing is
  void advance_to(TimePoint until);
  bool advance_to_next();  // false: nothing will ever be due

  Network network() const { return network_; }
  void set_network(Network network) { network_ = network; }
  bool passes_to_service() const { return network_ != Network::cut; }
  bool passes_to_client() const { return network_ == Network::up; }
  std::shared_ptr<Link> connect();  // null: refused
  void break_links();

  bool serving() const { return service_ != nullptr; }
  void stop_service();
  void start_service();
  void restore();
  void expire(const std::string& session);
  FakeService::State state(const std::string& name) const;

 private:
  std::optional<TimePoint> next_due() const;
  bool serve();  // false: nothing was due
  bool has_input(const Link&) const;
  void feed(Link&);
  Link& link_of(const server::Connection&) const;
  void closed(const server::Connection&);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<std::thread::id> at_work_;
  std::atomic<bool> auto_advance_{false};

  const std::shared_ptr<WorldClock> clock_ = std::make_shared<WorldClock>();
  server::Config config_;
  MemoryReplica replica_;
  std::unique_ptr<server::Service> service_;  // null while it is stopped
  TimePoint stopped_at_;
  uint32_t incarnation_ = 1;
  bool closed_ = false;  // a connection was, and what that owes the log is to be paid
  Network network_ = Network::up;
  std::vector<std::shared_ptr<Link>> links_;
  std::vector<WorldRunner*> runners_;
  const client::Engine* stalled_ = nullptr;
  uint64_t last_seed_ = 0;
};

}  // namespace cleat::testing
