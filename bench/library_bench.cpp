// What the C++ library costs above the wire, against a running node:
//   library_bench HOST:PORT [SECONDS]
// One thread's lock() + unlock() beside the same two commands written and read by hand on a socket, in turns, so that
// both meet the same machine; pairs/s and CPU of one Client with 1, 50 and 500 threads, and with as many tasks on no
// thread; what a mutex and a hold weigh.
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

struct Percentiles {
  double p50 = 0, p99 = 0;
};

Percentiles percentiles(std::vector<double>& us) {
  std::sort(us.begin(), us.end());
  if (us.empty()) return {};
  return {us[us.size() / 2], us[us.size() * 99 / 100]};
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

size_t resident_bytes() {
  std::ifstream in("/proc/self/statm");
  size_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "library_bench: %s\n", why.c_str());
  std::exit(1);
}

// The least that a client can do: blocking, answers of one line.
class Wire {
 public:
  Wire(const std::string& host, int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(port));
    if (::inet_pton(AF_INET, host.c_str(), &to.sin_addr) != 1) die("the host must be an IPv4 address");
    const int one = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) die("nothing listens there");
  }
  ~Wire() { ::close(fd_); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void ask(const std::string& request) {
    if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0) die("the connection broke");
    char answer[256];
    const ssize_t n = ::recv(fd_, answer, sizeof answer, 0);
    if (n < 3 || answer[0] != ':' || answer[n - 1] != '\n') die("not granted: " + std::string(answer, n > 0 ? n : 0));
  }

 private:
  int fd_;
};

std::string request(const std::vector<std::string>& words) {
  std::string out = "*" + std::to_string(words.size()) + "\r\n";
  for (const std::string& w : words) out += "$" + std::to_string(w.size()) + "\r\n" + w + "\r\n";
  return out;
}

void latency(const std::string& address, double seconds) {
  const size_t colon = address.rfind(':');
  Wire wire(address.substr(0, colon), std::atoi(address.c_str() + colon + 1));
  Client client(address);
  Mutex mutex(client, "bench/library");
  const std::string take = request({"LOCK", "bench/raw", "EXCLUSIVE", "OWNER", "t1", "NOREENTRY"});
  const std::string drop = request({"UNLOCK", "bench/raw", "OWNER", "t1"});
  std::vector<double> raw_one, raw_pair, lock_only, pair;
  const auto began = SteadyClock::now();
  const auto until = [&](double turn_us, const std::function<void()>& body) {
    for (const auto turn = SteadyClock::now(); since_us(turn) < turn_us;) body();
  };
  while (since_us(began) < seconds * 1e6) {
    until(50e3, [&] {
      const auto t = SteadyClock::now();
      wire.ask(take);
      raw_one.push_back(since_us(t));
      wire.ask(drop);
      raw_pair.push_back(since_us(t));
    });
    until(50e3, [&] {
      const auto t = SteadyClock::now();
      mutex.lock();
      lock_only.push_back(since_us(t));
      mutex.unlock();
      pair.push_back(since_us(t));
    });
  }
  const auto [raw50, raw99] = percentiles(raw_one);
  const auto [rawpair50, rawpair99] = percentiles(raw_pair);
  const auto [lock50, lock99] = percentiles(lock_only);
  const auto [pair50, pair99] = percentiles(pair);
  std::printf("one thread, us (p50, p99), %zu pairs by hand and %zu by the library:\n", raw_pair.size(), pair.size());
  std::printf("  LOCK by hand           %7.1f %7.1f\n", raw50, raw99);
  std::printf("  LOCK, UNLOCK by hand   %7.1f %7.1f\n", rawpair50, rawpair99);
  std::printf("  lock()                 %7.1f %7.1f   %.2f of a round trip by hand\n", lock50, lock99, lock50 / raw50);
  std::printf("  lock(), unlock()       %7.1f %7.1f   %.2f of both by hand\n", pair50, pair99, pair50 / rawpair50);
}

