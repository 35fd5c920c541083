#include "lock/command.hpp"
#include "lock/hash.hpp"
#include "lock/level.hpp"
#include "lock/pool.hpp"
#include "lock/tagged.hpp"

namespace cleat::lock {
namespace {

// Stored in the log: never renumber. docs/formats.md has the table and the numbers kept for later.
enum CommandField : uint32_t {
  kVerb = 1,
  kSeq = 2,
  kBy = 3,
  kSession = 4,
  kSessionEpoch = 5,
  kName = 6,
  kOwner = 7,
  kToken = 8,
  kReq = 9,
  kData = 10,
  kLabel = 11,
  kKey = 12,
  kMode = 13,
  kPriority = 14,
  kFlags = 15,
  kWait = 16,  // wait_ms + 1: absent means for ever
  kTtl = 17,
  kMaxHold = 18,
  kDelay = 19,
  kFence = 20,
  kHeard = 21,
  kLevel = 30,
};
constexpr uint64_t kNoReentry = 1, kAsync = 2, kClean = 4, kTakeover = 8, kHasData = 16, kAllFlags = 31;

bool known(uint64_t verb) {
  return (verb >= 1 && verb <= 11) || (verb >= 20 && verb <= 25);
}

template <class T>
bool take(uint64_t v, uint64_t max, T& out) {
  if (v > max) return false;
  out = static_cast<T>(v);
  return true;
}

bool read_flags(uint64_t flags, Command& c) {
  if (flags > kAllFlags) return false;
  c.no_reentry = flags & kNoReentry;
  c.async = flags & kAsync;
  c.clean = flags & kClean;
  c.takeover = flags & kTakeover;
  c.has_data = flags & kHasData;
  return true;
}

bool read_number(uint32_t field, uint64_t v, Command& c) {
  switch (field) {
    case kVerb:
      return known(v) && take(v, 255, c.verb);
    case kSeq:
      return take(v, UINT64_MAX, c.seq);
    case kBy:
      return take(v, 2, c.by);
    case kSession:
      return take(v, UINT64_MAX, c.session.value);
    case kSessionEpoch:
      return take(v, UINT32_MAX, c.session_epoch);
    case kMode:
      return take(v, kModes - 1, c.mode);
    case kPriority:
      return take(v, kMaxPriority, c.priority);
    case kFlags:
      return read_flags(v, c);
    case kWait:
      c.wait_ms = static_cast<int64_t>(v) - 1;
      return v <= kMaxWaitMs + 1;
    case kTtl:
      return take(v, kMaxDurationMs, c.ttl_ms);
    case kMaxHold:
      return take(v, kMaxDurationMs, c.max_hold_ms);
    case kDelay:
      return take(v, kMaxDurationMs, c.delay_ms);
    case kFence:
      return take(v, kMaxFence, c.fence.value);
    case kHeard:
      return take(v, kMaxStampMs, c.heard_ms);
    case kLevel:
      return take(v, kMaxLevel, c.level);
    default:
      return true;
  }
}

bool read_bytes(uint32_t field, std::string_view v, Command& c) {
  if (v.size() > Blob::kMaxSize) return false;
  switch (field) {
    case kName:
      c.name = v;
      break;
    case kOwner:
      c.owner = v;
      break;
    case kToken:
      c.token = v;
      break;
    case kReq:
      c.req = v;
      break;
    case kData:
      c.data = v;
      break;
    case kLabel:
      c.label = v;
      break;
    case kKey:
      c.key = v;
      break;
    default:
      break;
  }
  return true;
}

constexpr bool bytes_field(uint32_t field) {
  return field >= kName && field <= kKey;
}

}  // namespace

void encode(const Command& c, std::string& out) {
  FieldWriter w(out);
  w.number(kVerb, static_cast<uint64_t>(c.verb));
  w.number(kSeq, c.seq);
  w.number(kBy, static_cast<uint64_t>(c.by));
  w.number(kSession, c.session.value);
  w.number(kSessionEpoch, c.session_epoch);
  w.bytes(kName, c.name);
  w.bytes(kOwner, c.owner);
  w.bytes(kToken, c.token);
  w.bytes(kReq, c.req);
  w.bytes(kData, c.data);
  w.bytes(kLabel, c.label);
  w.bytes(kKey, c.key);
  w.number(kMode, static_cast<uint64_t>(c.mode), static_cast<uint64_t>(Mode::kExclusive));
  w.number(kPriority, c.priority);
  w.number(kFlags, (c.no_reentry ? kNoReentry : 0) | (c.async ? kAsync : 0) | (c.clean ? kClean : 0) |
                       (c.takeover ? kTakeover : 0) | (c.has_data ? kHasData : 0));
  w.number(kWait, static_cast<uint64_t>(c.wait_ms + 1));
  w.number(kTtl, static_cast<uint64_t>(c.ttl_ms));
  w.number(kMaxHold, static_cast<uint64_t>(c.max_hold_ms));
  w.number(kDelay, static_cast<uint64_t>(c.delay_ms));
  w.number(kFence, c.fence.value);
  w.number(kHeard, static_cast<uint64_t>(c.heard_ms));
  w.number(kLevel, c.level);
  w.end();
}

bool decode(std::string_view& in, Command& out) {
  base::Reader reader(in);
  FieldReader fields(reader);
  out = Command{};
  bool has_verb = false;
  for (Field f; fields.next(f);) {
    const bool known_field = f.number <= kHeard || f.number == kLevel;
    if (known_field && f.is_bytes != bytes_field(f.number)) return false;
    if (!(f.is_bytes ? read_bytes(f.number, f.bytes, out) : read_number(f.number, f.value, out))) return false;
    has_verb |= f.number == kVerb;
  }
  if (!reader.ok() || !has_verb) return false;
  in.remove_prefix(in.size() - reader.left());
  return true;
}

uint64_t argument_hash(const Command& c) {
  Command plain = c;
  plain.seq = 0;
  plain.async = false;
  plain.session_epoch = 0;
  std::string bytes;
  encode(plain, bytes);
  return hash_bytes(bytes);
}

}  // namespace cleat::lock
