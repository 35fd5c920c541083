// The connections that other members make and this one receives over.
#include <fmt/format.h>

#include "net/peers_impl.hpp"

namespace cleat::net {
namespace {
constexpr int kAcceptsATurn = 64;
}  // namespace

base::Status Peers::Impl::listen(const Address& address) {
  CLEAT_CHECK(!listener_, "one listener");
  if (options_.secret.empty() && !is_loopback(address)) {
    return {base::Code::kInvalid,
            fmt::format("{} can be reached from other machines, so the members must share a secret: give each of them "
                        "the same --cluster-secret-file FILE, or use loopback addresses for all of them",
                        address.text())};
  }
  auto listener = Listener::open(address, "--peer-listen");
  if (!listener.ok()) return listener.status();
  listener_.emplace(*std::move(listener));
  return poller_.add(listener_->fd(), tag_of(&*listener_), {});
}

const Address& Peers::Impl::address() const {
  static const Address kNone;
  return listener_ ? listener_->address() : kNone;
}

void Peers::Impl::accept_all() {
  for (int i = 0; i < kAcceptsATurn; ++i) {
    const auto accepted = listener_->accept();
    if (!accepted) return;
    if (accepted->fd < 0) {
      log(3, "", "descriptors",
          "a member's connection was refused: no file descriptor is left (raise the limit of open files)");
      continue;
    }
    make_room_for_unproven();
    // Without the port, which is another one each time: it is the same member that has trouble.
    std::string where = accepted->peer.substr(0, accepted->peer.rfind(':'));
    Link* link = add_link(accepted->fd, PeerEnd::kAccepted, std::move(where), {});
    if (!link) continue;
    Nonce nonce;
    fill_random(nonce);
    link->channel.emplace(PeerEnd::kAccepted, mine_, options_.secret, nonce);
  }
}

// The oldest goes: a member of ours proves itself within a round trip, whoever fills the places does not.
void Peers::Impl::make_room_for_unproven() {
  if (count(false) < options_.most_unproven) return;
  for (const auto& link : links_) {
    if (link->lost || link->admitted || link->end != PeerEnd::kAccepted) continue;
    return lose(*link, "too many that have not introduced themselves");
  }
}

void Peers::Impl::admitted_accepted(Link& link) {
  const PeerHello& theirs = link.channel->theirs();
  for (size_t i = 0; i < links_.size(); ++i) {
    Link& old = *links_[i];
    if (!old.admitted || old.end != PeerEnd::kAccepted) continue;
    if (old.channel->theirs().member != theirs.member || old.channel->theirs().name != theirs.name) continue;
    lose_quietly(old);
    old.admitted = false;
    handler_.on_accepted_down(old.channel->theirs());
  }
  if (link.lost) return;
  // It is there again: no need to sit out the pause until the next attempt to reach it.
  for (const auto& [key, d] : dialed_) {
    if (theirs.member != 0 && d->to_member == theirs.member) d->next_try_us = 0;
  }
  link.channel->admit();
  link.admitted = true;
  log(1, key_of(link), kUp, fmt::format("{} is connected", who_is(link)));
  handler_.on_accepted(theirs);
}

}  // namespace cleat::net
