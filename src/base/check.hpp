// CHECK stops the process on a bug of ours, in release too. Bytes from outside never reach one: they get a Status.
#pragma once

namespace cleat::base {
[[noreturn]] void check_failed(const char* file, int line, const char* condition, const char* why) noexcept;
}  // namespace cleat::base

#define CLEAT_CHECK(condition, why)                                     \
  do {                                                                  \
    if (!(condition)) [[unlikely]]                                      \
      ::cleat::base::check_failed(__FILE__, __LINE__, #condition, why); \
  } while (false)
