#include "server/peer_link.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace cleat::server {

void PeerLink::attach(net::Peers& peers) {
  peers_ = &peers;
}

void PeerLink::serve(replica::Replica* replica, uint32_t own) {
  replica_ = replica;
  own_ = own;
}

void PeerLink::set_members(const replica::Members& members) {
  for (const replica::Member& old : dialed_.all()) {
    if (!members.find(old.id)) peers_->drop(old.id);
  }
  dialed_ = members;
  for (const replica::Member& m : members.all()) {
    if (m.id == own_ || m.address.empty()) continue;
    const auto address = net::parse_named_address(m.address);
    if (address.ok()) {
      peers_->dial(m.id, *address, m.id);
    } else {
      spdlog::error("member {} cannot be reached: {}", m.name, address.status().message());
    }
  }
}

bool PeerLink::finish_turn(int64_t now_us) {
  peers_->turn(now_us);
  peers_->flush();  // what was said to outsiders; the pump flushes for itself
  return std::exchange(heard_, false);
}

std::optional<int64_t> PeerLink::next_wake_us() const {
  const auto a = peers_->next_wake_us(), b = admission_.next_wake_us();
  return a && b ? std::min(*a, *b) : a ? a : b;
}

void PeerLink::send(uint32_t member, std::string_view message) {
  if (!peers_) return;  // the replica is opened before there are connections
  // Who stands at that address has no place in the group yet: it would not understand.
  if (std::find(outsiders_.begin(), outsiders_.end(), member) != outsiders_.end()) return;
  peers_->send(member, message);
}

void PeerLink::flush() {
  if (peers_) peers_->flush();
}

base::Status PeerLink::admit(net::PeerEnd end, uint64_t key, const net::PeerHello& theirs) {
  if (base::Status s = admission_.admit(end, key, theirs); !s.ok()) return s;
  if (key != 0 && key < kOutsider && theirs.member != 0 && theirs.member != key) {
    return {base::Code::kInvalid,
            fmt::format("member {} was meant, and member {} answers there: the addresses are mixed up", key,
                        theirs.member)};
  }
  return {};
}

bool PeerLink::of_group(const net::PeerHello& theirs) const {
  return replica_ && own_ != 0 && theirs.member != 0;
}

void PeerLink::on_up(uint64_t key, const net::PeerHello& theirs) {
  if (!of_group(theirs) || key >= kOutsider) {
    outsiders_.push_back(key);
    admission_.on_outsider_up(key, theirs);
  } else {
    heard_ = true;
    replica_->peer_up(theirs.member, theirs.boot, theirs.level);
  }
}

void PeerLink::on_down(uint64_t key) {
  if (std::erase(outsiders_, key) > 0) {
    admission_.on_outsider_down(key);
  } else if (replica_) {
    heard_ = true;
    replica_->peer_down(static_cast<uint32_t>(key));
  }
}

void PeerLink::on_message(const net::PeerHello& theirs, std::string_view message) {
  if (of_group(theirs)) {
    heard_ = true;
    replica_->receive(theirs.member, message);
  } else {
    admission_.on_outsider_message(theirs, message);
  }
}

void PeerLink::on_log(int level, std::string_view line) {
  constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                                   spdlog::level::err, spdlog::level::critical};
  spdlog::log(kLevels[std::clamp(level, 0, 4)], "{}", line);
}

}  // namespace cleat::server
