// What the Raft engine calls of its own accord: its log lines, and the end of the process. Process-wide, because a
// panic knows no group. Without hooks, log lines are dropped and the last words go to stderr.
#pragma once

#include <string_view>

namespace cleat::raft {

enum class LogLevel { kError = 0, kWarning = 1, kInfo = 2 };

// Both are called on any thread, at any time while a Group is open; neither may throw. The process aborts after fatal.
using LogHook = void (*)(LogLevel, std::string_view line);
using FatalHook = void (*)(std::string_view why);

// Either may be null. Takes effect for all groups; set them before the first is opened.
void set_hooks(LogHook log, FatalHook fatal);

}  // namespace cleat::raft
