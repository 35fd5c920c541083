// HOST:PORT as people write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.hpp"

namespace cleat::net {

struct Address {
  std::string host;   // numeric, or "localhost"; without brackets
  uint16_t port = 0;  // 0: any free one
  std::string text() const;
};

// kInvalid: says what is wrong. "127.0.0.1:7420", "[::1]:7420", "localhost:7420".
base::Result<Address> parse_address(std::string_view);
bool is_loopback(const Address&);

}  // namespace cleat::net
