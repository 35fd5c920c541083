#include "client/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"

namespace cleat::client {

using base::Code;
using base::Status;

void Fd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Alarm::Alarm() : fd_(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC)) {
  CLEAT_CHECK(fd_, "timerfd_create needs a free file descriptor");
}

void Alarm::set(std::optional<TimePoint> when, TimePoint now) {
  if (when && set_for_ && *set_for_ <= *when) return;
  set_for_ = when;
  itimerspec spec{};  // all zero: off
  if (when) {
    using std::chrono::nanoseconds;
    constexpr nanoseconds kFar = std::chrono::milliseconds(20);
    nanoseconds left = std::max<nanoseconds>(*when - now, nanoseconds(1));
    if (left > kFar) left = left / 10 * 9;
    spec.it_value = {.tv_sec = left.count() / 1'000'000'000, .tv_nsec = left.count() % 1'000'000'000};
  }
  CLEAT_CHECK(timerfd_settime(fd_.get(), 0, &spec, nullptr) == 0, "the time is positive and normal");
}

void Alarm::drain() {
  uint64_t fired;
  if (::read(fd_.get(), &fired, sizeof fired) < 0) return;  // set anew in between: nothing to drain
  set_for_.reset();
}

Status Socket::start(const Endpoint& endpoint) {
  close();
  Found numeric = look_up(endpoint, true);
  if (numeric.error.empty()) return try_all(std::move(numeric));
  endpoint_ = endpoint;
  looking_up_ = &lookups_.of(endpoint);
  phase_ = Phase::kConnecting;
  return {};
}

Status Socket::finish_look_up() {
  if (!looking_up_->done()) return {};
  Found found = looking_up_->result();
  looking_up_ = nullptr;
  lookups_.forget(endpoint_);
  return try_all(std::move(found));
}

Status Socket::try_all(Found found) {
  addresses_ = std::move(found.addresses);
  next_ = 0;
  last_error_ = std::move(found.error);
  return try_next();
}

Status Socket::try_next() {
  while (next_ < addresses_.size()) {
    const Address& address = addresses_[next_++];
    fd_.reset(::socket(address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd_) {
      last_error_ = std::strerror(errno);
      continue;
    }
    const int on = 1;
    setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto* to = reinterpret_cast<const sockaddr*>(address.bytes.data());
    if (::connect(fd_.get(), to, static_cast<socklen_t>(address.bytes.size())) == 0 || errno == EINPROGRESS) {
      phase_ = Phase::kConnecting;
      return {};
    }
    last_error_ = std::strerror(errno);
  }
  close();
  return {Code::kIo, last_error_};
}

Status Socket::finish_connect() {
  if (looking_up_ != nullptr) return finish_look_up();
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) {
    phase_ = Phase::kOpen;
    return {};
  }
  last_error_ = std::strerror(error);
  return try_next();
}

void Socket::close() {
  fd_.reset();
  looking_up_ = nullptr;
  phase_ = Phase::kClosed;
}

short Socket::wanted(bool has_output) const {
  if (phase_ == Phase::kConnecting) return looking_up_ != nullptr ? POLLIN : POLLOUT;
  return static_cast<short>(has_output ? POLLIN | POLLOUT : POLLIN);
}

Status Socket::read(std::string& out) {
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer_.get(), kBuffer, 0);
    if (n > 0) {
      out.append(buffer_.get(), static_cast<size_t>(n));
      if (static_cast<size_t>(n) < kBuffer) return {};
    } else if (n == 0) {
      return {Code::kIo, "the server closed the connection"};
    } else if (errno == EAGAIN) {
      return {};
    } else if (errno != EINTR) {
      return {Code::kIo, std::strerror(errno)};
    }
  }
}

Status Socket::write(std::string& out) {
  while (!out.empty()) {
    const ssize_t n = ::send(fd_.get(), out.data(), out.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      out.erase(0, static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      return {};
    } else if (errno != EINTR) {
      return {Code::kIo, std::strerror(errno)};
    }
  }
  return {};
}

}  // namespace cleat::client
