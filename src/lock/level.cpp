#include "lock/level.hpp"

namespace cleat::lock {
namespace {

#ifdef CLEAT_LEVEL_PLUS_ONE
constexpr uint32_t kKnown = kFirstLevel + 1;
constexpr uint32_t kRecordsRenewals = kKnown;
#else
constexpr uint32_t kKnown = kFirstLevel;
constexpr uint32_t kRecordsRenewals = kMaxLevel + 1;  // of no level that is known
#endif

}  // namespace

uint32_t known_level() {
  return kKnown;
}

uint32_t required_level(const Command& c) {
  return c.verb == Verb::kRenew && c.has_data ? kRecordsRenewals : kFirstLevel;
}

bool renewals_recorded(uint32_t level_in_force) {
  return level_in_force >= kRecordsRenewals;
}

}  // namespace cleat::lock
