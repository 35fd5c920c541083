// The lock machine: commands in, outcomes and events out. Pure and deterministic: no clock, thread, file, socket,
// random number or log; equal entries give equal bytes. One thread at a time. Sinks may query the machine from their
// calls (const functions only), the state being that right after the change.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"
#include "lock/entry.hpp"
#include "lock/outcome.hpp"
#include "lock/settings.hpp"
#include "lock/views.hpp"

namespace cleat::lock {

// State lies in this many buckets, by hash of the name or session id (fixed hash: bucket order is the same everywhere,
// LOCKS cursors count on it). A bucket is what a snapshot writes at once.
inline constexpr uint32_t kBuckets = 8192;

// What a new incarnation of the state must be above (a backup was restored, a majority was lost for good).
struct Incarnation {
  base::Fence above;     // of the fences that were granted, for all that is known; the next one is greater
  uint64_t numbers = 0;  // likewise of session ids and revisions
  int64_t wall_ms = 0;   // now, for the history
};

class Machine {
 public:
  Machine();
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  // Applies one entry: first all that is due at or before its stamp, then its runs. kCorrupt: the bytes can't be an
  // entry of ours (nothing was applied). `sink` hears everything, also what earlier requests get.
  base::Status apply(std::string_view entry, Sink& sink);

  // Ends all sessions (uncleanly: DELAY applies) with what they hold, all queues and all REQ results, and raises the
  // counters. Holds by a token stay: their time goes on from the log time at which it stood. Nobody is told; the
  // history says `restored`. Equal states become equal states.
  void begin_incarnation(const Incarnation&);

  const Settings& settings() const;
  uint32_t level() const;           // in force (level.hpp)
  int64_t log_ms() const;           // stamp of the last entry
  int64_t wall_ms() const;          // its Unix time
  base::Revision revision() const;  // of the last change
  base::Fence last_fence() const;
  std::optional<int64_t> next_due_ms() const;  // log time at which something is due; none: no timer runs

  // Queries, in the order in which SHOW, LOCKS, HISTORY and SESSION answer. Names are raw bytes.
  NameView show(std::string_view name, const Page&) const;
  LocksPage locks(std::string_view prefix, LockState state, const Cursor&, uint32_t count) const;
  std::vector<HistoryView> history(std::string_view name, uint32_t count) const;  // newest last
  bool check(std::string_view name, base::Fence) const;
  // It was done before, or stands in line: its REQ is kept, or its token has the name or waits for it.
  bool knows(const Command&) const;
  std::optional<SessionView> session(base::SessionId) const;
  SessionsPage sessions(base::SessionId after, uint32_t count) const;                        // by rising id
  std::optional<SessionState> session_state(base::SessionId) const;                          // O(1), no allocation
  void each_session(const std::function<void(base::SessionId, By, int64_t ttl_ms)>&) const;  // by rising id
  // What stands in the way of a request that just got kNotGranted or kQueued; for FULL answers.
  Blocker blocker(std::string_view name, Mode) const;
  Totals totals() const;

  // Snapshots. begin_snapshot() fixes the image to be written: that of now. write_some() appends whole blocks to `out`
  // until about `budget_bytes` are written or the image is complete (true). In between apply() may run: what it changes
  // is kept as it was until its bucket is written.
  void begin_snapshot();
  bool write_some(size_t budget_bytes, const std::function<void(std::string_view block)>& out);
  void abandon_snapshot();
  // Into an empty machine: all blocks of one image in order, then finish_load(). kCorrupt names what is wrong.
  base::Status load_block(std::string_view block);
  base::Status finish_load();

  // Hash over the whole state; equal on members that applied the same entries. Slow: for tests.
  uint64_t digest() const;
  // Walks everything and says the first broken invariant; empty when all hold. Slow: for tests.
  std::string check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cleat::lock
