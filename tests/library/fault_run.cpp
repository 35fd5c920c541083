#include "fault_run.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include <cleat/cleat.hpp>

#include "fenced_file.hpp"
#include "network.hpp"
#include "server_process.hpp"
#include "temporary_folder.hpp"

namespace cleat::tests {
namespace {

using std::chrono::milliseconds;
using TimePoint = boot_clock::time_point;

constexpr milliseconds kEnd{60'000};  // within it everyone finishes

// Reads what the workers tell, on a thread of its own, until the last of them is gone.
class Hearing {
 public:
  Hearing() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    read_end_.reset(ends[0]);
    write_end_.reset(ends[1]);
    thread_ = std::thread([this] { run(); });
  }
  ~Hearing() { stop(); }

  int write_end() const { return write_end_.get(); }
  // When no worker is left.
  void stop() {
    write_end_.reset();
    if (thread_.joinable()) thread_.join();
  }
  // Returns at `until`, or when something wrong was found: then true.
  bool wait(TimePoint until) {
    std::unique_lock lock(mutex_);
    const auto time = std::max(until - boot_clock::now(), boot_clock::duration::zero());
    return news_.wait_for(lock, time, [this] { return judge_.verdict().has_value(); });
  }
  void wait_first_grant() {
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, kEnd, [this] { return judge_.counts().grants > 0 || judge_.verdict(); });
  }
  Judge judge() {
    const std::lock_guard guard(mutex_);
    return judge_;
  }

 private:
  void run() {
    Event events[128];
    size_t have = 0;  // bytes
    for (;;) {
      const ssize_t n = ::read(read_end_.get(), reinterpret_cast<char*>(events) + have, sizeof events - have);
      if (n <= 0) return;
      have += static_cast<size_t>(n);
      const size_t whole = have / sizeof(Event);
      const std::lock_guard guard(mutex_);
      const bool first = judge_.counts().grants == 0;
      for (size_t i = 0; i < whole; ++i) judge_.see(events[i]);
      have -= whole * sizeof(Event);
      std::copy_n(reinterpret_cast<char*>(&events[whole]), have, reinterpret_cast<char*>(events));
      if (first || judge_.verdict()) news_.notify_all();
    }
  }

  client::Fd read_end_, write_end_;
  std::mutex mutex_;
  std::condition_variable news_;
  Judge judge_;
  std::thread thread_;
};

// The servers as the networks see them: their ports change when they start again.
class Servers {
 public:
  explicit Servers(bool cluster) {
    if (cluster) {
      cluster_ = std::make_unique<ClusterProcess>(new_password());
    } else {
      alone_ = std::make_unique<ServerProcess>(ServerSettings{.password = new_password()});
    }
    for (size_t i = 0; i < size(); ++i) ports_[i] = at(i).port();
  }
  size_t size() const { return cluster_ ? ClusterProcess::kMembers : 1; }
  ServerProcess& at(size_t i) { return cluster_ ? (*cluster_)[i] : *alone_; }
  void start(size_t i) {
    at(i).start();
    ports_[i] = at(i).port();
  }
  std::vector<std::function<int()>> ports() {
    std::vector<std::function<int()>> out;
    for (size_t i = 0; i < size(); ++i) out.emplace_back([this, i] { return ports_[i].load(); });
    return out;
  }
  std::string password() { return at(0).password(); }

 private:
  std::unique_ptr<ClusterProcess> cluster_;
  std::unique_ptr<ServerProcess> alone_;
  std::array<std::atomic<int>, ClusterProcess::kMembers> ports_{};
};

std::string joined(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ",") + text;
  return out;
}

class Run {
 public:
  explicit Run(const FaultPlan& plan) : plan_(plan), random_(plan.seed), servers_(plan.cluster) {
    for (uint32_t i = 0; i < plan_.workers; ++i) {
      places_.push_back(std::make_unique<Place>(servers_.ports()));
      start_worker(*places_.back());
    }
  }

  FaultReport run() {
    hearing_.wait_first_grant();
    const TimePoint end = boot_clock::now() + plan_.duration;
    TimePoint next = boot_clock::now() + pause();
    for (bool found = false; !found && next < end;) {
      const TimePoint due = undo_.empty() ? next : std::min(next, undo_.begin()->first);
      found = hearing_.wait(due);
      if (!undo_.empty() && boot_clock::now() >= undo_.begin()->first) {
        undo_.begin()->second();
        undo_.erase(undo_.begin());
      } else if (boot_clock::now() >= next) {
        do_harm();
        next += pause();
      }
    }
    finish();
    return report_;
  }

 private:
  // Where one worker after the other runs, each behind the same network.
  struct Place {
    explicit Place(std::vector<std::function<int()>> ports) : network(std::move(ports)) {}
    Network network;
    std::unique_ptr<ChildProcess> worker;
    client::Fd input;     // as long as it is open the worker goes on
    bool harmed = false;  // until it is undone
  };

  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  milliseconds pause() { return milliseconds(20 + below(static_cast<size_t>(plan_.ttl.count()) / 2)); }
  // Most are survived, some are not.
  milliseconds harm_time() { return plan_.ttl * static_cast<int64_t>(2 + below(20)) / 10; }
  void later(milliseconds time, std::function<void()> undo) {
    undo_.emplace(boot_clock::now() + time, std::move(undo));
  }

