// One member, alone or of several: the real Replica (log on a virtual disk, snapshots on a virtual file system) behind
// the smallest server that follows protocol.md's order on a connection. It crashes, stalls, fills up and rots as the
// run tells it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "checks.hpp"
#include "group_checks.hpp"
#include "heritage.hpp"
#include "network.hpp"
#include "raft/virtual_disk.hpp"
#include "replica/replica.hpp"
#include "server/admission_rules.hpp"
#include "server/survivor.hpp"
#include "storage/fake_file_system.hpp"
#include "wire.hpp"
#include "world.hpp"

namespace cleat::sim {

// What a member of several has beside what a lone one has.
struct Membership {
  uint32_t member = 1;
  Network* network = nullptr;
  GroupChecks* group = nullptr;
  std::vector<replica::Member> founders = {{1, "node", ""}};  // empty: it joins
  uint32_t incarnation = 1;
  const Heritage* heritage = nullptr;  // a founder's: what its group begins with
};

class Server : public replica::Clock, private replica::Listener, private replica::Outbox, private Port {
 public:
  Server(World&, Checks&, const Plan&, std::string dir, Membership = {});
  ~Server() override;

  // From clients; time on the wire is the caller's affair.
  uint64_t connect(Receiver*);  // 0: nobody there
  void send(uint64_t connection, const Request&);
  void disconnect(uint64_t connection);
  void vanish(uint64_t connection);  // the client is gone and nobody tells

  void start();
  void crash(bool in_a_write);
  void kill();
  void restart_cleanly();
  bool meets_rot();  // of its log, at the end of a run; true: it was refused, and that was the end
  // The build of its next start; what knows too little for its group is not served again (lock/level.hpp).
  void install(uint32_t level) { level_ = level; }
  uint32_t installed() const { return level_; }
  void stall(int64_t us) { stalled_until_us_ = world_.now_us + us; }
  void unreachable(bool yes) { unreachable_ = yes; }  // for clients
  void stall_in_turn(int64_t us) { in_turn_us_ = us; }
  void drift(double rate);  // its clock runs so fast from now on
  void fill_disk(bool log_too, int64_t log_room_bytes = 0);
  void empty_disk();
  void slow_disk(int64_t sync_us);
  void keep_copy();  // of its disk, as an image of the running machine
  // It loses power, and its disk is put back to the copy before it starts again. False: not now. `meets`: which members
  // its next start reaches; empty: all.
  bool put_copy_back(std::function<bool(uint32_t member)> meets = {});
  uint64_t copied_last() const { return copied_last_; }
  uint32_t starts_since_copy() const { return replica_->boot() - copied_boot_; }  // of one that is up
  // It noted, for good, the latest start of the other one, which is up.
  bool has_met(const Server& other) const;
  // It is killed, and a byte of its disk is another when it starts again. False: not now.
  bool rot();
  bool is_lost() const { return lost_; }               // sent away for an older disk, or not started on a rotten one
  void lose(const std::string& why);                   // it is down for good, to be replaced
  void die_in_next_write(Rng&);                        // its sync fails, or the power goes in the middle of it
  bool failing() const { return failing_ || dying_; }  // it goes soon
  void snapshot();
  void end_faults();
  bool up() const { return replica_ != nullptr; }
  replica::Replica& replica() { return *replica_; }
  uint32_t member() const { return self_.member; }
  uint32_t incarnation() const { return self_.incarnation; }
  // Of a founder that never started: what it begins with. Null: that can't be read.
  std::unique_ptr<lock::Machine> first_state() { return sim::first_state(*files_, dir_); }
  bool is_locked();  // of one that is down: somebody else has its directory
  // Of one that is down: all that its disk has.
  base::Result<server::Survivor> remains();
  bool leads() const { return up() && serving_; }
  void know(uint32_t member) { known_.insert(member); }
  void retire();  // never to start again
  void wake() { schedule(world_.now_us + 100); }
  bool has_requests_open() const;

  int64_t mono_us() override;
  int64_t wall_ms() override { return 1'700'000'000'000 + (world_.now_us + in_turn_us_) / 1000; }

 private:
  // What clients and the world call a connection: a late word about one of an earlier life must not meet a new one.
  uint64_t handle_of(uint64_t number) const { return uint64_t{self_.member} << 56 | life_ << 32 | number; }
  static uint64_t number_of(uint64_t handle) { return handle & UINT32_MAX; }

  struct Connection {
    Receiver* client = nullptr;
    std::deque<Request> queue;
    std::deque<Request> run;  // in the log, not decided; numbers are their seq
    uint64_t waiting = 0;     // the command that holds back what follows
    std::map<uint64_t, Request> asynchronous;
    uint64_t session = 0, implicit = 0;
    uint32_t epoch = 0;
    bool busy = false;  // a keep-alive or read is under way
    bool open = true, told_closed = false, clean = false;
    int64_t heard_us = 0;
    bool vanished = false;
    int64_t told_at_us = -1;  // when the log hears that it closed; -1: not known yet
    uint64_t told_term = 0;   // in which term the log was told
    uint64_t run_term = 0;    // in which term the run was taken
    int64_t run_since_us = 0, held_since_us = -1;
    int64_t run_awake_us = 0;  // when the run was taken, in time in which the server could listen
  };
  struct PeerInput {
    enum class Kind : uint8_t { kMessage, kUp, kDown } kind;
    uint32_t member;
    uint32_t boot, level;
    std::string bytes;
  };

