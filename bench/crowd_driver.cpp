// A crowd of clients of one Cleat or of several members, each with a connection and a session of its own; one thread.
//
//   crowd_driver --servers HOST:PORT[,HOST:PORT...] --clients N [--names K] [--think-ms T] [--hold-ms H] [--ttl-ms T]
//                [--wait-ms W] [--patience-ms P] [--together 1]
//
// A client whose connection breaks, or that waits for an answer longer than its patience, connects to the next server
// at once, and after that fails again and again, up to a second later each time. Reads commands from standard input:
//   look   prints a line of JSON: what happened since mark
//   mark   forgets what was counted
// and ends when it ends. Clients come from 127.0.0.2 to 127.0.0.9 in turn, so that the ports suffice.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <queue>

#include "client/endpoint.hpp"
#include "crowd_client.hpp"

namespace {

using namespace cleat;
using bench::CrowdClient;

constexpr int64_t kShortestPauseUs = 20'000, kLongestPauseUs = 1'000'000;
constexpr uint64_t kInput = UINT64_MAX;  // tag of standard input in epoll

struct Options {
  bench::CrowdPlan plan;
  std::vector<client::Endpoint> servers;
  size_t clients = 1;
  int64_t patience_us = 10'000'000;
  bool together = false;  // all begin at the first server
};

int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "crowd_driver: {}\n", why);
  std::exit(2);
}

// A client with its socket.
struct Seat {
  CrowdClient client;
  int fd = -1;
  bool open = false, writes = false;
  size_t server;
  int64_t connect_us;  // not connected: when to; connecting: since when
  int64_t pause_us = 0;
  int64_t queued_us = INT64_MAX;
};

class Crowd {
 public:
  explicit Crowd(const Options& options)
      : options_(options), names_(options.plan.names), epoll_(epoll_create1(EPOLL_CLOEXEC)) {
    const int64_t now = now_us();
    for (size_t n = 0; n < options.clients; ++n) {
      seats_.push_back({.client = CrowdClient(n, options_.plan, tally_, names_, now),
                        .server = options.together ? 0 : n % options.servers.size(),
                        .connect_us = now});
      queue(n);
    }
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    watch(EPOLL_CTL_ADD, STDIN_FILENO, EPOLLIN, kInput);
  }
  void run();

 private:
  using Due = std::pair<int64_t, size_t>;  // when, which seat

  void watch(int how, int fd, uint32_t events, uint64_t tag) const {
    epoll_event e{.events = events, .data = {.u64 = tag}};
    if (epoll_ctl(epoll_, how, fd, &e) != 0) give_up(fmt::format("epoll_ctl: {}", std::strerror(errno)));
  }
  int64_t due_us(const Seat&) const;
  void queue(size_t n);
  void wake(size_t n);
  void connect(size_t n);
  void leave(size_t n);
  void flush(size_t n);
  void ready(size_t n, uint32_t events);
  bool read_commands();
  void look() const;

  const Options& options_;
  bench::CrowdTally tally_;
  bench::SharedNames names_;
  std::deque<Seat> seats_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::string commands_;
  int epoll_;
};

int64_t Crowd::due_us(const Seat& seat) const {
  if (seat.fd < 0) return seat.connect_us;
  if (!seat.open) return seat.connect_us + options_.patience_us;
  if (seat.client.asked_us() != 0) return seat.client.asked_us() + options_.patience_us;
  return seat.client.wake_at_us();
}

// One place in the queue each: what comes too early is put back.
void Crowd::queue(size_t n) {
  Seat& seat = seats_[n];
  const int64_t at = due_us(seat);
  if (at >= seat.queued_us) return;
  seat.queued_us = at;
  due_.emplace(at, n);
}

