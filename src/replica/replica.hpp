// One group's pump: orders send, persist, apply, answer (engine.md "Shape of the pump"). A pure step: no thread, socket
// or timer of its own. The driver (server/ or sim/) drains its input into it, calls step(), then flushes what the
// listener was told. One thread at a time.
//
//   driver: read every ready socket -> begin_run/add, read, keep_alive, vouch
//           step(): clock once -> one proposal -> ready -> persist (sync) -> apply -> listener
//           write once per connection
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/status.hpp"
#include "lock/level.hpp"
#include "lock/machine.hpp"
#include "replica/members.hpp"
#include "replica/outbox.hpp"
#include "storage/file_system.hpp"

namespace cleat::raft {
class VirtualDisk;
}

namespace cleat::replica {

// CLOCK_MONOTONIC_RAW and the wall; the simulator brings its own.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t mono_us() = 0;
  virtual int64_t wall_ms() = 0;
};

// Why something was not taken, or not decided. Never means that it did not happen, but for the first three.
enum class Trouble : uint8_t { kNone, kDiskFull, kNoQuorum, kBusy, kUnknown };

struct KeepAlive {
  uint64_t cookie = 0;  // of the driver; comes back
  base::SessionId session;
  std::string_view key;
  uint32_t epoch = 0;  // of the connection that speaks for it; kAnyEpoch when the key alone speaks
};
inline constexpr uint32_t kAnyEpoch = UINT32_MAX;

struct KeepAliveAnswer {
  bool alive = false;  // false: NOSESSION, or the key is wrong
  int64_t ttl_ms = 0;
  uint64_t losses = 0;
  // The leader's clock when it answered, and its term: readings of one term are of one clock. 0: not told.
  int64_t clock_us = 0;
  uint64_t term = 0;
};

// Hears everything, during step(), on the caller's thread.
class Listener : public lock::Sink {
 public:
  // A linearizable read asked by read(cookie) may now be answered from machine(); or it failed.
  virtual void on_read(uint64_t cookie, Trouble) = 0;
  virtual void on_keep_alive(uint64_t cookie, const KeepAliveAnswer&, Trouble) = 0;
  // This member began or ceased to lead (spec: role in INFO; the driver holds or releases requests).
  virtual void on_leadership(bool leads, uint64_t term) = 0;
  virtual void on_log(int level, std::string_view line) = 0;  // 0 debug .. 4 critical
  // The first entry of this term is applied here. What was taken in an older term and was not met in the log by now
  // (no outcome, not queued) will never be: it may be asked again.
  virtual void on_term(uint64_t term) { (void)term; }
  // A leader's snapshot took the place of the machine's state: outcomes and events of the entries that it covers were
  // not told here.
  virtual void on_state_replaced() {}
  // What became of change_members(); kInvalid, kBusy or kNotFound with a line for the operator: refused, nothing was
  // done. kUnavailable: it may or may not have been done.
  virtual void on_members_changed(uint64_t cookie, const base::Status&) { (void)cookie; }
  // The membership that is in force, after each change of it; and those who joined while this member was away, as soon
  // as they say so themselves: all these are to be dialed.
  virtual void on_members(const Members&) {}
  // The pump is about to wait for its disk, for entries that nothing told so far depends on: all that may be sent now.
  virtual void on_wait() {}
  // The group has moved to a feature level that this build does not know: nothing more is applied or said here. The
  // process is to end with this line for its operator.
  virtual void on_unfit(const std::string& why) { (void)why; }
  // An entry is about to be applied; `replayed`: it was decided before this start, and nothing else is told of it. For
  // tests and models that follow the log.
  virtual void on_entry(uint64_t index, uint64_t term, std::string_view entry, bool replayed) {
    (void)index, (void)term, (void)entry, (void)replayed;
  }
};

