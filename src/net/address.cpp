#include "net/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace cleat::net {
namespace {
// All of it: inet_pton() reads up to a zero byte.
bool is_numeric(int family, const std::string& host, void* out) {
  return host.find('\0') == std::string::npos && inet_pton(family, host.c_str(), out) == 1;
}
bool is_ipv4(const std::string& host, in_addr& out) {
  return is_numeric(AF_INET, host, &out);
}
bool is_ipv6(const std::string& host, in6_addr& out) {
  return is_numeric(AF_INET6, host, &out);
}

// Letters, digits, hyphens and dots as in RFC 1123; underscores too, since container networks use them. Digits and dots
// alone are a mistyped number.
bool is_host_name(std::string_view host) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  };
  return host.find_first_not_of("0123456789.") != std::string_view::npos && host.size() <= 253 && host[0] != '-' &&
         host[0] != '.' && std::all_of(host.begin(), host.end(), allowed);
}

base::Result<Address> parse(std::string_view text, bool names);

}  // namespace

std::string Address::text() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

base::Result<Address> parse_address(std::string_view text) {
  return parse(text, false);
}

base::Result<Address> parse_named_address(std::string_view text) {
  return parse(text, true);
}

namespace {
base::Result<Address> parse(std::string_view text, bool names) {
  const auto fail = [&](std::string_view why) {
    return base::Status(base::Code::kInvalid, fmt::format("\"{}\" is not HOST:PORT: {}", text, why));
  };
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return fail("the port is missing");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  Address address;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    return fail("the port must be 0 to 65535");
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  address.host = host;
  in_addr v4;
  in6_addr v6;
  if (is_ipv6(address.host, v6)) {
    if (!bracketed) return fail("write an IPv6 address in brackets, like [::1]:7420");
  } else if (bracketed) {
    return fail("only IPv6 addresses stand in brackets");
  } else if (names && !is_ipv4(address.host, v4) && !is_host_name(address.host)) {
    return fail("the host must be a name or a numeric address");
  } else if (!names && address.host != "localhost" && !is_ipv4(address.host, v4)) {
    return fail("the host must be localhost or a numeric address (0.0.0.0 for all)");
  }
  return address;
}
}  // namespace

bool is_name(const Address& address) {
  in_addr v4;
  in6_addr v6;
  return address.host != "localhost" && !is_ipv4(address.host, v4) && !is_ipv6(address.host, v6);
}

bool is_loopback(const Address& address) {
  if (address.host == "localhost") return true;
  in_addr v4;
  if (is_ipv4(address.host, v4)) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return is_ipv6(address.host, v6) && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace cleat::net
