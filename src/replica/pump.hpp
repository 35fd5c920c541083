// The Replica itself. step() is one turn:
//   clock -> log time -> heard -> one entry proposed -> a proof begun -> persist, apply, tell -> reads and keep-alives
// The same path for one voter and for several; a lone voter's proofs and commits merely come at once.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lock/entry.hpp"
#include "raft/group.hpp"
#include "raft/ready.hpp"
#include "replica/liveness.hpp"
#include "replica/log_clock.hpp"
#include "replica/proofs.hpp"
#include "replica/replica.hpp"
#include "replica/snapshots.hpp"
#include "storage/free_space.hpp"

namespace cleat::replica {

class Pump final : public Replica, private lock::Sink {
 public:
  Pump(Options, Clock&, Listener&);
  base::Status start();  // directory, snapshot, log; a lone voter serves from its first step on

  uint32_t boot() const override { return boot_; }
  Trouble begin_run(const base::ConnectionRef&) override;
  Trouble add(const lock::Command&) override;
  void read(uint64_t cookie) override;
  void keep_alive(const KeepAlive&) override;
  void vouch(base::SessionId, int64_t silent_ms) override;
  void input_left() override { drained_ = false; }
  bool step() override;
  std::optional<int64_t> next_wake_us() const override;
  const lock::Machine& machine() const override { return *machine_; }
  Status status() const override;
  void begin_snapshot() override;
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
    uint64_t round, cookie;
  };
  struct WaitingKeepAlive {
    uint64_t round, cookie;
    base::SessionId session;
    uint32_t epoch;
    bool known;  // the session lived and the key was right when it was drained
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
  bool under_way() const { return proposed_index_ > applied_; }
  void begin_proof();
  // the engine (pump.cpp)
  void tick_raft();
  void watch_leadership();
  void leadership_lost();
  void drive();
  bool persist();
  void apply(const raft::EntryView&);
  void lead_begins();
  void serve_if_started();
  void check_space();
  void turn_snapshot();
  // answers (pump_answers.cpp)
  void settle();
  bool answer_keep_alive(const WaitingKeepAlive&);  // false: barred
  void answer_all(Trouble);
  bool knows(const KeepAlive&) const;

  Options options_;
  Clock& clock_;
  Listener& listener_;
  std::unique_ptr<lock::Machine> machine_;
  std::unique_ptr<raft::Group> group_;
  std::optional<raft::Ready> ready_;  // taken and not yet persisted: the disk is full
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
  uint64_t applied_ = 0, applied_term_ = 0;
  std::optional<raft::SnapshotMark> loaded_;  // the snapshot of this start
  uint64_t proposed_index_ = 0;               // the last entry that this leader proposed
  uint64_t replay_end_ = 0;                   // entries up to here were decided before this start: nobody is told
  int64_t now_us_ = 0;                        // this turn's reading
  int64_t ticked_us_ = 0, space_checked_us_ = 0, snapshot_after_us_ = 0;
  bool drained_ = true;
  bool started_ = false;  // the commands of a new leader are proposed
  bool replaying_ = false;
  bool log_full_ = false;  // the log met ENOSPC: the Ready is kept and nothing is answered until there is room
  bool snapshot_asked_ = false;
  bool stopped_ = false;  // simulator: a sync failed; nothing more may be said
  Status status_;
};

}  // namespace cleat::replica
