// Commands as bytes for the wire, and the random ids that clients make up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cleat::client {

using Words = std::vector<std::string>;  // a command: its name and arguments, any bytes

std::string encode_request(std::span<const std::string> words);

// 2 * `bytes` hex digits from getrandom(2).
std::string random_hex(size_t bytes);

// A seed from getrandom(2), for those that want one.
uint64_t random_seed();

}  // namespace cleat::client
