// Shared by the fuzzers: a promise that must hold for any input.
#pragma once

#include <stdlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
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

// A new folder, in memory. fuzz/run says where, and removes all of them.
inline std::string scratch_folder() {
  const char* in = std::getenv("TMPDIR");
  std::string name = std::string(in ? in : "/dev/shm") + "/fuzz-XXXXXX";
  MUST_HOLD(mkdtemp(name.data()) != nullptr);
  return name;
}

}  // namespace cleat::fuzz
