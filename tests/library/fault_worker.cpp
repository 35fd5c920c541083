// A program that locks and lets go until its input ends, and tells on its output (binary, judge.hpp) what it was
// granted and what it believes. Started, killed, stopped and cut off by FaultRun.
//
//   library_fault_worker SERVERS PASSWORD PRIMITIVE NUMBER SEED THREADS NAMES TTL_MS LENGTHENED_MS FILE
//
// LENGTHENED_MS above 0 makes it wrong on purpose: it believes for so much longer than the library says.
#include <cleat/cleat.hpp>

#include <unistd.h>

#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "fault_locks.hpp"
#include "fenced_file.hpp"
#include "judge.hpp"

namespace cleat::tests {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using TimePoint = boot_clock::time_point;

struct Settings {
  std::string servers, password, primitive;
  uint32_t number = 0;
  uint64_t seed = 0;
  size_t threads = 1, names = 1;
  milliseconds ttl{0}, lengthened{0};
  std::string file;
};

int64_t ns(TimePoint t) {
  return t.time_since_epoch().count();
}

class Locker {
 public:
  Locker(const Settings& settings, uint32_t thread, Taker& taker, FencedFile& file)
      : settings_(settings), thread_(thread), taker_(taker), file_(file), random_(settings.seed * 1'000 + thread) {}

  void turn() try {
    const size_t name = below(random_, settings_.names);
    bool shared = false;
    const std::unique_ptr<Taken> taken = taker_.take(name, shared, random_);
    if (!taken) return;
    const TimePoint granted_at = boot_clock::now();
    now_ = {.shared = shared,
            .name = static_cast<uint16_t>(name),
            .worker = settings_.number,
            .thread = thread_,
            .fence = taken->fence()};
    tell(Event::Kind::kGranted, granted_at, believed(*taken));
    taken->more(random_);
    work(*taken);
    if (taken->deadline() == TimePoint::min()) tell(Event::Kind::kLost, boot_clock::now());
    tell(Event::Kind::kReleasing, boot_clock::now());
    taken->let_go();
  } catch (const std::exception& e) {
    wrong(e.what());
  }

 private:
  // Until when it may believe; min: not at all.
  TimePoint believed(const Taken& taken) {
    const TimePoint deadline = taken.deadline();
    if (settings_.lengthened == milliseconds(0)) return deadline;
    if (deadline != TimePoint::min()) lengthened_ = deadline + settings_.lengthened;
    return boot_clock::now() < lengthened_ ? lengthened_ : TimePoint::min();
  }

  void work(const Taken& taken) {
    for (size_t steps = 1 + below(random_, 4); steps > 0; --steps) {
      const bool written = file_.offer(now_.name, now_.fence, now_.shared);
      const TimePoint deadline = believed(taken);  // asked after: who believes now was not refused by right
      if (deadline != TimePoint::min()) tell(Event::Kind::kBelieved, boot_clock::now(), deadline);
      if (!written && deadline != TimePoint::min())
        return wrong("the register refused a fence that is believed to hold");
      if (!written) return tell(Event::Kind::kRefused, boot_clock::now());
      // Now and then for long, so that what happens to a program mostly finds it with something held.
      rest(taken.stop_token(),
           below(random_, 10) == 0 ? settings_.ttl / (1 + below(random_, 4)) : microseconds(below(random_, 2'000)));
    }
  }

  void rest(const std::stop_token& stop, microseconds time) {
    std::unique_lock lock(resting_);
    rested_.wait_for(lock, stop, time, [] { return false; });
  }

  void tell(Event::Kind kind, TimePoint at, TimePoint deadline = TimePoint::min(), const char* text = "") {
    Event event = now_;
    event.kind = kind;
    event.at_ns = ns(at);
    event.deadline_ns = ns(deadline);
    std::strncpy(event.text, text, sizeof event.text - 1);
    static_assert(sizeof event <= 512, "a pipe takes PIPE_BUF at once or not at all");
    if (::write(STDOUT_FILENO, &event, sizeof event) != sizeof event) ::_exit(3);  // nobody listens any more
  }
  void wrong(const char* text) { tell(Event::Kind::kWrong, boot_clock::now(), TimePoint::min(), text); }

  const Settings& settings_;
  const uint32_t thread_;
  Taker& taker_;
  FencedFile& file_;
  Random random_;
  Event now_;  // what is common to all that is told of the grant now
  TimePoint lengthened_ = TimePoint::min();
  std::mutex resting_;
  std::condition_variable_any rested_;
};

void run(const Settings& settings) {
  FencedFile file(settings.file);
  Options options;
  options.servers = {settings.servers};
  options.password = settings.password;
  options.ttl = settings.ttl;
  options.connect_timeout = std::chrono::seconds(30);
  const auto taker = make_taker(settings.primitive, options, settings.names);
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < settings.threads; ++t) {
    threads.emplace_back([&, t] {
      Locker locker(settings, static_cast<uint32_t>(t), *taker, file);
      while (!over) locker.turn();
    });
  }
  char byte;
  while (::read(STDIN_FILENO, &byte, 1) > 0) {
  }
  over = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cleat::tests

int main(int argc, char** argv) {
  using namespace cleat::tests;
  if (argc != 11) return 64;
  const std::vector<std::string> a(argv + 1, argv + argc);
  const Settings settings{.servers = a[0],
                          .password = a[1],
                          .primitive = a[2],
                          .number = static_cast<uint32_t>(std::stoul(a[3])),
                          .seed = std::stoull(a[4]),
                          .threads = std::stoul(a[5]),
                          .names = std::stoul(a[6]),
                          .ttl = milliseconds(std::stol(a[7])),
                          .lengthened = milliseconds(std::stol(a[8])),
                          .file = a[9]};
  run(settings);
  return 0;
}
