// Locks of programs that stay for too short a time for a session: web handlers, scripts, jobs that hand a lock on.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "cleat/boot_clock.hpp"
#include "cleat/client.hpp"
#include "cleat/mutex.hpp"

namespace cleat {

namespace client {
class TokenCalls;
}

struct TokenOptions {
  // Whoever has it has the lock: 1 to 64 bytes. Empty: one is made up that nobody can guess.
  std::string token{};
  // How long each lock() and renew() lasts. 500 ms to 24 h.
  std::chrono::milliseconds ttl{30'000};
  bool shared = false;
  LockOptions lock{};
};

// A lock held by a token for a time, and neither by a thread nor by a session: it outlives this object and the program,
// until someone unlocks it with its token or its time is over. Nothing renews it but renew(), and nobody watches it:
// ask held(). Owns a connection and no thread; each call is a round trip. In a child of fork(2) it works on with a
// connection of its own.
//
// All calls may be repeated, and are after a lost connection: locking what the token holds already joins that hold and
// makes it last for the TTL from now, with the same fence. So a token excludes other tokens, not those it was given to:
// use one for each task. Meets the standard's TimedLockable. One thread at a time may use one TokenLock.
//
// Calls throw Error; errc::unreachable also when it is not known whether a lock was taken. lock() again tells, unlock()
// makes sure, and its TTL ends it anyway.
class TokenLock {
 public:
  // Of the options count servers, password and connect_timeout. Nothing is sent yet.
  TokenLock(const Options& options, std::string name, TokenOptions token = {});
  // One address, or several with commas between.
  TokenLock(const std::string& servers, std::string name, TokenOptions token = {});
  ~TokenLock();  // does not unlock
  TokenLock(TokenLock&&) noexcept;
  TokenLock& operator=(TokenLock&&) noexcept;

  const std::string& name() const noexcept;
  const std::string& token() const noexcept;

  // Waits for as long as it takes; errc::unreachable when no server answers at the beginning.
  void lock();
  // False: not granted. errc::unreachable: no answer within Options::connect_timeout.
  bool try_lock();
  // False: not granted in time. errc::unreachable: no answer until about two seconds after it.
  template <class Rep, class Period>
  bool try_lock_for(const std::chrono::duration<Rep, Period>& wait) {
    return acquire(Wait::during(wait));
  }
  template <class Clock, class Duration>
  bool try_lock_until(const std::chrono::time_point<Clock, Duration>& until) {
    return acquire(Wait::until(until));
  }
  // Makes it last for the TTL from now, never shorter than it did. False: it is over, stop what it protects. Takes
  // nothing: a program that was given the token asks so whether it has the lock.
  bool renew();
  // True: the service has confirmed that it is free of this hold. False: no answer within connect_timeout; its TTL will
  // end it. Nothing of it is believed any more in either case.
  bool unlock() noexcept;

  // Of the latest grant of this object; stays what it was after its end. Throws Error (errc::not_held) before the
  // first: who was given the token and wants to know the fence locks it again, or is told by the giver.
  std::uint64_t fence() const;
  // Nobody else is granted the lock before this time, if no server's clock runs more than 1% faster than ours, nobody
  // unlocks it with the token, and it is not ended by force. Counted from the sending of the latest lock() or renew().
  // time_point::min() when nothing may be believed.
  boot_clock::time_point deadline() const noexcept;
  // The deadline has not passed. Something may happen between this and its use: it replaces no fence.
  bool held() const noexcept { return boot_clock::now() < deadline(); }

 private:
  bool acquire(const Wait& wait);

  std::unique_ptr<client::TokenCalls> calls_;
};

}  // namespace cleat
