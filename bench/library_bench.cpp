// What the C++ library costs above the wire, against a running node. Prints one Markdown table; see kHelp.
#include <cleat/cleat.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using cleat::Client;
using cleat::Mutex;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kHelp = R"(usage: library_bench HOST:PORT [ROUNDS [SECONDS]]

Against the node that listens at HOST:PORT (an IPv4 address), without a password:
  - one thread's lock() and unlock() beside the same two commands written and read by hand on a socket,
  - pairs/s of one Client with 1, 50 and 500 tasks, and as many threads, each with a name of its own, beside one
    connection by hand in pipelines of 16 (commands written at once, the next 16 when all are answered),
  - CPU of this process for a pair, what a mutex and a hold weigh, and what it costs to keep many sessions alive.
Each is measured ROUNDS times (5) for SECONDS (1), in turns, so that all meet the same machine. Figures are medians of
the rounds, as are the ratios, which compare within one round. Prints one Markdown table.
)";

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "library_bench: %s\n", why.c_str());
  std::exit(1);
}

double median(std::vector<double> all) {
  if (all.empty()) die("nothing was measured: give it more SECONDS");
  std::nth_element(all.begin(), all.begin() + static_cast<long>(all.size() / 2), all.end());
  return all[all.size() / 2];
}

double since_us(SteadyClock::time_point began) {
  return std::chrono::duration<double, std::micro>(SteadyClock::now() - began).count();
}

double cpu_us() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto us = [](const timeval& t) { return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec); };
  return us(used.ru_utime) + us(used.ru_stime);
}

double resident_bytes() {
  std::ifstream in("/proc/self/statm");
  size_t total = 0, resident = 0;
  in >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

// ---- by hand: blocking, and answers of one line

class Wire {
 public:
  explicit Wire(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const size_t colon = address.rfind(':');
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + std::min(colon + 1, address.size()))));
    if (::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) die("no IPv4 address: " + address);
    const int one = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) die("nothing listens at " + address);
  }
  ~Wire() { ::close(fd_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void ask(const std::string& requests, long lines) {
    if (::send(fd_, requests.data(), requests.size(), MSG_NOSIGNAL) < 0) die("the connection broke");
    for (char answer[4096]; lines > 0;) {
      const ssize_t n = ::recv(fd_, answer, sizeof answer, 0);
      if (n <= 0 || std::memchr(answer, '-', static_cast<size_t>(n)) != nullptr)
        die("refused, or the connection broke");
      lines -= std::count(answer, answer + n, '\n');
    }
  }

 private:
  int fd_;
};

std::string request(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& w : words) out += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  return out;
}
std::string take(const std::string& name) {
  return request({"LOCK", name, "EXCLUSIVE", "OWNER", "t1", "NOREENTRY"});
}
std::string drop(const std::string& name) {
  return request({"UNLOCK", name, "OWNER", "t1"});
}

// ---- what is measured for some seconds: microseconds of each step, or pairs

struct Load {
  double pairs_per_s = 0, cpu_us_a_pair = 0;
};

Load under_load(double seconds, const std::function<uint64_t(const std::atomic<bool>& over)>& pairs_until) {
  std::atomic<bool> over{false};
  std::thread timer([&] {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    over = true;
  });
  const double cpu = cpu_us();
  const auto began = SteadyClock::now();
  const auto pairs = static_cast<double>(std::max<uint64_t>(pairs_until(over), 1));
  const Load load{.pairs_per_s = pairs / since_us(began) * 1e6, .cpu_us_a_pair = (cpu_us() - cpu) / pairs};
  timer.join();
  return load;
}

Load pipeline(const std::string& address, double seconds) {
  constexpr int kPairs = 8;
  Wire wire(address);
  std::string all;
  for (int i = 0; i < kPairs; ++i) all += take("bench/p" + std::to_string(i)) + drop("bench/p" + std::to_string(i));
  return under_load(seconds, [&](const std::atomic<bool>& over) {
    uint64_t pairs = 0;
    for (; !over; pairs += kPairs) wire.ask(all, 2 * kPairs);
    return pairs;
  });
}