struct Options {
  std::string dir;
  uint64_t group = 1;
  uint32_t incarnation = 1;     // of the cluster; stands in each snapshot
  bool began_restored = false;  // the group began with a restored state: without a snapshot the directory is damaged
  uint32_t member = 1;
  // Those who founded the group, this member among them; only read when the directory holds no group yet. Empty: this
  // directory joins a group that exists, and waits for its leader's snapshot.
  std::vector<Member> founders = {{1, "node", ""}};
  Outbox* outbox = nullptr;  // null: a group of one
  // Ends the caller's wait for input, so that the next step() comes at once; called on a thread of the replica's.
  std::function<void()> wake = [] {};
  std::string client_address;               // told to the other members, for their clients
  std::string version;                      // of this program, told likewise
  uint32_t level = lock::known_level();     // the highest feature level that it knows
  lock::Settings settings;                  // proposed as kConfigure when the group's differ
  uint64_t snapshot_log_bytes = 64u << 20;  // a snapshot begins when the log since the last one is larger
  uint64_t min_free_bytes = 256u << 20;     // below: new locks get DISKFULL (engine.md rule 13)
  int64_t snapshot_turn_us = 1000;          // of a turn given to a snapshot
  size_t snapshot_slice_bytes = 64u << 10;  // between two looks at the clock
  uint64_t max_entry_bytes = 1u << 20;      // a turn's commands beyond it wait for the next turn
  int64_t tick_us = 50'000;                 // between heartbeats
  uint32_t election_ticks = 10;             // without a leader for 1 to 2 times this: an election
  int64_t slow_sync_us = 250'000;           // a leader whose syncs last longer, four in a row, hands over
  int64_t patience_us = 2'000'000;          // how long reads and keep-alives wait for a leader
  int64_t forward_patience_us = 3'000'000;  // what a leader did not take in that time is not sent to it again
  uint64_t seed = 1;                        // election timeouts, context ids
  uint64_t start_id = 0;                    // of this start, random; 0: none
  raft::VirtualDisk* disk = nullptr;        // simulator
  storage::FileSystem* files = nullptr;     // simulator; null: the real one
};

// Of another member, as the leader (match) and this member (the rest) know it.
struct PeerStatus {
  uint32_t id = 0;
  bool up = false;  // a connection to it stands
  bool voter = false;
  uint64_t match = 0;  // entries that it has, for sure; known to the leader only
  uint32_t boot = 0, level = 0;
  uint64_t applied = 0;  // as it last said
  std::string client_address, version;
  int64_t heard_us_ago = -1;  // -1: not since this member's start
  int64_t round_trip_us = -1;
  int snapshot_percent = -1;  // of a snapshot under way to it; -1: none
  int64_t clock_ppm = 0;      // how much faster its clock runs than this member's, once known
};

struct Status {
  bool leads = false;
  uint32_t leader = 0;  // member; 0: none known
  bool voter = true;
  bool joint = false;                  // a change of the voters is not over yet, as far as this member has applied
  bool clock_warning = false;          // that is more than half of the margin
  int64_t worst_clock_ppm = 0;         // greatest difference of clock rates to another member; 0: none known
  uint32_t level = lock::kFirstLevel;  // in force, as far as this member has applied
  uint32_t known_level = lock::kFirstLevel;
  uint64_t term = 0, commit = 0, applied = 0, log_bytes = 0, snapshot_index = 0, free_bytes = 0;
  bool disk_full = false, snapshotting = false;
  uint64_t keep_alives_answered = 0, keep_alives_missed = 0, turns = 0, syncs = 0, entries = 0, commands = 0;
  uint64_t elections = 0, stepped_down = 0, forwards = 0, forwards_again = 0, proposals_refused = 0, proposals_held = 0,
           snapshots_installed = 0, durable = 0;
  int64_t last_sync_us = 0;  // how long the last synced write took
};

// Of Raft: the term and the log's last entry.
struct Found {
  uint64_t term = 0, last = 0;
};

