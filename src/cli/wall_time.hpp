// Unix milliseconds as a local time for people. No decision ever looks at it.
#pragma once

#include <cstdint>
#include <string>

namespace cleat::cli {
std::string wall_time(int64_t unix_ms);  // "2026-03-01 12:34:56.789"
}
