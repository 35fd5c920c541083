// Shared by the fuzzers: a promise that must hold for any input.
#pragma once

#include <sched.h>
#include <stdlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>

#define MUST_HOLD(condition)                                               \
  do {                                                                     \
    if (!(condition)) {                                                    \
      std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                        \
    }                                                                      \
  } while (false)

namespace cleat::fuzz {

inline std::string_view text(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// The log engine reads with threads that it does not wait for; what one of them has while it ends is taken for a leak.
// So who opens a log has one of these around it: its end waits until there are no more threads than when the first of
// them began, and those that stay: each open log has one.
class ThreadsEnd {
 public:
  explicit ThreadsEnd(std::ptrdiff_t stay) : stay_(stay) { at_first(); }
  ~ThreadsEnd() {
    while (count() > at_first() + stay_) sched_yield();
  }
  ThreadsEnd(const ThreadsEnd&) = delete;
  ThreadsEnd& operator=(const ThreadsEnd&) = delete;

 private:
  static std::ptrdiff_t count() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }
  static std::ptrdiff_t at_first() {
    static const std::ptrdiff_t threads = count();
    return threads;
  }
  const std::ptrdiff_t stay_;
};

// A new folder, in memory. fuzz/run says where, and removes all of them.
inline std::string scratch_folder() {
  const char* in = std::getenv("TMPDIR");
  std::string name = std::string(in ? in : "/dev/shm") + "/fuzz-XXXXXX";
  MUST_HOLD(mkdtemp(name.data()) != nullptr);
  return name;
}

}  // namespace cleat::fuzz
