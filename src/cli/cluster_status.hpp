// What `cleat cluster status` prints of an answer of MEMBERS STATUS.
#pragma once

#include <string>

#include "client/reply.hpp"

namespace cleat::cli {

std::string cluster_status_text(const client::Reply& status);
// A leader is known, and the voters that are up are a majority: it can decide things.
bool cluster_is_fine(const client::Reply& status);
// The member of that name; null: there is none.
const client::Reply* find_member(const client::Reply& status, std::string_view name);
// How far a member is that is to get a vote: "is not reached", "a snapshot is under way: 40%", "is 12 entries behind".
std::string progress_text(const client::Reply& member);

}  // namespace cleat::cli
