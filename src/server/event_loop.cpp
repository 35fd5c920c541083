#include "server/event_loop.hpp"

#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace cleat::server {
namespace {

constexpr int kAcceptsATurn = 256;
constexpr int kLooksATurn = 4;               // for requests that came while the ones before them were read
constexpr unsigned kTurnsBetweenLooks = 64;  // at Asio, while clients keep the loop busy
constexpr int64_t kHandOverUs = 2'000'000;   // for another member to lead, before this one stops
constexpr int64_t kStopUs = 2'000'000;       // for answers to leave at the end
constexpr int kStopTurns = 1'000;
constexpr int64_t kStopWaitUs = 5'000;
constexpr int64_t kLongestWaitUs = 100'000;  // a signal may have gone to another thread

}  // namespace

EventLoop::EventLoop(Service& service, net::Listener& listener, replica::Clock& clock, const net::ServiceNotify& notify)
    : service_(service),
      listener_(&listener),
      clock_(clock),
      notify_(notify),
      io_(1),
      signals_(io_, SIGTERM, SIGINT, SIGHUP) {
  const auto status = poller_.add(listener.fd(), &listener, {});
  CLEAT_CHECK(status.ok(), "a listening socket can be watched");
  await_signal();
}

void EventLoop::await_signal() {
  signals_.async_wait([this](const asio::error_code& error, int number) {
    if (error) return;
    if (number == SIGHUP) {
      spdlog::info("SIGHUP: settings are read at the start only; CONFIG SET changes some while the node runs");
    } else {
      spdlog::info("{}: the node stops", number == SIGTERM ? "SIGTERM" : "SIGINT");
      stop();
    }
    await_signal();
  });
}

void EventLoop::stop() {
  stopping_ = true;
}

std::span<net::Ready> EventLoop::wait(bool may_wait) {
  int64_t wait_us = 0;
  if (may_wait && !service_.has_more()) {
    wait_us = stopping_ ? kStopWaitUs : kLongestWaitUs;
    const int64_t now = clock_.mono_us();
    if (const auto wake = service_.next_wake_us()) wait_us = std::min(wait_us, *wake - now);
    if (members_) wait_us = std::min(wait_us, members_->next_wake_us().value_or(INT64_MAX) - now);
    if (notify_.watchdog_every_ms()) wait_us = std::min(wait_us, next_watchdog_us_ - now);
  }
  const auto ready = poller_.wait(wait_us <= 0 ? 0 : static_cast<int>((wait_us + 999) / 1000));
  if (ready.empty() || ++turns_ % kTurnsBetweenLooks == 0) io_.poll();
  return ready;
}

// What came while the first requests were read goes into the same entry: on a slow disk each sync then carries nearly
// all clients instead of every other one.
void EventLoop::turn(bool may_wait) {
  auto ready = wait(may_wait);
  if (members_) members_->begin_turn(clock_.mono_us());
  service_.begin_turn();
  size_t taken = 0;
  for (int looks = 1; !ready.empty(); ++looks) {
    take(ready);
    taken += ready.size();
    if (looks == kLooksATurn || ready.size() >= service_.connections() || taken >= net::Poller::kMostReady) break;
    ready = poller_.wait(0);
  }
  bool input_left = ready.size() == net::Poller::kMostReady;
  if (members_) {
    if (members_->finish_turn(clock_.mono_us())) service_.heard_members();
    input_left = input_left || members_->input_left();
  }
  service_.finish_turn(input_left);
  send_touched();
  service_.destroy_gone();
  service_.turn_ended();
  tell_watchdog();
}

void EventLoop::send_touched() {
  for (Connection* c : service_.touched()) flush(*c);
}

void EventLoop::take(std::span<net::Ready> ready) {
  for (net::Ready& r : ready) {
    if (!r.tag) continue;
    if (r.tag == listener_) {
      accept_all();
      continue;
    }
    if (net::Peers::is_peer_tag(r.tag)) {
      members_->take(r);
      continue;
    }
    auto& c = *static_cast<Connection*>(r.tag);
    c.hung_up |= r.gone;
    if (r.writable) service_.touch(c);
    if (r.readable) {
      read_from(c);
    } else if (r.gone) {
      service_.disconnected(c);
    }
  }
}

void EventLoop::accept_all() {
  for (int i = 0; i < kAcceptsATurn && listener_; ++i) {
    const auto accepted = listener_->accept();
    if (!accepted) return;
    if (accepted->fd < 0) {
      spdlog::error("a connection was refused: no file descriptor is left (raise the limit of open files)");
      continue;
    }
    std::string refusal;
    Connection* c = service_.connect(accepted->peer, listener_->address().text(), refusal);
    if (!c) {
      [[maybe_unused]] const auto n = send(accepted->fd, refusal.data(), refusal.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::close(accepted->fd);
      continue;
    }
    c->fd = accepted->fd;
    if (!poller_.add(c->fd, c, {}).ok()) service_.disconnected(*c);
  }
}

void EventLoop::read_from(Connection& c) {
  if (c.gone) return;
  const std::span<char> space = c.input.space();
  if (space.empty()) {
    service_.touch(c);  // flush() stops watching it until there is room
    return;
  }
  const ssize_t n = recv(c.fd, space.data(), space.size(), 0);
  if (n > 0) {
    service_.received(c, static_cast<size_t>(n));
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    service_.disconnected(c);
  }
}

void EventLoop::flush(Connection& c) {
  if (c.gone) return;
  size_t sent = 0;
  if (c.unsent() > 0) {
    const ssize_t n = send(c.fd, c.out.data() + c.sent, c.unsent(), MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) return service_.disconnected(c);
    sent = n < 0 ? 0 : static_cast<size_t>(n);
  }
  service_.sent(c, sent);
  if (c.gone) return;
  const net::Interest interest = {service_.wants_input(c), c.unsent() > 0};
  if (interest.read == c.reads && interest.write == c.writes) return;
  c.reads = interest.read;
  c.writes = interest.write;
  poller_.change(c.fd, &c, interest);
}

void EventLoop::close_socket(Connection& c) {
  if (c.fd < 0) return;
  poller_.forget(&c);
  ::close(c.fd);
  c.fd = -1;
}

void EventLoop::tell_watchdog() {
  if (!notify_.watchdog_every_ms() || clock_.mono_us() < next_watchdog_us_) return;
  next_watchdog_us_ = clock_.mono_us() + *notify_.watchdog_every_ms() * 1000;
  notify_.tell("WATCHDOG=1");
}

// Clients are served meanwhile: for them it is a moment without a leader, and not an election after a silence.
void EventLoop::hand_over() {
  if (!service_.hand_over()) return;
  const int64_t until = clock_.mono_us() + kHandOverUs;
  while (!service_.handed_over() && clock_.mono_us() < until) turn(true);
}

void EventLoop::run() {
  while (!stopping_) turn(true);
  notify_.tell("STOPPING=1");
  hand_over();
  poller_.forget(listener_);
  listener_ = nullptr;
  const int64_t until = clock_.mono_us() + kStopUs;
  service_.begin_stop();
  turn(false);
  for (int i = 0; i < kStopTurns && service_.connections() > 0 && clock_.mono_us() < until; ++i) turn(true);
  service_.end_stop();
  turn(false);
}

}  // namespace cleat::server
