// What one turn of the pump costs below the machine: propose -> persist (write and sync) -> committed, one voter.
//   engine_bench [DIR] [ROUNDS]        (DIR on the disk to be measured; default: a new folder in /var/tmp)
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "raft/group.hpp"
#include "raft/ready.hpp"

namespace {

using namespace cleat;
using Clock = std::chrono::steady_clock;

double us(Clock::duration d) {
  return std::chrono::duration<double, std::micro>(d).count();
}

struct Sample {
  double propose, take, persist, commit, total;
};

void apply_all(raft::Group& group) {
  while (group.has_ready()) {
    raft::Ready ready = group.ready();
    if (group.persist(ready) != raft::Persisted::kDone) std::abort();
    if (size_t n = ready.committed_count()) group.applied(ready.committed(n - 1).index);
  }
}

Sample turn(raft::Group& group, raft::Bytes payload) {
  const auto begin = Clock::now();
  if (!group.propose(payload)) std::abort();
  const auto proposed = Clock::now();
  auto taken = proposed, persisted = proposed;
  {
    raft::Ready ready = group.ready();
    taken = Clock::now();
    if (group.persist(ready) != raft::Persisted::kDone) std::abort();
    persisted = Clock::now();
  }
  apply_all(group);
  const auto end = Clock::now();
  return {us(proposed - begin), us(taken - proposed), us(persisted - taken), us(end - persisted), us(end - begin)};
}

double percentile(std::vector<Sample>& all, double Sample::*field, double p) {
  const size_t at = std::min(all.size() - 1, static_cast<size_t>(p * static_cast<double>(all.size())));
  std::nth_element(all.begin(), all.begin() + static_cast<long>(at), all.end(),
                   [&](const Sample& a, const Sample& b) { return a.*field < b.*field; });
  return all[at].*field;
}

void measure(raft::Group& group, size_t payload_bytes, int rounds) {
  const std::string payload(payload_bytes, 'p');
  const auto view = std::as_bytes(std::span(payload.data(), payload.size()));
  for (int i = 0; i < rounds / 10; ++i) turn(group, view);
  std::vector<Sample> all;
  for (int i = 0; i < rounds; ++i) {
    all.push_back(turn(group, view));
    const auto s = group.status();
    if (s.log_bytes > 48u << 20) {
      if (!group.compact({s.applied, 0, group.members()}, s.applied + 1).ok()) std::abort();
      group.purge().run();
    }
  }
  fmt::print("{:>8} {:>9.1f} {:>7.1f} {:>9.1f} {:>8.1f} {:>9.1f} {:>9.1f} {:>9.1f}\n", payload_bytes,
             percentile(all, &Sample::propose, .5), percentile(all, &Sample::take, .5),
             percentile(all, &Sample::persist, .5), percentile(all, &Sample::commit, .5),
             percentile(all, &Sample::total, .5), percentile(all, &Sample::total, .99),
             percentile(all, &Sample::total, .999));
}

}  // namespace

int main(int argc, char** argv) {
  std::string dir = argc > 1 ? std::string(argv[1]) + "/cleat-bench-XXXXXX" : "/var/tmp/cleat-bench-XXXXXX";
  if (!mkdtemp(dir.data())) return perror(dir.c_str()), 1;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 5000;
  for (const bool prefill : {true, false}) {
    raft::Options options;
    options.dir = dir + (prefill ? "/prefilled" : "/plain");
    options.bootstrap_voters = {1};
    options.prefill = prefill;
    const auto begin = Clock::now();
    auto group = raft::Group::open(options);
    if (!group.ok()) return fmt::print(stderr, "{}\n", group.status().message()), 1;
    fmt::print("{} log files; opened in {:.0f} ms; us, p50 of {} turns\n", prefill ? "prefilled" : "plain",
               us(Clock::now() - begin) / 1000, rounds);
    fmt::print("{:>8} {:>9} {:>7} {:>9} {:>8} {:>9} {:>9} {:>9}\n", "bytes", "propose", "ready", "persist", "commit",
               "total", "p99", "p99.9");
    apply_all(**group);
    for (size_t bytes : {100, 5'000, 50'000}) measure(**group, bytes, rounds);
  }
  std::filesystem::remove_all(dir);
  return 0;
}
