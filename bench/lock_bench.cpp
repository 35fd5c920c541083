// The lock machine alone, through the entry builder and a sink that ignores everything: what a command costs at 1,000
// and at 1,000,000 locks, what a lock and a session weigh, and what a grant costs on a crowded name.
//   lock_bench                all tables
//   lock_bench pairs N M      M lock+unlock pairs beside N held locks (for callgrind)
#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "lock/machine.hpp"

namespace {

using namespace cleat;
using namespace cleat::lock;

class Deaf : public Sink {
 public:
  void on_outcome(const Outcome& o) override { granted += o.result == Result::kGranted; }
  void on_event(const Event&) override {}
  void on_session_opened(base::SessionId id, int64_t, By, int64_t) override { last_session = id; }
  void on_session_ended(base::SessionId, Why) override {}
  uint64_t granted = 0;
  base::SessionId last_session;
};

size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

double now_ns() {
  return static_cast<double>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count());
}

struct Bench {
  Machine machine;
  Deaf sink;
  EntryBuilder builder;
  int64_t now_ms = 1;

  void apply() {
    if (!machine.apply(builder.finish(now_ms, 1'700'000'000'000), sink).ok()) std::abort();
    builder.clear();
  }
  void open_session() {
    builder.begin_run({1, 1, 1});
    Command c;
    c.verb = Verb::kOpenSession;
    c.ttl_ms = 30'000;
    c.key = "0123456789abcdef";
    builder.add(c);
  }
  Command session_lock(std::string_view name) {
    Command c;
    c.verb = Verb::kLock;
    c.by = By::kExplicit;
    c.session = sink.last_session;
    c.session_epoch = 1;
    c.name = name;
    return c;
  }
  static Command token_lock(std::string_view name, std::string_view token) {
    Command c;
    c.verb = Verb::kLock;
    c.name = name;
    c.token = token;
    c.ttl_ms = 60'000;
    c.wait_ms = 0;
    return c;
  }
  void hold(int n, bool tokens) {
    char name[48];
    for (int i = 0; i < n; ++i) {
      if (!tokens && i % 10'000 == 0) {
        open_session();
        apply();
      }
      if (i % 100 == 0) builder.begin_run({1, 1, 1});
      std::snprintf(name, sizeof name, "held/lock/with/32/bytes/%08d", i);
      builder.add(tokens ? token_lock(name, "token-of-16-byte") : session_lock(name));
      if (i % 100 == 99 || i == n - 1 || i % 10'000 == 9'999) apply();
    }
  }
  // Lock+unlock with token, TTL and a name of 32 bytes, 50 commands an entry; returns ns a pair, wall clock.
  double pairs(int m) {
    std::vector<std::string> names;
    for (int k = 0; k < 50; ++k) names.push_back("pair/lock/with/32/bytes/" + std::to_string(10'000'000 + k));
    for (int i = 0; i < m; i += 50) {
      const double from = now_ns();
      for (int unlocking = 0; unlocking < 2; ++unlocking) {
        for (int k = 0; k < 50; ++k) {
          builder.begin_run({1, 1, static_cast<uint64_t>(k + 1)});
          Command c = token_lock(names[static_cast<size_t>(k)], "token-of-16-byte");
          if (unlocking) c.verb = Verb::kUnlock, c.ttl_ms = 0, c.wait_ms = kForever;
          builder.add(c);
        }
        apply();
      }
      total_ns += now_ns() - from;
    }
    return total_ns / m;
  }
  double total_ns = 0;
};

void memory(const char* what, int n, bool tokens) {
  Bench b;
  const size_t before = resident_bytes();
  const double from = now_ns();
  b.hold(n, tokens);
  const double ns = (now_ns() - from) / n;
  malloc_trim(0);
  std::printf("| %-34s | %9d | %6.0f ns | %6.1f bytes |\n", what, n, ns,
              static_cast<double>(resident_bytes() - before) / n);
}

void session_memory(int n) {
  Bench b;
  const size_t before = resident_bytes();
  const double from = now_ns();
  for (int i = 0; i < n; ++i) {
    b.open_session();
    if (i % 100 == 99) b.apply();
  }
  const double ns = (now_ns() - from) / n;
  malloc_trim(0);
  std::printf("| %-34s | %9d | %6.0f ns | %6.1f bytes |\n", "bare session", n, ns,
              static_cast<double>(resident_bytes() - before) / n);
}

// One exclusive name: each unlock grants the next, who then unlocks.
void crowd(int waiters) {
  Bench b;
  char token[32];
  for (int i = 0; i <= waiters; ++i) {
    std::snprintf(token, sizeof token, "token-%010d", i);
    b.builder.begin_run({1, 1, static_cast<uint64_t>(i + 1)});
    Command c = Bench::token_lock("one crowded name", token);
    c.wait_ms = 1'000'000;
    b.builder.add(c);
    if (i % 100 == 99 || i == waiters) b.apply();
  }
  const double from = now_ns();
  for (int i = 0; i < waiters; ++i) {
    std::snprintf(token, sizeof token, "token-%010d", i);
    b.builder.begin_run({1, 1, 1});
    Command c = Bench::token_lock("one crowded name", token);
    c.verb = Verb::kUnlock;
    b.builder.add(c);
    b.apply();
  }
  if (b.sink.granted != static_cast<uint64_t>(waiters) + 1) std::abort();
  std::printf("| %-34s | %9d | %6.0f ns |              |\n", "hand-off on one name, waiters", waiters,
              (now_ns() - from) / waiters);
}

void beside(int held) {
  Bench b;
  b.hold(held, false);
  b.pairs(10'000);
  b.total_ns = 0;
  b.pairs(500'000);
  std::printf("| %-34s | %9d | %6.0f ns |              |\n", "lock+unlock pair beside held locks", held,
              b.total_ns / 500'000);
}

// Each row in a process of its own: what one leaves behind in the allocator must not help the next.
template <class F>
void alone(F row) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    row();
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "pairs") {
    Bench b;
    b.hold(std::atoi(argv[2]), false);
    std::printf("%.0f ns a pair\n", b.pairs(std::atoi(argv[3])));
    return 0;
  }
  std::printf("| what                               |        of |      cost |       memory |\n");
  std::printf("|------------------------------------|-----------|-----------|--------------|\n");
  alone([] { memory("held lock, session of 10,000", 1'000'000, false); });
  alone([] { memory("held lock, token with TTL", 1'000'000, true); });
  alone([] { session_memory(1'000'000); });
  alone([] { beside(1'000); });
  alone([] { beside(1'000'000); });
  alone([] { crowd(100); });
  alone([] { crowd(10'000); });
}
