// A naive lock machine written from the design notes alone: vectors, linear scans, one rule after the other. It shares
// with src/lock/ only plain data types; its compatibility table, its D() and its queue are its own. Slow and plain on
// purpose: where it and lock::Machine differ, one of them is wrong (README.md).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "lock/entry.hpp"
#include "lock/views.hpp"
#include "said.hpp"

namespace cleat::auditor {

// From the table of spec.md section 3, and "A covers B if A conflicts with all that B conflicts with".
bool may_both_hold(lock::Mode, lock::Mode);
bool is_covered_by(lock::Mode asked, lock::Mode held);

// An owned command: what its views point to, by value.
struct Ask {
  lock::Command c;  // its views are empty
  std::string name, owner, token, req, data, label, key;
};
Ask own(const lock::Command&);

struct Who {
  uint64_t session = 0;  // 0: a token's
  std::string owner, token;
  bool operator==(const Who&) const = default;
};

struct Hold {
  Who who;
  lock::Mode mode = lock::Mode::kExclusive;
  uint64_t fence = 0;
  uint32_t depth = 1;
  uint8_t priority = 0;
  std::optional<std::string> data;
  int64_t granted_ms = 0, granted_wall_ms = 0;
  std::optional<int64_t> ttl_end_ms, max_end_ms;
  int64_t delay_ms = 0;
  int64_t ghost_end_ms = 0;  // of a ghost
  std::string req;           // of the request that was granted first
  std::string label;         // of a ghost whose session is gone
  base::ConnectionRef connection;
};

struct Waiter {
  Ask ask;
  Who who;
  base::ConnectionRef connection;
  uint64_t seq = 0;
  uint64_t arrival = 0;  // rising
  int64_t arrival_ms = 0;
  int64_t stand_ms = 0;  // where it stands in the queue: arrival - priority x ageing
  std::optional<int64_t> deadline_ms;
};

struct Name {
  std::vector<Hold> holds, ghosts;  // by fence; ghosts as they came to be
  std::vector<Waiter> queue;        // in order
  std::deque<lock::HistoryView> history;
  bool idle() const { return holds.empty() && ghosts.empty() && queue.empty(); }
};

struct Session {
  uint64_t id = 0;
  lock::By kind = lock::By::kExplicit;
  int64_t ttl_ms = 0;
  uint32_t epoch = 0;
  std::string label, key;
  base::ConnectionRef connection;
  bool marked = false;
  int64_t mark_ms = 0;
  uint64_t losses = 0;
  std::deque<lock::LossView> last_losses;
};

// A decided outcome that is kept for a repeated REQ.
struct Kept {
  uint64_t session = 0;
  Ask ask;
  OutcomeSaid first;
  uint64_t order = 0;  // of decision
};

class Model {
 public:
  std::vector<Said> said;  // of the last apply

  void apply(std::string_view entry);

  // Answers of queries, as lock::Machine's of the same name.
  std::optional<int64_t> next_due_ms() const;
  lock::NameView show(const std::string& name) const;                                      // whole, unpaged
  std::vector<lock::LockSummary> locks(const std::string& prefix, lock::LockState) const;  // by name
  std::vector<lock::HistoryView> history(const std::string& name) const;
  bool check(const std::string& name, uint64_t fence) const;
  std::optional<lock::SessionView> session(uint64_t id) const;
  lock::Blocker blocker(const std::string& name, lock::Mode) const;
  lock::Totals totals() const;

  // Plain state, for whoever makes up the next command.
  const std::map<std::string, Name>& names() const { return names_; }
  const std::map<uint64_t, Session>& sessions() const { return sessions_; }
  const Session* implicit_session(const base::ConnectionRef&) const;
  size_t holds_of(uint64_t session) const;
  size_t waiters_of(uint64_t session) const;
  int64_t log_ms() const { return now_.log_ms; }
  uint64_t revision() const { return revision_; }
  uint64_t last_fence() const { return fence_; }
  uint64_t last_session() const { return last_session_; }
  const lock::Settings& settings() const { return settings_; }

