// Error lines of the server's own limits, and a size that is no setting: it only decides what is allocated anew.
#pragma once

#include <cstddef>
#include <string_view>

namespace cleat::server {

inline constexpr size_t kOutputKept = 4 << 10;  // memory that an idle connection keeps for its next answer

inline constexpr std::string_view kNothingToCloseError =
    "ERR this connection speaks for no session: there is nothing to close";
inline constexpr std::string_view kNoOwnSessionError =
    "NOSESSION this connection speaks for no session: SESSION OPEN or SESSION ATTACH first, or give id and key";
inline constexpr std::string_view kSubscriptionsError =
    "LIMIT max-subscriptions is reached for this connection: UNSUBSCRIBE, use a pattern or another connection";
inline constexpr std::string_view kInputLimitError =
    "LIMIT max-input-total-bytes is reached: unfinished requests of all connections take too much, send smaller ones";

}  // namespace cleat::server
