#include "batch.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <new>

#include "minimise.hpp"

namespace cleat::sim {
namespace {

using Clock = std::chrono::steady_clock;
constexpr uint64_t kEnoughFailures = 3;
constexpr int kMostJobs = 64;
constexpr uint64_t kWholeBatch = 200;  // seeds within which everything must be met

// What the processes of a batch share. Each job writes its own counts; seeds are taken one by one.
struct Shared {
  struct Job {
    std::atomic<uint64_t> seeds, failed, hash, at;  // `at`: the seed in hand
    std::array<std::atomic<uint64_t>, kCovers> coverage;
  };
  std::atomic<uint64_t> next, failed;
  std::array<Job, kMostJobs> jobs;
};

class SharedMemory {
 public:
  SharedMemory() : at_(mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) std::abort();
    new (at_) Shared{};
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() { munmap(at_, sizeof(Shared)); }
  Shared& operator*() const { return *static_cast<Shared*>(at_); }

 private:
  void* at_;
};

double seconds_since(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

void say(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

class Batch {
 public:
  explicit Batch(const BatchOptions& o) : options_(o) {
    shared().next = o.first;
    for (auto& pid : pids_) pid = 0;
  }

  Sum run() {
    for (int job = 0; job < jobs(); ++job) begin(job);
    for (int running = jobs(); running > 0;) {
      tell_progress();
      int status = 0;
      const pid_t pid = waitpid(-1, &status, WNOHANG);
      if (pid <= 0) {
        poll(nullptr, 0, 50);
        continue;
      }
      const int job = job_of(pid);
      if (job < 0) continue;
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        --running;
        continue;
      }
      stopped_itself(job);
      if (wanted())
        begin(job);
      else
        --running;
    }
    if (isatty(STDOUT_FILENO)) say("\r\033[K");
    return sum();
  }

 private:
  Shared& shared() { return *memory_; }
  int jobs() const {
    return static_cast<int>(std::min<uint64_t>(static_cast<uint64_t>(std::min(options_.jobs, kMostJobs)), total()));
  }
  uint64_t total() const { return options_.last - options_.first + 1; }
  bool wanted() { return shared().failed < kEnoughFailures; }
  int job_of(pid_t pid) const {
    for (int job = 0; job < kMostJobs; ++job)
      if (pids_[static_cast<size_t>(job)] == pid) return job;
    return -1;
  }

  void begin(int job) {
    std::fflush(stdout);
    const pid_t pid = fork();
    if (pid < 0) std::abort();
    if (pid > 0) {
      pids_[static_cast<size_t>(job)] = pid;
      return;
    }
    work(shared().jobs[static_cast<size_t>(job)]);
    _exit(0);
  }

  void work(Shared::Job& mine) {
    RunOptions o = options_.run;
    for (o.seed = shared().next++; o.seed <= options_.last && wanted(); o.seed = shared().next++) {
      mine.at = o.seed;
      const RunResult r = sim::run(o);
      ++mine.seeds;
      mine.hash ^= r.trace_hash;
      for (size_t i = 0; i < r.coverage.size(); ++i) mine.coverage[i] += r.coverage[i];
      for (const std::string& line : r.story) say(line + "\n");
      std::string trouble;
      if (!r.failure.empty()) trouble = tell_failure(o, r, options_.minimise_seconds);
      if (r.failure.empty() && options_.twice && sim::run(o).trace_hash != r.trace_hash)
        trouble = fmt::format("\nseed {} FAILED: the same seed ran differently the second time\n", o.seed);
      if (trouble.empty()) continue;
      ++mine.failed;
      ++shared().failed;
      say(trouble);
    }
  }

  // A CHECK of the code under test, or a crash: told on stderr by itself.
  void stopped_itself(int job) {
    Shared::Job& its = shared().jobs[static_cast<size_t>(job)];
    ++its.seeds;
    ++its.failed;
    ++shared().failed;
    RunOptions o = options_.run;
    o.seed = its.at;
    say(tell_failure(o, run_apart(o), options_.minimise_seconds));
  }

  void tell_progress() {
    const bool terminal = isatty(STDOUT_FILENO) != 0;
    const double now_s = seconds_since(begun_);
    if (now_s - told_s_ < (terminal ? 1 : 30)) return;
    told_s_ = now_s;
    const Sum s = sum();
    say(fmt::format("{}{}: {} of {} seeds, {:.1f} seeds/s, {} failed{}", terminal ? "\r\033[K" : "", name(), s.seeds,
                    total(), static_cast<double>(s.seeds) / now_s, s.failed, terminal ? "" : "\n"));
  }
  std::string name() const {
    return options_.run.members == 0 ? "one node" : fmt::format("{} members", options_.run.members);
  }

  Sum sum() {
    Sum out;
    out.seconds = seconds_since(begun_);
    for (const Shared::Job& job : shared().jobs) {
      out.seeds += job.seeds;
      out.failed += job.failed;
      out.hash ^= job.hash;
      for (size_t i = 0; i < out.coverage.size(); ++i) out.coverage[i] += job.coverage[i];
    }
    return out;
  }

  const BatchOptions options_;
  const SharedMemory memory_;
  std::array<pid_t, kMostJobs> pids_;
  const Clock::time_point begun_ = Clock::now();
  double told_s_ = 0;
};

}  // namespace

Sum& Sum::operator+=(const Sum& o) {
  seeds += o.seeds;
  failed += o.failed;
  hash ^= o.hash;
  seconds += o.seconds;
  for (size_t i = 0; i < coverage.size(); ++i) coverage[i] += o.coverage[i];
  return *this;
}

Sum run_batch(const BatchOptions& options) {
  return Batch(options).run();
}

int print_summary(const std::vector<Row>& rows) {
  fmt::print("\n{:<12}{:>8}{:>8}{:>12}{:>10}{:>11}{:>12}{:>10}\n", "", "seeds", "failed", "operations", "faults",
             "ops/seed", "faults/seed", "seeds/s");
  for (const Row& row : rows) {
    const Sum& s = row.sum;
    const double n = static_cast<double>(std::max<uint64_t>(s.seeds, 1));
    fmt::print("{:<12}{:>8}{:>8}{:>12}{:>10}{:>11.0f}{:>12.1f}{:>10.1f}\n", row.name, s.seeds, s.failed,
               s.coverage[kOperations], s.coverage[kFaults], static_cast<double>(s.coverage[kOperations]) / n,
               static_cast<double>(s.coverage[kFaults]) / n, static_cast<double>(s.seeds) / s.seconds);
  }
  fmt::print("\n{:<56}", "met");
  for (const Row& row : rows) fmt::print("{:>12}", row.name);
  int missed = 0;
  for (int c = 0; c < kCovers; ++c) {
    fmt::print("\n{:<56}", cover_text(c));
    for (const Row& row : rows) {
      const uint64_t n = row.sum.coverage[static_cast<size_t>(c)];
      const bool must = is_met_by(c, row.members);
      const bool misses = must && n == 0 && row.sum.seeds >= kWholeBatch;
      missed += misses;
      fmt::print("{:>12}", n == 0 && !must ? "-" : misses ? "0 MISSED" : std::to_string(n));
    }
  }
  fmt::print("\n");
  for (const Row& row : rows) fmt::print("trace of {}: {:016x}\n", row.name, row.sum.hash);
  if (missed > 0) fmt::print("{} things were never met: the plan of the simulator is wrong\n", missed);
  std::fflush(stdout);
  return missed;
}

}  // namespace cleat::sim