 private:
  struct Asked {  // who asked, when it is known
    base::ConnectionRef connection;
    Session* session = nullptr;
    Who who;
  };
  enum class Flow { kGoOn, kStop };

  // Time (model.cpp).
  int64_t kept(int64_t d_ms) const;
  int64_t divided(int64_t log_ms) const;
  void run_dues();
  bool run_one_due();

  // Commands (model.cpp).
  Flow command(const base::ConnectionRef&, const Ask&);
  void of_server(const base::ConnectionRef&, const Ask&);
  bool leave_implicit(const base::ConnectionRef&, const Ask&);
  void open_session(const base::ConnectionRef&, const Ask&);
  void attach_session(const base::ConnectionRef&, const Ask&);
  void close_session(const Asked&, const Ask&);
  bool find_asker(const base::ConnectionRef&, const Ask&, Asked&);
  // These two wake nobody: they add the names where something ended to `touched`.
  using Touched = std::vector<std::string>;
  void end_session(uint64_t id, lock::Why, Touched& touched);
  void drop_waiters(const std::vector<uint64_t>& arrivals, lock::EventKind, lock::Result, lock::Why, Touched& touched);
  void undeliver(const Ask&);

  // Requests about a name (requests.cpp).
  Flow repeat(const Asked&, const Ask&, bool& answered);
  Flow lock_name(Asked&, const Ask&);
  Flow lock_again(const Asked&, const Ask&, Name&, Hold&);
  Flow join_token_waiter(const Asked&, const Ask&, Name&, Waiter&);
  void hand_over(Waiter&, const Asked&, const Ask&);
  Flow enqueue(const Asked&, const Ask&, Name&);
  void unlock(const Asked&, const Ask&);
  void renew(const Asked&, const Ask&);
  void put(const Asked&, const Ask&);
  void cancel(const Asked&, const Ask&);
  Hold* find_meant(const Asked&, const Ask&, OutcomeSaid& refusal);
  Waiter* find_waiter_to_cancel(const Asked&, const Ask&);

  // Queue, holds (queue.cpp).
  bool stands_in_the_way(const Name&, lock::Mode, const Who&, size_t before) const;
  void wake(const std::string& name);
  void wake_all(const Touched&);
  void settle_own_waiters(const std::string& name, uint64_t fence);
  void settle_with_own_hold(const std::string& name, Hold& mine, const Waiter&);
  bool wake_one(const std::string& name);
  Hold& grant(const std::string& name, const Ask&, const Who&, const base::ConnectionRef&);
  void reenter(Hold&, const Ask&);
  OutcomeSaid granted(const Hold&, const Ask&, const base::ConnectionRef&, uint64_t seq, int64_t arrival_ms);
  void end_hold(const std::string& name, uint64_t fence, lock::EventKind, lock::Why, bool unclean, bool loss);
  int64_t ms_left(const Hold&) const;
  void extend(std::optional<int64_t>& end, int64_t ttl_ms) const;

  // Saying and remembering (queue.cpp).
  OutcomeSaid answer(const base::ConnectionRef&, const Ask&, lock::Result, lock::Why = lock::Why::kNone) const;
  void say(OutcomeSaid);
  void decide(uint64_t session, const Ask&, OutcomeSaid);  // says, and keeps it under its REQ
  void event(const std::string& name, lock::EventKind, lock::Why, const Hold&, bool forced, int64_t delay_ms = 0);
  void waiter_event(const std::string& name, lock::EventKind, lock::Why, const Waiter&);
  void note(EventSaid);  // numbers it, says it, writes history
  bool exempt(const Kept&) const;
  void evict();
  void trim_history();
  std::string label_of(uint64_t session) const;

  lock::Settings settings_;
  lock::EntryStamp now_;
  uint64_t revision_ = 0, fence_ = 0, last_session_ = 0, arrivals_ = 0, decisions_ = 0;
  std::map<std::string, Name> names_;
  std::map<uint64_t, Session> sessions_;
  std::vector<Kept> kept_;
  uint64_t asking_ = 0;  // session of the command in hand
};

}  // namespace cleat::auditor
