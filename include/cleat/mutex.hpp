// Mutual exclusion among threads, processes and machines.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <type_traits>

#include "cleat/client.hpp"
#include "cleat/hold.hpp"
#include "cleat/rank.hpp"

namespace cleat {

namespace client {
class LockHandle;
}

struct LockOptions {
  int priority = 0;                       // 0 to 9, higher goes first
  std::chrono::milliseconds max_hold{0};  // ends a hold this long after its grant; 0: never
  std::chrono::milliseconds delay{0};     // after an unclean loss, keeps others out for so long
  // Where it stands among locks that one thread takes (cleat/rank.hpp, Options::on_rank_violation); 0: not checked.
  // Calls that wait are checked, calls that only try are not, so std::scoped_lock of several is never wrong; nor are
  // those of tasks (cleat/grant.hpp), of which it is not known who makes them.
  Rank rank{};
};

// How long a call waits in the queue. Times are of the Client's clock, which is boot_clock (but for a test's,
// cleat/testing.hpp); a time of another clock is turned into a duration once, at the call.
struct Wait {
  static Wait for_ever() { return {}; }
  static Wait none() { return {.only_try = true}; }
  template <class Rep, class Period>
  static Wait during(const std::chrono::duration<Rep, Period>& wait) {
    if (!(wait < kLongest)) return {.within = kLongest};
    if (!(wait > wait.zero())) return {.within = boot_clock::duration(0)};
    return {.within = std::chrono::ceil<boot_clock::duration>(wait)};
  }
  template <class Clock, class Duration>
  static Wait until(const std::chrono::time_point<Clock, Duration>& time) {
    if constexpr (std::is_same_v<Clock, boot_clock>) {
      return {.time =
                  std::min(std::chrono::ceil<boot_clock::duration>(time), boot_clock::time_point::max() - kLongest)};
    } else {
      return during(time - Clock::now());
    }
  }

  // A longer one is no different from a year, which is the longest wait of the service; and it can't overflow.
  static constexpr std::chrono::hours kLongest{24 * 365};

  // At most one of these is set.
  bool only_try = false;
  std::optional<boot_clock::duration> within = std::nullopt;
  std::optional<boot_clock::time_point> time = std::nullopt;
};

// What the mutexes below have in common. Not to be used by itself.
class Handle {
 public:
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  const std::string& name() const noexcept;

  // Of the grant that the calling thread holds, or held until it was lost. Throw Error (errc::not_held) if it has none;
  // to tell other threads, give them the hold().
  Hold hold() const;
  std::uint64_t fence() const { return hold().fence(); }
  boot_clock::time_point deadline() const { return hold().deadline(); }
  std::stop_token stop_token() const { return hold().stop_token(); }

 protected:
  Handle(Client& client, std::string name, LockOptions options, const char* type, bool recursive);
  ~Handle();

  enum class Mode { exclusive, shared };
  bool lock(Mode mode, Wait wait);  // false: not granted in time
  void unlock(Mode mode) noexcept;

 private:
  friend class LockCall;
  std::unique_ptr<client::LockHandle> handle_;
};

// How it is held by one thread alone: the same for all of them. Not to be used by itself.
class ExclusiveHandle : public Handle {
 public:
  // Waits for as long as it takes, also while the service can't be reached; then in the queue's order. If it never
  // could be reached since the Client was made: errc::unreachable. errc::deadlock: this thread has it.
  void lock() { Handle::lock(Mode::exclusive, Wait::for_ever()); }
  // One round trip. false: not granted. errc::unreachable: there was no answer within Options::connect_timeout.
  bool try_lock() { return Handle::lock(Mode::exclusive, Wait::none()); }
  // false: not granted in time; errc::unreachable when there was no connection at the end of it. At least one attempt
  // is made.
  template <class Rep, class Period>
  bool try_lock_for(const std::chrono::duration<Rep, Period>& wait) {
    return Handle::lock(Mode::exclusive, Wait::during(wait));
  }
  template <class Clock, class Duration>
  bool try_lock_until(const std::chrono::time_point<Clock, Duration>& until) {
    return Handle::lock(Mode::exclusive, Wait::until(until));
  }
  // Returns at once: the service is told in the order of calls, again if needed, until it answers or the session ends.
  // The belief to hold it ends here.
  void unlock() noexcept { Handle::unlock(Mode::exclusive); }

 protected:
  using Handle::Handle;
  ~ExclusiveHandle() = default;
};

// Meets the standard's TimedLockable: std::lock_guard, std::unique_lock and std::scoped_lock (of several, too) work.
// Each name is one lock, however many Mutexes speak of it: the threads of one program exclude each other like those of
// others. A Mutex may be used by all threads at once, as a std::mutex; it belongs to the thread that locked it.
//
// On loss (expiry after the contact was gone for the TTL, max_hold, an operator) the holder's stop_token() stops,
// held() turns false, and the holder still calls unlock(). Who locks it then is not the same grant: its fence is
// greater.
//
// Calls throw Error. Unlocking what the calling thread does not hold, and destroying a Mutex while it is held, are bugs
// of the program: the process ends with a message.
class Mutex : public ExclusiveHandle {
 public:
  // The name: 1 to 512 bytes of UTF-8 without control characters. Nothing is sent yet.
  Mutex(Client& client, std::string name, LockOptions options = {})
      : ExclusiveHandle(client, std::move(name), options, "cleat::Mutex", false) {}
  ~Mutex() = default;
};

// A Mutex that its owner may lock again, at no cost; the last unlock() lets go. Locking it again after it was lost
// throws errc::lost, until all of the lost grant is unlocked.
class RecursiveMutex : public ExclusiveHandle {
 public:
  RecursiveMutex(Client& client, std::string name, LockOptions options = {})
      : ExclusiveHandle(client, std::move(name), options, "cleat::RecursiveMutex", true) {}
  ~RecursiveMutex() = default;
};

// Many readers or one writer: meets the standard's SharedTimedLockable, so std::shared_lock works too. Who comes first
// goes first: a reader does not overtake a writer that waits. A thread that has it in either way can't have it in the
// other as well: errc::deadlock. Everything else as with Mutex.
class SharedMutex : public ExclusiveHandle {
 public:
  SharedMutex(Client& client, std::string name, LockOptions options = {})
      : ExclusiveHandle(client, std::move(name), options, "cleat::SharedMutex", false) {}
  ~SharedMutex() = default;

  void lock_shared() { Handle::lock(Mode::shared, Wait::for_ever()); }
  bool try_lock_shared() { return Handle::lock(Mode::shared, Wait::none()); }
  template <class Rep, class Period>
  bool try_lock_shared_for(const std::chrono::duration<Rep, Period>& wait) {
    return Handle::lock(Mode::shared, Wait::during(wait));
  }
  template <class Clock, class Duration>
  bool try_lock_shared_until(const std::chrono::time_point<Clock, Duration>& until) {
    return Handle::lock(Mode::shared, Wait::until(until));
  }
  void unlock_shared() noexcept { Handle::unlock(Mode::shared); }
};

}  // namespace cleat
