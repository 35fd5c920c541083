// The log of the process: lines for people or JSON objects, on stderr.
#pragma once

#include <string>

#include "base/status.hpp"

namespace cleat::server {

// format: "text" or "json"; level: "debug", "info", "warning" or "error".
void start_logging(const std::string& format, const std::string& level);
base::Status set_log_level(const std::string& level);

// As a JSON string with quotes, whatever bytes it has.
std::string json_text(std::string_view);

}  // namespace cleat::server
