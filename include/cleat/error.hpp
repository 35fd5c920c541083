// What can go wrong, as exceptions and error codes.
#pragma once

#include <string>
#include <system_error>
#include <type_traits>

namespace cleat {

// Codes of the category "cleat". Where the standard library has a word for it, they compare equal to that too:
// e.code() == std::errc::resource_deadlock_would_occur.
enum class errc {
  unreachable = 1,  // no server could be reached in time (std::errc::host_unreachable)
  refused,          // every server refused us: the password, or no room for sessions (std::errc::permission_denied)
  protocol,         // what answers is no Cleat server that we understand (std::errc::protocol_error)
  deadlock,         // the same thread has it already (std::errc::resource_deadlock_would_occur)
  not_held,         // the calling thread does not hold it (std::errc::operation_not_permitted)
  lost,             // it was held, and has been lost (std::errc::owner_dead)
  bad_name,         // the name is empty, too long, not UTF-8, or has control characters (std::errc::invalid_argument)
  invalid,          // an option or address can't be meant (std::errc::invalid_argument)
  limit,      // a limit of the service is reached; the message names it (std::errc::resource_unavailable_try_again)
  no_space,   // the service's disk is full (std::errc::no_space_on_device)
  closed,     // the Client was destroyed (std::errc::operation_canceled)
  forked,     // used in a child of fork(2) (std::errc::operation_not_supported)
  rejected,   // the service refused the request for another reason, which the message tells
  cancelled,  // the call was cancelled (std::errc::operation_canceled)
};

const std::error_category& category() noexcept;
std::error_code make_error_code(errc code) noexcept;

// what() is one line for a person: what was wrong, and what to do next.
class Error : public std::system_error {
 public:
  Error(errc code, const std::string& message);
};

}  // namespace cleat

template <>
struct std::is_error_code_enum<cleat::errc> : std::true_type {};
