// The servers that public options name.
#pragma once

#include <vector>

#include "cleat/client.hpp"
#include "client/endpoint.hpp"

namespace cleat::client {

// Throws Error (errc::invalid): a malformed address, or none.
std::vector<Endpoint> servers_of(const Options& options);

// Options for one address, or several with commas between.
Options options_for(const std::string& servers);

}  // namespace cleat::client
