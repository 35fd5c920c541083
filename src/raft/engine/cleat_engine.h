// The C ABI of the Rust crate cleat-engine: one member of one Raft group, its log, its disk. Only src/raft includes it;
// src/raft/group.hpp is what everything else uses.
//
// Threads: a ce_group belongs to one thread at a time. The exceptions: ce_persist (any thread, one at a time, Readys in
// the order taken; the group may go on meanwhile), ce_purge (any thread), and the ce_disk_* calls (any thread).
// Ownership: what a ce_* call returns as ce_bytes or as array belongs to the group or Ready it came from, and stays
// valid until the call named there. What is passed in is copied before the call returns. Errors: functions that can
// fail return a ce_code; the text (UTF-8, one line, for an operator) goes to *error, which may be null. Bugs and failed
// disk writes do not return: they call the `fatal` hook. Units are bytes, ticks and microseconds, as named. Indexes and
// terms are Raft's.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ce_group ce_group;
typedef struct ce_ready ce_ready;
typedef struct ce_purge_handle ce_purge_handle;
typedef struct ce_disk ce_disk;

typedef struct {
  const uint8_t* data;
  size_t len;
} ce_bytes;

typedef enum {
  CE_OK = 0,
  CE_NO_SPACE = 1,  // nothing changed; the same call may be repeated when there is room
  CE_STOPPED = 2,   // virtual disk only: a sync failed, the node is dead, the write must not be reported
  CE_LOCKED = 3,    // another process has the directory
  CE_DAMAGED = 4,   // acknowledged data is missing or unreadable; nothing was changed
  CE_IO = 5,
  CE_INVALID = 6,  // an option or argument that cannot be meant
} ce_code;

typedef struct {
  char text[1024];  // terminated
} ce_error;

// ---- Hooks. Process-wide; set them before anything else. Both may be called on any thread, fatal also during a panic.
// level: 0 error, 1 warning, 2 info. fatal must not return; if it does the process aborts.
void ce_set_hooks(void (*log)(int level, const char* text, size_t len), void (*fatal)(const char* text, size_t len));

// ---- Opening.
typedef struct {
  const char* dir;         // made if missing; holds LOCK, bound and log/
  uint64_t group;          // raft-engine's region
  uint64_t id;             // of this member, 1 to 2^32 - 1
  uint64_t seed;           // of election timeouts
  uint64_t start_id;       // of this start, random
  const uint64_t* voters;  // not empty: an empty directory becomes a group of these; else it waits to be told
  size_t voter_count;
  bool has_snapshot;  // the snapshot that the caller has restored: entries after it are applied anew
  uint64_t snapshot_index;
  uint64_t snapshot_term;
  ce_bytes snapshot_conf;  // eraftpb.ConfState
  uint64_t file_bytes;     // a log file is closed beyond it
  uint64_t purge_bytes;    // log files are kept up to it
  bool prefill;            // write log files with zeros ahead (real disks; not in tests)
  uint64_t keep_bytes;     // of entries kept in memory for followers
  uint64_t max_message_bytes;
  uint64_t max_uncommitted_bytes;  // proposals beyond it are refused
  uint64_t max_apply_bytes;        // committed entries of one Ready
  uint32_t election_ticks;         // elections begin after 1 to 2 times this; heartbeats go each tick
  bool quiet_commits;   // no message for an advance of the commit index alone: the caller tells it (ce_learn_commit)
  bool ignore_bound;    // a broken node, for make mutants: a log that lost its end opens all the same
  bool eager;           // likewise: it stands for election while a snapshot waits for the disk
  bool lease_reads;     // likewise: a leader proves itself by its clock alone
  bool forget_votes;    // likewise: for whom it voted is not written
  const ce_disk* disk;  // null: the real disk
} ce_options;

// Opens the log, checks all of it, counts the boot up (one synced write). A group whose only voter this is leads at
// once. *out is owned by the caller.
ce_code ce_open(const ce_options* options, ce_group** out, ce_error* error);
void ce_close(ce_group* group);  // no Ready of it may be left

// ---- A log that nobody runs, for offline tools: reads dir, group, voters, snapshot and disk of the options. All
// entries behind the snapshot, also those that this member did not know to be decided (behind `commit`). Changes
// nothing but a torn tail. The view stays valid until ce_free_log.
typedef struct ce_log ce_log;
typedef struct {
  const struct ce_entry_s* entries;
  size_t entry_count;
  uint64_t commit;
} ce_log_view;
ce_code ce_read_log(const ce_options* options, ce_log** out, ce_log_view* view, ce_error* error);
void ce_free_log(ce_log* log);

