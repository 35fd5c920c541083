// What a Client is made of: its sessions one after the other, its connection and its LockTable. Any thread may hand it
// something to do; a Runner makes its turns.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "cleat/client.hpp"
#include "client/lock_table.hpp"
#include "client/runner.hpp"
#include "client/session_io.hpp"

namespace cleat::client {

class Engine {
 public:
  // Throws Error (errc::invalid).
  Engine(const Options& options, std::unique_ptr<Runner> runner);
  ~Engine();  // after stop()
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // ---- any thread

  // Waits until the attempt is done. Throws Error (errc::forked; errc::deadlock in a callback of a stop_token).
  void acquire(const AttemptPtr& attempt);
  // Returns at once; the attempt's on_done is called in a turn, or, if it can't even begin, now.
  void start(const AttemptPtr& attempt);
  void cancel(const AttemptPtr& attempt) noexcept;
  // Returns at once. Does nothing in a child of fork(2). confirmed: see LockTable::release.
  void release(std::shared_ptr<HoldState> hold, LockTable::OnConfirmed confirmed = {}) noexcept;
  // Lets go of all and ends the turns, within close_timeout. Once.
  void stop();

  bool forked() const;
  void check_process() const;  // throws Error (errc::forked)
  std::string session_id() const;
  TimePoint now() const { return clock_->now(); }
  const Options& options() const { return options_; }

  // ---- the runner, one call at a time

  bool has_jobs() const;  // that wait for a turn
  void turn();
  // Instead of one, if nothing but releases has been posted that nobody waits for: sends them and calls no callback.
  void send_releases();
  // What has come, before a turn counts how long it took.
  void receive() { io_->receive(now()); }
  // There is nothing to wait for but what comes unasked, and answers that change nothing.
  bool quiet() const;
  // Between turns: the wire is ready for these events of poll(2).
  void ready(short events) { io_->ready(events, now()); }
  bool has_output() const { return io_->has_output(); }
  std::optional<TimePoint> next_wake() const;  // a turn is due then
  bool over() const { return over_; }

 private:
  struct Job {
    AttemptPtr attempt = nullptr;
    bool cancel = false;
    std::shared_ptr<HoldState> release = nullptr;
    LockTable::OnConfirmed confirmed = nullptr;
  };

  enum class Posted { kNo, kFirst, kBehind };  // kNo: it is left as it was; kBehind: somebody else wakes the runner
  Posted post(Job& job);
  bool post_and_wake(Job& job);
  void take_jobs(TimePoint now);
  void tell(const Notice& notice) const;
  void tell(ClientEvent::Kind kind, const std::string& server, const std::string& message) const;
  void new_session(TimePoint now);

  const Options options_;
  SessionOptions session_options_;
  const pid_t process_;
  const std::unique_ptr<Runner> runner_;
  const std::shared_ptr<const Clock> clock_;
  mutable std::mutex mutex_;  // of these:
  std::vector<Job> jobs_;
  bool stopping_ = false;  // no more jobs are taken
  bool ended_ = false;
  std::string session_id_;

  // Only the runner's.
  Random random_;
  LockTable table_;
  std::unique_ptr<SessionIo> io_;
  bool connected_ = false;  // as the user was told
  std::optional<TimePoint> close_by_;
  bool over_ = false;
};

}  // namespace cleat::client
