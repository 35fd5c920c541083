#include "client/endpoint.hpp"

#include <algorithm>
#include <charconv>

namespace cleat::client {

std::string Endpoint::text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

base::Result<Endpoint> parse_endpoint(std::string_view text) {
  const auto refuse = [&](const std::string& why) {
    return base::Status(base::Code::kInvalid, "'" + std::string(text) + "' " + why +
                                                  ": write HOST:PORT, such as 127.0.0.1:7420 or [::1]:7420");
  };
  Endpoint out;
  std::string_view port;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return refuse("has no closing ]");
    out.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port[0] != ':') return refuse("has something other than :PORT behind the ]");
  } else {
    const size_t colon = text.find(':');
    if (colon != text.rfind(':')) return refuse("has more than one colon");
    out.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view{} : text.substr(colon);
  }
  if (out.host.empty()) return refuse("has no host");
  const auto odd = [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '[' || c == ']'; };
  if (std::any_of(out.host.begin(), out.host.end(), odd)) {
    return refuse("has a blank, a bracket or a control character in its host");
  }
  if (port.empty()) return out;
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (error != std::errc{} || end != port.data() + port.size() || out.port == 0) {
    return refuse("has no port from 1 to 65535");
  }
  return out;
}

base::Result<std::vector<Endpoint>> parse_endpoints(std::string_view text) {
  std::vector<Endpoint> out;
  for (;;) {
    const size_t comma = text.find(',');
    auto one = parse_endpoint(text.substr(0, comma));
    if (!one.ok()) return one.status();
    out.push_back(std::move(*one));
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

std::string text_of(const std::vector<Endpoint>& endpoints) {
  std::string out;
  for (const Endpoint& endpoint : endpoints) out += (out.empty() ? "" : ",") + endpoint.text();
  return out;
}

}  // namespace cleat::client
