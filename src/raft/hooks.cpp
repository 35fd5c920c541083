#include "raft/hooks.hpp"

#include <atomic>

#include "raft/engine/cleat_engine.h"

namespace cleat::raft {
namespace {

std::atomic<LogHook> log_hook{nullptr};
std::atomic<FatalHook> fatal_hook{nullptr};

void on_log(int level, const char* text, size_t len) {
  if (LogHook hook = log_hook.load()) hook(static_cast<LogLevel>(level), {text, len});
}

void on_fatal(const char* text, size_t len) {
  if (FatalHook hook = fatal_hook.load()) hook({text, len});
}

}  // namespace

void set_hooks(LogHook log, FatalHook fatal) {
  log_hook = log;
  fatal_hook = fatal;
  ce_set_hooks(on_log, fatal ? on_fatal : nullptr);
}

}  // namespace cleat::raft
