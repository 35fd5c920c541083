// Whatever a stranger or a proven member sends: the handshake and the framing end the connection or wait for more, and
// nobody is let in without the proof. The input is cut into pieces as the network might. First byte: which end, and
// whether a proven member says it.
#include <algorithm>
#include <cstring>

#include "fuzzing.hpp"
#include "net/peer_channel.hpp"

namespace {

using namespace cleat;
using net::PeerChannel;
using State = PeerChannel::State;

constexpr std::string_view kSecret = "a secret of sixteen";

net::PeerHello hello(uint32_t member) {
  net::PeerHello h;
  h.cluster[0] = 7;
  h.member = member;
  h.name = "a";
  return h;
}

PeerChannel channel(net::PeerEnd end) {
  net::Nonce nonce;
  nonce.fill(end == net::PeerEnd::kDialed ? 1 : 2);
  return {end, hello(end == net::PeerEnd::kDialed ? 1 : 2), kSecret, nonce};
}

// Whole messages that came; the rest waits or has ended the connection.
size_t feed(PeerChannel& to, std::string_view bytes, size_t piece) {
  size_t messages = 0;
  while (!bytes.empty() && to.state() != State::kEnded) {
    const std::span<char> space = to.space();
    MUST_HOLD(!space.empty());
    const size_t n = std::min({bytes.size(), space.size(), piece});
    std::memcpy(space.data(), bytes.data(), n);
    to.received(n);
    bytes.remove_prefix(n);
    while (const auto message = to.next()) messages += message->size() <= net::kMostPeerMessage;
    if (to.state() == State::kAsking) return messages;
  }
  if (to.state() == State::kEnded) {
    MUST_HOLD(to.why().size() <= net::kMostRefusalText);
    for (const char c : to.why()) MUST_HOLD(c >= ' ' && c <= '~');
  }
  return messages;
}

void open(PeerChannel& a, PeerChannel& b) {
  feed(b, a.take_output(), SIZE_MAX);
  feed(a, b.take_output(), SIZE_MAX);
  feed(b, a.take_output(), SIZE_MAX);
  b.admit();
  feed(a, b.take_output(), SIZE_MAX);
  a.admit();
}

std::string framed(PeerChannel& from, std::string_view message) {
  const auto header = from.frame(message);
  return std::string(header.data(), header.size()) + std::string(message);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const unsigned kind = data[0] % 4;
  const size_t piece = 1 + data[1] % 64;
  const std::string_view bytes = fuzz::text(data + 2, size - 2);
  PeerChannel a = channel(net::PeerEnd::kDialed), b = channel(net::PeerEnd::kAccepted);
  if (kind == 0 || kind == 1) {  // a stranger, who has not got the secret
    PeerChannel& victim = kind == 0 ? a : b;
    feed(victim, bytes, piece);
    MUST_HOLD(victim.state() == State::kGreeting || victim.state() == State::kEnded);
  } else {  // a member's own bytes, one of them changed; or its messages, cut anywhere
    open(a, b);
    MUST_HOLD(a.state() == State::kOpen && b.state() == State::kOpen);
    std::string wire = framed(a, bytes.substr(0, bytes.size() / 2)) + framed(a, bytes.substr(bytes.size() / 2));
    if (kind == 3) wire[(data[1] * 257u + size) % wire.size()] ^= static_cast<char>(1 << (data[1] % 8));
    const size_t messages = feed(b, wire, piece);
    MUST_HOLD(kind == 2 ? messages == 2 && b.state() == State::kOpen : messages < 2 && b.state() == State::kEnded);
  }
  return 0;
}
