// Numbers that must not be mixed up. Zero means "none" for all of them.
#pragma once

#include <compare>
#include <cstdint>

namespace cleat::base {

template <class Tag>
struct Id {
  uint64_t value = 0;
  constexpr explicit operator bool() const { return value != 0; }
  constexpr auto operator<=>(const Id&) const = default;
};

using SessionId = Id<struct SessionTag>;
using Fence = Id<struct FenceTag>;        // below 2^53: JavaScript keeps it whole
using Revision = Id<struct RevisionTag>;  // one per change, in apply order

// A client connection, unique for ever: the member's boot count rises at each of its starts.
struct ConnectionRef {
  uint32_t member = 0;
  uint32_t boot = 0;
  uint64_t connection = 0;
  constexpr bool operator==(const ConnectionRef&) const = default;
};

}  // namespace cleat::base
