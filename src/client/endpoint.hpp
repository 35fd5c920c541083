// Where a server listens: HOST:PORT, [IPV6]:PORT or HOST (port 7420).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.hpp"

namespace cleat::client {

inline constexpr uint16_t kDefaultPort = 7420;

struct Endpoint {
  std::string host = "127.0.0.1";
  uint16_t port = kDefaultPort;

  std::string text() const;  // as it is written on a command line
  bool operator==(const Endpoint&) const = default;
};

base::Result<Endpoint> parse_endpoint(std::string_view text);

}  // namespace cleat::client
