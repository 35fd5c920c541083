// The Replica itself. step() is one turn:
//   clock -> log time -> heard -> one entry proposed -> a proof begun -> persist, apply, tell -> reads and keep-alives
// The same path for one voter and for several; a lone voter's proofs and commits merely come at once. A member that
// does not lead sends what its clients ask to the one that does (pump_follow.cpp) and answers them from its own apply.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lock/entry.hpp"
#include "raft/group.hpp"
#include "raft/ready.hpp"
#include "replica/commit_news.hpp"
#include "replica/forwards.hpp"
#include "replica/level_watch.hpp"
#include "replica/liveness.hpp"
#include "replica/log_clock.hpp"
#include "replica/log_writer.hpp"
#include "replica/peer_book.hpp"
#include "replica/proofs.hpp"
#include "replica/replica.hpp"
#include "replica/snapshot_transfer.hpp"
#include "replica/snapshots.hpp"
#include "storage/free_space.hpp"

namespace cleat::replica {

class Pump final : public Replica, private lock::Sink {
 public:
  Pump(Options, Clock&, Listener&);
  base::Status start();  // directory, snapshot, log; a lone voter serves from its first step on

  uint32_t boot() const override { return boot_; }
  std::vector<uint64_t> starts() const override { return group_->starts(); }
  Found found() const override { return found_; }
  Trouble begin_run(const base::ConnectionRef&) override;
  Trouble add(const lock::Command&) override;
  void read(uint64_t cookie) override;
  void keep_alive(const KeepAlive&) override;
  void vouch(base::SessionId, int64_t silent_ms) override;
  void input_left() override { drained_ = false; }
  void receive(uint32_t member, std::string_view message) override;
  void peer_up(uint32_t member, uint32_t boot, uint32_t level) override;
  void peer_down(uint32_t member) override;
  void change_members(uint64_t cookie, const MemberChange&) override;
  base::Status transfer(uint32_t member) override;
  const Members& members() const override { return members_; }
  std::vector<PeerStatus> peers() const override;
  uint64_t term() const override { return term_; }
  bool step() override;
  std::optional<int64_t> next_wake_us() const override;
  const lock::Machine& machine() const override { return *machine_; }
  Status status() const override;
  void begin_snapshot() override;
  base::Result<std::unique_ptr<storage::ReadableFile>> open_snapshot() const override;
  std::string snapshot_trouble() const override { return snapshots_.trouble(); }
  base::Status close() override;

 private:
  enum class Phase : uint8_t {
    kFollowing,
    kElected,   // leads, but its first entry is not applied: answers nothing, proposes nothing
    kStarting,  // settings and ended boots are on their way into the log
    kServing
  };
  static constexpr int64_t kTickEveryMs = 1000;
  struct Heard {
    base::SessionId session;
    int64_t silent_ms;
  };
  struct WaitingRead {
    uint64_t round, cookie;  // of another member: its round
    uint32_t member;         // 0: a client's of this one
    int64_t since_us;
  };
  struct WaitingKeepAlive {
    uint64_t round, cookie;  // of another member: its number
    base::SessionId session;
    uint32_t epoch;
    bool known;  // the session lived and the key was right when it was drained
    uint32_t member;
  };
  // A keep-alive that only a leader can answer.
  struct AskedKeepAlive {
    uint64_t cookie;
    base::SessionId session;
    uint32_t epoch;
    std::string key;
    int64_t since_us, asked_us;
    uint64_t term;  // in which it was asked; 0: not yet
  };
  struct AskedChange {
    uint64_t cookie;
    MemberChange change;
    int64_t since_us;
    bool proposed;
    uint64_t index = 0;  // of its entry
  };

  // lock::Sink: what the machine says while it applies.
  void on_outcome(const lock::Outcome&) override;
  void on_event(const lock::Event&) override;
  void on_session_opened(base::SessionId, int64_t ttl_ms, lock::By, int64_t log_ms) override;
  void on_session_ended(base::SessionId, lock::Why) override;

