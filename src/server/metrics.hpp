// What INFO counts, from the first day. Counters of this process; they begin at its start.
#pragma once

#include <cstdint>

#include "base/histogram.hpp"
#include "lock/outcome.hpp"

namespace cleat::server {

struct Metrics {
  uint64_t connections_accepted = 0, connections_refused = 0, connections_dropped_slow = 0, connections_killed = 0;
  uint64_t commands = 0, protocol_errors = 0, bytes_in = 0, bytes_out = 0;

  // lock_repeats: of them, those that joined a hold or waiter of their own or got the kept result of their REQ.
  uint64_t lock_requests = 0, lock_repeats = 0, granted_at_once = 0, granted_after_wait = 0, had_to_wait = 0;
  uint64_t busy = 0, timed_out = 0, cancelled = 0, refused_deadlock = 0, refused_mode = 0, refused_limit = 0,
           refused_session = 0, refused_disk_full = 0, refused_other = 0, unknown = 0;
  uint64_t unlocks = 0, renewals = 0, undelivered = 0;
  uint64_t holds_ended_by_ttl = 0, holds_ended_by_max_hold = 0, holds_ended_with_session = 0, revocations = 0;
  uint64_t sessions_opened = 0, sessions_expired = 0;
  uint64_t events = 0, pushes = 0, gaps = 0;
  // commit_us: a turn's log write, sync and apply; fsync_us: the synced write alone.
  base::Histogram<4> wait_ms, hold_ms, commit_us, fsync_us;
  // From a turn's first look at its sockets to its last write: so long did all clients wait. The second without the
  // turn's synced write, which is the disk's.
  int64_t longest_turn_us = 0, longest_turn_unsynced_us = 0;

  void count(const lock::Outcome&);
  void count(const lock::Event&);
  // Share of lock requests that met somebody else's hold or queue.
  double contention() const;
};

}  // namespace cleat::server
