// The thread of a Client, which waits for its socket and makes the turns of its engine.
#pragma once

#include <atomic>
#include <thread>

#include "client/runner.hpp"
#include "client/socket.hpp"

namespace cleat::client {

class ThreadRunner final : public Runner {
 public:
  ThreadRunner();
  ~ThreadRunner() override;  // after end(), or in a child of fork(2) not at all

  std::shared_ptr<const Clock> clock() const override { return clock_; }
  Wire& wire() override { return socket_; }
  uint64_t seed() override;
  void begin(Engine& engine) override;
  void end() override;
  void wake() noexcept override;
  void await(const Attempt& attempt) override;
  bool in_turn() const noexcept override;

 private:
  void run(Engine& engine);
  void wait(Engine& engine);

  const std::shared_ptr<const Clock> clock_ = std::make_shared<SystemClock>();
  const Fd wake_fd_;
  Alarm alarm_;
  Socket socket_;
  std::thread thread_;
  std::atomic<std::thread::id> id_;  // of thread_
};

}  // namespace cleat::client
