// A LOCK as the wire wants it, and its refusal as a person wants it.
#pragma once

#include <string>

#include "cli/options.hpp"
#include "client/reply.hpp"
#include "client/request.hpp"

namespace cleat::cli {

// LOCK name mode and the options of the request, without TTL, TOKEN and REQ.
client::Words lock_words(const LockRequest& lock);

// `answer`: the FULL map of a LOCK that was not granted, or the map of its push.
std::string why_not_acquired(const std::string& name, const client::Reply& answer);

}  // namespace cleat::cli
