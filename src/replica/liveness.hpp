// Which sessions are alive, as the leader of this term knows it (time.md "Sessions", rules 1 to 6). It proposes Mark,
// Heard and Expire; only their applied entries decide. No scans: a keep-alive costs one look-up, silence is found
// through a heap in which every session stands once, with a time that is never too late and is checked again when it
// comes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "lock/entry.hpp"
#include "lock/machine.hpp"

namespace cleat::replica {

class Liveness {
 public:
  // What collect() must know of the turn. All of it is read after the turn's input was drained.
  struct Turn {
    int64_t stamp_ms = 0;       // log time, rounded down
    uint64_t round = 0;         // proofs of leadership begun from now on have at least this number
    uint64_t proved_round = 0;  // the highest that was confirmed
    bool drained = true;        // all input that had arrived was read
    uint64_t applied = 0;
  };

  // From the applied state, on every member.
  void opened(base::SessionId, int64_t ttl_ms, int64_t log_ms);
  void ended(base::SessionId);
  size_t sessions() const { return sessions_.size(); }

  // A term of leadership begins: nothing heard before counts, every unmarked session counts as heard now.
  void lead(int64_t elected_ms);
  void follow();

  // A keep-alive, any command, or a voucher of the session was drained at this log time (rounded up). Unknown: ignored.
  void heard(base::SessionId, int64_t heard_ms);

  // No keep-alive may get OK: a Mark stands, or a Mark or Expire of ours is proposed, and no later entry of the session
  // is applied.
  bool barred(base::SessionId, const lock::SessionState&, uint64_t applied) const;
  // A proved keep-alive waits behind the bar: the next collect() proposes Heard unless one is under way.
  void want_heard(base::SessionId);

  // Adds what is to be proposed in this turn to the run begun last. One of proposed() and refused() must follow if it
  // added anything (returns true then).
  bool collect(const Turn&, const lock::Machine&, lock::EntryBuilder&);
  void proposed(uint64_t index);
  void refused();  // was not made: the bars are as before

  // An Expire waits for a proof later than the round `begun`.
  bool wants_proof(uint64_t begun) const { return !tickets_.empty() && tickets_.back().round > begun; }
  bool tickets() const { return !tickets_.empty(); }
  std::optional<int64_t> next_ms() const;  // log time of the next check; none: no sessions

  struct Counters {
    uint64_t marks = 0, expires = 0, heards = 0, reprieved = 0;  // reprieved: heard after silence was seen
  };
  const Counters& counters() const { return counters_; }

  // Work of one turn is bounded: the rest waits for the next, which makes an end later, never earlier.
  static constexpr size_t kChecksPerTurn = 2048;
  static constexpr size_t kProposalsPerTurn = 512;

 private:
  struct Session {
    int64_t heard_ms = kNever;
    int64_t ttl_ms = 0;
    uint64_t bar_index = 0;    // own Mark or Expire proposed in this term
    uint64_t heard_index = 0;  // own Heard proposed in this term
    uint32_t era = 0;          // of leadership to which the fields above belong
    bool expiring = false;
  };
  static constexpr int64_t kNever = INT64_MIN;

  struct Check {
    int64_t due_ms;
    base::SessionId session;
    bool operator>(const Check& o) const { return due_ms > o.due_ms; }
  };
  struct Ticket {  // silent for D(TTL): to be expired after a proof and a drained turn that began later
    base::SessionId session;
    uint64_t round;
  };
  struct Proposal {
    base::SessionId session;
    lock::Verb verb;
    int64_t recheck_ms;
  };

  Session* find(base::SessionId);
  Session& of_this_era(Session&) const;
  int64_t last_heard(const Session&, const lock::SessionState&) const;
  void check_tickets(const Turn&, const lock::Machine&, lock::EntryBuilder&);
  void check_silence(const Turn&, const lock::Machine&, lock::EntryBuilder&);
  void judge(base::SessionId, const Turn&, const lock::Machine&, lock::EntryBuilder&);
  void add_heards(const Turn&, lock::EntryBuilder&);
  void add(lock::EntryBuilder&, lock::Verb, base::SessionId, int64_t heard_ms, int64_t recheck_ms);
  void check_at(int64_t due_ms, base::SessionId id) { checks_.push({due_ms, id}); }

  std::unordered_map<uint64_t, Session> sessions_;
  std::priority_queue<Check, std::vector<Check>, std::greater<>> checks_;
  std::vector<Ticket> tickets_;
  std::vector<base::SessionId> heards_wanted_;
  std::vector<Proposal> proposals_;  // added in this turn, not yet accepted
  int64_t elected_ms_ = 0;
  uint32_t era_ = 0;
  bool leading_ = false;
  Counters counters_;
};

}  // namespace cleat::replica