Load threads(const std::string& address, int count, double seconds) {
  Client client(address);
  return under_load(seconds, [&](const std::atomic<bool>& over) {
    std::atomic<uint64_t> pairs{0};
    std::vector<std::thread> all;
    all.reserve(static_cast<size_t>(count));
    for (int i = 0; i < count; ++i) {
      all.emplace_back([&, i] {
        Mutex mutex(client, "bench/t" + std::to_string(i));
        uint64_t mine = 0;
        for (; !over; ++mine) const std::lock_guard lock(mutex);
        pairs += mine;
      });
    }
    for (std::thread& t : all) t.join();
    return pairs.load();
  });
}

// Locks again as soon as it let go, on no thread of its own.
struct Task {
  Mutex mutex;
  const std::atomic<bool>& over;
  std::atomic<int>& alive;
  uint64_t pairs = 0;

  void next() {
    if (over) {
      if (--alive == 0) alive.notify_all();
      return;
    }
    cleat::LockCall(mutex).start([this](std::error_code e, cleat::Grant grant) {
      if (e) die(e.message());
      grant.unlock();
      ++pairs;
      next();
    });
  }
};

Load tasks(const std::string& address, int count, double seconds) {
  Client client(address);
  return under_load(seconds, [&](const std::atomic<bool>& over) {
    std::atomic<int> alive{count};
    std::vector<std::unique_ptr<Task>> all;
    for (int i = 0; i < count; ++i) {
      all.push_back(std::unique_ptr<Task>(new Task{Mutex(client, "bench/c" + std::to_string(i)), over, alive}));
      all.back()->next();
    }
    for (int n = alive; n > 0; n = alive) alive.wait(n);
    uint64_t pairs = 0;
    for (const auto& task : all) pairs += task->pairs;
    return pairs;
  });
}

// ---- the rows of the table

struct Row {
  std::vector<double> figures{}, ratios{}, cpu{};
};

void print(const std::string& what, const Row& row, const char* unit, const char* beside = "") {
  std::string ratio, cpu;
  char text[64];
  if (!row.ratios.empty()) std::snprintf(text, sizeof text, "%.2f of %s", median(row.ratios), beside), ratio = text;
  if (!row.cpu.empty()) std::snprintf(text, sizeof text, "%.1f us", median(row.cpu)), cpu = text;
  const double figure = median(row.figures);
  std::printf("| %s | %.*f %s | %s | %s |\n", what.c_str(), figure < 1000 ? 1 : 0, figure, unit, ratio.c_str(),
              cpu.c_str());
}

void latency(const std::string& address, int rounds, double seconds) {
  Wire wire(address);
  Client client(address);
  Mutex mutex(client, "bench/library");
  const std::string lock = take("bench/raw"), unlock = drop("bench/raw");
  Row by_hand, both_by_hand, locked, pair;
  const auto turn = [seconds](Row& first, Row& both, const auto& one, const auto& other) {
    std::vector<double> ones, pairs;
    const double cpu = cpu_us();
    for (const auto began = SteadyClock::now(); since_us(began) < seconds * 1e6;) {
      const auto t = SteadyClock::now();
      one();
      ones.push_back(since_us(t));
      other();
      pairs.push_back(since_us(t));
    }
    both.cpu.push_back((cpu_us() - cpu) / static_cast<double>(pairs.size()));
    first.figures.push_back(median(std::move(ones)));
    both.figures.push_back(median(std::move(pairs)));
  };
  for (int round = 0; round < rounds; ++round) {
    turn(
        by_hand, both_by_hand, [&] { wire.ask(lock, 1); }, [&] { wire.ask(unlock, 1); });
    turn(
        locked, pair, [&] { mutex.lock(); }, [&] { mutex.unlock(); });
    locked.ratios.push_back(locked.figures.back() / by_hand.figures.back());
    pair.ratios.push_back(pair.figures.back() / both_by_hand.figures.back());
  }
  print("LOCK by hand, a round trip, p50", by_hand, "us");
  print("LOCK and UNLOCK by hand, p50", both_by_hand, "us");
  print("lock(), 1 thread, p50", locked, "us", "a round trip");
  print("lock() and unlock(), 1 thread, p50", pair, "us", "both by hand");
}

