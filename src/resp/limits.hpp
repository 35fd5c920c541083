// Limits of the protocol door: what a request may carry before the lock machine ever sees it. Each is a setting; the
// limits that decide inside the machine are lock::Settings.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace cleat::resp {

struct Limits {
  uint64_t max_name_bytes = 512;
  uint64_t max_data_bytes = 4096;
  uint64_t max_owner_bytes = 64;
  uint64_t max_token_bytes = 64;
  uint64_t max_req_bytes = 64;
  uint64_t max_label_bytes = 64;
  uint64_t max_frame_bytes = 256 * 1024;
  uint64_t max_arguments = 4096;
  uint64_t min_ttl_ms = 500;
  uint64_t max_ttl_ms = 24 * 60 * 60 * 1000;
  uint64_t max_wait_ms = 365ull * 24 * 60 * 60 * 1000;
  uint64_t max_page = 1000;
  uint64_t keepalive_pairs = 1024;
  uint64_t session_ttl_ms = 10'000;  // of SESSION OPEN without TTL

  bool operator==(const Limits&) const = default;
};

struct LimitRow {
  std::string_view name;  // of the setting
  uint64_t Limits::*member;
  uint64_t min, max;  // what the setting may be set to
  std::string_view what;
};

std::span<const LimitRow> limit_rows();
// Name of the setting behind a member; for error lines.
std::string_view limit_setting(uint64_t Limits::*member);

}  // namespace cleat::resp
