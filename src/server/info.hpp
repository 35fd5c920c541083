// The text of INFO.
#pragma once

#include <string>

#include "replica/replica.hpp"
#include "resp/request.hpp"
#include "server/metrics.hpp"
#include "server/settings.hpp"

namespace cleat::server {

inline constexpr std::string_view kCleatVersion = "0.1.0";

struct InfoSource {
  const Config& config;
  const Metrics& metrics;
  const replica::Replica& replica;
  size_t connections;
  size_t input_bytes;
  uint64_t output_bytes;
  int64_t uptime_s;
};

std::string info_text(const InfoSource&, resp::Words sections);

}  // namespace cleat::server
