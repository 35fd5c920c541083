// Durations as people write them: 500ms, 30s, 5m, 1h.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/status.hpp"

namespace cleat::cli {

// A whole number and its unit. Not below zero, not above 24 hours (the longest TTL).
base::Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// The shortest form that loses nothing: "1500ms", "30s", "5m".
std::string format_duration(std::chrono::milliseconds duration);
// For tables: one or two units, "2m 5s", "3h 20m", "740ms".
std::string rough_duration(std::chrono::milliseconds duration);

}  // namespace cleat::cli
