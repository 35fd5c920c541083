#include "resp/limits.hpp"

namespace cleat::resp {
namespace {

constexpr uint64_t kYearMs = 365ull * 24 * 60 * 60 * 1000;

constexpr LimitRow kRows[] = {
    {"max-name-bytes", &Limits::max_name_bytes, 1, 4096, "longest name of a lock"},
    {"max-data-bytes", &Limits::max_data_bytes, 0, 65536, "most bytes of DATA with a hold"},
    {"max-owner-bytes", &Limits::max_owner_bytes, 1, 255, "longest OWNER"},
    {"max-token-bytes", &Limits::max_token_bytes, 1, 255, "longest TOKEN"},
    {"max-req-bytes", &Limits::max_req_bytes, 1, 255, "longest REQ id"},
    {"max-label-bytes", &Limits::max_label_bytes, 1, 255, "longest LABEL of a session"},
    {"max-frame-bytes", &Limits::max_frame_bytes, 8192, 64 << 20, "most bytes of one request"},
    {"max-arguments", &Limits::max_arguments, 32, 1 << 20, "most arguments of one request"},
    {"min-ttl-ms", &Limits::min_ttl_ms, 100, kYearMs, "shortest TTL of a session or hold"},
    {"max-ttl-ms", &Limits::max_ttl_ms, 1000, kYearMs, "longest TTL of a session or hold, and longest DELAY"},
    {"max-wait-ms", &Limits::max_wait_ms, 1000, 100 * kYearMs, "longest WAIT and MAXHOLD"},
    {"max-page", &Limits::max_page, 1, 10'000, "largest COUNT of a reading command"},
    {"max-keepalive-pairs", &Limits::keepalive_pairs, 1, 1 << 16, "most sessions in one SESSION KEEPALIVE"},
    {"session-ttl-ms", &Limits::session_ttl_ms, 100, kYearMs, "TTL of SESSION OPEN without TTL"},
};

}  // namespace

std::span<const LimitRow> limit_rows() {
  return kRows;
}

std::string_view limit_setting(uint64_t Limits::*member) {
  for (const LimitRow& row : kRows) {
    if (row.member == member) return row.name;
  }
  return {};
}

}  // namespace cleat::resp
