// Log time of a leader (time.md "Log time"), in microseconds inside, milliseconds outside. It begins at the stamp of
// the last entry of the leader's log and adds, each turn, what passed since the turn before, at most kMaxTurnUs: so it
// never outruns real time, and time in which this process could not listen is held against nobody.
//
// A turn drains its input first and then calls turn() once; heard, stamps and proofs of that turn come after it.
#pragma once

#include <cstdint>

namespace cleat::replica {

class LogClock {
 public:
  static constexpr int64_t kMaxTurnUs = 100'000;

  // This member became leader. Counting begins at the next turn's reading, which is later than the election.
  void lead(int64_t last_log_ms);
  void follow() { leading_ = false; }
  void turn(int64_t mono_us);
  void stand_still(int64_t mono_us) { last_mono_us_ = mono_us; }  // a turn whose time counts for nobody

  bool leading() const { return leading_; }
  int64_t now_us() const { return log_us_; }
  int64_t stamp_ms() const { return log_us_ / 1000; }          // rounds down
  int64_t heard_ms() const { return (log_us_ + 999) / 1000; }  // rounds up
  int64_t elected_ms() const { return elected_ms_; }           // log time at which this term of leadership began
  uint64_t stalls() const { return stalls_; }                  // turns whose time did not count in full

 private:
  int64_t log_us_ = 0;
  int64_t elected_ms_ = 0;
  int64_t last_mono_us_ = 0;
  bool leading_ = false;
  bool based_ = false;  // last_mono_us_ was read since the election
  uint64_t stalls_ = 0;
};

}  // namespace cleat::replica
