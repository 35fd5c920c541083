// The service behind the sockets: reads requests of each connection in order, hands them to the replica, and writes
// answers, pushes and events into the connections' output. No socket, no clock of its own: a driver (event_loop.hpp, or
// a test) does this, all on one thread:
//
//   begin_turn()
//   for each connection with bytes: recv into input.space(), received()      for each that went: disconnected()
//   finish_turn()          -> one step of the replica
//   for each of touched(): send `out`, then sent()
//   destroy_gone(), turn_ended()
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <unordered_map>
#include <vector>

#include "replica/replica.hpp"
#include "resp/errors.hpp"
#include "resp/request.hpp"
#include "server/connection.hpp"
#include "server/event_hub.hpp"
#include "server/membership_rules.hpp"
#include "server/metrics.hpp"
#include "server/settings.hpp"

namespace cleat::server {

// What the service asks of the process around it.
struct Surroundings {
  std::function<base::Status(const std::string& level)> set_log_level;
  // Milliseconds since the other end's kernel was heard (answered probes); -1: not known.
  std::function<int64_t(const Connection&)> silent_ms;
  // The connection's socket is to be closed; it is destroyed soon after.
  std::function<void(Connection&)> close_socket;
  // The touched connections' output may be sent now: the replica is about to wait for its disk. Within its step().
  std::function<void()> send_touched;
  // What MEMBERS tells beside what the replica knows; `member` and `boot` are filled in by the service.
  std::function<ClusterFacts()> cluster_facts;
  // The membership in force, whenever the replica tells it; within its step(), or while it is opened.
  std::function<void(const replica::Members&)> on_members;
  // This build can't be a member any more; within the replica's step().
  std::function<void(const std::string& why)> on_unfit;
};

class Service final : public replica::Listener {
 public:
  // `config` is kept and changed by CONFIG SET. `password` empty: none is set.
  Service(Config& config, std::string password, replica::Clock& clock, Surroundings surroundings);
  ~Service() override;

  // Before the first turn, and again when a node that waited has become `member` of its group: connections of before
  // count as new ones of this boot. What the replica told before (its replay at the start) is not served to anyone.
  void serve(replica::Replica&, uint32_t member = 1, uint32_t incarnation = 1);
  // Why there can't be a leader yet ("this node waits to be added"), for NOQUORUM answers; empty: there is no such
  // reason.
  void set_waiting(const std::string& why);

  // Null: the limit of connections is reached (`refusal` is what to send before closing).
  Connection* connect(std::string peer, std::string local, std::string& refusal);

  void begin_turn();
  void received(Connection&, size_t bytes);
  void disconnected(Connection&);  // the other end is gone
  // Other members said something to the replica, or came or went: its step is due in this turn.
  void heard_members() { heard_members_ = true; }
  // `input_left`: there was more to read than this turn read.
  void finish_turn(bool input_left = false);
  // Its output, or what it may send, is to be looked at by the driver at the end of this turn.
  void touch(Connection&);
  const std::vector<Connection*>& touched() const { return touched_; }
  void sent(Connection&, size_t bytes);
  void destroy_gone();
  void turn_ended();  // for INFO only

  // The driver should read from this connection now.
  bool wants_input(const Connection&) const;
  // Something was left for the next turn, which should come at once.
  bool has_more() const {
    return !resumed_.empty() || (leader_came_ && !held_.empty()) || owed_left_ || events_.left();
  }
  // When a turn is due without input, in us of the clock; none: when something comes in.
  std::optional<int64_t> next_wake_us() const;

  // Before a clean end: asks another member to lead. False: this one does not lead, or nobody could take over.
  bool hand_over();
  bool handed_over() const;  // another member leads
  // A clean end: no new connections; those with nothing left to be sent are closed, the rest after their answers.
  void begin_stop();
  // Closes those that are left; their ends go into the log with one more turn.
  void end_stop();
  size_t connections() const { return connections_.size(); }
  const Metrics& metrics() const { return metrics_; }

  void on_outcome(const lock::Outcome&) override;
  void on_event(const lock::Event&) override;
  void on_session_opened(base::SessionId, int64_t ttl_ms, lock::By kind, int64_t log_ms) override;
  void on_session_ended(base::SessionId, lock::Why) override;
  void on_read(uint64_t cookie, replica::Trouble) override;
  void on_keep_alive(uint64_t cookie, const replica::KeepAliveAnswer&, replica::Trouble) override;
  void on_leadership(bool leads, uint64_t term) override;
  void on_log(int level, std::string_view line) override;
  void on_term(uint64_t term) override;
  void on_state_replaced() override;
  void on_wait() override;
  void on_members_changed(uint64_t cookie, const base::Status&) override;
  void on_members(const replica::Members&) override;
  void on_unfit(const std::string& why) override;

 private:
  enum class Taken : uint8_t { kYes, kYesAndStop, kLater };
  friend class LocalAnswers;  // local_answers.cpp: requests that need neither log nor proof

  // One proposal outside of any request: the end of a connection, an undelivered grant.
  struct Owed {
    base::ConnectionRef ref;
    lock::Command command;  // its views point at `name`
    std::string name;
    base::SessionId session{};     // of a connection that closed: its own
    uint64_t ends = 0;             // locks that go with it
    uint64_t term = 0, order = 0;  // once it is handed to the replica
  };
  // A run of reads or keep-alives: when its proof comes, the connection may have been answered UNKNOWN and be further.
  struct RunRef {
    uint64_t connection = 0, run = 0;
  };
  struct Undecided {
    int64_t due_us;
    uint64_t connection;
    bool operator<(const Undecided& o) const { return due_us > o.due_us; }  // the soonest on top
  };
  struct MembersAsked {
    RunRef from;
    std::string added;  // whose id is to be answered; empty: OK is
  };
  // MEMBERS BACKUP of a connection: backup_source.cpp.
  struct Backup {
    uint64_t index = 0;                           // the image is of this entry or a later one
    std::string head;                             // with `file`: the backup's first bytes
    std::unique_ptr<storage::ReadableFile> file;  // none: not written yet
  };
  struct KeepAliveBatch {
    RunRef from;
    bool own = false;
    size_t left = 0;
    std::vector<std::optional<replica::KeepAliveAnswer>> answers;
    bool failed = false;
  };

