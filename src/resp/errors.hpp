// Every error line of the service. A line begins with its code, says what is wrong and what to do next, and is one line
// whatever bytes the client sent.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "lock/outcome.hpp"
#include "resp/command_table.hpp"

namespace cleat::resp {

// Of requests that were not understood, worded as Redis does where libraries look at the words.
std::string unknown_command_error(std::span<const std::string_view> arguments);
std::string later_command_error(std::string_view name);
std::string unknown_subcommand_error(const CommandRow& container, std::string_view subcommand);
std::string arity_error(const CommandRow& row);
// A RESP2 connection with subscriptions may only send rows with kSubscribed.
std::string subscribed_error(const CommandRow& row);
// The command needs a feature level that is not in force yet.
std::string level_error(const CommandRow& row, uint32_t needed, uint32_t in_force);

// Of the lock machine: `outcome.result` is a refusal.
std::string refusal_line(const lock::Outcome& outcome);
constexpr bool is_refusal(lock::Result r) {
  return r >= lock::Result::kNotHeld && r != lock::Result::kNil;
}

// Of the server. Each is a whole line.
inline constexpr std::string_view kNoAuthError = "NOAUTH Authentication required.";
inline constexpr std::string_view kWrongPassError = "WRONGPASS invalid username-password pair or user is disabled.";
inline constexpr std::string_view kNoPasswordError = "ERR no password is set";
inline constexpr std::string_view kDiskFullError =
    "DISKFULL the disk is nearly full, so no new locks are taken: make room (see min-free-bytes); UNLOCK and RENEW go "
    "on";
inline constexpr std::string_view kNoQuorumError =
    "NOQUORUM no leader can be reached now and nothing was changed: try again in a moment";
inline constexpr std::string_view kUnknownError =
    "UNKNOWN not decided within undecided-wait-ms, and it may still be done: repeat it with the same REQ or TOKEN, or "
    "look with SHOW";
inline constexpr std::string_view kUnknownReadError =
    "UNKNOWN no answer within undecided-wait-ms, and nothing was changed: ask again in a moment";
inline constexpr std::string_view kNoSessionError =
    "NOSESSION the session of this connection is gone and its locks with it: SESSION OPEN, SESSION ATTACH or RESET";
inline constexpr std::string_view kImplicitBusyError =
    "ERR this connection holds or waits for locks without a session of its own: UNLOCK them first, or SESSION OPEN on "
    "another connection";
inline constexpr std::string_view kHungUpError =
    "ERR the other end closed the connection before this was read, so it was not done: keep it open until the answer "
    "comes";
inline constexpr std::string_view kOutputLimitError =
    "LIMIT the answers waiting for this connection passed max-output-bytes: read faster";
inline constexpr std::string_view kConnectionsError =
    "LIMIT max-connections is reached: close connections or raise the setting";
inline constexpr std::string_view kDeniedError = "DENIED wrong key: give the id and key that SESSION OPEN answered";

}  // namespace cleat::resp
