// What came of a command, for people who read a run's story: tests, the simulator, the auditor.
#pragma once

#include <string_view>

#include "lock/outcome.hpp"

namespace cleat::lock {

inline std::string_view result_text(Result r) {
  switch (r) {
    case Result::kDone:
      return "done";
    case Result::kGranted:
      return "granted";
    case Result::kQueued:
      return "queued";
    case Result::kNotGranted:
      return "not granted";
    case Result::kOpened:
      return "opened";
    case Result::kAttached:
      return "attached";
    case Result::kNotHeld:
      return "NOTHELD";
    case Result::kNil:
      return "nil";
    case Result::kStale:
      return "STALE";
    case Result::kExpired:
      return "EXPIRED";
    case Result::kRevoked:
      return "REVOKED";
    case Result::kNoSession:
      return "NOSESSION";
    case Result::kDeadlock:
      return "DEADLOCK";
    case Result::kMode:
      return "MODE";
    case Result::kLimit:
      return "LIMIT";
    case Result::kReqReused:
      return "REQ reused";
    case Result::kWrongKey:
      return "wrong key";
    case Result::kImplicitBusy:
      return "own session in use";
  }
  return "?";
}

}  // namespace cleat::lock
