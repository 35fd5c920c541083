// One member of one Raft group: consensus, its log and the log's disk. A single node is a group of one voter; there is
// no second code path. No thread, clock or socket: time comes as ticks, messages as bytes.
//
// A turn of the caller (engine.md "Shape of the pump"):
//   propose / step / tick ...          input
//   while (group.has_ready()) {
//     Ready ready = group.ready();
//     send ready.messages();           a leader's may leave before the disk has them
//     group.persist(ready);            one synced write; kNoSpace: again later, with the same Ready
//     send ready.late_messages();      all others only now
//     apply ready.committed(); group.applied(index);
//   }
// What is proposed comes back among committed() after the persist that made it durable, in the next Ready.
//
// One thread at a time. Views (spans) belong to their Ready and end with it. Bytes passed in are copied.
// What cannot fail safely stops the process through the fatal hook (hooks.hpp): bugs, failed writes and syncs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/status.hpp"

struct ce_group;

namespace cleat::raft {

class Ready;
class VirtualDisk;

using Bytes = std::span<const std::byte>;

// Where a restart begins: the machine's state after entry `index`. `members` is opaque (eraftpb.ConfState).
struct SnapshotMark {
  uint64_t index = 0;
  uint64_t term = 0;
  std::string members;
};

struct Options {
  std::string dir;        // made if missing; holds LOCK, bound and log/; other files beside them are left alone
  uint64_t group_id = 1;  // of the group within the node; part of every record
  uint64_t node_id = 1;   // 1 to 2^32 - 1, never used again for another member
  uint64_t seed = 1;      // of election timeouts
  uint64_t start_id = 0;  // of this start, random; 0: none

  // Not empty: an empty directory becomes a group of these voters. Empty: it waits for a leader's snapshot.
  std::vector<uint64_t> bootstrap_voters;
  // The snapshot that the caller restored (the newest that is whole); entries after it are applied anew.
  std::optional<SnapshotMark> snapshot;

  uint64_t log_file_bytes = 16u << 20;
  uint64_t log_keep_bytes = 64u << 20;  // of log files, on disk; more only until the next snapshot
  bool prefill = true;                  // write log files ahead with zeros, so that a sync is a plain data write
  uint64_t memory_keep_bytes = 16u << 20;
  uint64_t max_message_bytes = 1u << 20;
  uint64_t max_uncommitted_bytes = 64u << 20;
  uint64_t max_apply_bytes = 16u << 20;
  uint32_t election_ticks = 10;
  // An advance of the commit index alone is told to nobody: appends and heartbeats carry it, and the caller tells those
  // who wait for it (learn_commit).
  bool quiet_commits = false;

  VirtualDisk* disk = nullptr;  // simulator; must outlive the Group
};

enum class Role : uint8_t { kFollower, kPreCandidate, kCandidate, kLeader };

struct GroupStatus {
  Role role = Role::kFollower;
  uint64_t term = 0, leader = 0;  // leader 0: none known
  uint64_t commit = 0, applied = 0;
  uint64_t first = 0, last = 0, durable = 0;  // entries that the log has; the last on disk
  uint64_t snapshot_index = 0, snapshot_term = 0;
  uint64_t log_bytes = 0;   // of entries since the log was last cut, to within 256 KiB
  uint64_t disk_bytes = 0;  // of log files in use
  uint64_t boot = 0;        // starts of this member
  uint64_t voters = 0;
  bool snapshot_wanted = false;  // a follower needs one and there is none
  // transfer() is under way: nothing can be proposed until another leads, or an election timeout has passed.
  bool handing_over = false;
};

// Rising ids. `outgoing` is not empty in a joint membership only.
struct MemberIds {
  std::vector<uint64_t> voters, learners, outgoing;  // outgoing: the voters before, until a joint membership is left
  bool is_voter(uint64_t id) const;
  bool contains(uint64_t id) const;
};

struct MemberEdit {
  enum class Kind : uint8_t { kVoter = 0, kRemove = 1, kLearner = 2 };
  Kind kind = Kind::kVoter;
  uint64_t id = 0;
};

struct Progress {
  uint64_t match = 0;
  bool active = false;       // heard within an election timeout
  bool in_snapshot = false;  // waits for report_snapshot()
};

// Names one read, for ever.
using ReadContext = std::array<uint8_t, 16>;

enum class Persisted : uint8_t {
  kDone,
  kNoSpace,  // nothing changed; persist the same Ready again when there is room
  kStopped,  // virtual disk only: a sync failed; this member is dead and must say nothing more
};

// Why step() dropped a message. Worth a count; the sender needs no answer.
enum class Dropped : uint8_t {
  kNot = 0,
  kUnreadable = 1,
  kNotFromPeer = 2,
  kNotToMe = 3,
  kBadType = 4,
  kNoTerm = 5,
  kBadNumbers = 6,
  kCommitPastLog = 7,  // one of the two members lost entries it had acknowledged: worth an error line
  kBadEntries = 8,
  kBadSnapshot = 9,
  kNotLeader = 10,
  kTooEarly = 11,
  kRefused = 12,
};

// Removes log files that hold nothing needed. Run it off the hot path, on any thread, while the Group is open.
class Purge {
 public:
  explicit Purge(void* handle) : handle_(handle) {}
  Purge(Purge&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Purge(const Purge&) = delete;
  Purge& operator=(const Purge&) = delete;
  Purge& operator=(Purge&&) = delete;
  ~Purge() { run(); }
  bool run();  // once; false: not now (it would have to rewrite entries), the next compaction will

 private:
  void* handle_;
};

enum class EntryKind : uint8_t { kPayload = 0, kMembersV1 = 1, kMembers = 2 };

struct EntryView {
  uint64_t index = 0;
  uint64_t term = 0;
  Bytes data;  // empty in a payload: a new leader's first entry
  EntryKind kind = EntryKind::kPayload;
};

// What a member's log holds behind `Options::snapshot`, for offline tools: also entries behind `commit`, of which the
// member did not know that they were decided. Only a torn tail is changed. `visit` false ends it. kBusy: a node runs on
// it. kCorrupt, kInvalid, kIo.
struct LogRead {
  uint64_t last = 0, commit = 0;  // last 0: no entries behind the snapshot
  std::shared_ptr<void> lock;     // no node can start on the directory while this is kept
};
base::Result<LogRead> read_log(const Options&, const std::function<bool(const EntryView&)>& visit);

class Group {
 public:
  // Opens or makes the group, checks every entry of the log, counts the boot up. kBusy: another process has the
  // directory. kCorrupt: acknowledged entries are missing or unreadable; nothing was changed. kNoSpace, kIo, kInvalid.
  // A group whose only voter this is leads when open() returns.
  static base::Result<std::unique_ptr<Group>> open(const Options&);
  ~Group();  // no Ready may be left
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;

