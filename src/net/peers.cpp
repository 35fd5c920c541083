#include "net/peers.hpp"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/peers_impl.hpp"
#include "net/socket_address.hpp"

namespace cleat::net {
namespace {

// A connection is lost when what was sent is not acknowledged in time, or an idle one's probes are not answered.
void set_peer_options(int fd, int64_t silent_us) {
  const int seconds = std::max<int>(1, static_cast<int>(silent_us / 2'000'000));
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(silent_us / 1000));
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
  set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
}

}  // namespace

Peers::Impl::Impl(Poller& poller, PeersOptions options, PeerHandler& handler)
    : poller_(poller), options_(std::move(options)), handler_(handler), random_(options_.seed) {}

Peers::Impl::~Impl() {
  for (const auto& link : links_) {
    part(*link);
    close_link(*link);
  }
  if (listener_) poller_.forget(tag_of(&*listener_));
  if (resolver_) poller_.forget(tag_of(&*resolver_));
}

Peers::Impl::Link* Peers::Impl::add_link(int fd, PeerEnd end, std::string where, Interest interest) {
  set_peer_options(fd, options_.silent_us);
  auto link = std::make_unique<Link>();
  if (!poller_.add(fd, tag_of(link.get()), interest).ok()) {
    ::close(fd);
    return nullptr;
  }
  link->fd = fd;
  link->end = end;
  link->where = std::move(where);
  link->watched = interest;
  links_.push_back(std::move(link));
  return links_.back().get();
}

void Peers::Impl::reconnect() {
  for (const auto& link : links_) {
    part(*link);
    if (link->dialed) link->dialed->retry_us = 0;
  }
  for (const auto& [key, d] : dialed_) d->next_try_us = 0;
}

void Peers::Impl::take(const Ready& ready) {
  if (listener_ && ready.tag == tag_of(&*listener_)) {
    accept_all();
  } else if (resolver_ && ready.tag == tag_of(&*resolver_)) {
    take_answers();
  } else {
    auto& link = *reinterpret_cast<Link*>(static_cast<char*>(ready.tag) - 1);
    if (link.lost) return;
    if (!link.channel) {
      connected(link);
    } else {
      if (ready.writable) write(link);
      // A held one that is gone would be told of again and again.
      if (ready.gone && !link.watched.read) lose(link, std::string(kClosed));
      if (ready.readable || ready.gone) read(link);
    }
  }
  reap();
}

void Peers::Impl::read(Link& link) {
  size_t budget = options_.input_a_turn_bytes;
  while (!link.lost && pump(link)) {
    const std::span<char> space = link.channel->space();
    const ssize_t n = recv(link.fd, space.data(), space.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) return lose(link, n == 0 ? std::string(kClosed) : std::strerror(errno));
    const auto got = static_cast<size_t>(n);
    link.channel->received(got);
    const bool more = pump(link);
    if (!more || got < space.size()) return;  // the poller tells of what comes later
    if (got >= budget) {
      left_ = true;
      return;
    }
    budget -= got;
  }
}

bool Peers::Impl::pump(Link& link) {
  PeerChannel& channel = *link.channel;
  if (channel.state() == PeerChannel::State::kAsking) ask(link);
  if (link.lost) return false;
  if (const std::string said = channel.take_output(); !said.empty()) {
    link.out.append(said, {});
    write(link);
  }
  if (!link.lost && channel.state() == PeerChannel::State::kOpen && !hand_over(link)) return false;
  if (!link.lost && channel.state() == PeerChannel::State::kEnded) {
    lose_ended(link);
  }
  return !link.lost;
}

void Peers::Impl::ask(Link& link) {
  const bool dialed = link.end == PeerEnd::kDialed;
  const PeerHello& theirs = link.channel->theirs();
  base::Status status;
  if (!dialed && count(true) >= options_.most_accepted) {
    status = {base::Code::kBusy, "it has as many connections from members as it takes"};
  } else {
    status = handler_.admit(link.end, dialed ? link.dialed->key : 0, theirs);
  }
  if (link.lost) return;
  if (!status.ok()) return link.channel->refuse(status.message());
  if (dialed) {
    admitted_dialed(link);
  } else {
    admitted_accepted(link);
  }
}

void Peers::Impl::ask_again(Link& link) {
  if (link.lost || !link.admitted) return;
  const uint64_t key = link.end == PeerEnd::kDialed ? link.dialed->key : 0;
  const base::Status status = handler_.admit(link.end, key, link.channel->theirs());
  if (link.lost || status.ok()) return;
  link.channel->refuse(status.message());
  pump(link);
}

