#include "client/servers.hpp"

namespace cleat::client {

std::vector<Endpoint> servers_of(const Options& options) {
  std::vector<Endpoint> out;
  for (const std::string& text : options.servers) {
    auto endpoints = parse_endpoints(text);
    if (!endpoints.ok()) throw Error(errc::invalid, endpoints.status().message());
    out.insert(out.end(), endpoints->begin(), endpoints->end());
  }
  if (out.empty()) throw Error(errc::invalid, "no server is given: name at least one address, HOST:PORT");
  return out;
}

Options options_for(const std::string& servers) {
  Options options;
  options.servers = {servers};
  return options;
}

}  // namespace cleat::client
