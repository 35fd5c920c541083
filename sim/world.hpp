// The hidden world of one run: real time, what happens when, the dice, the story, what was covered, what went wrong.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "parts.hpp"
#include "rng.hpp"

namespace cleat::sim {

// clang-format off: version 14 never comes to rest on this list
#define CLEAT_SIM_COVERAGE(V)                         \
  V(kOperations, "operations")                        \
  V(kRequests, "requests")                            \
  V(kFaults, "faults")                                \
  V(kGrants, "grants")                                \
  V(kWaits, "waits")                                  \
  V(kGrantsAfterWait, "grants after a wait")          \
  V(kTimeouts, "wait timeouts")                       \
  V(kCancels, "cancels")                              \
  V(kAsync, "async waits")                            \
  V(kReentries, "re-entries")                         \
  V(kRepeats, "REQ repeats answered")                 \
  V(kKeepAlives, "keep-alives answered")              \
  V(kNoSession, "NOSESSION")                          \
  V(kMarks, "marks")                                  \
  V(kHeards, "heards")                                \
  V(kExpiries, "sessions expired")                    \
  V(kTtlEnds, "hold TTL ends")                        \
  V(kMaxHoldEnds, "max-hold ends")                    \
  V(kRenewals, "renewals")                            \
  V(kGhosts, "ghosts")                                \
  V(kTokens, "token grants")                          \
  V(kConnectionsLost, "connections lost")             \
  V(kUndelivered, "undelivered")                      \
  V(kCrashes, "crashes")                              \
  V(kCrashesInWrite, "crashes in a write")            \
  V(kCrashesInStart, "crashes while starting")        \
  V(kKills, "kills")                                  \
  V(kCutTails, "cut tails")                           \
  V(kFlipsRefused, "flipped bytes refused")           \
  V(kFlipsHarmless, "flipped bytes that hid nothing") \
  V(kSnapshotRot, "damaged snapshots refused")        \
  V(kSnapshots, "snapshots")                          \
  V(kSnapshotLoads, "snapshot loads")                 \
  V(kStalls, "stalls")                                \
  V(kLongStalls, "stalls beyond TTLs")                \
  V(kDrifts, "clocks that change their rate")         \
  V(kFailedSyncs, "syncs that failed")                \
  V(kSlowDisks, "disks made slow")                    \
  V(kFullDisks, "disks made full")                    \
  V(kSlowWrites, "slow writes")                       \
  V(kDiskFull, "DISKFULL answers")                    \
  V(kLogFull, "log met a full disk")                  \
  V(kDeadClients, "clients that died")                \
  V(kLosses, "losses told")                           \
  V(kBarred, "sessions marked at a start")            \
  V(kUndrained, "undrained turns")                    \
  V(kReads, "reads")
// What only several members can show.
#define CLEAT_SIM_CLUSTER_COVERAGE(V)                              \
  V(kLeaders, "leaders")                                           \
  V(kLeadersLost, "leaders stepped down")                          \
  V(kChangesUnderLoad, "changes of leader with requests open")     \
  V(kForwarded, "requests taken by followers")                     \
  V(kAskedAgain, "requests asked again in a new term")             \
  V(kMessagesLost, "messages lost")                                \
  V(kMessagesDoubled, "messages that came twice")                  \
  V(kMessagesOvertaken, "messages that were overtaken")            \
  V(kWiresBroken, "connections between members broken")            \
  V(kPartitions, "partitions")                                     \
  V(kOneWay, "one-way partitions")                                 \
  V(kRagged, "partitions of any shape")                            \
  V(kFlapping, "wires that come and go")                           \
  V(kSlowWires, "slow wires")                                      \
  V(kAllDown, "all members down at once")                          \
  V(kMajorityDown, "majorities down")                              \
  V(kUnknown, "UNKNOWN answers")                                   \
  V(kNoQuorum, "NOQUORUM answers")                                 \
  V(kMoved, "clients moved to another member")                     \
  V(kRepeatedElsewhere, "REQ repeats answered by another member")  \
  V(kInherited, "sessions inherited by a new leader")              \
  V(kInheritedExpired, "sessions of an earlier term expired")      \
  V(kAttachedAgain, "connections that lost their session")         \
  V(kLate, "commands taken after their client had gone elsewhere") \
  V(kLateDone, "late commands done")                               \
  V(kLateRepeats, "late commands answered from REQ results")       \
  V(kLateRefused, "late commands refused")                         \
  V(kMarksInherited, "marks inherited by a new leader")            \
  V(kMarksLifted, "inherited marks lifted")                        \
  V(kStateReplaced, "snapshots installed")                         \
  V(kTransfers, "transfers of leadership")                         \
  V(kHeldProposals, "turns that waited for a hand-over")           \
  V(kForwardsAgain, "forwards sent again")                         \
  V(kFollowerReads, "reads on followers")                          \
  V(kBackups, "backups restored")                                  \
  V(kRecovers, "groups recovered from one disk")                   \
  V(kLostUndecided, "recoveries with undecided entries")           \
  V(kForgotten, "sessions of an earlier incarnation refused")      \
  V(kLevelRises, "feature levels risen")                           \
  V(kTooOld, "members too old for their group")                    \
  V(kNextRules, "commands of the next feature level")              \
  V(kMemberChanges, "membership changes")                          \
  V(kJoins, "members that joined and served")                      \
  V(kPutBack, "disks put back to an older copy")                   \
  V(kPutBackWithinStart, "disks put back within a start")          \
  V(kSentAway, "members sent away for an older disk")
// clang-format on

enum Cover {
#define V(name, text) name,
  CLEAT_SIM_COVERAGE(V) CLEAT_SIM_CLUSTER_COVERAGE(V)
#undef V
      kCovers,
  kFirstOfClusters = kLeaders
};
std::string_view cover_text(int);
// Whether a large batch of runs of so many members (0: one node) must meet it.
bool is_met_by(int cover, int members);
using Coverage = std::array<uint64_t, kCovers>;

// In which less than all parts may fail yet, when they fail later.
inline constexpr int64_t kAfterFailureUs = 2'000'000;

enum class Telling : uint8_t { kNothing, kStory, kAll };

class World {
 public:
  // `kept`: only these parts happen; null: all. It must outlive this.
  World(uint64_t seed, Telling telling, const Kept* only = nullptr, uint64_t incarnation = 1)
      : kept(only), era(incarnation), seed_(seed), telling_(telling) {
    present_ = this;
  }
  ~World() {
    if (present_ == this) present_ = nullptr;
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  // The newest that lives: for who tells how the process ended.
  static const World* present() { return present_; }
  static inline std::vector<int64_t> past_loads_us;  // of this run's incarnations that had their load

  // Dice of their own for each purpose, actor and number.
  Rng dice(Stream stream, uint64_t actor = 0, uint64_t n = 0) const {
    return Rng(Rng::mixed(seed_ ^ Rng::mixed(part(stream, era, actor, n))));
  }
  // Whether this part of what the seed chose may happen; who does then lets it happen notes so.
  bool may_happen(Stream stream, uint64_t actor, uint64_t n) const {
    return kept == nullptr || kept->parts.count(part(stream, era, actor, n)) != 0;
  }
  void note(Stream stream, uint64_t actor, uint64_t n) { happened.push_back(part(stream, era, actor, n)); }
  bool happens(Stream stream, uint64_t actor, uint64_t n) {
    if (!may_happen(stream, actor, n)) return false;
    note(stream, actor, n);
    return true;
  }

  void at(int64_t us, std::function<void()> what);
  void after(int64_t us, std::function<void()> what) { at(now_us + us, std::move(what)); }
  bool next();  // runs one event; false: none left
  // The first thing that went wrong ends the run. `checker` is its short name.
  void fail(std::string_view checker, const std::string& what);
  bool failed() const { return !failure.empty(); }

  // A story line is for people who know nothing of this code; a detail for those who look into it.
  bool telling() const { return telling_ != Telling::kNothing; }
  bool telling_all() const { return telling_ == Telling::kAll; }
  void say(const std::string& line);
  void detail(const std::string& line) {
    if (telling_all()) say(line);
  }
  void trace(uint64_t v) { trace_hash = (trace_hash ^ v) * 0x100000001b3ull + (trace_hash >> 29); }
  void trace(std::string_view bytes) {
    for (const char c : bytes) trace(static_cast<unsigned char>(c));
  }
  void cover(Cover c, uint64_t n = 1) {
    coverage[c] += n;
    if (planted && c == kGrants && coverage[kCrashes] > 0) fail("planted", "planted: a grant after a loss of power");
  }

  int64_t now_us = 0;  // real time: nobody in the run reads it
  const Kept* const kept;
  const uint64_t era;    // incarnation
  bool planted = false;  // see RunOptions
  std::vector<Part> happened;
  Coverage coverage{};
  uint64_t trace_hash = 0xcbf29ce484222325ull;
  std::string checker, failure;
  bool over = false;  // nothing more can be learned from this run
  std::deque<std::string> story;

 private:
  struct Event {
    int64_t us;
    uint64_t n;
    std::function<void()> what;
    bool operator<(const Event& o) const { return us != o.us ? us > o.us : n > o.n; }
  };
  std::vector<Event> events_;  // a heap
  uint64_t count_ = 0;
  uint64_t seed_;
  Telling telling_;
  static inline const World* present_ = nullptr;
};

// What a seed decides for the whole run: a different mix of features and faults each (swarm testing).
struct Plan {
  Plan(Rng, int64_t ops, int members);
  int members;
  // The load lasts at least as long, and until so many operations were asked and kLeastFaults befell the members.
  int64_t ops, load_us;
  static constexpr uint64_t kLeastFaults = 10;
  static constexpr int64_t kLongestLoadUs = 900'000'000;  // enough where faults leave clients little time
  double margin = 0.01, server_rate, client_rate_min;
  int clients, names;
  int64_t session_ttl_min_ms, session_ttl_max_ms;
  bool crashes, stalls, full_disks, flips, slow_disk, snapshots, drops, deaths, priorities, delays;
  double async, token_share, implicit_share, renew;
  // Of several members.
  std::vector<double> rates;  // of their clocks
  bool partitions = false, wire_drops = false, wire_breaks = false, slow_wires = false, transfers = false;
  bool shuffles = false;      // Raft's messages may come twice, or be overtaken
  bool drifts = false;        // clocks change their rates
  bool changes = false;       // of the membership
  bool put_backs = false;     // disks are put back to an older copy
  bool rots = false;          // of several members: a byte of one's disk is another
  bool slow_clients = false;  // what they send arrives when they have gone elsewhere
  uint64_t req_results = 256;
  // After the load the group is over: a backup of it, or one member's disk, founds the next one.
  enum class After : uint8_t { kPeace, kRestore, kRecover } after = After::kPeace;
  bool upgrades = false;      // members are started with the next feature level, or go back
  uint64_t first_number = 0;  // of clients' requests, and so their REQs and tokens
  uint64_t seed = 0;
  int64_t wire_us = 200, tick_us = 50'000;
  size_t wire_buffer = 8u << 20;

 private:
  void plan_cluster(Rng&);
};

}  // namespace cleat::sim
