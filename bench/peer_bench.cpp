// Two members in one process over loopback TCP, one thread each, as the loop of a server would drive them: what a small
// message costs its sender and its receiver, a round trip, and the throughput of large messages.
//   peer_bench [SECONDS each, 2]
#include <time.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>

#include "net/peers.hpp"

namespace {

using namespace cleat::net;

int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

int64_t cpu_ns() {  // of this thread
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1'000'000'000 + t.tv_nsec;
}

class Member final : public PeerHandler {
 public:
  explicit Member(uint32_t id) : peers(poller, options(), *this) {
    PeerHello hello;
    hello.member = id;
    hello.name = std::string(1, static_cast<char>('a' + id));
    peers.set_hello(hello);
    if (!peers.listen({"127.0.0.1", 0}).ok()) std::abort();
  }
  static PeersOptions options() {
    PeersOptions o;
    o.secret = "a secret of sixteen";
    return o;
  }
  void turn(int timeout_ms) {
    for (const Ready& r : poller.wait(timeout_ms))
      if (r.tag) peers.take(r);
    peers.turn(now_us());
    peers.flush();
  }

  cleat::base::Status admit(PeerEnd, uint64_t, const PeerHello&) override { return {}; }
  void on_up(uint64_t, const PeerHello&) override { up = true; }
  void on_down(uint64_t) override { up = false; }
  void on_message(const PeerHello&, std::string_view message) override {
    messages += 1;
    bytes += message.size();
    if (answers) peers.send(1, message);
  }
  void on_log(int, std::string_view) override {}

  Poller poller;
  Peers peers;
  bool up = false, answers = false;
  std::atomic<uint64_t> messages = 0, bytes = 0;
};

struct Pair {
  Member a{1}, b{2};
  std::atomic<bool> done = false;
  int64_t reader_cpu_ns = 0;
  std::thread reader;

  Pair() {
    a.peers.dial(1, b.peers.address());
    b.peers.dial(1, a.peers.address());
    while (!a.up || !b.up) a.turn(0), b.turn(0);
  }
  void start() {
    reader = std::thread([this] {
      const int64_t before = cpu_ns();
      while (!done) b.turn(1);
      reader_cpu_ns = cpu_ns() - before;
    });
  }
  void stop() {
    done = true;
    reader.join();
  }
};

// `batch` messages a turn and flush, never more than 8 MiB ahead of the reader.
void one_way(const char* name, size_t size, size_t batch, double seconds) {
  Pair pair;
  pair.start();
  const std::string message(size, 'x');
  const int64_t start = now_us(), cpu = cpu_ns();
  uint64_t sent = 0;
  while (now_us() - start < static_cast<int64_t>(seconds * 1e6)) {
    if (sent * size < pair.b.bytes + (8u << 20) && sent < pair.b.messages + 100'000) {
      for (size_t i = 0; i < batch; ++i) sent += pair.a.peers.send(1, message);
    }
    pair.a.turn(0);
  }
  while (pair.b.messages < sent) pair.a.turn(0);
  const double spent_s = static_cast<double>(now_us() - start) / 1e6;
  const auto sender_ns = static_cast<double>(cpu_ns() - cpu);
  pair.stop();
  const auto n = static_cast<double>(sent);
  std::printf("| %s | %zu | %.0f | %.0f | %.2f | %.2f |\n", name, batch, n / spent_s,
              n * static_cast<double>(size) / spent_s / (1 << 20), sender_ns / n / 1000,
              static_cast<double>(pair.reader_cpu_ns) / n / 1000);
}

void round_trips(double seconds) {
  Pair pair;
  pair.b.answers = true;
  pair.start();
  const std::string message(100, 'x');
  const int64_t start = now_us();
  uint64_t n = 0;
  while (now_us() - start < static_cast<int64_t>(seconds * 1e6)) {
    pair.a.peers.send(1, message);
    ++n;
    pair.a.peers.flush();
    while (pair.a.messages < n) pair.a.turn(1);
  }
  std::printf("\nround trip of 100 bytes, both sides waiting in epoll: %.1f us\n",
              static_cast<double>(now_us() - start) / static_cast<double>(n));
  pair.stop();
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2;
  std::printf("| message | a flush | messages/s | MiB/s | sender us | receiver us |\n|---|---|---|---|---|---|\n");
  one_way("100 B", 100, 1, seconds);
  one_way("100 B", 100, 16, seconds);
  one_way("100 B", 100, 256, seconds);
  one_way("4 KiB", 4 << 10, 16, seconds);
  one_way("256 KiB", 256 << 10, 1, seconds);
  one_way("1 MiB", 1 << 20, 1, seconds);
  round_trips(seconds);
}