  // False: nothing was proposed, and nothing will come of it: not the leader, or the uncommitted bytes are at their
  // limit.
  [[nodiscard]] bool propose(Bytes payload);
  [[nodiscard]] bool propose(std::span<const Bytes> payloads);  // as many entries, one message

  void tick();      // every 50 ms
  void campaign();  // tries to lead now, for tests and transfer
  // A message from the member that the connection proved to be. One that brings a snapshot is taken only for entry
  // `snapshot_index`, whose state the caller has loaded: the next Ready may ask for it.
  static constexpr uint64_t kNoSnapshot = 0, kAnySnapshot = UINT64_MAX;
  Dropped step(uint64_t peer, Bytes message, uint64_t snapshot_index = kNoSnapshot);

  // The leader of that term says that entries up to `index` are committed; it may say so only of what this member has
  // acknowledged to it in that term (Progress::match). As a heartbeat tells it, without an answer.
  Dropped learn_commit(uint64_t peer, uint64_t term, uint64_t index);

  // A linearizable read: answer it once applied up to the index that comes back with this context. None: not the
  // leader, or nothing of its term is committed yet. May never come back (leadership lost): time out, and ask with a
  // new one.
  std::optional<ReadContext> read_index();

  bool has_ready() const;
  Ready ready();
  // Entries, hard state and truncations in one synced write, then Raft is told. In the order the Readys were taken.
  Persisted persist(Ready&);
  // The second half of it alone, after Ready::write() said kDone: in the same order.
  void written(Ready&);
  void applied(uint64_t index);  // never backwards

  // The snapshot of entry `mark.index` (applied) is on disk, synced, under its final name: restarts begin there;
  // entries before `first_kept` (at most index + 1) leave the log. One synced write. kNoSpace, kInvalid. mark.term is
  // not read.
  base::Status compact(const SnapshotMark& mark, uint64_t first_kept);
  Purge purge() const;  // after compact()

  GroupStatus status() const;
  // Ids of the directory's starts, Options::start_id of this one first, then of the one before ...; 0: not known. As
  // many as the log remembers.
  std::vector<uint64_t> starts() const;
  std::string members() const;  // in force now: what a snapshot at `applied` records

  // Membership (eraftpb.ConfChangeV2 bytes). A change takes effect when its committed entry is applied. Changes of
  // voters are joint: the leader proposes leave_joint() when it finds the group in one.
  std::string make_change(std::span<const MemberEdit> edits, Bytes context);  // no edits: leaves the joint membership
  std::string change_context(Bytes change) const;
  // False: not the leader, another change is pending, or it does not fit (joint or not).
  [[nodiscard]] bool propose_members(Bytes change);
  std::string apply_members(Bytes change);  // the new membership; empty: unreadable, nothing changed
  MemberIds member_ids() const;
  // What this leader knows of a member; none: not the leader, or no such member.
  std::optional<Progress> progress(uint64_t member) const;
  void transfer(uint64_t to);
  void report_unreachable(uint64_t peer);
  void report_snapshot(uint64_t peer, bool arrived);  // after each message flagged as snapshot

 private:
  explicit Group(ce_group* group) : group_(group) {}
  friend class Ready;
  ce_group* group_;
};

}  // namespace cleat::raft
