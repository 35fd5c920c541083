// The connections that this member makes and sends over.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "net/peers_impl.hpp"
#include "net/socket_address.hpp"

namespace cleat::net {

Peers::Impl::Dialed* Peers::Impl::find(uint64_t key) {
  const auto at = dialed_.find(key);
  return at == dialed_.end() ? nullptr : at->second.get();
}

void Peers::Impl::dial(uint64_t key, const Address& address, uint32_t to_member) {
  CLEAT_CHECK(key != 0, "0 is the key of accepted connections");
  if (const Dialed* d = find(key)) {
    if (d->address == address && d->to_member == to_member) return;
    drop(key);
  }
  auto d = std::make_unique<Dialed>();
  d->key = key;
  d->address = address;
  d->to_member = to_member;
  d->state.address = address.text();
  d->state.trouble = "not connected yet";
  dialed_.emplace(key, std::move(d));
}

void Peers::Impl::drop(uint64_t key) {
  Dialed* d = find(key);
  if (!d) return;
  if (d->link) {
    d->link->dialed = nullptr;
    part(*d->link);
  }
  dialed_.erase(key);
}

void Peers::Impl::try_dial(Dialed& d) {
  ++d.attempts;
  if (!is_name(d.address)) return connect(d, d.address);
  if (!resolver_) {
    resolver_.emplace();
    const auto status = poller_.add(resolver_->fd(), tag_of(&*resolver_), {});
    CLEAT_CHECK(status.ok(), "an event descriptor can be watched");
  }
  if (!resolver_->ask(++last_question_, d.address)) return fail_dial(d, "no thread could be started to resolve it");
  d.question = last_question_;
}

void Peers::Impl::take_answers() {
  for (Resolver::Answer& answer : resolver_->take()) {
    const auto at = std::find_if(dialed_.begin(), dialed_.end(),
                                 [&](const auto& entry) { return entry.second->question == answer.question; });
    if (at == dialed_.end()) continue;  // dropped meanwhile
    Dialed& d = *at->second;
    d.question = 0;
    if (answer.addresses.empty()) {
      fail_dial(d, answer.trouble);
    } else {
      connect(d, answer.addresses[d.attempts % answer.addresses.size()]);  // each in its turn
    }
  }
}

void Peers::Impl::connect(Dialed& d, const Address& address) {
  if (options_.secret.empty() && !is_loopback(address)) {
    return fail_dial(d, "it is on another machine, and without a cluster secret members talk on loopback only");
  }
  SocketAddress to;
  const socklen_t length = to_socket_address(address, to);
  const int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail_dial(d, fmt::format("no socket could be opened: {}", std::strerror(errno)));
  const bool done = ::connect(fd, &to.any, length) == 0;
  if (!done && errno != EINPROGRESS) {
    const int error = errno;
    ::close(fd);
    return fail_dial(d, std::strerror(error));
  }
  Link* link = add_link(fd, PeerEnd::kDialed, d.address.text(), {.read = false, .write = true});
  if (!link) return fail_dial(d, "its socket could not be watched");
  link->dialed = &d;
  link->deadline_us = now_us_ + options_.handshake_us;
  d.link = link;
}

void Peers::Impl::connected(Link& link) {
  int error = 0;
  socklen_t length = sizeof error;
  getsockopt(link.fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return lose(link, std::strerror(error));
  PeerHello mine = mine_;
  mine.to_member = link.dialed->to_member;
  Nonce nonce;
  fill_random(nonce);
  link.channel.emplace(PeerEnd::kDialed, mine, options_.secret, nonce);
  link.out.append(link.channel->take_output(), {});
  write(link);
}

void Peers::Impl::admitted_dialed(Link& link) {
  Dialed& d = *link.dialed;
  link.channel->admit();
  link.admitted = true;
  d.up_since_us = now_us_;
  d.state.up = true;
  ++d.state.connects;
  d.state.trouble.clear();
  log(1, key_of(link), kUp, fmt::format("connected to {}", who_is(link)));
  handler_.on_up(d.key, link.channel->theirs());
}

void Peers::Impl::fail_dial(Dialed& d, std::string why) {
  log(2, d.state.address, why, fmt::format("no connection to the member at {}: {}", d.state.address, why));
  d.state.trouble = std::move(why);
  retry_later(d);
}

// Twice as long as the time before, unless the connection had stood for a while; and not as long for all.
void Peers::Impl::retry_later(Dialed& d) {
  const bool stood = d.state.up && now_us_ - d.up_since_us >= options_.last_retry_us;
  const bool first = d.retry_us == 0 || stood;
  d.retry_us = first ? options_.first_retry_us : std::min(d.retry_us * 2, options_.last_retry_us);
  const int64_t half = d.retry_us / 2;
  d.next_try_us = now_us_ + half + static_cast<int64_t>(random_() % static_cast<uint64_t>(half + 1));
  d.state.up = false;
  d.state.unsent_bytes = 0;
}

bool Peers::Impl::send(uint64_t key, std::string_view message) {
  Dialed* d = find(key);
  if (!d) return false;
  const size_t size = message.size() + kPeerFrameHeader;
  if (!d->state.up || d->link->lost || message.size() > kMostPeerMessage ||
      d->link->out.bytes() + size > options_.send_buffer_bytes) {
    ++d->state.messages_dropped;
    return false;
  }
  Link& link = *d->link;
  const auto header = link.channel->frame(message);
  link.out.append({header.data(), header.size()}, message);
  ++d->state.messages_sent;
  d->state.bytes_sent += size;
  d->state.unsent_bytes = link.out.bytes();
  if (!link.dirty) {
    link.dirty = true;
    dirty_.push_back(&link);
  }
  return true;
}

void Peers::Impl::flush() {
  for (Link* link : dirty_) {
    link->dirty = false;
    if (!link->lost && !link->watched.write) write(*link);  // a full one goes on when the poller says so
  }
  dirty_.clear();
}

std::optional<PeerState> Peers::Impl::state(uint64_t key) const {
  const auto at = dialed_.find(key);
  if (at == dialed_.end()) return std::nullopt;
  return at->second->state;
}

}  // namespace cleat::net
