// HOST:PORT as people write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.hpp"

namespace cleat::net {

struct Address {
  std::string host;   // numeric, or "localhost", or a name where that is said; without brackets
  uint16_t port = 0;  // 0: any free one
  std::string text() const;
  bool operator==(const Address&) const = default;
};

// kInvalid: says what is wrong. "127.0.0.1:7420", "[::1]:7420", "localhost:7420".
base::Result<Address> parse_address(std::string_view);
// The same, but any name may stand for the host: "node1.example:7430".
base::Result<Address> parse_named_address(std::string_view);
bool is_loopback(const Address&);  // false for names but localhost: what they stand for is not known yet
bool is_name(const Address&);      // must be resolved before it can be used

}  // namespace cleat::net
