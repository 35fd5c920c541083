// What a run of `cleat bench` measured, and how it is told. Pure: times come in.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/histogram.hpp"
#include "cli/options.hpp"
#include "client/boot_clock.hpp"

namespace cleat::cli {

// The part of a run that counts: pairs that were due in it.
struct BenchWindow {
  client::TimePoint from, to;
  bool has(client::TimePoint due) const { return due >= from && due < to; }
};

class BenchTally {
 public:
  using Latencies = base::Histogram<6>;  // ns

  explicit BenchTally(BenchWindow window) : window_(window) {}

  const BenchWindow& window() const { return window_; }
  void end_window(client::TimePoint now) { window_.to = std::min(window_.to, std::max(now, window_.from)); }

  // A lock that was due at `due` was granted at `granted`, its release answered at `released`. A pair counts for the
  // rate when it was released within the window, for the latencies when it was due in it.
  void pair(client::TimePoint due, client::TimePoint granted, client::TimePoint released);
  // Errors count whenever they happen, also while warming up.
  void error(std::string_view kind) { ++errors_[std::string(kind)]; }
  void reconnected() { ++reconnects_; }
  // One was due then and not even sent when the time was over: what it had waited until then is the least it would have
  // taken, and counts as such.
  void unsent(client::TimePoint due, client::TimePoint now);

  uint64_t pairs() const { return pairs_; }  // in the window
  uint64_t unsent() const { return unsent_; }
  uint64_t error_count() const;
  bool clean() const { return errors_.empty() && unsent_ == 0; }

  // One line about the time since the last one.
  std::string progress(client::TimePoint started, client::TimePoint now);

  std::string text(const BenchCommand& asked, double cpu_share) const;
  std::string json(const BenchCommand& asked, double cpu_share, bool interrupted) const;

 private:
  struct Rate {
    double seconds, pairs_per_s;
  };
  Rate rate() const;

  BenchWindow window_;
  Latencies lock_, unlock_, pair_;
  uint64_t pairs_ = 0, unsent_ = 0, reconnects_ = 0;
  std::map<std::string, uint64_t> errors_;
  // Since the last line of progress, warming up or not.
  Latencies recent_;
  client::TimePoint last_progress_{};
};

}  // namespace cleat::cli
