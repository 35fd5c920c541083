// The tagged fields of a snapshot's records, by number. Stored: never renumber, never reuse (docs/formats.md).
#pragma once

#include <cstdint>

namespace cleat::lock::snapshot {

enum Block : uint8_t { kHeadBlock = 1, kBucketBlock = 2 };
enum Record : uint8_t { kEnd = 0, kName = 1, kSession = 2 };

namespace head {
enum : uint32_t { kVersion = 1, kLogMs, kWallMs, kRevision, kLastFence, kLastSession, kLastArrival, kLastDecision };
enum : uint32_t { kSettings = 9, kNames, kHolds, kGhosts, kWaiters, kSessions, kReqs, kHistory, kLevel };
}  // namespace head

namespace name {
enum : uint32_t { kBytes = 1, kHolds, kGhosts, kWaiters, kHistory };  // 6..: limit, tree
}

namespace hold {
enum : uint32_t { kFence = 1, kSession, kWho, kData, kHasData, kReq, kMember, kBoot, kConnection, kGrantedMs };
enum : uint32_t {
  kGrantedWallMs = 11,
  kTtlEndMs,
  kMaxKeptMs,
  kDelayMs,
  kDepth,
  kMode,
  kPriority
};  // 18..: slot, tree, asked
}  // namespace hold

namespace ghost {
enum : uint32_t { kFence = 1, kSession, kWho, kLabel, kGrantedMs, kGrantedWallMs, kEndMs, kDepth, kMode, kPriority };
enum : uint32_t { kMember = 11, kBoot, kConnection, kData, kHasData };
}  // namespace ghost

namespace waiter {
enum : uint32_t { kArrival = 1, kKeyMs, kAskedMs, kDeadlineMs, kWho, kData, kHasData, kSession, kMember, kBoot };
enum : uint32_t { kConnection = 11, kSeq, kTtlMs, kMaxHoldMs, kDelayMs, kMode, kPriority, kNoReentry, kAsync, kReq };
}  // namespace waiter

namespace history {
enum : uint32_t { kRevision = 1, kFence, kSession, kWallMs, kOwner, kLabel, kKind, kWhy, kMode };
}

namespace session {
enum : uint32_t { kId = 1, kTtlMs, kMarkMs, kMarked, kKey, kLabel, kEpoch, kImplicit, kLosses, kMember };
enum : uint32_t { kBoot = 11, kConnection, kLastLosses, kReqs };
}  // namespace session

namespace loss {
enum : uint32_t { kName = 1, kFence, kRevision, kWhy };
}

namespace req {
enum : uint32_t { kReq = 1, kArguments, kDecision, kState, kVerb, kResult, kWhy, kHeldMode, kMode, kDepth };
enum : uint32_t { kRevision = 11, kFence, kHeldFence, kMsLeft, kWaitedMs, kTtlMs };
}  // namespace req

inline constexpr uint64_t kVersion = 1;
// A session's key, a REQ id's argument hash and the like are numbers of any size; signed ones are folded (zigzag).
constexpr uint64_t fold(int64_t v) {
  return static_cast<uint64_t>(v) << 1 ^ static_cast<uint64_t>(v >> 63);
}
constexpr int64_t unfold(uint64_t v) {
  return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
}

}  // namespace cleat::lock::snapshot
