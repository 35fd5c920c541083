#include "net/poller.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace cleat::net {
namespace {
epoll_event make_event(void* tag, Interest interest) {
  epoll_event event{};
  event.events = EPOLLRDHUP | (interest.read ? EPOLLIN : 0u) | (interest.write ? EPOLLOUT : 0u);
  event.data.ptr = tag;
  return event;
}
}  // namespace

Waker::Waker() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CLEAT_CHECK(fd_ >= 0, "eventfd needs a free file descriptor");
}

Waker::~Waker() {
  close(fd_);
}

void Waker::wake() noexcept {
  const uint64_t one = 1;
  if (write(fd_, &one, sizeof one) < 0) return;  // its counter is full: the wait ends anyway
}

Poller::Poller() : fd_(epoll_create1(EPOLL_CLOEXEC)), events_(kMostReady) {
  CLEAT_CHECK(fd_ >= 0, "no descriptor was left for the poller");
  ready_.reserve(events_.size());
}

Poller::~Poller() {
  close(fd_);
}

base::Status Poller::add(int fd, void* tag, Interest interest) {
  epoll_event event = make_event(tag, interest);
  if (epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return {base::Code::kIo, fmt::format("a connection could not be watched: {}", std::strerror(errno))};
}

base::Status Poller::add(Waker& waker) {
  waker_ = &waker;
  return add(waker.fd_, &waker, {});
}

void Poller::change(int fd, void* tag, Interest interest) {
  epoll_event event = make_event(tag, interest);
  CLEAT_CHECK(epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event) == 0, "only what was added is changed");
}

void Poller::forget(const void* tag) {
  for (Ready& r : ready_) {
    if (r.tag == tag) r = {};
  }
}

std::span<Ready> Poller::wait(int timeout_ms) {
  ready_.clear();
  const int n = epoll_wait(fd_, events_.data(), static_cast<int>(events_.size()), timeout_ms);
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    if (waker_ != nullptr && event.data.ptr == waker_) {
      uint64_t count = 0;
      if (read(waker_->fd_, &count, sizeof count) < 0) count = 0;
      continue;
    }
    const uint32_t bits = event.events;
    ready_.push_back({event.data.ptr, (bits & EPOLLIN) != 0, (bits & EPOLLOUT) != 0,
                      (bits & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0});
  }
  return ready_;
}

}  // namespace cleat::net
