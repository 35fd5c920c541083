// What the process says by its exit status (docs/cli.md). Where sysexits(3) has a number for it, that is used.
#pragma once

namespace cleat::cli {

inline constexpr int kOk = 0;
inline constexpr int kRefused = 1;  // refused, not held; `status`: not ready
inline constexpr int kUsage = 2;
inline constexpr int kUnreachable = 69;  // no server there, no answer in time, or it has no quorum
inline constexpr int kUnknown = 74;      // it may have been done: contact was lost, and the time is over
inline constexpr int kNotAcquired = 75;
inline constexpr int kWrongProtocol = 76;  // what answers is no Cleat server, or one that lacks the command
inline constexpr int kNoPermission = 77;   // password missing or wrong
inline constexpr int kCannotExecute = 126;
inline constexpr int kNotFound = 127;
inline constexpr int kSignalBase = 128;  // plus the signal's number

}  // namespace cleat::cli
