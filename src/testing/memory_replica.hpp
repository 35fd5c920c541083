// A group of one without a log or a disk: what a turn takes is applied at once to the real lock machine, and the real
// rules of liveness end sessions. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lock/entry.hpp"
#include "replica/liveness.hpp"
#include "replica/replica.hpp"

namespace cleat::testing {

class MemoryReplica final : public replica::Replica, private lock::Sink {
 public:
  explicit MemoryReplica(replica::Clock& clock);

  // What follows is told to this one. With another boot than before: connections of the earlier one are gone.
  void begin_boot(replica::Listener&);
  // The time between was not the service's: its log time stood still.
  void stood_still(int64_t us) { still_us_ += us; }
  // A new incarnation: sessions and queues are gone.
  void restore();
  // In the next step.
  void expire(base::SessionId);

  uint32_t boot() const override { return boot_; }
  replica::Trouble begin_run(const base::ConnectionRef&) override;
  replica::Trouble add(const lock::Command&) override;
  void read(uint64_t cookie) override { reads_.push_back(cookie); }
  void keep_alive(const replica::KeepAlive&) override;
  void vouch(base::SessionId, int64_t silent_ms) override;
  void input_left() override {}
  bool step() override;
  std::optional<int64_t> next_wake_us() const override;
  const lock::Machine& machine() const override { return *machine_; }
  replica::Status status() const override;
  void begin_snapshot() override {}
  base::Status close() override { return {}; }

 private:
  struct WaitingKeepAlive {
    uint64_t cookie;
    base::SessionId session;
    bool known;  // with its right key and epoch, when it came
  };

  int64_t log_us() const { return clock_.mono_us() - still_us_; }
  void heard(base::SessionId, int64_t silent_ms);
  void answer_keep_alives();

  void on_outcome(const lock::Outcome& o) override { listener_->on_outcome(o); }
  void on_event(const lock::Event& e) override { listener_->on_event(e); }
  void on_session_opened(base::SessionId, int64_t ttl_ms, lock::By kind, int64_t log_ms) override;
  void on_session_ended(base::SessionId, lock::Why) override;

  replica::Clock& clock_;
  replica::Listener* listener_ = nullptr;
  std::unique_ptr<lock::Machine> machine_ = std::make_unique<lock::Machine>();
  std::unique_ptr<replica::Liveness> liveness_ = std::make_unique<replica::Liveness>();
  lock::EntryBuilder builder_;
  std::vector<uint64_t> reads_;
  std::vector<WaitingKeepAlive> keep_alives_;
  int64_t still_us_ = 0;
  uint32_t boot_ = 0;
  uint64_t applied_ = 0;
};

}  // namespace cleat::testing