void report(const char* what, int count, uint64_t pairs, double wall_us, double used_us) {
  std::printf("  %4d %-8s %9.0f pairs/s   CPU of this process %6.1f us/pair\n", count, what,
              static_cast<double>(pairs) / wall_us * 1e6, used_us / static_cast<double>(pairs));
}

void threads(const std::string& address, int count, double seconds) {
  Client client(address);
  std::atomic<bool> over{false};
  std::atomic<uint64_t> pairs{0};
  Mutex warm(client, "bench/warm");
  warm.lock();
  warm.unlock();
  std::vector<std::thread> all;
  all.reserve(static_cast<size_t>(count));
  const double cpu = cpu_us();
  const auto began = SteadyClock::now();
  for (int i = 0; i < count; ++i) {
    all.emplace_back([&, i] {
      Mutex mutex(client, "bench/t" + std::to_string(i));
      uint64_t mine = 0;
      for (; !over; ++mine) {
        mutex.lock();
        mutex.unlock();
      }
      pairs += mine;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  over = true;
  for (std::thread& t : all) t.join();
  report("threads", count, pairs, since_us(began), cpu_us() - cpu);
}

// Each task locks again as soon as it let go, on the Client's thread.
struct Task {
  Mutex mutex;
  std::atomic<bool>& over;
  std::atomic<uint64_t>& pairs;
  std::atomic<int>& alive;

  void next() {
    if (over) {
      if (--alive == 0) alive.notify_all();
      return;
    }
    cleat::LockCall(mutex).start([this](std::error_code e, cleat::Grant grant) {
      if (e) die(e.message());
      grant.unlock();
      pairs.fetch_add(1, std::memory_order_relaxed);
      next();
    });
  }
};

void tasks(const std::string& address, int count, double seconds) {
  Client client(address);
  std::atomic<bool> over{false};
  std::atomic<uint64_t> pairs{0};
  std::atomic<int> alive{count};
  std::vector<std::unique_ptr<Task>> all;
  all.reserve(static_cast<size_t>(count));
  const double cpu = cpu_us();
  const auto began = SteadyClock::now();
  for (int i = 0; i < count; ++i) {
    all.push_back(std::unique_ptr<Task>(new Task{Mutex(client, "bench/c" + std::to_string(i)), over, pairs, alive}));
    all.back()->next();
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  over = true;
  for (int n = alive; n > 0; n = alive) alive.wait(n);
  report("tasks", count, pairs, since_us(began), cpu_us() - cpu);
}

void memory(const std::string& address) {
  constexpr size_t kMutexes = 100'000, kHolds = 5'000;
  Client client(address);
  std::vector<std::unique_ptr<Mutex>> mutexes;
  mutexes.reserve(kMutexes);
  const auto per = [](size_t before, size_t n) {
    return static_cast<double>(resident_bytes() - before) / static_cast<double>(n);
  };
  const size_t empty = resident_bytes();
  for (size_t i = 0; i < kMutexes; ++i) {
    mutexes.push_back(std::make_unique<Mutex>(client, "bench/memory/of-a-name-of-32-bytes" + std::to_string(i)));
  }
  std::printf("  a mutex that is not held %6.0f bytes\n", per(empty, kMutexes));
  const size_t made = resident_bytes();
  for (size_t i = 0; i < kHolds; ++i) mutexes[i]->lock();
  std::printf("  a hold                   %6.0f bytes more\n", per(made, kHolds));
  for (size_t i = 0; i < kHolds; ++i) mutexes[i]->unlock();
}

}  // namespace

int main(int argc, char** argv) try {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc < 2) die("usage: library_bench HOST:PORT [SECONDS]");
  const std::string address = argv[1];
  const double seconds = argc > 2 ? std::atof(argv[2]) : 2;
  latency(address, 2 * seconds);
  std::printf("one Client, each with a name of its own:\n");
  for (const int n : {1, 50, 500}) threads(address, n, seconds);
  for (const int n : {1, 50, 500}) tasks(address, n, seconds);
  std::printf("memory:\n");
  memory(address);
} catch (const cleat::Error& e) {
  die(e.what());
}
