#include <iterator>

#include "lock/settings.hpp"
#include "lock/tagged.hpp"

namespace cleat::lock {
namespace {

// Fields in the order of their numbers, which begin at 1. Stored in the log and in snapshots: only append.
struct Row {
  uint64_t least, most;
  uint64_t (*get)(const Settings&);
  void (*set)(Settings&, uint64_t);
};
#define CLEAT_SETTING(member, least, most)                                             \
  Row {                                                                                \
    least, most, [](const Settings& s) -> uint64_t { return s.member; },               \
        [](Settings& s, uint64_t v) { s.member = static_cast<decltype(s.member)>(v); } \
  }
constexpr Row kRows[] = {
    CLEAT_SETTING(margin_ppm, 0, 200'000),
    CLEAT_SETTING(ageing_ms, 0, 86'400'000),
    CLEAT_SETTING(implicit_ttl_ms, 500, 86'400'000),
    CLEAT_SETTING(waiters_per_name, 0, 1'000'000'000),
    CLEAT_SETTING(holds_per_session, 0, 1'000'000'000),
    CLEAT_SETTING(sessions, 0, 1'000'000'000),
    CLEAT_SETTING(holds, 0, 1'000'000'000),
    CLEAT_SETTING(waiters, 0, 1'000'000'000),
    CLEAT_SETTING(req_results, 0, 1'000'000'000),
    CLEAT_SETTING(req_results_per_session, 0, 1'000'000'000),
    CLEAT_SETTING(losses_per_session, 0, 1'000'000),
    CLEAT_SETTING(history_entries, 0, 1'000'000'000),
    CLEAT_SETTING(history_per_name, 0, 1'000'000'000),
};
#undef CLEAT_SETTING

}  // namespace

void encode(const Settings& s, std::string& out) {
  FieldWriter w(out);
  // Written even at today's default: a later build may have another one.
  for (size_t i = 0; i < std::size(kRows); ++i) w.number(static_cast<uint32_t>(i + 1), kRows[i].get(s), UINT64_MAX);
  w.end();
}

base::Result<Settings> decode_settings(std::string_view bytes) {
  base::Reader reader(bytes);
  FieldReader fields(reader);
  Settings s;
  for (Field f; fields.next(f);) {
    if (f.number > std::size(kRows)) continue;
    const Row& row = kRows[f.number - 1];
    if (f.is_bytes || f.value < row.least || f.value > row.most)
      return base::Status(base::Code::kInvalid, "setting number " + std::to_string(f.number) + " is out of range");
    row.set(s, f.value);
  }
  if (!reader.ok() || !reader.at_end())
    return base::Status(base::Code::kInvalid, "the bytes of the settings are malformed");
  return s;
}

}  // namespace cleat::lock