// false: held, or the link was lost.
bool Peers::Impl::hand_over(Link& link) {
  for (;;) {
    if (link.lost) return false;
    if (held_ && link.end == PeerEnd::kAccepted) {
      watch(link);
      return false;
    }
    const auto message = link.channel->next();
    if (!message) return true;
    if (link.end == PeerEnd::kDialed) {
      lose(link, "it sent a message over a connection that only this end sends over");
    } else {
      handler_.on_message(link.channel->theirs(), *message);
    }
  }
}

void Peers::Impl::write(Link& link) {
  if (const int error = link.out.write_to(link.fd); error != 0) return lose_by(link, error);
  if (link.dialed) link.dialed->state.unsent_bytes = link.out.bytes();
  watch(link);
}

void Peers::Impl::watch(Link& link) {
  const bool reads = !(held_ && link.admitted && link.end == PeerEnd::kAccepted);
  const Interest interest = {reads, !link.out.empty()};
  if (link.lost || interest == link.watched) return;
  link.watched = interest;
  poller_.change(link.fd, tag_of(&link), interest);
}

void Peers::Impl::turn(int64_t now_us) {
  now_us_ = now_us;
  left_before_ = std::exchange(left_, false);
  if (std::exchange(unheld_, false)) read_held();
  end_late_ones();
  if (std::exchange(ask_again_, false)) {
    for (size_t i = 0; i < links_.size(); ++i) ask_again(*links_[i]);
  }
  reap();
  for (const auto& [key, d] : dialed_) {
    if (!d->link && d->question == 0 && now_us >= d->next_try_us) try_dial(*d);
  }
  reap();
}

// What lies in the links' own buffers: the poller tells only of the sockets'.
void Peers::Impl::read_held() {
  for (size_t i = 0; i < links_.size(); ++i) {
    Link& link = *links_[i];
    if (link.lost || !link.admitted || link.end != PeerEnd::kAccepted) continue;
    watch(link);
    pump(link);
  }
}

void Peers::Impl::end_late_ones() {
  for (const auto& link : links_) {
    if (link->lost || link->admitted) continue;
    if (link->deadline_us == 0) link->deadline_us = now_us_ + options_.handshake_us;
    if (now_us_ < link->deadline_us) continue;
    lose(*link, fmt::format("it did not {} within {} ms", link->channel ? "introduce itself" : "answer",
                            options_.handshake_us / 1000));
  }
}

std::optional<int64_t> Peers::Impl::next_wake_us() const {
  if (any_lost_ || unheld_ || ask_again_) return now_us_;
  std::optional<int64_t> wake;
  const auto at = [&wake](int64_t us) { wake = wake ? std::min(*wake, us) : us; };
  for (const auto& [key, d] : dialed_) {
    if (!d->link && d->question == 0) at(d->next_try_us);
  }
  for (const auto& link : links_) {
    if (!link->admitted) at(link->deadline_us);
  }
  return wake;
}

void Peers::Impl::hold_input(bool held) {
  if (held_ && !held) unheld_ = true;
  held_ = held;
}

size_t Peers::Impl::count(bool admitted) const {
  return static_cast<size_t>(std::count_if(links_.begin(), links_.end(), [&](const auto& link) {
    return !link->lost && link->end == PeerEnd::kAccepted && link->admitted == admitted;
  }));
}

Peers::Peers(Poller& poller, PeersOptions options, PeerHandler& handler)
    : impl_(std::make_unique<Impl>(poller, std::move(options), handler)) {}
Peers::~Peers() = default;
void Peers::set_hello(PeerHello mine) {
  impl_->set_hello(std::move(mine));
}
void Peers::reconnect() {
  impl_->reconnect();
}
void Peers::admit_again() {
  impl_->admit_again();
}
base::Status Peers::listen(const Address& address) {
  return impl_->listen(address);
}
const Address& Peers::address() const {
  return impl_->address();
}
void Peers::dial(uint64_t key, const Address& address, uint32_t to_member) {
  impl_->dial(key, address, to_member);
}
void Peers::drop(uint64_t key) {
  impl_->drop(key);
}
bool Peers::send(uint64_t key, std::string_view message) {
  return impl_->send(key, message);
}
void Peers::flush() {
  impl_->flush();
}
void Peers::hold_input(bool held) {
  impl_->hold_input(held);
}
bool Peers::input_left() const {
  return impl_->input_left();
}
void Peers::take(const Ready& ready) {
  impl_->take(ready);
}
void Peers::turn(int64_t now_us) {
  impl_->turn(now_us);
}
std::optional<int64_t> Peers::next_wake_us() const {
  return impl_->next_wake_us();
}
std::optional<PeerState> Peers::state(uint64_t key) const {
  return impl_->state(key);
}
size_t Peers::accepted() const {
  return impl_->count(true);
}
size_t Peers::unproven() const {
  return impl_->count(false);
}

}  // namespace cleat::net
