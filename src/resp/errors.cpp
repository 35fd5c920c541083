#include "resp/errors.hpp"

#include "resp/words.hpp"

namespace cleat::resp {
namespace {

constexpr size_t kEchoedBytes = 128;  // of an unknown command's arguments, as Redis

std::string quoted(std::string_view bytes) {
  return "'" + printable(bytes) + "'";
}

// "'orders' (owner 'w1')"
std::string subject(const lock::Outcome& o) {
  std::string text = quoted(o.name);
  if (!o.owner.empty()) text += " (owner " + quoted(o.owner) + ")";
  return text;
}

std::string not_held_line(const lock::Outcome& o) {
  if (o.verb == lock::Verb::kPut && !o.token.empty()) {
    return "NOTHELD that token does not hold " + quoted(o.name) + ": it ended or never was; LOCK again";
  }
  return "NOTHELD you do not hold " + subject(o) + ": see SHOW, and give the OWNER or TOKEN it was locked with";
}

std::string lost_line(const lock::Outcome& o, std::string_view code) {
  std::string line(code);
  line += " your hold of " + subject(o);
  if (o.fence) line += " with fence " + std::to_string(o.fence.value);
  line += " was lost";
  if (o.why != lock::Why::kNone) line += " (" + std::string(lock::why_text(o.why)) + ")";
  return line + ": stop using what it protects, then LOCK again";
}

std::string stale_line(const lock::Outcome& o) {
  std::string line = "STALE fence " + std::to_string(o.fence.value) + " is not that of your hold of " + subject(o);
  if (o.held_fence) line += ", which is " + std::to_string(o.held_fence.value);
  return line + ": use the fence of the latest LOCK";
}

std::string deadlock_line(const lock::Outcome& o) {
  std::string line = "DEADLOCK you hold " + subject(o) + " already";
  if (o.held_fence || o.fence)
    line += " with fence " + std::to_string(o.held_fence ? o.held_fence.value : o.fence.value);
  return line + " and asked with NOREENTRY: UNLOCK it first, or use another OWNER";
}

std::string mode_line(const lock::Outcome& o) {
  return "MODE you hold " + subject(o) + " in " + std::string(lock::long_name(o.held_mode)) +
         ", which does not cover " + std::string(lock::long_name(o.mode)) +
         ": use CONVERT (not in this version), or UNLOCK and LOCK again";
}

std::string limit_line(const lock::Outcome& o) {
  std::string line =
      "LIMIT " + std::string(lock::limit_name(o.limit)) + " is reached (" + std::to_string(o.limit_value) + "): ";
  if (o.limit == lock::Limit::kFences) return line + "no fence is left; begin a new data directory";
  return line + (o.limit == lock::Limit::kHoldsPerSession ? "UNLOCK something or use another session"
                                                          : "try again later or raise the setting");
}

std::string no_session_line(const lock::Outcome& o) {
  if (o.verb != lock::Verb::kAttachSession) {
    std::string line = "NOSESSION the session of this connection is gone and its locks with it";
    if (o.why != lock::Why::kNone) line += " (" + std::string(lock::why_text(o.why)) + ")";
    return line + ": SESSION OPEN, SESSION ATTACH or RESET";
  }
  return "NOSESSION there is no session " + std::to_string(o.session.value) + " any more: SESSION OPEN a new one";
}

}  // namespace

std::string unknown_command_error(std::span<const std::string_view> arguments) {
  std::string line = "ERR unknown command '" + printable(arguments[0]) + "', with args beginning with: ";
  size_t echoed = 0;
  for (size_t i = 1; i < arguments.size() && echoed < kEchoedBytes; ++i) {
    line += "'" + printable(arguments[i], kEchoedBytes - echoed) + "' ";
    echoed += arguments[i].size();
  }
  return line;
}

std::string later_command_error(std::string_view name) {
  return "ERR " + upper_copy(name) + " is not supported by this version of Cleat";
}

std::string unknown_subcommand_error(const CommandRow& container, std::string_view subcommand) {
  return "ERR unknown subcommand '" + printable(subcommand) + "'. Try " + display_name(container) + " HELP.";
}

std::string arity_error(const CommandRow& row) {
  return "ERR wrong number of arguments for '" + std::string(row.name) + "' command";
}

std::string subscribed_error(const CommandRow& row) {
  return "ERR Can't execute '" + std::string(row.name) +
         "': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
}

std::string level_error(const CommandRow& row, uint32_t needed, uint32_t in_force) {
  return "ERR " + display_name(row) + " in this form needs feature level " + std::to_string(needed) +
         " and the cluster is at " + std::to_string(in_force) +
         ": it rises by itself once every member runs a version that knows it (see MEMBERS STATUS)";
}

std::string refusal_line(const lock::Outcome& o) {
  using lock::Result;
  switch (o.result) {
    case Result::kNotHeld:
      return not_held_line(o);
    case Result::kStale:
      return stale_line(o);
    case Result::kExpired:
      return lost_line(o, "EXPIRED");
    case Result::kRevoked:
      return lost_line(o, "REVOKED");
    case Result::kNoSession:
      return no_session_line(o);
    case Result::kDeadlock:
      return deadlock_line(o);
    case Result::kMode:
      return mode_line(o);
    case Result::kLimit:
      return limit_line(o);
    case Result::kReqReused:
      return "ERR REQ " + quoted(o.req) + " was used in this session for another request: use a new id";
    case Result::kWrongKey:
      return "DENIED wrong key for session " + std::to_string(o.session.value) +
             ": give the id and key that SESSION OPEN answered";
    case Result::kImplicitBusy:
      return std::string(kImplicitBusyError);
    default:
      return "ERR internal: no line for this outcome; please report it";
  }
}

}  // namespace cleat::resp
