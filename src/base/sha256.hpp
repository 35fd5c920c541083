// SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104): what the id of a cluster and the proof between its members are made
// of. Not tuned: they run when a connection begins, never per request.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace cleat::base {

using Digest = std::array<uint8_t, 32>;

inline std::string_view bytes_of(const Digest& d) {
  return {reinterpret_cast<const char*>(d.data()), d.size()};
}

// Of the parts as if they were one text.
Digest sha256(std::initializer_list<std::string_view> parts);
inline Digest sha256(std::string_view message) {
  return sha256({message});
}
Digest hmac_sha256(std::string_view key, std::string_view message);
// Takes as long wherever they differ.
bool same_digest(std::string_view a, std::string_view b);

}  // namespace cleat::base