  void start_worker(Place& place) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
    const client::Fd input(ends[0]);
    place.input.reset(ends[1]);
    const uint32_t number = next_worker_++;
    const std::vector<std::string> command = {CLEAT_FAULT_WORKER,
                                              joined(place.network.addresses()),
                                              servers_.password(),
                                              plan_.primitive,
                                              std::to_string(number),
                                              std::to_string(plan_.seed + number),
                                              std::to_string(plan_.threads),
                                              std::to_string(plan_.names),
                                              std::to_string(plan_.ttl.count()),
                                              std::to_string(plan_.lengthened.count()),
                                              folder_.path("registers")};
    place.worker = std::make_unique<ChildProcess>(
        command, ChildProcess::Files{.input = input.get(), .output = hearing_.write_end()});
  }

  void do_harm() {
    if (below(16) == 0) return harm_server();
    Place& place = *places_[below(places_.size())];
    if (place.harmed) return;
    const auto undone = [&place](auto undo) {
      return [&place, undo] {
        undo();
        place.harmed = false;
      };
    };
    switch (below(4)) {
      case 0:
        ++report_.kills;
        place.worker->kill();
        return start_worker(place);
      case 1:
        ++report_.stops;
        place.worker->send(SIGSTOP);
        place.harmed = true;
        return later(harm_time(), undone([&place] { place.worker->send(SIGCONT); }));
      case 2:
        ++report_.cuts;
        place.network.cut(std::array{Network::Cut::kToServer, Network::Cut::kToClient, Network::Cut::kBoth}[below(3)]);
        place.harmed = true;
        return later(harm_time(), undone([&place] { place.network.cut(Network::Cut::kNone); }));
      default:
        ++report_.resets;
        return place.network.reset();
    }
  }

  // One at a time, so that a cluster keeps its majority.
  void harm_server() {
    if (server_harmed_) return;
    const size_t which = below(servers_.size());
    server_harmed_ = true;
    if (below(2) == 0) {
      ++report_.server_kills;
      servers_.at(which).kill();
      return later(milliseconds(below(static_cast<size_t>(plan_.ttl.count()))), [this, which] {
        servers_.start(which);
        server_harmed_ = false;
      });
    }
    ++report_.server_stops;
    servers_.at(which).pause();
    later(harm_time(), [this, which] {
      servers_.at(which).go_on();
      server_harmed_ = false;
    });
  }

  // All harm is undone; then everyone finishes, and every lock can be had.
  void finish() {
    for (auto& [when, undo] : undo_) undo();
    undo_.clear();
    for (auto& place : places_) place->input.reset();
    const TimePoint end = boot_clock::now() + kEnd;
    for (auto& place : places_) {
      const auto left = std::max(end - boot_clock::now(), boot_clock::duration::zero());
      const auto status = place->worker->wait(std::chrono::ceil<milliseconds>(left));
      if (!status) wrong("a worker does not finish: a grant or an answer was lost");
      if (status.value_or(0) != 0) wrong(fmt::format("a worker ended with status {}", *status));
      place->worker->kill();
    }
    hearing_.stop();
    const Judge judge = hearing_.judge();
    report_.counts = judge.counts();
    if (judge.verdict()) {
      wrong(*judge.verdict());
    } else {
      check_what_is_left(judge);
    }
    if (!report_.wrong.empty()) report_.wrong += logs();
  }

  void check_what_is_left(const Judge& judge) {
    Network network(servers_.ports());
    Options options;
    options.servers = network.addresses();
    options.password = servers_.password();
    Client client(options);
    const FencedFile file(folder_.path("registers"));
    for (uint16_t i = 0; i < plan_.names; ++i) {
      Mutex mutex(client, "faults/" + std::to_string(i));
      const std::unique_lock lock(mutex, kEnd);
      if (!lock) return wrong("nobody is left, and " + mutex.name() + " is not free");
      const uint64_t seen = std::max(file.seen(i), judge.greatest_fence(i));
      if (mutex.fence() <= seen) wrong(fmt::format("{} has fence {} after {}", mutex.name(), mutex.fence(), seen));
    }
  }

  void wrong(std::string text) {
    if (report_.wrong.empty()) report_.wrong = std::move(text);
  }
  std::string logs() {
    std::string out;
    for (size_t i = 0; i < servers_.size(); ++i) {
      const std::string log = servers_.at(i).log();
      out += fmt::format("\n--- log of server {}\n{}", i, log.substr(log.size() - std::min<size_t>(log.size(), 3'000)));
    }
    return out;
  }

  const FaultPlan plan_;
  std::mt19937_64 random_;
  const TemporaryFolder folder_{"cleat-library-faults"};
  FaultReport report_;
  Servers servers_;
  Hearing hearing_;
  std::vector<std::unique_ptr<Place>> places_;
  std::multimap<TimePoint, std::function<void()>> undo_;
  uint32_t next_worker_ = 1;
  bool server_harmed_ = false;
};

}  // namespace

std::string FaultReport::text() const {
  return fmt::format(
      "{} grants, {} lost by their holders, {} late writes refused, up to {} inside; programs: {} killed, {} stopped, "
      "{} cut "
      "off, {} connections broken; servers: {} killed, {} stopped",
      counts.grants, counts.losses, counts.refusals, counts.most_at_once, kills, stops, cuts, resets, server_kills,
      server_stops);
}

FaultReport run_faults(const FaultPlan& plan) {
  return Run(plan).run();
}

}  // namespace cleat::tests
