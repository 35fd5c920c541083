#include "mutants.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <vector>

#include "auditor/mutants.hpp"
#include "base/mutant.hpp"
#include "directed.hpp"
#include "minimise.hpp"
#include "mutant_list.hpp"
#include "run.hpp"

namespace cleat::sim {

#ifdef CLEAT_MUTANTS
namespace {

using Clock = std::chrono::steady_clock;

struct Caught {
  std::string by;      // empty: by nothing
  uint64_t seeds = 0;  // 0: not hunted with seeds
};

std::string first_line(const std::string& s) {
  return s.substr(0, s.find('\n'));
}

std::string beside(const char* binary) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / binary).string();
}

// Of a CHECK: "cleat: bug at ../../FILE:LINE: WHY (CONDITION). The process ..."; of a panic the reason is on a line of
// its own behind "panicked at ...".
std::string reason_in(const std::string& said) {
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    if (const size_t at = line.find("src/"); line.find("bug at") != std::string::npos && at != std::string::npos)
      return line.substr(at, line.find(". The process", at) - at);
    if (line.find("panicked at") != std::string::npos && std::getline(lines, line)) return line;
  }
  return "it did not say why";
}

// A run that is told of says so on stderr, too.
std::string last_words(RunOptions o) {
  const int said = memfd_create("said", 0);
  if (said < 0 || dup2(said, STDERR_FILENO) < 0) return {};
  o.telling = Telling::kStory;
  run_apart(o);
  std::string text(1 << 16, '\0');
  const ssize_t n = pread(said, text.data(), text.size(), 0);
  text.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return reason_in(text);
}

// A failure begins with its checker's name, or is a sentence of its own.
std::string caught_by(const RunResult& r, const RunOptions& o) {
  if (r.checker == kStopped) return "it stopped itself: " + last_words(o);
  const std::string what = first_line(r.failure);
  return what.starts_with(r.checker + ":") ? what : fmt::format("{}: {}", r.checker, what);
}

Caught hunt_by_case(const Mutant& m, uint64_t seeds) {
  for (const DirectedCase& d : directed_cases())
    for (uint64_t seed = 1; seed <= seeds && m.filter == std::string_view(d.name); ++seed)
      if (const RunResult r = d.run(seed, false); !r.failure.empty())
        return {fmt::format("{}: {}", d.name, first_line(r.failure)), seed};
  return {};
}

Caught hunt_by_seeds(const Mutant& m, uint64_t seeds) {
  for (RunOptions o{.seed = 1, .members = m.members}; o.seed <= seeds; ++o.seed)
    if (const RunResult r = run_apart(o); !r.failure.empty()) return {caught_by(r, o), o.seed};
  return {};
}

// A test that fails without it too catches nothing.
Caught hunt_by_unit_tests(const Mutant& m) {
  const std::string tests = beside(m.binary);
  if (!std::filesystem::exists(tests)) return {};
  const auto failed = [&](const char* name) {
    const std::string run =
        fmt::format("CLEAT_MUTANT={} '{}' --gtest_filter='{}' --gtest_fail_fast 2>&1", name, tests, m.filter);
    std::string test;  // the one that failed, or the last that was begun
    FILE* out = popen(run.c_str(), "r");
    bool found = false;
    for (char line[512]; std::fgets(line, sizeof line, out) != nullptr;) {
      const std::string said = first_line(line);
      if (found || !(said.starts_with("[ RUN      ] ") || said.starts_with("[  FAILED  ] "))) continue;
      test = said.substr(13, said.find_first_of(" ,", 13) - 13);
      found = said.starts_with("[  FAILED  ]");
    }
    return pclose(out) == 0 ? std::string() : test;
  };
  if (!failed("none").empty()) return {};
  const std::string test = failed(m.name);
  return {test.empty() ? "" : fmt::format("{}: {}", m.binary, test), 0};
}

const char* sort_of(const Mutant& m) {
  if (m.binary != nullptr) return "unit tests";
  if (m.filter != nullptr) return "a case";
  return m.members == 0 ? "one node" : m.members == 3 ? "3 members" : "5 members";
}