void throughput(const std::string& address, int rounds, double seconds) {
  constexpr int kCounts[] = {1, 50, 500};
  constexpr size_t kKinds = 2 * std::size(kCounts);
  Row by_hand, rows[kKinds];
  for (int round = 0; round < rounds; ++round) {
    const Load hand = pipeline(address, seconds);
    by_hand.figures.push_back(hand.pairs_per_s);
    by_hand.cpu.push_back(hand.cpu_us_a_pair);
    for (size_t i = 0; i < kKinds; ++i) {
      const int count = kCounts[i % std::size(kCounts)];
      const Load load = i < std::size(kCounts) ? tasks(address, count, seconds) : threads(address, count, seconds);
      rows[i].figures.push_back(load.pairs_per_s);
      rows[i].ratios.push_back(load.pairs_per_s / hand.pairs_per_s);
      rows[i].cpu.push_back(load.cpu_us_a_pair);
    }
  }
  print("one connection by hand, pipelines of 16", by_hand, "pairs/s");
  for (size_t i = 0; i < kKinds; ++i) {
    const std::string who = i < std::size(kCounts) ? " tasks" : " threads";
    print("one Client, " + std::to_string(kCounts[i % std::size(kCounts)]) + who, rows[i], "pairs/s", "by hand");
  }
}

void memory(const std::string& address) {
  constexpr size_t kMutexes = 100'000, kHolds = 10'000;
  Client client(address);
  std::vector<std::unique_ptr<Mutex>> mutexes;
  mutexes.reserve(kMutexes);
  const double empty = resident_bytes();
  for (size_t i = 0; i < kMutexes; ++i) {
    mutexes.push_back(std::make_unique<Mutex>(client, "bench/memory/a-name-of-32-" + std::to_string(100'000 + i)));
  }
  const double made = resident_bytes();
  for (size_t i = 0; i < kHolds; ++i) mutexes[i]->lock();
  const double held = resident_bytes();
  for (size_t i = 0; i < kHolds; ++i) mutexes[i]->unlock();
  print("a Mutex with a name of 32 bytes, of 100,000", {.figures = {(made - empty) / kMutexes}}, "bytes");
  print("its hold, of 10,000", {.figures = {(held - made) / kHolds}}, "bytes more");
}

// As many sessions, each with a Client, as may be: one needs three files and a thread.
void keep_alives(const std::string& address, double seconds) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const size_t count = std::min<size_t>(10'000, (files.rlim_cur - 100) / 3);
  const double before = resident_bytes();
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(address));
    // So that none is kept waiting by too many at once.
    while (clients.back()->session_id().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const double bytes = (resident_bytes() - before) / static_cast<double>(count);
  const double cpu = cpu_us();
  const auto began = SteadyClock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const double percent = (cpu_us() - cpu) / since_us(began) * 100;
  const double each = (cpu_us() - cpu) / static_cast<double>(count) / (seconds / (10.0 / 3));
  print("to keep " + std::to_string(count) + " sessions alive, TTL 10 s", {.figures = {percent}, .cpu = {each}},
        "% of a core");
  print("a Client with its thread, of " + std::to_string(count), {.figures = {bytes / 1024}}, "KiB");
}

}  // namespace

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc == 2 && (std::string(argv[1]) == "--help" || std::string(argv[1]) == "-h")) {
    std::fputs(kHelp, stdout);
    return 0;
  }
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5;
  const double seconds = argc > 3 ? std::atof(argv[3]) : 1;
  if (argc < 2 || argc > 4 || rounds <= 0 || seconds <= 0) {
    std::fputs(kHelp, stderr);
    return 64;
  }
  std::printf("| what | figure | beside | CPU of this process for one |\n|---|---|---|---|\n");
  latency(argv[1], rounds, seconds);
  throughput(argv[1], rounds, seconds);
  memory(argv[1]);
  keep_alives(argv[1], 10);
} catch (const cleat::Error& e) {
  die(e.what());
}
