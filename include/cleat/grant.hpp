// Locks that belong to a task instead of a thread, and calls that no thread waits for. With Asio, see cleat/asio.hpp;
// this is what it is made of, and what any other event loop needs.
#pragma once

#include <functional>
#include <memory>
#include <system_error>

#include "cleat/hold.hpp"
#include "cleat/mutex.hpp"

namespace cleat {

namespace client {
class Engine;
struct Attempt;
}  // namespace client

// A lock that whoever has this object holds, on whatever thread: unlocks on destruction. Each comes from one LockCall
// and is an owner of its own, so tasks exclude each other also on one thread. May outlive the mutex and the Client. One
// thread at a time may use one Grant; the hold() may be given to others.
class Grant {
 public:
  Grant() noexcept = default;
  Grant(Grant&& other) noexcept = default;
  Grant& operator=(Grant&& other) noexcept;
  ~Grant() { unlock(); }

  // There is one to unlock. Lost ones count, too: held() tells.
  explicit operator bool() const noexcept { return state_ != nullptr; }
  // Throw Error (errc::not_held) when there is none.
  Hold hold() const;
  std::uint64_t fence() const { return hold().fence(); }
  boot_clock::time_point deadline() const { return hold().deadline(); }
  std::stop_token stop_token() const { return hold().stop_token(); }
  bool held() const noexcept;

  // Returns at once, like that of the mutexes. Does nothing when there is none.
  void unlock() noexcept { unlock({}); }
  // Calls confirmed once: when the service has answered, so that other programs find the lock free, or the hold was
  // lost anyway; with errc::closed when the Client was destroyed before. As with LockCall::start; not in a child of
  // fork(2).
  void unlock(std::function<void(std::error_code)> confirmed) noexcept;

 private:
  friend class LockCall;
  Grant(std::shared_ptr<client::Engine> engine, std::shared_ptr<client::HoldState> state) noexcept
      : engine_(std::move(engine)), state_(std::move(state)) {}

  std::shared_ptr<client::Engine> engine_;
  std::shared_ptr<client::HoldState> state_;
};

// One lock() that no thread waits for.
class LockCall {
 public:
  // Nothing is sent yet, and nothing of the mutex is needed any more after it.
  explicit LockCall(const Mutex& mutex, Wait wait = Wait::for_ever());
  explicit LockCall(const SharedMutex& mutex, Wait wait = Wait::for_ever(), bool shared = false);

  // Once. done is called once, with an error, or a Grant, or neither (not granted in time), on the Client's thread
  // or one that waits in a lock() of the same Client; when the Client was destroyed or this is a child of fork(2),
  // before start() returns. It must not block or throw. It may start other calls.
  void start(std::function<void(std::error_code, Grant)> done);
  // Ends the call with errc::cancelled, if it has not ended. Any thread may call it, at any time after start(). A copy
  // speaks of the same call, and letting go of all cancels nothing.
  void cancel() const noexcept;

 private:
  LockCall(const Handle& handle, Wait wait, bool shared);

  std::shared_ptr<client::Engine> engine_;
  std::shared_ptr<client::Attempt> attempt_;
};

}  // namespace cleat
