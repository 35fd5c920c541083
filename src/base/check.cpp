#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace cleat::base {

void check_failed(const char* file, int line, const char* condition, const char* why) noexcept {
  std::fprintf(stderr, "cleat: bug at %s:%d: %s (%s). The process stops so that nothing wrong is answered.\n", file,
               line, why, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace cleat::base
