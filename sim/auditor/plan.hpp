// A plan is a run of the auditor as plain data: small numbers that mean something only against the state they meet
// ("the fence of the newest hold of name 2"). So a plan stays sensible when the shrinker takes pieces out of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lock/command.hpp"
#include "lock/settings.hpp"

namespace cleat::auditor {

inline constexpr int kSlots = 6;         // connections at a time
inline constexpr uint8_t kNobody = 7;    // as op.target
inline constexpr uint8_t kFreshReq = 6;  // as op.req: one never used before

enum class FencePick : uint8_t { kNone, kMine, kNewest, kOlder, kLost, kBogus };

struct Op {
  lock::Verb verb = lock::Verb::kTick;
  uint8_t name = 0, owner = 0, token = 0, req = 0;  // 0 of owner, token, req: none
  lock::Mode mode = lock::Mode::kExclusive;
  uint8_t priority = 0;
  bool no_reentry = false, async = false, clean = false, takeover = false, wrong_key = false;
  bool aim = false;    // at what the asker really has: a hold for UNLOCK, RENEW, PUT and LOCK; a waiter for CANCEL
  bool again = false;  // repeats an earlier request with REQ of the session, word by word
  uint8_t data = 0;    // 0: none, 1: "", else some text
  FencePick fence = FencePick::kNone;
  uint8_t target = 0;  // which of what there is; kNobody: a session that is gone
  int64_t wait_ms = lock::kForever, ttl_ms = 0, max_hold_ms = 0, delay_ms = 0;
  int64_t back_ms = 0;  // kMark: heard this long ago
  bool operator==(const Op&) const = default;
};

struct Run {
  uint8_t slot = 0;
  bool revive = false;  // when the slot's session is gone, open another instead
  std::vector<Op> ops;
};

enum class Jump : uint8_t { kBy, kToNextDue };  // log time of a step: by so many ms, or to the next due plus so many

struct Step {
  Jump jump = Jump::kBy;
  int64_t ms = 0;
  std::vector<Run> runs;
  bool restore = false;  // afterwards: snapshot, restore into a fresh machine, go on with that one
};

struct Plan {
  lock::Settings settings;
  std::vector<lock::Settings> later;  // kConfigure takes op.target of them
  std::vector<Step> steps;
};

Plan make_plan(uint64_t seed, size_t steps);
std::string text(const lock::Command&);  // as a client would type it
std::string text(const lock::Settings&);

}  // namespace cleat::auditor
