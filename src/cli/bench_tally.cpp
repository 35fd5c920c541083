#include "cli/bench_tally.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/duration.hpp"
#include "cli/json.hpp"
#include "cli/table.hpp"

namespace cleat::cli {

using client::TimePoint;

namespace {

constexpr double kBusy = 0.9;  // of a core: then this program may be what limits

struct Share {
  const char* name;  // in JSON
  const char* title;
  double share;
};
constexpr Share kShares[] = {{"p50_us", "p50", 0.5},
                             {"p90_us", "p90", 0.9},
                             {"p99_us", "p99", 0.99},
                             {"p999_us", "p99.9", 0.999},
                             {"p9999_us", "p99.99", 0.9999}};

template <class... Values>
std::string print(const char* format, Values... values) {
  char out[256];
  std::snprintf(out, sizeof out, format, values...);
  return out;
}

std::string latency(uint64_t ns) {
  return ns < 1'000'000 ? print("%.0f us", static_cast<double>(ns) / 1e3)
                        : print("%.2f ms", static_cast<double>(ns) / 1e6);
}

std::string grouped(uint64_t number) {
  std::string out = std::to_string(number);
  for (size_t at = out.size(); at > 3;) out.insert(at -= 3, ",");
  return out;
}

int64_t whole(double number) {
  return std::llround(number);
}

void add_row(Table& table, const char* name, const BenchTally::Latencies& latencies) {
  std::vector<std::string> row = {name};
  for (const Share& share : kShares) row.push_back(latency(latencies.percentile(share.share)));
  row.push_back(latency(latencies.max()));
  table.add(std::move(row));
}

void add_object(Json& json, const char* name, const BenchTally::Latencies& latencies) {
  json.open_object(name).field("count", static_cast<int64_t>(latencies.count()));
  for (const Share& share : kShares) {
    json.field(share.name, whole(static_cast<double>(latencies.percentile(share.share)) / 1e3));
  }
  json.field("max_us", whole(static_cast<double>(latencies.max()) / 1e3)).close_object();
}

std::string what_was_asked(const BenchCommand& asked) {
  std::string out = std::to_string(asked.connections) + (asked.connections == 1 ? " connection" : " connections");
  if (asked.pipeline > 1) out += " with up to " + std::to_string(asked.pipeline) + " pairs under way each";
  out += asked.contend == 0
             ? ", a name for each"
             : ", all after " + std::to_string(asked.contend) + (asked.contend == 1 ? " name" : " names");
  return out;
}

}  // namespace

void BenchTally::pair(TimePoint due, TimePoint granted, TimePoint released) {
  recent_.add((released - due).count());
  if (window_.has(released)) ++pairs_;
  if (!window_.has(due)) return;
  lock_.add((granted - due).count());
  unlock_.add((released - granted).count());
  pair_.add((released - due).count());
}

void BenchTally::unsent(TimePoint due, TimePoint now) {
  if (!window_.has(due)) return;
  ++unsent_;
  lock_.add((now - due).count());
  pair_.add((now - due).count());
}

uint64_t BenchTally::error_count() const {
  uint64_t all = 0;
  for (const auto& [kind, count] : errors_) all += count;
  return all;
}

BenchTally::Rate BenchTally::rate() const {
  const double seconds = std::chrono::duration<double>(window_.to - window_.from).count();
  return {seconds, seconds > 0 ? static_cast<double>(pairs_) / seconds : 0};
}

std::string BenchTally::progress(TimePoint started, TimePoint now) {
  const double all = std::chrono::duration<double>(now - started).count();
  const double part = std::chrono::duration<double>(now - std::max(started, last_progress_)).count();
  std::string out = print("%6.1f s %12s pairs/s   p50 %-10s p99 %-10s max %-10s", all,
                          grouped(static_cast<uint64_t>(static_cast<double>(recent_.count()) / part)).c_str(),
                          latency(recent_.percentile(0.5)).c_str(), latency(recent_.percentile(0.99)).c_str(),
                          latency(recent_.max()).c_str());
  if (!errors_.empty()) out += " errors " + std::to_string(error_count());
  if (now < window_.from) out += " (warming up)";
  recent_ = {};
  last_progress_ = now;
  return out + "\n";
}

std::string BenchTally::text(const BenchCommand& asked, double cpu_share) const {
  const Rate done = rate();
  std::string out = what_was_asked(asked) + "\n";
  out += print("%s pairs of lock and unlock in %.1f s: %s a second", grouped(pairs_).c_str(), done.seconds,
               grouped(static_cast<uint64_t>(whole(done.pairs_per_s))).c_str());
  out += asked.rate ? print(", of %s asked for\n\n", grouped(static_cast<uint64_t>(*asked.rate)).c_str()) : "\n\n";
  Table table({"latency", "p50", "p90", "p99", "p99.9", "p99.99", "max"});
  add_row(table, "lock", lock_);
  add_row(table, "unlock", unlock_);
  add_row(table, "pair", pair_);
  out += table.text() + "\n";
  out +=
      asked.rate
          ? "Open loop: counted from when each was due, so waiting for a slow answer before it is in there.\n"
          : "Closed loop: counted from the sending. A slow answer keeps the next ones from being asked, so those who "
            "come at\ntheir own time see worse: --rate N measures that.\n";
  if (asked.contend > 0) out += "A lock's time has the wait for one's turn in it.\n";
  for (const auto& [kind, count] : errors_) out += "error: " + kind + ": " + grouped(count) + "\n";
  if (reconnects_ > 0) out += "connections made anew: " + grouped(reconnects_) + "\n";
  if (unsent_ > 0) {
    out += grouped(unsent_) +
           " pairs were due and not even sent when the time was over: more was asked for than goes. "
           "They count\nwith what they had waited by then.\n";
  }
  if (cpu_share > kBusy) {
    out +=
        print("This program itself used %.0f%% of a core: more may go than one of it can ask for.\n", cpu_share * 100);
  }
  return out;
}

std::string BenchTally::json(const BenchCommand& asked, double cpu_share, bool interrupted) const {
  const Rate done = rate();
  Json json;
  json.open_object().bytes("loop", asked.rate ? "open" : "closed");
  if (asked.rate) json.field("rate", *asked.rate);
  json.field("connections", asked.connections).field("pipeline", asked.pipeline).field("contend", asked.contend);
  json.field("warm_up_ms", asked.warm_up.count()).field("measured_ms", whole(done.seconds * 1e3));
  json.field("interrupted", interrupted).field("pairs", static_cast<int64_t>(pairs_));
  json.field("pairs_per_s", whole(done.pairs_per_s));
  add_object(json, "lock", lock_);
  add_object(json, "unlock", unlock_);
  add_object(json, "pair", pair_);
  json.open_object("errors");
  for (const auto& [kind, count] : errors_) json.field(kind, static_cast<int64_t>(count));
  json.close_object().field("reconnects", static_cast<int64_t>(reconnects_));
  json.field("unsent", static_cast<int64_t>(unsent_)).field("cpu_percent", whole(cpu_share * 100)).close_object();
  return json.text() + "\n";
}

}  // namespace cleat::cli
