// The broken variants of the lock machine (base/mutant.hpp), and the judges that must catch each.
#pragma once

#include <cstdint>

namespace cleat::auditor {

struct Mutant {
  const char* name;
  const char* what;
};

inline constexpr Mutant kMutants[] = {
    {"forget_req", "a decided REQ is not kept: repeated, it is done again"},
    {"lose_wakeup", "a release does not wake the queue"},
    {"expire_early", "a hold's end counts d, not D(d)"},
    {"grant_past_writer", "a compatible newcomer passes an incompatible waiter"},
    {"fence_reused", "a fence is given twice"},
    {"renew_shortens", "RENEW with a short TTL takes time away"},
    {"reentry_new_fence", "re-entry gets a new fence"},
    {"ghost_ignored", "a ghost blocks nobody"},
    {"priority_ignored", "the queue is by arrival alone"},
    {"wait_deadline_ignored", "a waiter stays past its deadline"},
    {"ttl_from_request", "a waiter's TTL counts from its arrival, not from the grant"},
    {"ttl_from_due",
     "a waiter's TTL counts from when the hold before it was due to end, not from the entry that ended it"},
    {"token_deepens", "the same token again is one deeper"},
    {"history_unbounded", "history is not trimmed"},
    {"cancel_leaves_waiter", "a cancelled waiter stays in the queue"},
    {"undeliver_ignored", "a grant that could not be delivered stands"},
    {"crowd_hides_waiters", "a crowded name does not find who waits there"},
    {"crowd_hides_fences", "a crowded name does not find its holds by their fences"},
};

// Runs each (or the one named) until it is caught or `seeds` are over. Prints a row for each and each judge, with tabs
// between: name, judge ("model" or "promises"), seed (0: none), what was seen (empty: nothing). 0: all caught.
int run_mutants(const char* only, uint64_t seeds, uint64_t steps);

}  // namespace cleat::auditor
