// Readiness of client sockets: a thin, level-triggered epoll. One recv and one send a command is all that a busy
// connection costs: nothing is armed anew and nothing is read until it would block (docs/dependencies.md says why not
// Asio's sockets). One thread.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.hpp"

namespace cleat::net {

struct Interest {
  bool read = true;  // without it only the other end's going is told
  bool write = false;
  bool operator==(const Interest&) const = default;
};

struct Ready {
  void* tag = nullptr;
  bool readable = false;
  bool writable = false;
  bool gone = false;  // the other end closed its half or the connection broke
};

// Ends a Poller's wait from another thread.
class Waker {
 public:
  Waker();
  ~Waker();
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  // Any thread: the wait that there is, or the next one, returns at once.
  void wake() noexcept;

 private:
  friend class Poller;
  int fd_;
};

class Poller {
 public:
  static constexpr size_t kMostReady = 4096;

  Poller();
  ~Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  base::Status add(int fd, void* tag, Interest);
  // At most one; it is in no span of ready sockets. It outlives this.
  base::Status add(Waker&);
  void change(int fd, void* tag, Interest);
  // Closing a socket takes it out by itself. Call forget() with its tag, so that what wait() told is not used.
  void forget(const void* tag);
  // Up to kMostReady sockets; valid until the next call. timeout_ms 0: only a look. A signal ends the wait.
  std::span<Ready> wait(int timeout_ms);

 private:
  int fd_;
  Waker* waker_ = nullptr;
  std::vector<epoll_event> events_;
  std::vector<Ready> ready_;
};

}  // namespace cleat::net
