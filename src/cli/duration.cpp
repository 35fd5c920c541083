#include "cli/duration.hpp"

#include <charconv>

namespace cleat::cli {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  int64_t ms;
};
constexpr Unit kUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}};
constexpr int64_t kLongestMs = 24 * 3'600'000;

}  // namespace

base::Result<milliseconds> parse_duration(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    return base::Status(base::Code::kInvalid, "'" + std::string(text) + "' " + std::string(why));
  };
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::result_out_of_range) return refuse("is longer than 24h");
  if (error != std::errc{})
    return refuse("is no duration: write a whole number and a unit, such as 500ms, 30s, 5m or 1h");
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (number < 0) return refuse("is negative");
  if (unit.empty()) {
    return refuse("has no unit: write " + std::string(text) + "s for seconds or " + std::string(text) +
                  "ms for milliseconds");
  }
  for (const Unit& u : kUnits) {
    if (unit != u.name) continue;
    if (number > kLongestMs / u.ms) return refuse("is longer than 24h");
    return milliseconds(number * u.ms);
  }
  if (unit.starts_with('.')) return refuse("is no whole number: write it in a smaller unit, such as 1500ms");
  return refuse("has an unknown unit: the units are ms, s, m and h");
}

std::string format_duration(milliseconds duration) {
  const int64_t ms = duration.count();
  for (const Unit& u : kUnits) {
    if (ms != 0 && ms % u.ms == 0) return std::to_string(ms / u.ms) + std::string(u.name);
  }
  return "0s";
}

std::string rough_duration(milliseconds duration) {
  const int64_t ms = duration.count();
  if (ms < 1'000) return std::to_string(ms) + "ms";
  const int64_t s = ms / 1'000;
  if (s < 10) return std::to_string(s) + "." + std::to_string(ms % 1'000 / 100) + "s";
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3'600) return std::to_string(s / 60) + "m " + std::to_string(s % 60) + "s";
  if (s < 86'400) return std::to_string(s / 3'600) + "h " + std::to_string(s % 3'600 / 60) + "m";
  return std::to_string(s / 86'400) + "d " + std::to_string(s % 86'400 / 3'600) + "h";
}

}  // namespace cleat::cli