  // service.cpp: the turn
  Connection* find(uint64_t id) const;
  void resume(Connection&);
  void close(Connection&, bool clean);
  void owe(const base::ConnectionRef&, lock::Command);
  void owe_undeliver(const base::ConnectionRef&, std::string_view name, base::Fence);
  // Unless `all` is to be paid, only as much as does not end too many locks at once.
  void pay_owed(bool all = false);
  bool may_end(uint64_t locks);
  void vouch_all();
  void vouch_for_waiting();
  void start_vouching(Connection&);
  void vouch_while_waiting(Connection&);
  void enforce_output_limits();
  void deliver_events();
  // It reads its answers, so that more of its requests may be looked at.
  bool output_has_room(const Connection& c) const {
    return c.unsent() <= static_cast<size_t>(config_.read_pause_bytes);
  }

  // service_requests.cpp: reading and taking requests
  void process(Connection&);
  Taken take(Connection&, size_t begin, size_t end);
  Taken take_change(Connection&, resp::Change&, size_t begin, size_t end);
  Taken take_read(Connection&, size_t begin, size_t end);
  Taken take_keep_alive(Connection&, const resp::KeepAlive&, size_t begin, size_t end);
  Taken refuse_change(Connection&, replica::Trouble);
  bool propose(Connection&, lock::Command&, replica::Trouble&);
  std::string_view no_quorum_error() const { return waiting_.empty() ? resp::kNoQuorumError : waiting_; }
  std::optional<std::string_view> identify(Connection&, lock::Command&);
  void answer_pending_reads(Connection&, replica::Trouble);

  // service_outcomes.cpp: what the replica tells
  void answer_outcome(Connection&, const lock::Outcome&);
  void pop_answered(Connection&);
  void go_on(Connection&);
  void push_outcome(const lock::Outcome&);
  void apply_session_change(Connection&, const lock::Outcome&);
  static bool may_be_undone(const lock::Outcome&);
  void push_loss(const lock::Event&);

  // service_terms.cpp: what a change of leader leaves undecided
  void ask_again(Connection&, uint64_t term);
  void met_through(uint64_t order);

  // service_undecided.cpp: what is not decided in time
  Connection* find(const RunRef&) const;  // null too when that run is answered
  void note_undecided();
  void answer_undecided();
  void give_up(Connection&);

  // service_members.cpp: MEMBERS
  ClusterFacts facts() const;
  MembersNow members_now() const;
  Taken take_members(Connection&, const resp::MembersChange&, size_t begin, size_t end);

  // backup_source.cpp
  void begin_backup(Connection&, resp::ReplyWriter);
  void read_backup(Connection&, uint64_t offset, resp::ReplyWriter);
  std::string open_backup(Backup&);

  // service_sessions.cpp: who speaks for which session
  void speak_for(Connection&, Speaks, base::SessionId, uint32_t epoch, std::string_view key);
  void stop_speaking(Connection&, Speaks now);
  bool end_implicit_session(Connection&);

  Config& config_;
  const std::string password_;
  replica::Clock& clock_;
  Surroundings around_;
  replica::Replica* replica_ = nullptr;
  uint32_t member_ = 1;
  std::string waiting_;  // the whole error line
  Metrics metrics_;
  EventHub events_;
  InputPool input_pool_;

  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::unordered_map<uint64_t, std::vector<Connection*>> speakers_;  // by session
  std::vector<Connection*> touched_, gone_, vouched_, waiting_vouched_;
  std::vector<uint64_t> resumed_, held_;
  std::vector<Owed> owed_;
  uint64_t ending_ = 0;  // locks that end with what was paid, up to the end of last_ending_; until then only so many
  base::SessionId last_ending_;
  bool owed_left_ = false;        // last_ending_ is gone: more may end
  std::deque<Owed> handed_over_;  // owed, and not yet known to be in the log
  uint64_t last_order_ = 0;

  std::vector<RunRef> read_batch_;  // whose reads this turn's proof is for
  std::unordered_map<uint64_t, std::vector<RunRef>> read_batches_;
  std::priority_queue<Undecided> undecided_;  // connections whose run outlived its turn, each at most once
  std::unordered_map<uint64_t, KeepAliveBatch> keep_alive_batches_;
  std::unordered_map<uint64_t, MembersAsked> members_asked_;
  std::unordered_map<uint64_t, Backup> backups_;  // by connection
  uint64_t last_read_cookie_ = 0, last_keep_alive_batch_ = 0, last_members_cookie_ = 0;

  resp::Request request_;
  resp::RequestParser reader_;    // of reads that are read again
  Connection* run_of_ = nullptr;  // whose run was begun last and may be added to
  uint64_t last_connection_ = 0;
  uint64_t total_unsent_ = 0, last_syncs_ = 0;
  int64_t synced_us_ = 0;  // of this turn's sync
  int64_t now_us_ = 0, started_us_ = 0, next_vouch_us_ = 0, next_waiting_vouch_us_ = INT64_MAX,
          waiting_vouch_period_us_ = INT64_MAX;
  size_t vouch_from_ = 0;
  bool heard_members_ = false, fed_ = false, leader_came_ = false, stopping_ = false;
};

}  // namespace cleat::server