Caught hunt(const Mutant& m, uint64_t seeds) {
  if (m.binary != nullptr) return hunt_by_unit_tests(m);
  base::set_mutant(m.name);
  if (const int nowhere = open("/dev/null", O_WRONLY); nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  return m.filter != nullptr ? hunt_by_case(m, 10) : hunt_by_seeds(m, seeds);
}

// Each variant in a process of its own: it may well run into a CHECK, and that catches it too.
class Hunters {
 public:
  explicit Hunters(const Hunt& hunt) : hunt_(hunt) {
    fmt::print("{:<32} {:<12}{:>5}{:>8}  {}\n", "broken variant", "hunted with", "seed", "s", "caught by");
    std::fflush(stdout);
  }

  int run() {
    for (const Mutant& m : kMutants) {
      if (!hunt_.only.empty() && hunt_.only != m.name) continue;
      while (running_.size() >= static_cast<size_t>(hunt_.jobs)) take();
      begin(m);
    }
    while (!running_.empty()) take();
    const auto is_meant = [&](const auditor::Mutant& m) { return hunt_.only.empty() || hunt_.only == m.name; };
    const auto its = std::count_if(std::begin(auditor::kMutants), std::end(auditor::kMutants), is_meant);
    const size_t before = hunted_;
    if (its > 0) ask_auditor();
    if (hunted_ - before != static_cast<size_t>(its)) survived_.push_back("what the auditor hunts: run it to see why");
    if (hunted_ == 0) {
      fmt::print(stderr, "no broken variant is called {}: sim/mutant_list.hpp and sim/auditor/mutants.hpp list them\n",
                 hunt_.only);
      return 2;
    }
    fmt::print("\n{} of {} broken variants were caught, in {:.0f} s\n", hunted_ - survived_.size(), hunted_,
               seconds(begun_));
    for (const std::string& name : survived_) fmt::print("NOT CAUGHT: {}, a hole in the checks\n", name);
    return survived_.empty() ? 0 : 1;
  }

 private:
  struct Running {
    const Mutant* mutant;
    int end;
    Clock::time_point begun;
  };
  static double seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

  void begin(const Mutant& m) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child == 0) {
      const Caught c = hunt(m, hunt_.seeds);
      const std::string said = fmt::format("{} {}", c.seeds, c.by);
      _exit(write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 3);
    }
    close(ends[1]);
    running_[child] = {&m, ends[0], Clock::now()};
  }

  void take() {
    int status = 0;
    const auto found = running_.find(wait(&status));
    if (found == running_.end()) return;
    const Running r = found->second;
    running_.erase(found);
    std::string said(4096, '\0');
    const ssize_t n = read(r.end, said.data(), said.size());
    close(r.end);
    said.resize(n > 0 ? static_cast<size_t>(n) : 0);
    const size_t space = said.find(' ');
    const std::string by = space == std::string::npos ? "" : said.substr(space + 1);
    const uint64_t seeds = std::strtoull(said.c_str(), nullptr, 10);
    // Only a directed case runs in the hunting process itself.
    tell(r.mutant->name, sort_of(*r.mutant), {WIFSIGNALED(status) ? "it stopped itself" : by, seeds}, seconds(r.begun));
  }

  // It prints a row for each variant and judge, those of a variant together: auditor/mutants.hpp.
  void ask_auditor() {
    auto begun = Clock::now();
    const std::string which = hunt_.only.empty() ? "--all-mutants" : "--mutant " + hunt_.only;
    FILE* out = popen(fmt::format("'{}' {} 2>&1", beside("auditor"), which).c_str(), "r");
    std::string name;
    Caught caught;
    const auto tell_last = [&] {
      if (!name.empty()) tell(name, "the auditor", caught, seconds(begun));
      begun = Clock::now();
    };
    for (char line[4096]; std::fgets(line, sizeof line, out) != nullptr;) {
      std::istringstream row(first_line(line));
      std::string of, judge, seed, seen;
      if (!std::getline(row, of, '\t') || !std::getline(row, judge, '\t') || !std::getline(row, seed, '\t')) continue;
      if (of != name) tell_last(), name = of, caught = {};
      if (std::getline(row, seen) && caught.by.empty())
        caught = {judge + ": " + seen, std::strtoull(seed.c_str(), nullptr, 10)};
    }
    tell_last();
    pclose(out);
  }

  void tell(const std::string& name, const char* with, const Caught& caught, double took_s) {
    ++hunted_;
    if (caught.by.empty()) survived_.push_back(fmt::format("{} ({})", name, with));
    fmt::print("{:<32} {:<12}{:>5}{:>8.1f}  {}\n", name, with,
               caught.by.empty() || caught.seeds == 0 ? "-" : std::to_string(caught.seeds), took_s,
               caught.by.empty() ? "NOTHING: it survived" : caught.by.substr(0, 150));
    std::fflush(stdout);
  }

  const Hunt hunt_;
  std::map<pid_t, Running> running_;
  const Clock::time_point begun_ = Clock::now();
  size_t hunted_ = 0;
  std::vector<std::string> survived_;
};

}  // namespace

void choose_mutant(const std::string& name) {
  static std::string kept;
  kept = name;
  base::set_mutant(kept.c_str());
}

int hunt_mutants(const Hunt& hunt) {
  return Hunters(hunt).run();
}
#else
void choose_mutant(const std::string&) {
  fmt::print(stderr, "this build has no broken variants: -DCLEAT_MUTANTS=ON\n");
  std::exit(2);
}
int hunt_mutants(const Hunt&) {
  choose_mutant("");
  return 2;
}
#endif

}  // namespace cleat::sim
