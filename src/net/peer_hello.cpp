#include "net/peer_hello.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "net/hmac.hpp"

namespace cleat::net {

// The versions stand first, so that any two builds can at least tell that they do not understand each other.
std::string encode(const PeerHello& hello, const Nonce& nonce) {
  std::string out;
  base::Writer w(out);
  w.varint(hello.oldest_version);
  w.varint(hello.newest_version);
  w.bytes(as_text(nonce));
  w.bytes(as_text(hello.cluster));
  w.varint(hello.incarnation);
  w.varint(hello.member);
  w.bytes(hello.name);
  w.varint(hello.boot);
  w.varint(hello.level);
  w.varint(hello.to_member);
  w.varint(hello.starts.size());
  for (const uint64_t id : hello.starts) w.fixed64(id);
  w.varint(hello.found_term);
  w.varint(hello.found_next);
  return out;
}

base::Result<PeerHello> decode_peer_hello(std::string_view bytes, Nonce& nonce) {
  base::Reader r(bytes);
  PeerHello hello;
  const auto number = [&r](uint32_t& out) {
    const uint64_t v = r.varint();
    if (v > UINT32_MAX) r.fail();
    out = static_cast<uint32_t>(v);
  };
  const auto exactly = [&r](auto& out) {
    const std::string_view v = r.bytes();
    if (v.size() != out.size()) return r.fail();
    std::copy(v.begin(), v.end(), out.begin());
  };
  number(hello.oldest_version);
  number(hello.newest_version);
  exactly(nonce);
  exactly(hello.cluster);
  number(hello.incarnation);
  number(hello.member);
  hello.name = r.bytes();
  number(hello.boot);
  number(hello.level);
  number(hello.to_member);
  if (r.ok() && !r.at_end()) {
    const uint64_t count = r.varint();
    if (count > kMostStarts) r.fail();
    for (uint64_t i = 0; i < count && r.ok(); ++i) hello.starts.push_back(r.fixed64());
  }
  if (r.ok() && !r.at_end()) {
    hello.found_term = r.varint();
    hello.found_next = r.varint();
  }
  if (hello.oldest_version > hello.newest_version || hello.name.size() > kMostPeerName) r.fail();
  if (!r.ok()) return base::Status(base::Code::kInvalid, "the greeting of the other end is malformed");
  return hello;
}

}  // namespace cleat::net
