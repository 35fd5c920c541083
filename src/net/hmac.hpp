// The little cryptography that members need to know each other: OpenSSL's, behind four functions. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

namespace cleat::net {

using Digest = std::array<uint8_t, 32>;

// Of all parts, one after the other. Parts of varying length must carry their length.
Digest sha256(std::initializer_list<std::string_view> parts);
Digest hmac_sha256(std::string_view secret, std::initializer_list<std::string_view> parts);
// For nonces and ids that nobody may guess. Stops the process if the system has no randomness to give.
void fill_random(std::span<uint8_t> out);
// Takes as long whatever differs.
bool same_digest(const Digest&, const Digest&);

inline std::string_view as_text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace cleat::net