  void on_outcome(const lock::Outcome&) override;
  void on_event(const lock::Event&) override;
  void on_session_opened(base::SessionId, int64_t, lock::By, int64_t) override {}
  void on_session_ended(base::SessionId, lock::Why) override {}
  void on_read(uint64_t cookie, replica::Trouble) override;
  void on_keep_alive(uint64_t cookie, const replica::KeepAliveAnswer&, replica::Trouble) override;
  void on_leadership(bool, uint64_t) override;
  void on_log(int, std::string_view) override;
  void on_entry(uint64_t, uint64_t, std::string_view, bool replayed) override;
  void on_term(uint64_t) override;
  void on_state_replaced() override;
  void on_members(const replica::Members&) override;
  void on_unfit(const std::string& why) override;
  void on_members_changed(uint64_t cookie, const base::Status&) override;

  // Outbox.
  void send(uint32_t member, std::string_view message) override;
  void flush() override {}
  // Port.
  void arrive(uint32_t from, std::string bytes) override;
  void peer_up(uint32_t member, uint32_t boot, uint32_t level) override;
  void peer_down(uint32_t member) override;
  bool knows(uint32_t member) const override;
  net::PeerHello hello() const override;
  base::Status admit(const net::PeerHello& theirs) override;
  void refused(const std::string& why) override;

  bool alone() const { return self_.network == nullptr; }

  void open();
  bool happens(double chance);  // a small trouble
  void die_in_start();
  void lose_power();
  bool dies_later(std::function<void()> die);
  bool try_open_with_rot();
  void refuse_damaged_snapshot();
  replica::Options options();
  void schedule(int64_t us);
  void turn();
  void after_step();
  void heard(uint64_t session, int64_t awake_us);
  void drain();
  void vouch();
  void feed(uint64_t id, Connection&);
  void feed_run(uint64_t id, Connection&);
  void feed_closed(uint64_t id, Connection&);
  void feed_undelivered();
  void hold_or_refuse(uint64_t id, Connection&);
  void give_up_old_runs();
  void refuse_run(uint64_t id, Connection&, replica::Trouble);
  void take_peer_input();
  void note_met(std::string_view entry);
  void read_boots();
  int64_t elapsed_in_turn_us();  // stalls and syncs of the turn so far
  lock::Command complete(const Connection&, const Request&) const;
  void reply(uint64_t id, const Reply&);
  void stop();
  int64_t awake_now() const;
  double listened_us(int64_t real_us) const;

  World& world_;
  Checks& checks_;
  const Plan& plan_;
  std::string dir_;
  std::unique_ptr<raft::VirtualDisk> disk_;
  std::unique_ptr<storage::FakeFileSystem> files_;
  std::unique_ptr<replica::Replica> replica_;
  std::map<uint64_t, Connection> connections_;
  std::deque<std::pair<uint64_t, Request>> mailbox_;
  struct Undelivered {
    std::string name;
    base::Fence fence;
    base::SessionId session;
    bool told = false;
    uint64_t told_term = 0;
  };
  std::deque<Undelivered> undelivered_;
  struct Asked {
    uint64_t connection;
    Request request;
    uint64_t session;
    uint64_t decided;  // entries that somebody knew when it was asked
  };
  std::map<uint64_t, Asked> cookies_;
  uint64_t cookie_ = 0, connection_ = 0, seq_ = 0, life_ = 0, turn_ = 0;
  int64_t scheduled_us_ = INT64_MAX, stalled_until_us_ = 0, in_turn_us_ = 0, busy_until_us_ = 0,
          undrained_until_us_ = -1;
  double awake_us_ = 0;
  int64_t last_reading_us_ = 0, disconnect_us_ = 0;
  bool serving_ = false, checked_ = false, failing_ = false, stuck_ = false, reads_nothing_ = false;
  uint64_t snapshots_seen_ = 0, held_seen_ = 0, forwards_again_seen_ = 0;  // of the replica's counters
  Membership self_;
  uint32_t level_ = lock::kFirstLevel;
  Rng dice_;
  uint64_t troubles_ = 0;  // small ones that the dice gave so far
  double rate_;
  int64_t mono_base_us_ = 0, rate_since_us_ = 0;  // of its clock, since the rate changed last
  int64_t sync_us_ = 0;                           // of this turn so far
  bool unreachable_ = false, dying_ = false, retired_ = false;
  std::deque<PeerInput> peer_inputs_;
  std::set<uint32_t> known_;
  server::SeenBoots boots_;
  uint32_t copied_boot_ = 0;
  uint64_t copied_last_ = 0;
  bool put_back_ = false;
  bool lost_ = false;
  std::function<bool(uint32_t)> meets_;
};

}  // namespace cleat::sim
