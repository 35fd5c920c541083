// Shared by the fuzzers: a promise that must hold for any input, and a sink that hears everything and keeps nothing.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lock/outcome.hpp"

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

class NullSink : public lock::Sink {
 public:
  void on_outcome(const lock::Outcome&) override {}
  void on_event(const lock::Event&) override {}
  void on_session_opened(base::SessionId, int64_t, lock::By, int64_t) override {}
  void on_session_ended(base::SessionId, lock::Why) override {}
};

}  // namespace cleat::fuzz
