// The hidden world of one run: real time, what happens when, the dice, the story, what was covered, what went wrong.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "rng.hpp"

namespace cleat::sim {

// clang-format off: version 14 never comes to rest on this list
#define CLEAT_SIM_COVERAGE(V)                         \
  V(kRequests, "requests")                            \
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
  V(kWiresBroken, "connections between members broken")            \
  V(kPartitions, "partitions")                                     \
  V(kOneWay, "one-way partitions")                                 \
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
  V(kMemberChanges, "membership changes")                          \
  V(kJoins, "members that joined and served")
// clang-format on

enum Cover {
#define V(name, text) name,
  CLEAT_SIM_COVERAGE(V) CLEAT_SIM_CLUSTER_COVERAGE(V)
#undef V
      kCovers,
  kFirstOfClusters = kLeaders
};
std::string_view cover_text(int);
// Whether runs of one node, or of several members, can meet it at all.
bool is_met_by(int cover, bool several);
using Coverage = std::array<uint64_t, kCovers>;

class World {
 public:
  World(uint64_t seed, bool tell) : rng(seed), tell_(tell) {}

  void at(int64_t us, std::function<void()> what) { events_.push({us, count_++, std::move(what)}); }
  void after(int64_t us, std::function<void()> what) { at(now_us + us, std::move(what)); }
  bool next();  // runs one event; false: none left
  // The first thing that went wrong ends the run. `checker` is its short name.
  void fail(std::string_view checker, const std::string& what);
  bool failed() const { return !failure.empty(); }

  bool telling() const { return tell_; }
  void say(const std::string& line);
  void trace(uint64_t v) { trace_hash = (trace_hash ^ v) * 0x100000001b3ull + (trace_hash >> 29); }
  void trace(std::string_view bytes) {
    for (const char c : bytes) trace(static_cast<unsigned char>(c));
  }
  void cover(Cover c, uint64_t n = 1) { coverage[c] += n; }

  int64_t now_us = 0;  // real time: nobody in the run reads it
  Rng rng;
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
  std::priority_queue<Event> events_;
  uint64_t count_ = 0;
  bool tell_;
};

// What a seed decides for the whole run: a different mix of features and faults each (swarm testing).
struct Plan {
  Plan(Rng&, int64_t ops, int members);
  int members;
  int64_t ops, load_us;
  double margin = 0.01, server_rate, client_rate_min;
  int clients, names;
  int64_t session_ttl_min_ms, session_ttl_max_ms;
  bool crashes, stalls, full_disks, flips, slow_disk, snapshots, drops, deaths, priorities, delays;
  double async, token_share, implicit_share, renew;
  // Of several members.
  std::vector<double> rates;  // of their clocks
  bool partitions = false, wire_drops = false, wire_breaks = false, slow_wires = false, transfers = false;
  bool changes = false;       // of the membership
  bool slow_clients = false;  // what they send arrives when they have gone elsewhere
  uint64_t req_results = 256;
  // After the load the group is over: a backup of it, or one member's disk, founds the next one.
  enum class After : uint8_t { kPeace, kRestore, kRecover } after = After::kPeace;
  uint64_t first_number = 0;  // of clients' requests, and so their REQs and tokens
  uint64_t seed = 0;
  int64_t wire_us = 200, tick_us = 50'000;
  size_t wire_buffer = 8u << 20;

 private:
  void plan_cluster(Rng&);
};

}  // namespace cleat::sim
