// Requests about a name's holds: they become commands of the lock machine.
#include <cstring>

#include "resp/option_table.hpp"
#include "resp/parse_functions.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

using lock::Verb;

// Bytes at the front of `name` that are printable ASCII for sure, eight at a time: in such a word no byte has its high
// bit set, none loses it by subtracting 0x20 (which borrows from the next only below 0x20) and none gains it by
// adding 1.
size_t plain_prefix(std::string_view name) {
  constexpr uint64_t kEach = 0x0101010101010101;
  size_t i = 0;
  for (uint64_t w; i + sizeof w <= name.size(); i += sizeof w) {
    std::memcpy(&w, name.data() + i, sizeof w);
    if (((w | (w - kEach * 0x20) | (w + kEach)) & kEach * 0x80) != 0) break;
  }
  return i;
}

// First byte that a name may not have: malformed UTF-8 or a control character. npos: none.
size_t bad_byte(std::string_view name) {
  for (size_t i = plain_prefix(name); i < name.size(); ++i) {
    const auto c = static_cast<uint8_t>(name[i]);
    if (c < 0x20 || c == 0x7f) return i;
    if (c == 0xc2 && i + 1 < name.size() && static_cast<uint8_t>(name[i + 1]) < 0xa0) return i;  // U+0080 to U+009F
    if (c >= 0x80 && !is_utf8(name)) return utf8_prefix(name) < i ? i : utf8_prefix(name);
  }
  return std::string_view::npos;
}

bool find_mode(std::string_view word, lock::Mode& mode) {
  constexpr std::string_view kFirstLetters = "isuxe";  // most often an option stands in the mode's place
  if (word.empty() || kFirstLetters.find(lower(word[0])) == std::string_view::npos) return false;
  for (int i = 0; i < lock::kModes; ++i) {
    const auto candidate = static_cast<lock::Mode>(i);
    if (same_word(word, lock::short_name(candidate)) || same_word(word, lock::long_name(candidate))) {
      mode = candidate;
      return true;
    }
  }
  return false;
}

// What all commands of a holder share: name, OWNER or TOKEN, FENCE, REQ, TTL, DATA. False: refused.
bool fill(const ParseInput& in, Verb verb, const Options& o, Request& out) {
  if (o.has(Option::kToken) && o.has(Option::kOwner)) {
    out.refuse("ERR TOKEN and OWNER exclude each other: a token's hold has no session and no owner");
    return false;
  }
  const std::string_view name = in.arguments[1];
  if (std::string error = name_error(name, in.limits); !error.empty()) return out.refuse(std::move(error)), false;
  lock::Command& c = out.body.emplace<Change>().command;
  c.verb = verb;
  c.name = name;
  c.owner = o.text_or(Option::kOwner, {});
  c.token = o.text_or(Option::kToken, {});
  c.req = o.text_or(Option::kReq, {});
  c.fence = base::Fence{static_cast<uint64_t>(o.number_or(Option::kFence, 0))};
  c.ttl_ms = o.number_or(Option::kTtl, 0);
  c.has_data = o.has(Option::kData);
  c.data = o.text_or(Option::kData, {});
  return true;
}

// A combination of LOCK's options that can't be meant; empty: none.
std::string conflict(const ParseInput& in, const Options& o, bool is_try) {
  if (is_try && o.has(Option::kWait)) return "ERR TRYLOCK never waits: use LOCK with WAIT";
  if (o.has(Option::kToken) && !o.has(Option::kTtl)) {
    return "ERR TOKEN needs TTL: a hold without a session ends by time only";
  }
  if (!o.has(Option::kAsync)) return {};
  if (in.protocol == Protocol::kResp2) return "ERR ASYNC needs RESP3, which carries pushes: send HELLO 3 first";
  if (!o.has(Option::kReq)) return "ERR ASYNC needs REQ: the push names the request by it";
  return {};
}

}  // namespace

std::string name_error(std::string_view name, const Limits& limits) {
  if (name.empty()) return "BADNAME the name is empty: give 1 to " + std::to_string(limits.max_name_bytes) + " bytes";
  if (name.size() > limits.max_name_bytes) {
    return "BADNAME the name has " + std::to_string(name.size()) + " bytes, more than " +
           std::to_string(limits.max_name_bytes) + " (max-name-bytes): use a shorter one or its hash";
  }
  const size_t at = bad_byte(name);
  if (at == std::string_view::npos) return {};
  const bool control = is_utf8(name.substr(0, at + 1)) || static_cast<uint8_t>(name[at]) == 0xc2;
  return "BADNAME the name '" + printable(name) + "' has " +
         (control ? "a control character" : "bytes that are not UTF-8") + " at byte " + std::to_string(at + 1) +
         ": use UTF-8 text without control characters";
}

void parse_lock(const ParseInput& in, Request& out) {
  const bool is_try = out.row->id == CommandId::kTryLock;
  lock::Mode mode = lock::Mode::kExclusive;
  const bool has_mode = in.arguments.size() > 2 && find_mode(in.arguments[2], mode);
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, has_mode ? 3 : 2, error)) return out.refuse(std::move(error));
  if (error = conflict(in, o, is_try); !error.empty()) return out.refuse(std::move(error));
  if (!fill(in, Verb::kLock, o, out)) return;
  auto& change = std::get<Change>(out.body);
  lock::Command& c = change.command;
  c.mode = mode;
  c.wait_ms = o.number_or(Option::kWait, is_try || !c.token.empty() ? 0 : lock::kForever);
  c.priority = static_cast<uint8_t>(o.number_or(Option::kPriority, 0));
  c.no_reentry = o.has(Option::kNoReentry);
  c.max_hold_ms = o.number_or(Option::kMaxHold, 0);
  c.delay_ms = o.number_or(Option::kDelay, 0);
  c.async = o.has(Option::kAsync);
  change.full = o.has(Option::kFull);
}

void parse_unlock(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 2, error)) return out.refuse(std::move(error));
  fill(in, Verb::kUnlock, o, out);
}

void parse_renew(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 2, error)) return out.refuse(std::move(error));
  fill(in, Verb::kRenew, o, out);
}

void parse_put(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 2, error)) return out.refuse(std::move(error));
  fill(in, Verb::kPut, o, out);
}

void parse_cancel(const ParseInput& in, Request& out) {
  const std::string_view req = in.arguments[1];
  if (req.empty() || req.size() > in.limits.max_req_bytes) {
    return out.refuse("ERR the id of CANCEL has " + std::to_string(req.size()) +
                      " bytes: give the REQ of a request, 1 to " + std::to_string(in.limits.max_req_bytes));
  }
  std::string_view token, name;
  if (in.arguments.size() > 2) {
    // TOKEN takes two values here: its token and the name that it waits for.
    if (in.arguments.size() != 5 || !same_word(in.arguments[2], "TOKEN")) {
      return out.refuse("ERR CANCEL takes an id, or an id and TOKEN token name: " + usage(*out.row));
    }
    Options o;
    std::string error;
    const ParseInput front{in.arguments.first(4), in.limits, in.protocol};
    if (!o.parse(front, *out.row, 2, error)) return out.refuse(std::move(error));
    token = o.text(Option::kToken);
    name = in.arguments[4];
    if (error = name_error(name, in.limits); !error.empty()) return out.refuse(std::move(error));
  }
  lock::Command& c = out.body.emplace<Change>().command;
  c.verb = Verb::kCancel;
  c.req = req;
  c.token = token;
  c.name = name;
}

}  // namespace cleat::resp
