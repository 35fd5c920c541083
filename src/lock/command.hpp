// What a log entry asks of the lock machine. A Command is plain data whose views point into the caller's bytes (a
// connection's buffer when it is built, the entry when it is applied); it lives as long as they do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "lock/mode.hpp"
#include "lock/time_rules.hpp"

namespace cleat::lock {

// What the decoder lets through; the commands' own limits are narrower (TTL up to 24 h) and checked before proposing.
inline constexpr uint8_t kMaxPriority = 9;
inline constexpr int64_t kMaxDurationMs = 3'000'000'000;  // TTL, MAXHOLD, DELAY: with any margin below 2^32
inline constexpr int64_t kMaxWaitMs = int64_t{1} << 40;   // some 34 years
inline constexpr int64_t kMaxStampMs = (int64_t{1} << 53) - 1;
inline constexpr uint64_t kMaxFence = (uint64_t{1} << 53) - 1;

// Stored in the log: never renumber.
enum class Verb : uint8_t {
  kTick = 1,       // nothing but the entry's stamp
  kConfigure = 2,  // data = encode(Settings); proposed by a leader whose configuration differs
  kBootEnded = 3,  // the run's connection ref (connection 0): waiters of that member's boots up to `boot`, without REQ,
                   // are cancelled
  kConnectionClosed = 4,  // the run's connection is gone (clean = QUIT or a clean close)
  kOpenSession = 5,       // ttl_ms, label, key (16 random bytes from the server)
  kAttachSession = 6,     // session, key, takeover
  kCloseSession = 7,      // the session of `by`
  kMark = 8,              // session, heard_ms   (time.md rule 4)
  kHeard = 9,             // session
  kExpire = 10,           // session             (time.md rule 5)
  kRaiseLevel = 11,       // level               (level.hpp)
  kLock = 20,
  kUnlock = 21,
  kRenew = 22,
  kPut = 23,
  kCancel = 24,     // req; with token also name
  kUndeliver = 25,  // name, fence: a session's grant without REQ whose connection was gone when it was decided
  // 26.. are kept for CONVERT, LOCKALL, UNLOCKALL, SETLIMIT, REVOKE.
};

// Who asks. With a token the session is none.
enum class By : uint8_t { kNone, kImplicit, kExplicit };

struct Command {
  Verb verb = Verb::kTick;
  uint64_t seq = 0;  // number of the command on its connection, rising; comes back in its outcome

  By by = By::kNone;
  base::SessionId session;  // with kExplicit, and the subject of kAttachSession, kMark, kHeard, kExpire
  uint32_t session_epoch =
      0;  // as answered by OPEN or ATTACH; an older one than the session's gets kNoSession (TAKEOVER)

  std::string_view name;
  std::string_view owner;
  std::string_view token;  // empty: none
  std::string_view req;    // empty: none
  std::string_view data;
  std::string_view label;
  std::string_view key;

  Mode mode = Mode::kExclusive;
  uint8_t priority = 0;  // 0..9
  bool no_reentry = false;
  bool async = false;          // answer kQueued at once; the decision comes as a push
  bool has_data = false;       // DATA "" is data
  bool clean = false;          // kConnectionClosed
  bool takeover = false;       // kAttachSession
  int64_t wait_ms = kForever;  // 0: try
  int64_t ttl_ms = 0;          // 0: none
  int64_t max_hold_ms = 0;     // 0: none
  int64_t delay_ms = 0;        // 0: none
  base::Fence fence;           // 0: none
  int64_t heard_ms = 0;        // kMark: log time
  uint32_t level = 0;          // kRaiseLevel

  bool operator==(const Command&) const = default;
};

// Tagged fields in rising tag order, absent ones left out, ended by tag 0. docs/formats.md has the table.
void encode(const Command&, std::string& out);
// Advances `in` past the command; false: malformed (`in` is then unspecified). Unknown tags are skipped.
bool decode(std::string_view& in, Command& out);

// What two requests with one REQ id must agree in: everything but connection, seq, async, and session epoch.
uint64_t argument_hash(const Command&);

}  // namespace cleat::lock
