// Who a member says it is when it connects to another. What is said is bound into the proofs of the handshake
// (peer_channel.hpp), so nobody without the cluster's secret can change or make it up.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace cleat::net {

using ClusterId = std::array<uint8_t, 16>;  // all zero: none yet
using Nonce = std::array<uint8_t, 32>;

inline constexpr size_t kMostPeerMessage = (8u << 20) + (64u << 10);  // bytes of one message
inline constexpr size_t kMostPeerName = 255;  // bytes of PeerHello::name; longer ones are refused
inline constexpr size_t kMostStarts = 64;     // of PeerHello; more are refused

// Of this build: the oldest and the newest protocol between members that it speaks. Both ends use the newest common
// one.
inline constexpr uint32_t kOldestPeerVersion = 1, kNewestPeerVersion = 1;

enum class PeerEnd : uint8_t { kDialed, kAccepted };  // which end of a connection one is

struct PeerHello {
  ClusterId cluster{};
  uint32_t incarnation = 0;
  uint32_t member = 0;  // 0: has no id yet (founding, joining)
  std::string name;
  uint32_t boot = 0;
  std::vector<uint64_t> starts;  // ids of its directory's starts, number `boot` first; 0 and beyond the end: not known
  // What its start found on its disk: Raft's term, and the entry behind the log's last one; 0: not known.
  uint64_t found_term = 0, found_next = 0;
  uint32_t level = 0;      // the highest feature level that it knows
  uint32_t to_member = 0;  // whom the dialing end means to reach; 0: it does not know. Peers fills it in
  uint32_t oldest_version = kOldestPeerVersion, newest_version = kNewestPeerVersion;
  bool operator==(const PeerHello&) const = default;
};

// Later versions may add fields at the end: they are skipped here. kInvalid: cut short, or more than
// kMostPeerName and kMostStarts allow. Older builds do not say `starts`, or what was found.
std::string encode(const PeerHello&, const Nonce&);
base::Result<PeerHello> decode_peer_hello(std::string_view, Nonce&);

}  // namespace cleat::net
