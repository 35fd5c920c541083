#include "lock/entry.hpp"

#include <cstring>

#include "base/bytes.hpp"

namespace cleat::lock {
namespace {

// version u8, log_ms fixed64, wall_ms fixed64; then items, each led by its kind. Other kinds are kept for later.
constexpr size_t kHeadSize = 1 + 8 + 8;
constexpr uint8_t kRun = 1;
constexpr uint8_t kCommand = 2;

}  // namespace

void EntryBuilder::clear() {
  bytes_.assign(kHeadSize, '\0');
  bytes_[0] = static_cast<char>(kEntryVersion);
  commands_ = 0;
}

void EntryBuilder::begin_run(const base::ConnectionRef& from) {
  base::Writer w(bytes_);
  w.u8(kRun);
  w.varint(from.member);
  w.varint(from.boot);
  w.varint(from.connection);
}

void EntryBuilder::add(const Command& c) {
  bytes_.push_back(static_cast<char>(kCommand));
  encode(c, bytes_);
  ++commands_;
}

std::string_view EntryBuilder::finish(int64_t log_ms, int64_t wall_ms) {
  std::memcpy(&bytes_[1], &log_ms, sizeof log_ms);
  std::memcpy(&bytes_[9], &wall_ms, sizeof wall_ms);
  return bytes_;
}

EntryReader::EntryReader(std::string_view bytes) : in_(bytes) {
  base::Reader r(in_);
  const uint8_t version = r.u8();
  stamp_.log_ms = static_cast<int64_t>(r.fixed64());
  stamp_.wall_ms = static_cast<int64_t>(r.fixed64());
  ok_ = r.ok() && version == kEntryVersion && stamp_.log_ms >= 0 && stamp_.log_ms <= kMaxStampMs;
  in_ = ok_ ? in_.substr(kHeadSize) : std::string_view{};
}

bool EntryReader::next_run(base::ConnectionRef& out) {
  for (Command skipped; next_command(skipped);) {
  }
  if (!ok_ || in_.empty()) return false;
  base::Reader r(in_);
  const uint8_t kind = r.u8();
  const uint64_t member = r.varint(), boot = r.varint();
  out.connection = r.varint();
  if (!r.ok() || kind != kRun || member > UINT32_MAX || boot > UINT32_MAX) return ok_ = false;
  out.member = static_cast<uint32_t>(member);
  out.boot = static_cast<uint32_t>(boot);
  in_.remove_prefix(in_.size() - r.left());
  return true;
}

bool EntryReader::next_command(Command& out) {
  if (!ok_ || in_.empty() || static_cast<uint8_t>(in_[0]) != kCommand) return false;
  in_.remove_prefix(1);
  return ok_ = decode(in_, out);
}

}  // namespace cleat::lock
