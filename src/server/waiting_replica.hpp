// What stands behind the service of a node that belongs to no group yet: nothing can be decided, and says so.
#pragma once

#include <vector>

#include "replica/replica.hpp"

namespace cleat::server {

class WaitingReplica final : public replica::Replica {
 public:
  explicit WaitingReplica(replica::Listener& listener) : listener_(listener) {}

  uint32_t boot() const override { return 0; }
  replica::Trouble begin_run(const base::ConnectionRef&) override { return replica::Trouble::kNoQuorum; }
  replica::Trouble add(const lock::Command&) override { return replica::Trouble::kNoQuorum; }
  void read(uint64_t cookie) override { reads_.push_back(cookie); }
  void keep_alive(const replica::KeepAlive& k) override { keep_alives_.push_back(k.cookie); }
  void vouch(base::SessionId, int64_t) override {}
  void input_left() override {}
  bool step() override {
    for (const uint64_t cookie : std::exchange(reads_, {})) listener_.on_read(cookie, replica::Trouble::kNoQuorum);
    for (const uint64_t cookie : std::exchange(keep_alives_, {})) {
      listener_.on_keep_alive(cookie, {}, replica::Trouble::kNoQuorum);
    }
    return false;
  }
  std::optional<int64_t> next_wake_us() const override { return std::nullopt; }
  const lock::Machine& machine() const override { return machine_; }
  replica::Status status() const override {
    replica::Status status;
    status.voter = false;
    return status;
  }
  void begin_snapshot() override {}
  base::Status close() override { return {}; }

 private:
  replica::Listener& listener_;
  lock::Machine machine_;
  std::vector<uint64_t> reads_, keep_alives_;
};

}  // namespace cleat::server
