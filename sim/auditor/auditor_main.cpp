// auditor: the lock machine beside a naive model of its rules, on random commands. See README.md in this folder.
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <string>
#include <string_view>

#include "mutants.hpp"
#include "runner.hpp"
#include "shrink.hpp"

namespace {

using namespace cleat::auditor;

constexpr const char* kUsage =
    "auditor [--seeds N | --seeds A..B] [--steps N] [--no-shrink] [--promises-only]   machine against model\n"
    "auditor --mutant NAME | --all-mutants [--seeds N] [--steps N]  broken machines, which must be caught\n";

struct Options {
  uint64_t first = 1, last = 100, steps = 2000;
  bool shrink = true, all_mutants = false;
  Judges judges;
  const char* mutant = nullptr;
};

bool number(std::string_view s, uint64_t& out) {
  const auto r = std::from_chars(s.data(), s.data() + s.size(), out);
  return r.ec == std::errc{} && r.ptr == s.data() + s.size() && !s.empty();
}

bool seeds(std::string_view s, Options& o) {
  const auto dots = s.find("..");
  if (dots == std::string_view::npos) return o.first = 1, number(s, o.last);
  return number(s.substr(0, dots), o.first) && number(s.substr(dots + 2), o.last) && o.first <= o.last;
}

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view a = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (a == "--all-mutants") {
      o.all_mutants = true;
    } else if (a == "--promises-only") {
      o.judges.model = false;
    } else if (a == "--no-shrink") {
      o.shrink = false;
    } else if (value == nullptr) {
      return false;
    } else if (++i; a == "--seeds") {
      if (!seeds(value, o)) return false;
    } else if (a == "--steps") {
      if (!number(value, o.steps)) return false;
    } else if (a == "--mutant") {
      o.mutant = value;
    } else {
      return false;
    }
  }
  return true;
}

void tell(uint64_t seed, const Options& o, Plan plan, const Failure& failure) {
  fmt::print("seed {} fails at step {}: {}: {}\n", seed, failure.step, failure.check, failure.what);
  std::fflush(stdout);
  if (o.shrink) {
    plan.steps.resize(std::min(plan.steps.size(), failure.step + 1));
    // The same check must fail, or the shrinker slides to another trouble.
    plan = shrink(std::move(plan), [&](const Plan& less) {
      const auto f = run_plan(less, o.judges, false);
      return f && f->check == failure.check;
    });
  }
  const auto again = run_plan(plan, o.judges, true);
  if (!again) return;
  fmt::print("\nThe story ({} steps; settings: {}):\n", plan.steps.size(), text(plan.settings));
  for (const auto& line : again->story) fmt::print("{}\n", line);
  fmt::print("=> {}: {}\n\nReplay: auditor --seeds {}..{} --steps {}\n", again->check, again->what, seed, seed,
             o.steps);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!parse(argc, argv, o)) return fmt::print(stderr, "{}", kUsage), 2;
  if (o.all_mutants || o.mutant != nullptr) return run_mutants(o.all_mutants ? nullptr : o.mutant, o.last, o.steps);
  RunCounts counts;
  for (uint64_t seed = o.first; seed <= o.last; ++seed) {
    const Plan plan = make_plan(seed, o.steps);
    if (const auto failure = run_plan(plan, o.judges, false, &counts)) return tell(seed, o, plan, *failure), 1;
  }
  fmt::print(
      "seeds {}..{}: {} steps agree ({} answers, {} grants, {} waits, {} expiries, {} ghosts, {} repeats, {} refusals, "
      "{} restores, {} steps with a crowd)\n",
      o.first, o.last, counts.steps, counts.commands, counts.grants, counts.waits, counts.expiries, counts.ghosts,
      counts.repeats, counts.refusals, counts.restores, counts.crowded);
  return 0;
}
