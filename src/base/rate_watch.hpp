// How much faster another machine's clock runs than this one's, from readings of it that came over the network
// (time.md "Rates are watched"). Over minutes, never from one sample: a reading may have been under way for up to its
// round trip, and differences within that are none. Plain; no clock of its own.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace cleat::base {

class RateWatch {
 public:
  static constexpr int64_t kLeastUs = 60'000'000;    // shorter spans tell nothing of rates
  static constexpr int64_t kWindowUs = 600'000'000;  // longer ones would hide that a clock changed its rate

  // `theirs_us` was read within the `round_us` that ended at `mine_us`.
  void sample(int64_t mine_us, int64_t theirs_us, int64_t round_us) {
    const Reading now{mine_us, theirs_us, round_us};
    if (!begun_ || theirs_us < base_.theirs_us || mine_us < base_.mine_us) {
      begun_ = true;
      known_ = false;
      ppm_ = 0;
      base_ = next_ = now;
      return;
    }
    const int64_t span_us = mine_us - base_.mine_us;
    if (span_us >= kLeastUs) compare(now, span_us);
    if (mine_us - next_.mine_us < kWindowUs / 2) return;
    base_ = next_;
    next_ = now;
  }
  bool known() const { return known_; }
  int64_t ppm() const { return ppm_; }  // surely at least this, in millionths; 0: no difference is sure

 private:
  struct Reading {
    int64_t mine_us = 0, theirs_us = 0, round_us = 0;
  };
  void compare(const Reading& now, int64_t span_us) {
    const int64_t doubt_us = now.round_us + base_.round_us;
    const int64_t ahead_us = now.theirs_us - base_.theirs_us - span_us;
    const int64_t sure_us = std::llabs(ahead_us) <= doubt_us ? 0 : ahead_us + (ahead_us > 0 ? -doubt_us : doubt_us);
    ppm_ = sure_us * 1'000'000 / span_us;
    known_ = true;
  }

  bool begun_ = false, known_ = false;
  Reading base_, next_;  // next_: takes the place of base_, so that spans lie between half a window and a whole one
  int64_t ppm_ = 0;
};

}  // namespace cleat::base