  base::Status check_format();
  base::Status write_format();
  base::Status restore();
  base::Status open_group();
  // proposing (pump_propose.cpp)
  void note_heard();
  void propose_turn();
  bool add_own_commands();
  void add_start_commands();
  bool tick_due() const;
  bool speaks_for(const lock::Command&) const;
  Trouble busy() const;
  bool under_way() const { return proposed_index_ > applied_; }
  void begin_proof();
  // the engine (pump.cpp)
  void tick_raft();
  void watch_leadership();
  void leadership_lost();
  void drive();
  bool take_in(raft::Ready&);
  bool persist(raft::Ready&);
  void confirm_reads(const raft::Ready&);
  // the leader's disk (pump_disk.cpp)
  bool blocked() const { return !unwritten_.empty(); }
  bool writes_beside(const raft::Ready&) const;
  void begin_write();
  void take_written();
  void took_written(LogWriter::Tried);
  void finish_writes();
  void wrote(bool synced, int64_t took_us);
  void no_room();
  bool wants_disk() const;
  void apply(const raft::EntryView&);
  void apply_committed(const raft::Ready&);
  void level_rose();
  uint32_t common_level() const;
  void add_raise();
  void lead_begins();
  void serve_if_started();
  void check_space();
  void turn_snapshot();
  bool alone() const { return options_.outbox == nullptr; }
  // Nothing that is under way waits for another member.
  bool solo() const {
    return alone() || (ids_.voters.size() == 1 && ids_.outgoing.empty() && phase_ != Phase::kFollowing);
  }
  void send_messages(const raft::Ready&, bool late);
  void apply_members(const raft::EntryView&);
  void note_members();
  void install_snapshot(const raft::SnapshotMark&);
  // without leading (pump_follow.cpp)
  bool takes_room(const lock::Command& c) const;
  bool can_forward() const { return leader_ != 0 && !alone() && peers_.is_up(leader_); }
  void forward_turn();
  void ask_keep_alives();
  void send_vouches();
  // between members (pump_peers.cpp)
  void took(uint32_t member, const Forward&);
  void took(uint32_t member, const ReadAsk&);
  void took(const ReadAnswer&);
  void took(uint32_t member, const KeepAliveAsk&);
  void took(const KeepAliveAnswers&);
  void took(const Vouches&);
  void took(uint32_t member, const SnapshotOffer&);
  void took(uint32_t member, const SnapshotPiece&);
  void took(uint32_t member, const Committed&);
  void complain_of_loss(uint32_t member);
  void tell_commits();  // pump_commits.cpp
  void answer_snapshot(uint32_t member, uint64_t index, bool ok);
  void keep_alive_from(uint32_t member, const KeepAlive&);
  void complain(const std::string& line);  // seldom
  static raft::ReadContext asked_context(uint64_t round);
  void take_forwards();
  bool take_forward(uint32_t member, const Forward&);
  void step_raft(uint32_t member, std::string_view wire, uint64_t snapshot_index = raft::Group::kNoSnapshot);
  void tell_state(uint32_t member);
  void meet(uint32_t member, const PeerState&);
  void turn_peers();
  void turn_transfers();
  void load_snapshot(SnapshotReceiver::Whole);
  void use_snapshot();
  std::launch own_thread() const {  // in the simulator inline
    return options_.files == nullptr ? std::launch::async : std::launch::deferred;
  }
  void end_boots();
  void boots_ended();
  void hand_over_if_ailing();
  void warn_of_clocks();
  // membership (pump_members.cpp)
  void turn_members();
  void leave_joint();
  base::Status judge(const MemberChange&) const;
  bool propose_change(AskedChange&);
  void fail_changes(const base::Status&);
  uint32_t best_successor() const;
  // answers (pump_answers.cpp)
  void settle();
  void give_up_waiting();
  void answer_members();
  bool answer_keep_alive(const WaitingKeepAlive&);  // false: barred
  bool knows(const KeepAlive&) const;

  Options options_;
  Clock& clock_;
  Listener& listener_;
  std::unique_ptr<lock::Machine> machine_;
  std::unique_ptr<raft::Group> group_;
  std::deque<raft::Ready> unwritten_;  // taken; between turns there are some only when the disk is full
  LogWriter writer_;                   // of what a leader of others persists
  storage::FileSystem& files_;
  storage::FreeSpace space_;
  Snapshots snapshots_;

