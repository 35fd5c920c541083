// What is told of a seed that failed.
#include <fmt/format.h>

#include <algorithm>

#include "batch.hpp"
#include "minimise.hpp"

namespace cleat::sim {
namespace {

bool tells(const RunResult& r, std::string_view words) {
  return std::any_of(r.story.begin(), r.story.end(),
                     [&](const std::string& line) { return line.find(words) != std::string::npos; });
}

}  // namespace

std::string replay(const RunOptions& o) {
  return fmt::format("build/cleat_sim{} --seed {}{} --minimise",
                     o.members == 0 ? "" : fmt::format(" --members {}", o.members), o.seed,
                     o.ops == RunOptions{}.ops ? "" : fmt::format(" --ops {}", o.ops));
}

std::string tell_failure(const RunOptions& options, const RunResult& r, double minimise_seconds) {
  std::string out = fmt::format("\nseed {} FAILED, check '{}': {}\n", r.seed, r.checker, r.failure);
  RunOptions again = options;
  again.telling = Telling::kNothing;
  if (run_apart(again).failure != r.failure)
    return out + "the second run of this seed differs: the simulator is not deterministic\n";
  if (r.checker == "workload") return out + "replay: " + replay(options) + "\n";
  const Minimised least = minimise(again, r, minimise_seconds);
  const PartCount before = count_parts(r.kept), after = count_parts(least.kept);
  out += fmt::format(
      "of {} turns of {} clients and {} faults and troubles these are left after {} runs{}: {} turns of {} clients and "
      "{} faults and troubles\n",
      before.turns, before.clients, before.faults, least.runs, least.whole ? "" : " (time was over)", after.turns,
      after.clients, after.faults);
  if (least.stops > 0)
    out += fmt::format("({} runs with less stopped themselves: another trouble that is worth a look)\n", least.stops);
  again.kept = &least.kept;
  again.telling = Telling::kStory;
  const RunResult told = run_apart(again);
  constexpr size_t kMostLines = 150;
  const size_t n = told.story.size();
  if (n > kMostLines) out += fmt::format("  ... {} lines before these\n", n - kMostLines);
  for (size_t i = n > kMostLines ? n - kMostLines : 0; i < n; ++i) out += "  " + told.story[i] + "\n";
  return out + "replay: " + replay(options) + "\n";
}

bool try_minimiser(const std::vector<int>& members) {
  bool good = true;
  for (const int m : members)
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      RunOptions o{.seed = seed, .members = m, .planted = true};
      const RunResult r = run_apart(o);
      if (r.failure.empty()) continue;  // this seed's plan has no loss of power
      const Minimised least = minimise(o, r, 60);
      o.kept = &least.kept;
      o.telling = Telling::kStory;
      const RunResult told = run_apart(o);
      const bool well = told.checker == "planted" && least.kept.parts.size() <= 5 &&
                        least.kept.parts.size() * 10 <= least.parts_before && tells(told, "loses power") &&
                        tells(told, "asks member") && tells(told, "*** planted");
      good = good && well;
      fmt::print("{} members, seed {}: {} parts cut down to {} in {} runs: {}\n", m, seed, least.parts_before,
                 least.kept.parts.size(), least.runs, well ? "good" : "NOT WELL");
      for (const std::string& line : told.story) fmt::print("  {}\n", line);
    }
  return good;
}

}  // namespace cleat::sim
