// How connections end, and what the operator is told of it.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <tuple>

#include "net/peers_impl.hpp"

namespace cleat::net {
namespace {
constexpr size_t kMostSaid = 256;  // lines that are remembered, so as not to be repeated
}  // namespace

std::string Peers::Impl::who_is(const Link& link) const {
  const bool met = link.channel && link.channel->met() && !link.channel->theirs().name.empty();
  return met ? fmt::format("member {} at {}", plain_text(link.channel->theirs().name), link.where)
             : fmt::format("the member at {}", link.where);
}

// Whom a line is about, for telling it once only. Who has not proven itself may say anything of itself.
std::string Peers::Impl::key_of(const Link& link) const {
  return link.end == PeerEnd::kAccepted && link.admitted ? who_is(link) : link.where;
}

void Peers::Impl::lose(Link& link, std::string why) {
  if (link.lost) return;
  const bool accepted = link.end == PeerEnd::kAccepted;
  const char* what = link.admitted ? "lost the connection of" : "did not let in";
  if (!accepted) what = link.admitted ? "lost the connection to" : "no connection to";
  const bool stranger = accepted && !link.channel->met();  // a probe of the port, a scan
  // Who has not proven itself may give any reason: another one is no news.
  const bool claimed = accepted && !link.admitted && link.channel->refused_by_them();
  log(stranger ? 0 : 2, key_of(link), claimed ? "it refused" : why, fmt::format("{} {}: {}", what, who_is(link), why));
  if (link.dialed) link.dialed->state.trouble = std::move(why);
  lose_quietly(link);
}

void Peers::Impl::lose_ended(Link& link) {
  const PeerChannel& ended = *link.channel;
  const bool farewell = ended.refused_by_them() && ended.why().empty() && link.admitted;
  if (!farewell)
    return lose(link, ended.refused_by_them() ? fmt::format("{}{}", kRefusedByThem, ended.why()) : ended.why());
  log(1, key_of(link), "gone",
      fmt::format("{} closed the connection, as members do that stop or begin anew", who_is(link)));
  if (link.dialed) link.dialed->state.trouble = kClosed;
  lose_quietly(link);
}

// On purpose: what was sent leaves first, as far as the socket takes it, and the other end knows that this is no
// trouble.
void Peers::Impl::part(Link& link) {
  if (link.admitted && !link.lost) {
    link.channel->refuse("");
    link.out.append(link.channel->take_output(), {});
    std::ignore = link.out.write_to(link.fd);
  }
  lose_quietly(link);
}

void Peers::Impl::lose_quietly(Link& link) {
  any_lost_ = any_lost_ || !link.lost;
  link.lost = true;
}

void Peers::Impl::close_link(Link& link) {
  if (link.fd < 0) return;
  poller_.forget(tag_of(&link));
  ::close(link.fd);
  link.fd = -1;
}

// Callbacks may lose further links, and dial and drop.
void Peers::Impl::reap() {
  while (any_lost_) {
    any_lost_ = false;
    for (size_t i = 0; i < links_.size(); ++i) {
      Link& link = *links_[i];
      if (!link.lost || link.fd < 0) continue;
      close_link(link);
      const bool was_admitted = std::exchange(link.admitted, false);
      if (link.end == PeerEnd::kAccepted) {
        if (was_admitted) handler_.on_accepted_down(link.channel->theirs());
      } else if (Dialed* d = std::exchange(link.dialed, nullptr)) {
        const uint64_t key = d->key;
        d->link = nullptr;
        retry_later(*d);
        if (was_admitted) handler_.on_down(key);
      }
    }
  }
  std::erase_if(dirty_, [](const Link* link) { return link->fd < 0; });
  std::erase_if(links_, [](const auto& link) { return link->fd < 0; });
}

// Before it closed, the other end may have said why; that is worth more than "Broken pipe".
void Peers::Impl::lose_by(Link& link, int error) {
  PeerChannel& channel = *link.channel;
  const std::span<char> space = channel.space();
  const ssize_t n = space.empty() ? 0 : recv(link.fd, space.data(), space.size(), MSG_DONTWAIT);
  if (n > 0) channel.received(static_cast<size_t>(n));
  if (link.end == PeerEnd::kDialed) std::ignore = channel.next();
  if (channel.state() == PeerChannel::State::kEnded) return lose_ended(link);
  lose(link, std::strerror(error));
}

// What is the same about the same member is told once a minute; but whoever was told of a trouble is told of its end,
// too.
void Peers::Impl::log(int level, const std::string& who, const std::string& what, const std::string& line) {
  if (said_.size() >= kMostSaid) {
    std::erase_if(said_, [&](const auto& said) { return now_us_ - said.second >= options_.same_line_us; });
    if (said_.size() >= kMostSaid) return;
  }
  const auto [at, is_new] = said_.try_emplace({who, what}, now_us_);
  const bool ends_trouble = what == kUp && troubled_.erase(who) > 0;
  if (!is_new && !ends_trouble && now_us_ - at->second < options_.same_line_us) return;
  at->second = now_us_;
  if (what != kUp && troubled_.size() < kMostSaid) troubled_.insert(who);
  handler_.on_log(level, line);
}

}  // namespace cleat::net