// ---- Input, in any order, also while Readys are open.
void ce_tick(ce_group* group);
void ce_campaign(ce_group* group);
// All payloads become entries, in order, in one message. False: nothing was proposed (not the leader, uncommitted bytes
// at their limit, leadership being handed over).
bool ce_propose(ce_group* group, const ce_bytes* payloads, size_t count);
// False: not the leader, or nothing of its term is committed yet. The context comes back in a Ready's reads, or never
// (leadership lost): the caller times out.
bool ce_read_index(ce_group* group, uint8_t context[16]);
// A message from the member that the connection proved to be. 0: taken; else why it was dropped (ce_reject). One that
// brings a snapshot is taken only for entry snapshot_index (UINT64_MAX: any).
int ce_step(ce_group* group, uint64_t peer, ce_bytes message, uint64_t snapshot_index);
// The leader of `term` said that entries up to index are committed, which this member has acknowledged to it. As
// ce_step.
int ce_learn_commit(ce_group* group, uint64_t peer, uint64_t term, uint64_t index);
typedef enum {
  CE_REJECT_UNREADABLE = 1,
  CE_REJECT_NOT_FROM_PEER = 2,
  CE_REJECT_NOT_TO_ME = 3,
  CE_REJECT_BAD_TYPE = 4,
  CE_REJECT_NO_TERM = 5,
  CE_REJECT_BAD_NUMBERS = 6,
  CE_REJECT_COMMIT_PAST_LOG = 7,  // one of the two members lost entries
  CE_REJECT_BAD_ENTRIES = 8,
  CE_REJECT_BAD_SNAPSHOT = 9,
  CE_REJECT_NOT_LEADER = 10,
  CE_REJECT_TOO_EARLY = 11,
  CE_REJECT_REFUSED = 12,
} ce_reject;
void ce_report_unreachable(ce_group* group, uint64_t peer);
void ce_report_snapshot(ce_group* group, uint64_t peer, bool ok);
void ce_transfer(ce_group* group, uint64_t to);

// ---- Output: take, send `messages`, persist, persisted, send `late_messages`, apply, applied, free.
typedef struct ce_entry_s {
  uint64_t index;
  uint64_t term;
  ce_bytes data;
  uint8_t kind;  // 0 the caller's payload (empty: a new leader's first entry), 1 ConfChange, 2 ConfChangeV2
} ce_entry;

typedef struct {
  uint64_t to;
  uint64_t commit;  // of an append or heartbeat: the commit index that the receiver knows afterwards
  ce_bytes wire;    // eraftpb.Message, opaque
  uint8_t kind;     // eraftpb.MessageType
  uint8_t flags;    // 1: a snapshot; its file goes first, and ce_report_snapshot follows
} ce_message;

typedef struct {
  uint64_t index;  // once applied up to here, the read may be answered
  uint8_t context[16];
} ce_read;

typedef struct {
  uint64_t number;
  uint64_t term, vote, commit;  // hard state
  const ce_entry* entries;      // to be persisted
  size_t entry_count;
  const ce_entry* committed;  // to be applied; they are on disk already
  size_t committed_count;
  const ce_message* messages;  // may be sent before ce_persist
  size_t message_count;
  const ce_message* late_messages;  // only after ce_persisted
  size_t late_message_count;
  const ce_read* reads;
  size_t read_count;
  uint64_t snapshot_index;  // 0: none; else a received snapshot to install
  uint64_t snapshot_term;
  ce_bytes snapshot_conf;
  ce_bytes snapshot_data;
  bool has_hard_state;
  bool must_sync;  // false: ce_persist will not touch the disk
} ce_ready_view;

bool ce_has_ready(const ce_group* group);
// Never null. The view points into the Ready and stays valid until ce_free_ready.
ce_ready* ce_take_ready(ce_group* group, ce_ready_view* view);
// One batch: entries, hard state, and truncation of what they overwrite; written and synced. CE_NO_SPACE: repeat it
// with the same Ready. A failed sync stops the process.
ce_code ce_persist(ce_ready* ready, ce_error* error);
void ce_persisted(ce_group* group, const ce_ready* ready);  // after CE_OK, in the order taken
void ce_free_ready(ce_ready* ready);
void ce_applied(ce_group* group, uint64_t index);  // never backwards

// ---- Snapshots. A snapshot of entry snap_index lies on disk under its final name: restarts begin there. Entries
// before first_kept (<= snap_index + 1) leave the log. One synced write.
ce_code ce_compact(ce_group* group, uint64_t snap_index, ce_bytes conf, uint64_t first_kept, ce_error* error);
// Gives back log files that hold nothing needed; file deletions, so off the hot path. The handle may outlive the call's
// thread but not the group; ce_purge frees it. False: nothing done now.
ce_purge_handle* ce_purger(const ce_group* group);
bool ce_purge(ce_purge_handle* handle);