void Crowd::connect(size_t n) {
  Seat& seat = seats_[n];
  seat.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (seat.fd < 0) give_up(fmt::format("socket: {} (ulimit -n)", std::strerror(errno)));
  const int on = 1;
  setsockopt(seat.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(seat.fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  sockaddr_in own{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(0x7f000002u + n % 8)}, .sin_zero = {}};
  const client::Endpoint& server = options_.servers[seat.server];
  sockaddr_in to{.sin_family = AF_INET, .sin_port = htons(server.port), .sin_addr = {}, .sin_zero = {}};
  inet_pton(AF_INET, server.host.c_str(), &to.sin_addr);
  seat.connect_us = now_us();
  if (bind(seat.fd, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 ||
      (::connect(seat.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0 && errno != EINPROGRESS)) {
    return leave(n);
  }
  seat.writes = true;
  watch(EPOLL_CTL_ADD, seat.fd, EPOLLIN | EPOLLOUT, n);
  queue(n);
}

void Crowd::leave(size_t n) {
  Seat& seat = seats_[n];
  const int64_t now = now_us();
  if (seat.client.served()) seat.pause_us = 0;
  seat.client.broke(now);
  close(seat.fd);
  seat.fd = -1;
  seat.open = false;
  seat.server = (seat.server + 1) % options_.servers.size();
  seat.connect_us = now + (seat.pause_us == 0 ? 0 : seat.client.delay_us(seat.pause_us));
  seat.pause_us = std::clamp(seat.pause_us * 2, kShortestPauseUs, kLongestPauseUs);
  queue(n);
}

void Crowd::flush(size_t n) {
  Seat& seat = seats_[n];
  std::string& out = seat.client.output();
  if (!out.empty()) {
    const ssize_t sent = send(seat.fd, out.data(), out.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return leave(n);
    if (sent > 0) out.erase(0, static_cast<size_t>(sent));
  }
  if (seat.writes != !out.empty()) {
    seat.writes = !out.empty();
    watch(EPOLL_CTL_MOD, seat.fd, seat.writes ? EPOLLIN | EPOLLOUT : EPOLLIN, n);
  }
  queue(n);
}

void Crowd::wake(size_t n) {
  Seat& seat = seats_[n];
  seat.queued_us = INT64_MAX;
  const int64_t now = now_us();
  if (due_us(seat) > now) return queue(n);
  if (seat.fd < 0) return connect(n);
  if (!seat.open || seat.client.asked_us() != 0) return leave(n);
  seat.client.wake(now);
  flush(n);
}

void Crowd::ready(size_t n, uint32_t events) {
  Seat& seat = seats_[n];
  if (seat.fd < 0) return;
  if (!seat.open) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(seat.fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return leave(n);
    seat.open = true;
    seat.client.connected(now_us());
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    char bytes[4096];
    const ssize_t got = recv(seat.fd, bytes, sizeof bytes, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) return leave(n);
    if (got > 0 && !seat.client.received({bytes, static_cast<size_t>(got)}, now_us())) return leave(n);
  }
  flush(n);
}

std::string times(const histogram& h) {
  const auto ms = [](uint64_t ns) { return static_cast<double>(ns) / 1e6; };
  return fmt::format(R"({{"count":{},"p50_ms":{:.2f},"p99_ms":{:.2f},"max_ms":{:.2f}}})", h.count,
                     ms(histogram_quantile(&h, 0.5)), ms(histogram_quantile(&h, 0.99)), ms(h.max));
}

// A refusal as a JSON string: plain text, but for quotes.
std::string quoted(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '"' || c == '\\' || c < ' '; }, '\'');
  return '"' + text + '"';
}

void Crowd::look() const {
  const int64_t now = now_us();
  size_t open = 0, served = 0;
  int64_t longest_us = 0;
  uint64_t fewest = UINT64_MAX, most = 0;
  for (const Seat& seat : seats_) {
    open += seat.open;
    served += seat.client.served();
    if (seat.client.since_us() != 0) longest_us = std::max(longest_us, now - seat.client.since_us());
    fewest = std::min(fewest, seat.client.grants());
    most = std::max(most, seat.client.grants());
  }
  const auto& t = tally_;
  fmt::print(R"({{"clients":{},"open":{},"served":{},"answers":{},"grants":{},"breaks":{},"no_quorum":{},"unknown":{},)"
             R"("timed_out":{},"sessions_lost":{},"holds_lost":{},"broken":{},"refused":{},"refusal":{},)"
             R"("fewest_grants":{},"most_grants":{},"waiting_ms":{:.1f},"wait":{},"other":{},"back":{}}})"
             "\n",
             seats_.size(), open, served, t.answers, t.grants, t.breaks, t.no_quorum, t.unknown, t.timed_out,
             t.sessions_lost, t.holds_lost, t.broken, t.refused, quoted(t.refusal), fewest, most,
             static_cast<double>(longest_us) / 1e3, times(t.wait), times(t.other), times(t.back));
  std::fflush(stdout);
}

// False: standard input has ended.
bool Crowd::read_commands() {
  char bytes[256];
  const ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
  if (got == 0) return false;
  if (got > 0) commands_.append(bytes, static_cast<size_t>(got));
  for (size_t end = 0; (end = commands_.find('\n')) != std::string::npos; commands_.erase(0, end + 1)) {
    const std::string command = commands_.substr(0, end);
    if (command == "look") {
      look();
    } else if (command == "mark") {
      tally_ = {};
    } else {
      give_up("unknown command " + command);
    }
  }
  return true;
}

void Crowd::run() {
  epoll_event events[512];
  for (;;) {
    const int64_t now = now_us();
    while (!due_.empty() && due_.top().first <= now) {
      const Due due = due_.top();
      due_.pop();
      if (seats_[due.second].queued_us == due.first) wake(due.second);
    }
    const int64_t wait_us = due_.empty() ? 1'000'000 : std::clamp<int64_t>(due_.top().first - now_us(), 0, 1'000'000);
    const int n = epoll_wait(epoll_, events, 512, static_cast<int>((wait_us + 999) / 1000));
    for (int i = 0; i < n; ++i) {
      if (events[i].data.u64 != kInput) {
        ready(events[i].data.u64, events[i].events);
      } else if (!read_commands()) {
        return;
      }
    }
  }
}

void set(Options& options, const std::string& name, const std::string& value) {
  if (name == "--servers") {
    auto servers = client::parse_endpoints(value);
    if (!servers.ok()) give_up(servers.status().message());
    options.servers = *std::move(servers);
    return;
  }
  const long long number = std::atoll(value.c_str());
  if (number < 0) give_up(name + " is not below 0");
  const auto count = static_cast<size_t>(number);
  if (name == "--clients") {
    options.clients = count;
  } else if (name == "--names") {
    options.plan.names = count;
  } else if (name == "--think-ms") {
    options.plan.think_us = number * 1000;
  } else if (name == "--hold-ms") {
    options.plan.hold_us = number * 1000;
  } else if (name == "--ttl-ms") {
    options.plan.ttl_ms = number;
  } else if (name == "--wait-ms") {
    options.plan.wait_ms = number;
  } else if (name == "--together") {
    options.together = number != 0;
  } else if (name == "--patience-ms") {
    options.patience_us = number * 1000;
  } else {
    give_up("unknown option " + name + "; see the head of crowd_driver.cpp");
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) set(options, argv[i], argv[i + 1]);
  if (options.servers.empty() || options.clients == 0 || argc % 2 == 0)
    give_up("give --servers and --clients, and a value to each option");
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t wanted = options.clients + 64;
  const rlimit raised = {wanted, std::max(wanted, files.rlim_max)};
  if (files.rlim_cur < wanted && setrlimit(RLIMIT_NOFILE, &raised) != 0) {
    give_up(fmt::format("{} open files are needed and {} allowed (ulimit -n)", wanted, files.rlim_max));
  }
  Crowd(options).run();
  return 0;
}