class Replica {
 public:
  // Opens or creates the data directory, loads snapshot and log. kCorrupt, kBusy, kIo with a line for the operator.
  static base::Result<std::unique_ptr<Replica>> open(const Options&, Clock&, Listener&);
  virtual ~Replica() = default;

  virtual uint32_t boot() const = 0;  // this member's boot count, one more than at the last start
  // Ids of the directory's starts: Options::start_id of start number boot() first, then of the one before ...; 0 and
  // beyond the end: not known.
  virtual std::vector<uint64_t> starts() const { return {}; }
  // What this start found on the disk.
  virtual Found found() const { return {}; }

  // Input of a turn. A run is what one connection pipelined. The command's bytes are copied into the entry.
  // A trouble other than kNone: not taken, nothing will be answered by the log. kDiskFull only for commands that take
  // room for new locks (kLock, kOpenSession, kPut); kNoQuorum: no leader now; kBusy: this turn's entry is full, step()
  // and then begin a run again with what was not taken.
  virtual Trouble begin_run(const base::ConnectionRef&) = 0;
  virtual Trouble add(const lock::Command&) = 0;
  virtual void read(uint64_t cookie) = 0;         // answered by on_read in this or a later step
  virtual void keep_alive(const KeepAlive&) = 0;  // counts as heard in this turn; answered by on_keep_alive
  // The session's connection is alive by its bytes or probes (time.md rule 6), last heard `silent_ms` ago; or a command
  // of it waits on a live connection (corners.md).
  virtual void vouch(base::SessionId, int64_t silent_ms) = 0;

  // Not all input that had arrived was read before this step(): no session may be ended by silence in it.
  virtual void input_left() = 0;

  // From the transport, in the order sent: input of the next step(). `member` is whom the connection proved to be.
  virtual void receive(uint32_t member, std::string_view message) { (void)member, (void)message; }
  // A connection for sending to that member was made, or lost (what was under way may be lost, too).
  virtual void peer_up(uint32_t member, uint32_t boot, uint32_t level) { (void)member, (void)boot, (void)level; }
  virtual void peer_down(uint32_t member) { (void)member; }

  // Asks for a change of the membership, on the leader. One at a time; answered by on_members_changed(). A learner is
  // promoted only when it has caught up; nothing is done that would lose the quorum of those who are up.
  virtual void change_members(uint64_t cookie, const MemberChange&) { (void)cookie; }
  // Asks this leader to hand over to that voter. kInvalid, kBusy, kUnavailable; ok: asked (see status()).
  virtual base::Status transfer(uint32_t member) {
    (void)member;
    return {base::Code::kInvalid, "there is nobody to hand over to"};
  }
  virtual std::vector<PeerStatus> peers() const { return {}; }
  // The term in which what begin_run() takes now would enter the log (see Listener::on_term).
  virtual uint64_t term() const { return 1; }
  virtual const Members& members() const {
    static const Members kNone;
    return kNone;
  }

  // One pump turn. The listener may add input, which belongs to the next turn. false: nothing was left to do and
  // nothing is under way.
  virtual bool step() = 0;
  // When step() has something to do without input (ticks, dues, elections, a snapshot under way): us of Clock, or none.
  virtual std::optional<int64_t> next_wake_us() const = 0;

  virtual const lock::Machine& machine() const = 0;
  virtual Status status() const = 0;
  // Writes a snapshot now, without standing still; done when status() shows it. For tests and before long stops.
  virtual void begin_snapshot() = 0;
  // The newest snapshot's file, which stays readable when a newer one takes its place; its index is what status() says.
  virtual base::Result<std::unique_ptr<storage::ReadableFile>> open_snapshot() const {
    return base::Status(base::Code::kNotFound, "there is no snapshot");
  }
  // Why the last attempt at one failed; empty: it did not, or another one was begun since.
  virtual std::string snapshot_trouble() const { return {}; }
  // Clean end: everything decided is on disk already; closes files.
  virtual base::Status close() = 0;
};

}  // namespace cleat::replica
