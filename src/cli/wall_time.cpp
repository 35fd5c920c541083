#include "cli/wall_time.hpp"

#include <cstdio>
#include <ctime>

namespace cleat::cli {

std::string wall_time(int64_t unix_ms) {
  const time_t seconds = unix_ms / 1'000;
  tm local{};
  if (unix_ms <= 0 || localtime_r(&seconds, &local) == nullptr) return {};
  char text[64];
  const size_t n = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  std::snprintf(text + n, sizeof text - n, ".%03d", static_cast<int>(unix_ms % 1'000));
  return text;
}

}  // namespace cleat::cli
