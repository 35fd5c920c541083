// The option table: every word that may follow the positional arguments of a command, with its kind and range, and the
// one parser for all of them.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "resp/command_table.hpp"

namespace cleat::resp {

enum class Option : uint8_t {
  kWait,
  kTtl,
  kOwner,
  kToken,
  kPriority,
  kNoReentry,
  kMaxHold,
  kDelay,
  kData,
  kReq,
  kAsync,
  kFull,
  kFence,
  kLabel,
  kTakeover,
  kPrefix,
  kState,
  kFrom,
  kCursor,
  kCount,
  kLocal,
  kLimit,
  kPermits,
  kTree,
  kPreempt,
};
inline constexpr size_t kOptions = static_cast<size_t>(Option::kPreempt) + 1;

enum class ValueKind : uint8_t { kNone, kInteger, kBytes };

struct OptionRow {
  Option id;
  std::string_view word;
  ValueKind kind;
  std::string_view value_name;  // in usage lines
  int64_t min, max;             // of the number, or of the length in bytes
  uint64_t Limits::*min_limit;  // instead of min, where set
  uint64_t Limits::*max_limit;  // instead of max, where set
  uint32_t commands;            // bit per CommandId
  uint32_t required;            // of them: those that can't do without
  bool later;                   // of a coming version: always refused
  std::string_view what;        // for docs/commands.md
};

std::span<const OptionRow> option_rows();  // in the order of Option
constexpr uint32_t command_bit(CommandId id) {
  return uint32_t{1} << static_cast<int>(id);
}
inline bool takes(const OptionRow& row, CommandId id) {
  return (row.commands & command_bit(id)) != 0;
}

class Options {
 public:
  bool has(Option o) const { return (given_ >> static_cast<int>(o) & 1) != 0; }
  // Only for options that were given.
  int64_t number(Option o) const { return numbers_[static_cast<size_t>(o)]; }
  std::string_view text(Option o) const { return texts_[static_cast<size_t>(o)]; }
  int64_t number_or(Option o, int64_t otherwise) const { return has(o) ? number(o) : otherwise; }
  std::string_view text_or(Option o, std::string_view otherwise) const { return has(o) ? text(o) : otherwise; }

  // Reads arguments[first..] as options of `row`. False: `error` has the line to answer.
  bool parse(const ParseInput&, const CommandRow& row, size_t first, std::string& error);

 private:
  bool take(const ParseInput&, const CommandRow& row, size_t& at, std::string& error);

  uint32_t given_ = 0;
  // Written when given_ says so: a LOCK should not pay for clearing them.
  std::array<int64_t, kOptions> numbers_;
  std::array<std::string_view, kOptions> texts_;
};

}  // namespace cleat::resp
