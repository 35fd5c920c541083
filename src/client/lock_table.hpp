// What a Client wants of its sessions, one after the other: attempts, holds, releases. No I/O and no clock in here;
// times of boot_clock come in. Attempts and holds are shared with the threads that made them; all else is for one
// thread. Callbacks of stop tokens run inside of its calls.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/attempt.hpp"
#include "client/session.hpp"

namespace cleat::client {

class LockTable {
 public:
  // patience: as long as there was no contact yet an attempt waits so long for it; a mere try always does.
  // The clock is for those who ask their hold whether it is held.
  LockTable(milliseconds patience, std::shared_ptr<const Clock> clock)
      : patience_(patience), clock_(std::move(clock)), lease_(std::make_shared<Lease>(clock_)) {}

  // A new session: all that is wanted and not yet got is asked of it.
  void begin(Session& session, TimePoint now);
  void acquire(Session& session, AttemptPtr attempt, TimePoint now);
  // Ends it with errc::cancelled, if it has not ended.
  void cancel(Session& session, const AttemptPtr& attempt, TimePoint now);
  // After HoldState::release(), or for a lost one that its holder has now unlocked. confirmed, if given, is called
  // once: when the service has answered or the hold is over anyway; with errc::closed if the Client goes before.
  using OnConfirmed = std::function<void(std::error_code)>;
  void release(Session& session, const std::shared_ptr<HoldState>& hold, OnConfirmed confirmed, TimePoint now);
  // The Client goes: waiting attempts end with errc::closed, holds end.
  void close();

  void on_notice(Session& session, const Notice& notice, TimePoint now);
  // After the notices of each turn, and at next_wake() at the latest.
  void tick(Session& session, TimePoint now);
  std::optional<TimePoint> next_wake() const { return wake_; }
  // The last session is over and another one is to be made, for what is wanted.
  bool wants_session() const { return session_over_ && (!refused_ || !attempts_.empty()); }

  // Somebody waits for an answer.
  bool waited_for() const;
  size_t holds() const { return holds_.size(); }

 private:
  using Identity = std::pair<std::string, std::string>;  // name, owner
  struct Pending {
    AttemptPtr attempt;
    bool given_up = false;   // the caller is gone: what is granted is let go
    bool after_own = false;  // an earlier hold or wait of the same identity was not out of the way when it was asked
    bool asked = false;      // of the session that there is
  };
  struct Release {
    Identity who;
    OnConfirmed confirmed;
  };
  struct Unsure {  // granted, but too late to rely on before the next confirmation
    AttemptPtr attempt;
    std::shared_ptr<HoldState> hold;
  };
  using PendingMap = std::map<uint64_t, Pending>;

  void ask(Session& session, AttemptPtr attempt, TimePoint now);
  void on_answer(Session& session, const Notice& notice, TimePoint now);
  void on_lock_answer(Session& session, PendingMap::iterator at, const Notice& notice, TimePoint now);
  void on_lock_error(Session& session, PendingMap::iterator at, const std::string& line, TimePoint now);
  void on_granted(Session& session, const Pending& pending, const Reply& map, TimePoint first_sent, TimePoint now);
  void let_go(Session& session, const HoldState& hold, TimePoint now, OnConfirmed confirmed = {});
  void out_of_the_way(Session& session, const Identity& who, TimePoint now);
  void on_losses(const Reply& shown);
  void lost(int64_t fence, const std::string& why);
  void lose_all(const std::string& why);
  void session_ended(const std::string& why);
  void confirm_releases(std::error_code code);
  void fail_all(errc code, const std::string& message);
  void publish(const Session& session);
  bool sure(const Session& session, TimePoint now) const;
  void watch_lease(Session& session, TimePoint now);
  void watch_own_ends(Session& session, TimePoint now);
  void settle_unsure(Session& session, TimePoint now);
  void watch_timeouts(Session& session, TimePoint now);
  // Nobody wants it any more.
  void withdraw(Session& session, PendingMap::iterator at, TimePoint now);
  void give_up(Session& session, PendingMap::iterator at, TimePoint now);
  static std::string req_of(uint64_t number) { return "a" + std::to_string(number); }
  void wake_at(TimePoint at) { wake_ = std::min(wake_.value_or(TimePoint::max()), at); }

  milliseconds patience_;
  const std::shared_ptr<const Clock> clock_;
  bool contact_ = false;  // there has been a session
  bool session_over_ = false;
  bool refused_ = false;
  bool closed_ = false;
  bool warned_ = false;
  std::string trouble_;                                  // with the last server that could not be reached
  std::shared_ptr<Lease> lease_;                         // of the session now
  uint64_t next_number_ = 1;                             // of attempts and releases
  PendingMap attempts_;                                  // in the order in which they are to be asked
  std::set<std::pair<TimePoint, uint64_t>> timeouts_;    // of attempts_; some are of attempts that are decided
  std::vector<uint64_t> parked_;                         // attempts that wait for what is in their way
  std::map<std::string, Release> releases_;              // by REQ
  std::map<Identity, int> in_the_way_;                   // releases and given-up attempts that are undecided
  std::map<int64_t, std::shared_ptr<HoldState>> holds_;  // by fence
  std::set<std::pair<TimePoint, int64_t>> own_ends_;     // of holds with MAXHOLD: when to act, fence
  std::vector<Unsure> unsure_;
  std::set<int64_t> lost_fences_;  // of this session
  int64_t losses_known_ = 0;
  std::optional<TimePoint> wake_;
};

}  // namespace cleat::client
