// What must hold between the members of a group, beside what Checks says about the one log that they share. Follows
// each member's applies and turns.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "checks.hpp"
#include "lock/machine.hpp"
#include "world.hpp"

namespace cleat::sim {

class GroupChecks {
 public:
  GroupChecks(World& world, Checks& checks, const Plan& plan);

  // Before a member opens its directory again.
  void starts(uint32_t member);
  // A turn drained its input at `start_us` and read its clock at `reading_us`; `awake_us` counts, on its own clock, the
  // time in which it could listen, at most 100 ms a turn.
  struct Turn {
    int64_t start_us = 0, reading_us = 0, awake_us = 0;
  };
  void turn(uint32_t member, const Turn&);
  // Something of the session reached this member itself.
  void arrived(uint32_t member, uint64_t session, int64_t awake_us);
  // Applied at real time `real_us`, and in a turn that began to apply at `earliest_us`.
  struct Applied {
    uint64_t index = 0, term = 0;
    bool replayed = false;
    int64_t earliest_us = 0, real_us = 0;
  };
  void entry(uint32_t member, const Applied&, std::string_view bytes, const lock::Machine* before);
  void term_begins(uint32_t member);  // its first entry is applied there
  void leads(uint32_t member, uint64_t term, uint64_t applied, const lock::Machine&);
  void state_replaced(uint32_t member, uint64_t applied, const lock::Machine&);
  // The last entry that somebody had applied, and so may have told, at this real time.
  uint64_t decided_by(int64_t real_us) const;
  void read_answered(uint32_t member, uint64_t decided_before, uint64_t applied);
  // At rest: all of it, and the same as everybody's.
  void whole(uint32_t member, uint64_t applied, const lock::Machine&);
  // One that is down has this state, of entries of which the last so many may never have been decided.
  void survived(uint32_t member, uint64_t index, uint64_t undecided, const lock::Machine&);
  uint64_t last_index() const { return entries_.empty() ? 0 : entries_.rbegin()->first; }

 private:
  struct Entry {
    uint64_t term;
    std::string bytes;
    int64_t real_us;
  };
  struct Arrival {
    int64_t real_us, awake_us;
  };
  struct Member {
    uint64_t applied = 0;
    bool fresh = true;  // nothing applied since its start: what its snapshot holds is not known
    std::deque<Turn> turns;
    std::map<uint64_t, std::deque<Arrival>> arrivals;  // of its leadership
    int64_t leads_since_us = 0;
    std::set<uint64_t> inherited_marks, inherited, still_marked;
  };
  void decided(uint32_t member, const Applied&, std::string_view bytes);
  void check_log_time(const lock::EntryStamp&);
  void check_expiry(uint64_t session, int64_t ttl_ms);
  static std::optional<int64_t> listened_without(const Member&, uint64_t session, const Turn&);
  void check_digest(uint32_t member, uint64_t index, const lock::Machine&);

  World& world_;
  Checks& checks_;
  const Plan& plan_;
  std::map<uint32_t, Member> members_;
  std::map<uint64_t, Entry> entries_;
  std::map<uint64_t, uint64_t> last_of_term_;
  std::map<uint64_t, uint64_t> digests_;  // of the state after some entries
  std::map<uint64_t, uint32_t> leaders_;  // by term
  uint64_t present_term_ = 0;             // of the entry in hand
  int64_t present_wall_ms_ = 0;
  bool present_replayed_ = false;
  double least_lead_ms_ = 1e18;  // see check_log_time
};

}  // namespace cleat::sim
