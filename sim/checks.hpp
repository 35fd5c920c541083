// The checkers: they follow the log itself with a machine of their own and know nothing of the workload but what
// clients believe. Each failure begins with the name of the promise of spec.md section 2 that was broken.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "beliefs.hpp"
#include "lock/machine.hpp"
#include "wire.hpp"
#include "world.hpp"

namespace cleat::sim {

class Checks : private lock::Sink {
 public:
  Checks(World& world, Beliefs& beliefs, const Plan& plan);

  // The server applies an entry, now or again after a restart, at this real time.
  void entry(uint64_t index, std::string_view bytes, bool replayed, int64_t real_us);
  void event_told(const lock::Event&);
  // A start is complete: all that was ever applied must be there.
  void recovered(uint64_t applied, const lock::Machine&);
  void answered(const Request&, uint64_t session, const Reply&);
  // `decided`: the last entry that somebody knew when it was asked.
  void keep_alive_answered(uint64_t session, const replica::KeepAliveAnswer&, uint64_t decided);
  // Promise 10: `awake_us` is real time in which the server could listen, at most 100 ms a turn.
  void leads(int64_t awake_us, const lock::Machine&);
  void arrived(uint64_t session, int64_t awake_us) { arrived_[session] = awake_us; }
  void awake(int64_t awake_us) { awake_us_ = awake_us; }
  // Judged by somebody else from now on: the session and its TTL.
  void judge_expiries(std::function<void(uint64_t, int64_t)> judge) { judge_ = std::move(judge); }
  void finished(const lock::Machine&);
  uint64_t last_index() const { return last_index_; }
  const lock::Machine& machine() const { return *machine_; }
  // A request is asked again under another number: under this one it never happens, not before and not after.
  void withdrawn(const base::ConnectionRef&, uint64_t seq);
  // A new incarnation begins with this state. Of those before it no fence and no session id above these was given out.
  void inherit(std::unique_ptr<lock::Machine>, uint64_t last_fence, uint64_t last_session);
  uint64_t last_session() const { return last_session_; }
  // It was taken after its client had gone elsewhere: it may still be done, but nothing twice.
  void late(const base::ConnectionRef& from, uint64_t seq);
  // When the request was granted, in real time; 0: it was not.
  int64_t granted_us(uint64_t session, const std::string& req) const;
  // A belief was made or moved: what it is about must still be there.
  void believed(uint64_t fence);
  void believed_session(uint64_t session);

 private:
  struct Hold {
    lock::Mode mode;
    uint64_t session;
    std::string owner;
    uint32_t depth;
    bool ghost;
  };
  struct Waiter {
    uint32_t unnamed_boot;  // of the connection that asked without REQ or token; 0: it can be asked for again
    std::string name, owner;
    lock::Mode mode;
    int64_t stands_ms;
    uint64_t arrival, session;
  };
  using Place = std::tuple<uint32_t, uint32_t, uint64_t, uint64_t>;  // member, boot, connection, seq
  struct Asked {
    lock::Verb verb;
    std::string name, owner, req, token;
    lock::Mode mode;
    int priority;
  };

  void on_outcome(const lock::Outcome&) override;
  void on_event(const lock::Event&) override;
  void on_session_opened(base::SessionId, int64_t, lock::By, int64_t) override;
  void on_session_ended(base::SessionId, lock::Why) override;

  void decided(const lock::Outcome&);
  void granted(const lock::Event&);
  void ended(const lock::Event&);
  void check_order(const lock::Outcome&, const Asked&, const Waiter* waited);
  void check_beliefs(const lock::Event&);
  void check_waiters_served();
  void check_undone();
  void check_boots();
  uint32_t depth_of(std::string_view name, base::Fence) const;
  bool stops(const Hold&, lock::Mode) const;
  void read_asked(std::string_view bytes);
  void met(const base::ConnectionRef&, const lock::Command&);

  World& world_;
  Beliefs& beliefs_;
  const Plan& plan_;
  std::unique_ptr<lock::Machine> machine_;
  std::map<uint64_t, std::string> log_;
  uint64_t last_index_ = 0;
  int64_t stamp_ms_ = 0, real_us_ = 0, awake_us_ = 0, leads_since_us_ = 0;
  std::map<Place, Asked> asked_;
  std::set<Place> met_, withdrawn_, late_;
  std::set<std::pair<uint64_t, std::string>> decided_;  // requests, by session and REQ
  std::map<std::string, Waiter> waiters_;
  std::map<Place, std::string> waits_at_;  // where the waiter was asked for last
  uint64_t arrivals_ = 0;
  std::map<std::string, std::map<uint64_t, Hold>> holds_;  // by name and fence; ghosts too
  uint64_t last_fence_ = 0, last_session_ = 0;
  struct Grant {
    uint64_t fence;
    int64_t real_us;
  };
  std::map<std::pair<uint64_t, std::string>, Grant> granted_by_req_;
  std::map<std::pair<uint64_t, std::string>, std::pair<lock::Result, uint64_t>> answers_;
  std::map<uint64_t, std::vector<uint64_t>> losses_;  // of a session: the entries that took a hold from it
  std::set<uint64_t> ended_sessions_, ended_fences_, named_fences_, inherited_marks_;
  std::map<uint64_t, int64_t> ttl_ms_, arrived_;
  struct Undoing {
    std::string name;
    uint32_t depth;  // of the hold before
  };
  std::map<uint64_t, Undoing> undoing_;  // by fence: grants that this entry says could not be delivered
  std::map<uint64_t, uint64_t> told_;    // revision -> fence of events, to compare the server's with ours
  std::function<void(uint64_t, int64_t)> judge_;
  uint64_t entries_ = 0;
  uint32_t boot_ = 0;  // of the latest client's run
  bool replayed_ = false;
};

}  // namespace cleat::sim