  LogClock log_clock_;
  Liveness liveness_;
  Proofs proofs_;
  lock::EntryBuilder entry_;  // what the clients asked since the last proposal that was made
  std::vector<Heard> heard_;
  std::vector<WaitingRead> reads_, settled_reads_;
  std::vector<WaitingKeepAlive> keep_alives_, barred_, settled_keep_alives_;  // barred_: proved, behind a Mark

  Phase phase_ = Phase::kFollowing;
  uint64_t term_ = 0;
  uint32_t boot_ = 0;
  Found found_;
  uint64_t applied_ = 0, applied_term_ = 0;
  std::optional<raft::SnapshotMark> loaded_;  // the snapshot of this start
  uint64_t entry_term_ = 0;                   // in which the runs of entry_ were taken

  // Of several members.
  Members members_;
  std::map<uint32_t, Member> strangers_;  // of ids that the log has not told yet
  bool strangers_came_ = false;
  raft::MemberIds ids_;
  uint32_t leader_ = 0;  // another member; 0: none known, or this one
  PeerBook peers_;
  Forwards forwards_{options_.forward_patience_us};
  Takings takings_;
  std::deque<std::pair<uint32_t, std::string>> forward_inbox_;
  std::map<uint64_t, AskedKeepAlive> asked_keep_alives_;
  uint64_t last_asked_ = 0;
  struct CameKeepAlive {
    uint64_t cookie;
    KeepAliveAnswer answer;
  };
  std::vector<CameKeepAlive> came_keep_alives_;  // told in the next step
  std::map<uint32_t, KeepAliveAnswers> keep_alive_answers_;
  std::deque<AskedChange> changes_;
  std::map<uint32_t, uint32_t> ended_boots_;  // told to the log by this leader
  std::map<uint32_t, uint32_t> ending_boots_;
  CommitNews commits_;
  SnapshotSender sender_;
  SnapshotReceiver receiver_;
  bool loaded() const {
    return loading_ && loading_->done.wait_for(std::chrono::seconds(0)) != std::future_status::timeout;
  }
  struct Prepared {
    uint64_t index = 0;
    std::unique_ptr<lock::Machine> machine;
    Members members;
  };
  // A received snapshot on its way into a machine of its own, on a thread of its own: a million locks take half a
  // second, in which this member goes on answering heartbeats and clients.
  struct Loading {
    SnapshotReceiver::Whole whole;
    std::unique_ptr<lock::Machine> machine;
    std::future<base::Result<Snapshots::Loaded>> done;  // its thread uses the machine
  };
  std::optional<Loading> loading_;
  std::optional<Prepared> prepared_;  // loaded, and not yet taken over by Raft
  std::future<void> freeing_;         // the state that a snapshot took the place of
  uint64_t log_floor_bytes_ = 0, snapshots_seen_ = 0;
  int64_t told_state_us_ = 0, handed_over_us_ = 0, complained_us_ = 0, warned_us_ = 0;
  int slow_syncs_ = 0;
  LevelWatch levels_;
  std::string unfit_;  // why this build can't be a member any more

  uint64_t proposed_index_ = 0;  // the last entry that this leader proposed
  bool crowded_ = false;         // it has several commands
  uint64_t replay_end_ = 0;      // entries up to here were decided before this start: nobody is told
  int64_t now_us_ = 0;           // this turn's reading
  int64_t ticked_us_ = 0, space_checked_us_ = 0, snapshot_after_us_ = 0;
  bool drained_ = true;
  bool started_ = false;  // the commands of a new leader are proposed
  bool replaying_ = false;
  bool held_back_ = false;  // the last entry was not proposed: a hand-over, or too much that is not committed
  bool log_full_ = false;   // the log met ENOSPC: the Ready is kept and nothing is answered until there is room
  bool snapshot_asked_ = false;
  bool stopped_ = false;  // simulator: a sync failed; nothing more may be said
  Status status_;
};

}  // namespace cleat::replica
