#include "replica/log_clock.hpp"

#include <algorithm>

#include "base/mutant.hpp"

namespace cleat::replica {

void LogClock::lead(int64_t last_log_ms) {
  if (base::mutant("log_time_restarts_at_zero")) last_log_ms = 0;
  log_us_ = base::mutant("log_time_remembered") ? std::max(log_us_, last_log_ms * 1000) : last_log_ms * 1000;
  elected_ms_ = last_log_ms;
  leading_ = true;
  if (!base::mutant("log_time_before_election")) based_ = false;
}

void LogClock::turn(int64_t mono_us) {
  if (!leading_) return;
  if (based_) {
    int64_t elapsed = std::max<int64_t>(0, mono_us - last_mono_us_);
    if (elapsed > kMaxTurnUs && !base::mutant("log_time_counts_stall")) {
      elapsed = kMaxTurnUs;
      ++stalls_;
    }
    log_us_ += elapsed;
  }
  last_mono_us_ = based_ ? std::max(last_mono_us_, mono_us) : mono_us;  // no time is counted twice
  based_ = true;
}

}  // namespace cleat::replica
