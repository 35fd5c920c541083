// Plain non-blocking sockets and the alarm that wakes a poll at a time of the boot clock.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.hpp"
#include "client/boot_clock.hpp"
#include "client/endpoint.hpp"
#include "client/lookup.hpp"
#include "client/wire.hpp"

namespace cleat::client {

// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// A timer in a poll set. It runs on CLOCK_BOOTTIME, so it wakes right after a suspend; since that clock may be slewed
// by NTP, it may fire early or late by some percent: late is cured by setting it short of the time while that is far
// off, early by the caller, who looks at the clock and sets it again. One that is set is not put off: firing early once
// is cheaper than a system call for each wait.
class Alarm {
 public:
  Alarm();
  int fd() const { return fd_.get(); }
  void set(std::optional<TimePoint> when, TimePoint now);  // none: off
  void drain();                                            // after its fd was readable

 private:
  Fd fd_;
  std::optional<TimePoint> set_for_;  // and has not fired, as far as is known
};

// A TCP connection.
class Socket final : public Wire {
 public:
  explicit Socket(Lookup::Function look_up_name = [](const Endpoint& e) { return look_up(e, false); })
      : lookups_(std::move(look_up_name)) {}

  // Looks up the endpoint's addresses and tries them one after the other.
  base::Status start(const Endpoint& endpoint) override;
  // While connecting, when its fd has what wanted() says or an error: the look-up is done, or the connection is there,
  // or the next address is tried, or all failed. The fd may be another one afterwards.
  base::Status finish_connect() override;
  void close() override;

  Phase phase() const override { return phase_; }
  int fd() const { return looking_up_ != nullptr ? looking_up_->fd() : fd_.get(); }
  // Events to poll for.
  short wanted(bool has_output) const;

  base::Status read(std::string& out) override;
  base::Status write(std::string& out) override;

 private:
  base::Status finish_look_up();
  base::Status try_all(Found found);
  base::Status try_next();

  static constexpr size_t kBuffer = 64 * 1024;

  Fd fd_;
  // Not on the stack: who reads may be a thread of the program, which may have little of it.
  std::unique_ptr<char[]> buffer_ = std::make_unique_for_overwrite<char[]>(kBuffer);
  Lookups lookups_;
  Lookup* looking_up_ = nullptr;  // in lookups_, while that is what is waited for
  Endpoint endpoint_;
  Phase phase_ = Phase::kClosed;
  std::vector<Address> addresses_;
  size_t next_ = 0;
  std::string last_error_;
};

}  // namespace cleat::client
