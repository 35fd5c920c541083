// The thread of a Client: owns its sessions, its connection and its LockTable. Any thread may call.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cleat/client.hpp"
#include "client/lock_table.hpp"
#include "client/session_io.hpp"

namespace cleat::client {

class Engine {
 public:
  // Throws Error (errc::invalid).
  explicit Engine(const Options& options);
  ~Engine();  // after stop()
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Waits until the attempt is done. Throws Error (errc::forked; errc::deadlock on the engine's own thread).
  void acquire(const AttemptPtr& attempt);
  // Returns at once. Does nothing in a child of fork(2).
  void release(std::shared_ptr<HoldState> hold) noexcept;
  // Lets go of all and ends the thread, within close_timeout. Once.
  void stop();

  bool forked() const;
  void check_process() const;  // throws Error (errc::forked)
  std::string session_id() const;

 private:
  struct Job {
    AttemptPtr attempt;
    std::shared_ptr<HoldState> release;
  };

  bool post(Job job);
  void wake() noexcept;
  void run();
  void turn();
  void take_jobs(TimePoint now);
  void new_session(TimePoint now);
  void wait();

  const Options options_;
  SessionOptions session_options_;
  const pid_t process_;
  Fd wake_fd_;
  mutable std::mutex mutex_;  // of these:
  std::vector<Job> jobs_;
  bool stopping_ = false;  // no more jobs are taken
  std::string session_id_;

  // Only the thread's own.
  Alarm alarm_;
  Random random_;
  LockTable table_;
  std::unique_ptr<SessionIo> io_;
  std::optional<TimePoint> close_by_;
  bool over_ = false;

  std::thread thread_;  // last: it begins when the rest is there
};

}  // namespace cleat::client
