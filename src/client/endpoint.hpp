// Where a server listens: HOST:PORT, [IPV6]:PORT or HOST (port 7420).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

// Several of them with commas between: A,B,C. At least one.
base::Result<std::vector<Endpoint>> parse_endpoints(std::string_view text);
std::string text_of(const std::vector<Endpoint>& endpoints);  // as it is written on a command line

}  // namespace cleat::client
