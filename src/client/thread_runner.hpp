// The thread of a Client, which waits for its socket and makes the turns of its engine. A thread of the program that
// waits alone for a lock does both by itself, so that its answer costs no change of threads; the Client's thread stands
// by meanwhile. It goes on when nobody has called for a moment, when a caller has waited for one, and when there is
// more to wait for than that one answer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
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
  void send() noexcept override;
  void await(const Attempt& attempt, bool must_wake) override;
  bool in_turn() const noexcept override;

 private:
  // Who may use the engine, the socket and the alarm.
  enum class Driver { kThread, kNobody, kCaller };

  void run();
  void stand_by();
  bool take_over(bool to_wait);  // false: somebody drives, or is about to
  void hand_back();
  bool drive_until(const std::atomic<int>& done);  // or for a moment; false: could not take over
  void turn() noexcept;
  void wait(std::chrono::milliseconds limit);  // negative: none

  const std::shared_ptr<const Clock> clock_ = std::make_shared<SystemClock>();
  Engine* engine_ = nullptr;
  const Fd wake_fd_;
  Alarm alarm_;
  Socket socket_;
  std::thread thread_;
  std::atomic<std::thread::id> turning_;  // that is in a turn
  std::atomic<bool> awaited_{false};      // somebody waited while the thread drove

  std::mutex mutex_;  // of these:
  std::condition_variable stands_by_;
  Driver driver_ = Driver::kThread;
  bool needed_ = false;  // the thread is to drive again: no caller takes over
  uint64_t waits_ = 0;   // of callers that took over
};

}  // namespace cleat::client