// ---- Membership. eraftpb bytes. Results are valid until the next call of any of these.
ce_bytes ce_conf(ce_group* group);  // ConfState in force
typedef struct {
  uint32_t kind;  // 0 add or promote a voter, 1 remove, 2 add a learner or demote
  uint64_t id;
} ce_change;
// ConfChangeV2; no changes: leaves a joint membership. Changes of voters are joint and must be left explicitly.
ce_bytes ce_make_change(ce_group* group, const ce_change* changes, size_t count, ce_bytes context);
ce_bytes ce_change_context(ce_group* group, ce_bytes conf_change_v2);  // empty: none, or unreadable
// Ids in force, rising: 0 voters, 1 learners, 2 outgoing voters of a joint membership. Returns how many there are.
size_t ce_member_ids(const ce_group* group, uint32_t which, uint64_t* out, size_t cap);
typedef struct {
  uint64_t matched;
  bool active;       // heard within an election timeout
  bool in_snapshot;  // waits for ce_report_snapshot
} ce_progress_view;
bool ce_progress(const ce_group* group, uint64_t id,
                 ce_progress_view* out);  // false: not the leader, or no such member
// False: not the leader, another change is pending, or this one does not fit (a joint membership must be left first).
bool ce_propose_conf_change(ce_group* group, ce_bytes conf_change_v2);
ce_bytes ce_apply_conf_change(ce_group* group, ce_bytes conf_change_v2);  // of a committed entry; empty: unreadable

typedef struct {
  uint64_t id, boot, term, leader, commit, applied, first, last, durable, snap_index, snap_term;
  uint64_t log_bytes;   // of entries since the last cut, to within 256 KiB
  uint64_t disk_bytes;  // of log files in use
  uint64_t voters;
  uint32_t role;      // 0 follower, 1 pre-candidate, 2 candidate, 3 leader
  bool snap_wanted;   // a follower needs a snapshot and there is none
  bool handing_over;  // a leader that asked another to take over: it takes no proposal until that ends
} ce_status_view;
void ce_status(const ce_group* group, ce_status_view* out);
// Ids of the directory's starts: of number `boot` first, then of the one before ...; 0: not known. How many there are.
size_t ce_starts(const ce_group* group, uint64_t* out, size_t cap);

// ---- A disk in memory, for the simulator. Files also exist, empty, in the directory of ce_options (put it on tmpfs).
// ce_disk_crash drops un-synced data as the seed says and makes the open group's disk dead (every call succeeds and
// changes nothing); close that group, then open again.
ce_disk* ce_disk_new(void);
void ce_disk_free(ce_disk* disk);
void ce_disk_crash(const ce_disk* disk, uint64_t seed);
void ce_disk_keep_copy(const ce_disk* disk);  // of what is durable, in place of an earlier copy
// Of a closed group: the disk is as it was when the copy was made. False: the directory can't be changed.
bool ce_disk_put_copy_back(const ce_disk* disk);
void ce_disk_set_capacity(const ce_disk* disk, uint64_t bytes);  // UINT64_MAX: no limit
void ce_disk_set_sync_cost(const ce_disk* disk, uint64_t us, uint64_t us_per_kib);
void ce_disk_fail_syncs(const ce_disk* disk, bool fail);
void ce_disk_ignore_syncs(const ce_disk* disk, bool ignore);  // they succeed and make nothing durable
// The member dies before the change (file made, renamed, deleted, written, truncated, synced) after the next `changes`.
void ce_disk_stop_after(const ce_disk* disk, uint64_t changes);
bool ce_disk_stopped(const ce_disk* disk);           // a sync failed, or the changes ran out, since the last crash
uint64_t ce_disk_take_sync_us(const ce_disk* disk);  // what the syncs since the last call would have taken
uint64_t ce_disk_syncs(const ce_disk* disk);
uint64_t ce_disk_used(const ce_disk* disk);
// Name of the n-th file, not terminated; its length, 0: no such file. Written only if it fits.
size_t ce_disk_file_name(const ce_disk* disk, size_t n, char* out, size_t cap);
int64_t ce_disk_read(const ce_disk* disk, const char* path, uint8_t* out, size_t cap);  // size; -1: no such file
bool ce_disk_flip(const ce_disk* disk, const char* path, uint64_t offset, uint8_t mask);
bool ce_disk_cut(const ce_disk* disk, const char* path, uint64_t len);

#ifdef __cplusplus
}
#endif
