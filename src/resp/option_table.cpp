#include "resp/option_table.hpp"

#include <bit>

#include "resp/words.hpp"

namespace cleat::resp {
namespace {

constexpr int64_t kMaxFence = (int64_t{1} << 53) - 1;
constexpr int64_t kMaxRevision = INT64_MAX;

template <class... Ids>
constexpr uint32_t bits(Ids... ids) {
  return (uint32_t{0} | ... | command_bit(ids));
}
using Id = CommandId;
constexpr uint32_t kLocks = bits(Id::kLock, Id::kTryLock);
constexpr uint32_t kHolders = kLocks | bits(Id::kUnlock, Id::kRenew, Id::kPut);
#ifdef CLEAT_LEVEL_PLUS_ONE
constexpr uint32_t kData = kLocks | bits(Id::kPut, Id::kRenew);  // see lock/level.hpp
#else
constexpr uint32_t kData = kLocks | bits(Id::kPut);
#endif
constexpr uint32_t kReads = bits(Id::kShow, Id::kLocks, Id::kHistory);

constexpr auto kNone = ValueKind::kNone;
constexpr auto kInteger = ValueKind::kInteger;
constexpr auto kBytes = ValueKind::kBytes;
using L = Limits;

constexpr OptionRow kRows[] = {
    {Option::kWait, "WAIT", kInteger, "ms", 0, 0, nullptr, &L::max_wait_ms, kLocks, 0, false,
     "how long to wait in the queue; 0 only tries. Without it a request waits as long as its session lives, a TOKEN's "
     "not at all"},
    {Option::kTtl, "TTL", kInteger, "ms", 0, 0, &L::min_ttl_ms, &L::max_ttl_ms,
     kLocks | bits(Id::kRenew, Id::kSessionOpen), bits(Id::kRenew), false,
     "time to live: of the hold, counted from its grant (LOCK), from now (RENEW), or of the session without a sign of "
     "life (SESSION OPEN; 10 s if not given)"},
    {Option::kOwner, "OWNER", kBytes, "owner", 0, 0, nullptr, &L::max_owner_bytes, kHolders, 0, false,
     "who within the session: a thread, a task. Default: the empty owner"},
    {Option::kToken, "TOKEN", kBytes, "token", 1, 0, nullptr, &L::max_token_bytes, kHolders | bits(Id::kCancel), 0,
     false,
     "identity of a hold that needs no session, usable from any connection; LOCK needs TTL with it; not with OWNER"},
    {Option::kPriority, "PRIORITY", kInteger, "0..9", 0, 9, nullptr, nullptr, kLocks, 0, false,
     "higher goes first; each step counts as much as having come 10 s earlier"},
    {Option::kNoReentry, "NOREENTRY", kNone, "", 0, 0, nullptr, nullptr, kLocks, 0, false,
     "refuse (DEADLOCK) if the same owner holds the name already, instead of counting up"},
    {Option::kMaxHold, "MAXHOLD", kInteger, "ms", 1, 0, nullptr, &L::max_wait_ms, kLocks, 0, false,
     "end the hold this long after its grant, however well it is renewed"},
    {Option::kDelay, "DELAY", kInteger, "ms", 0, 0, nullptr, &L::max_ttl_ms, kLocks, 0, false,
     "if the hold is lost uncleanly, keep others out for this long"},
    {Option::kData, "DATA", kBytes, "data", 0, 0, nullptr, &L::max_data_bytes, kData, bits(Id::kPut), false,
     "bytes kept with the hold for everybody to read"},
    {Option::kReq, "REQ", kBytes, "id", 1, 0, nullptr, &L::max_req_bytes, kHolders, 0, false,
     "id of this request, unique in its session: repeated, it gets the first answer again"},
    {Option::kAsync, "ASYNC", kNone, "", 0, 0, nullptr, nullptr, kLocks, 0, false,
     "answer QUEUED at once if it must wait; the decision comes as a push (RESP3 only, needs REQ)"},
    {Option::kFull, "FULL", kNone, "", 0, 0, nullptr, nullptr, kLocks, 0, false, "answer a map instead of the fence"},
    {Option::kFence, "FENCE", kInteger, "fence", 1, kMaxFence, nullptr, nullptr,
     bits(Id::kUnlock, Id::kRenew, Id::kPut, Id::kCheck), bits(Id::kCheck), false, "only if the hold is this one"},
    {Option::kLabel, "LABEL", kBytes, "text", 0, 0, nullptr, &L::max_label_bytes, bits(Id::kSessionOpen), 0, false,
     "what SHOW and history print for the session"},
    {Option::kTakeover, "TAKEOVER", kNone, "", 0, 0, nullptr, nullptr, bits(Id::kSessionAttach), 0, false,
     "all other connections of the session get NOSESSION from now on"},
    {Option::kPrefix, "PREFIX", kBytes, "prefix", 0, 0, nullptr, &L::max_name_bytes, bits(Id::kLocks, Id::kEvents), 0,
     false, "only names that begin with these bytes"},
    {Option::kState, "STATE", kBytes, "held|waited|delayed", 1, 16, nullptr, nullptr, bits(Id::kLocks), 0, false,
     "only names that have a holder, a waiter, or a delay running"},
    {Option::kFrom, "FROM", kInteger, "revision", 0, kMaxRevision, nullptr, nullptr, bits(Id::kEvents), 0, false,
     "go on behind this revision, from the server's buffer"},
    {Option::kCursor, "CURSOR", kBytes, "cursor", 1, 8192, nullptr, nullptr,
     bits(Id::kShow, Id::kLocks, Id::kSessionList), 0, false, "go on where the answer before ended"},
    {Option::kCount, "COUNT", kInteger, "n", 1, 0, nullptr, &L::max_page, kReads | bits(Id::kSessionList), 0, false,
     "at most so many entries (default 100)"},
    {Option::kLocal, "LOCAL", kNone, "", 0, 0, nullptr, nullptr, kReads, 0, false,
     "answer from this member's own state, which may be a little old"},
    {Option::kLimit, "LIMIT", kInteger, "n", 1, 65536, nullptr, nullptr, kLocks, 0, true, ""},
    {Option::kPermits, "PERMITS", kInteger, "k", 1, 65536, nullptr, nullptr, kLocks, 0, true, ""},
    {Option::kTree, "TREE", kNone, "", 0, 0, nullptr, nullptr, kLocks, 0, true, ""},
    {Option::kPreempt, "PREEMPT", kInteger, "ms", 0, 0, nullptr, &L::max_ttl_ms, kLocks, 0, true, ""},
};
static_assert(std::size(kRows) == kOptions && kOptions <= 32);

constexpr size_t kCommandIds = static_cast<size_t>(CommandId::kOther) + 1;

// The table seen from a command: bits of the options that it takes or can't do without. Every lock pays for this
// look-up.
constexpr std::array<uint32_t, kCommandIds> by_command(uint32_t OptionRow::*column) {
  std::array<uint32_t, kCommandIds> masks{};
  for (size_t command = 0; command < kCommandIds; ++command) {
    for (size_t option = 0; option < kOptions; ++option) {
      masks[command] |= (kRows[option].*column >> command & 1) << option;
    }
  }
  return masks;
}
constexpr auto kTaken = by_command(&OptionRow::commands);
constexpr auto kRequired = by_command(&OptionRow::required);

const OptionRow* find_option(CommandId id, std::string_view word) {
  if (word.empty()) return nullptr;
  const char first = upper(word[0]);
  for (uint32_t left = kTaken[static_cast<size_t>(id)]; left != 0; left &= left - 1) {
    const OptionRow& row = kRows[std::countr_zero(left)];
    if (row.word[0] == first && same_word(row.word, word)) return &row;
  }
  return nullptr;
}

std::string range_error(const OptionRow& row, std::string_view value, int64_t min, int64_t max, const CommandRow& cmd) {
  const std::string word(row.word);
  uint64_t Limits::*const limit = row.max_limit;
  const std::string setting = limit ? " (" + std::string(limit_setting(limit)) + ")" : "";
  if (row.kind == ValueKind::kBytes) {
    return "ERR " + word + " of " + display_name(cmd) + " has " + std::to_string(value.size()) + " bytes: give " +
           std::to_string(min) + " to " + std::to_string(max) + setting;
  }
  return "ERR " + word + " of " + display_name(cmd) + " must be a whole number from " + std::to_string(min) + " to " +
         std::to_string(max) + setting + ", not '" + printable(value, 32) + "'";
}

std::string unknown_error(std::string_view word, const CommandRow& cmd) {
  std::string known;
  for (const OptionRow& row : kRows) {
    if (takes(row, cmd.id) && !row.later) known += (known.empty() ? "" : ", ") + std::string(row.word);
  }
  const std::string takes_text = known.empty() ? "it takes no options" : "it takes " + known;
  return "ERR unknown option '" + printable(word, 32) + "' of " + display_name(cmd) + ": " + takes_text;
}

}  // namespace

std::span<const OptionRow> option_rows() {
  return kRows;
}

bool Options::parse(const ParseInput& in, const CommandRow& row, size_t first, std::string& error) {
  for (size_t at = first; at < in.arguments.size();) {
    if (!take(in, row, at, error)) return false;
  }
  const uint32_t missing = kRequired[static_cast<size_t>(row.id)] & ~given_;
  if (missing == 0) return true;
  const OptionRow& option = kRows[std::countr_zero(missing)];
  error = "ERR " + display_name(row) + " needs " + std::string(option.word) + ": " + usage(row);
  return false;
}

bool Options::take(const ParseInput& in, const CommandRow& row, size_t& at, std::string& error) {
  const std::string_view word = in.arguments[at];
  const OptionRow* const option = find_option(row.id, word);
  if (option == nullptr) return error = unknown_error(word, row), false;
  if (option->later) {
    return error = "ERR " + std::string(option->word) + " is not supported by this version of Cleat: leave it out",
           false;
  }
  if (has(option->id)) return error = "ERR " + std::string(option->word) + " is given twice: give it once", false;
  ++at;
  given_ |= uint32_t{1} << static_cast<int>(option->id);
  if (option->kind == ValueKind::kNone) return true;
  if (at == in.arguments.size()) {
    return error = "ERR " + std::string(option->word) + " needs a value: " + usage(row), false;
  }
  const std::string_view value = in.arguments[at++];
  const Limits& limits = in.limits;
  const int64_t min = option->min_limit ? static_cast<int64_t>(limits.*option->min_limit) : option->min;
  const int64_t max = option->max_limit ? static_cast<int64_t>(limits.*option->max_limit) : option->max;
  int64_t measured = static_cast<int64_t>(value.size());
  const bool is_number = option->kind == ValueKind::kInteger;
  if ((is_number && !parse_integer(value, measured)) || measured < min || measured > max) {
    return error = range_error(*option, value, min, max, row), false;
  }
  if (is_number) {
    numbers_[static_cast<size_t>(option->id)] = measured;
  } else {
    texts_[static_cast<size_t>(option->id)] = value;
  }
  return true;
}

}  // namespace cleat::resp
