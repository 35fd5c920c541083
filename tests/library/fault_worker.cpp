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
#include <random>
#include <thread>
#include <vector>

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

template <class M>
constexpr bool kIsShared = std::is_same_v<M, SharedMutex>;
template <class M>
constexpr bool kIsRecursive = std::is_same_v<M, RecursiveMutex>;

// Two objects of each name, as two parts of one program would have them; every third name has a MAXHOLD.
template <class M>
std::vector<std::unique_ptr<M>> make_mutexes(Client& client, const Settings& s) {
  std::vector<std::unique_ptr<M>> out;
  for (size_t i = 0; i < 2 * s.names; ++i) {
    const size_t name = i % s.names;
    LockOptions options;
    if (name % 3 == 2) options.max_hold = s.ttl / 2;
    out.push_back(std::make_unique<M>(client, "faults/" + std::to_string(name), options));
  }
  return out;
}

template <class M>
class Locker {
 public:
  Locker(const Settings& settings, uint32_t thread, std::vector<std::unique_ptr<M>>& mutexes, FencedFile& file)
      : settings_(settings), thread_(thread), mutexes_(mutexes), file_(file), random_(settings.seed * 1'000 + thread) {}

  void turn() try {
    const size_t which = below(mutexes_.size());
    M& mutex = *mutexes_[which];
    const bool shared = kIsShared<M> && below(3) > 0;
    if (!enter(mutex, shared)) return;
    const TimePoint granted_at = boot_clock::now();
    const Hold hold = mutex.hold();
    now_ = {.shared = shared,
            .name = static_cast<uint16_t>(which % settings_.names),
            .worker = settings_.number,
            .thread = thread_,
            .fence = hold.fence()};
    tell(Event::Kind::kGranted, granted_at, believed(hold));
    const size_t deeper = again(mutex, hold);
    work(hold);
    if (!hold.held()) tell(Event::Kind::kLost, boot_clock::now());
    tell(Event::Kind::kReleasing, boot_clock::now());
    for (size_t i = 0; i <= deeper; ++i) leave(mutex, shared);
  } catch (const std::exception& e) {
    wrong(e.what());
  }

 private:
  size_t below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }

  bool enter(M& mutex, bool shared) {
    const size_t way = below(4);
    const milliseconds wait(1 + below(50));
    try {
      if constexpr (kIsShared<M>) {
        if (shared && way == 0) return mutex.try_lock_shared();
        if (shared && way == 1) return mutex.try_lock_shared_for(wait);
        if (shared) return mutex.lock_shared(), true;
      }
      if (way == 0) return mutex.try_lock();
      if (way == 1) return mutex.try_lock_for(wait);
    } catch (const Error& e) {
      if (e.code() == errc::unreachable) return false;  // cut off, or the server is down
      throw;
    }
    mutex.lock();
    return true;
  }

  // Its owner enters a recursive one again: the same grant.
  size_t again(M& mutex, const Hold& hold) {
    size_t deeper = 0;
    if constexpr (kIsRecursive<M>) {
      try {
        for (const size_t wanted = below(3); deeper < wanted; ++deeper) {
          mutex.lock();
          if (mutex.fence() != hold.fence()) wrong("a re-entry has another fence");
        }
      } catch (const Error& e) {
        if (e.code() != errc::lost || hold.held()) throw;
      }
    }
    return deeper;
  }

  static void leave(M& mutex, bool shared) {
    if constexpr (kIsShared<M>) {
      if (shared) return mutex.unlock_shared();
    }
    mutex.unlock();
  }

  // Until when it may believe; min: not at all.
  TimePoint believed(const Hold& hold) {
    const TimePoint deadline = hold.deadline();
    if (settings_.lengthened == milliseconds(0)) return deadline;
    if (deadline != TimePoint::min()) lengthened_ = deadline + settings_.lengthened;
    return boot_clock::now() < lengthened_ ? lengthened_ : TimePoint::min();
  }

  void work(const Hold& hold) {
    for (size_t steps = 1 + below(4); steps > 0; --steps) {
      const bool taken = file_.offer(now_.name, now_.fence, now_.shared);
      const TimePoint deadline = believed(hold);  // asked after: who believes now was not refused by right
      if (deadline != TimePoint::min()) tell(Event::Kind::kBelieved, boot_clock::now(), deadline);
      if (!taken && deadline != TimePoint::min()) return wrong("the register refused a fence that is believed to hold");
      if (!taken) return tell(Event::Kind::kRefused, boot_clock::now());
      // Now and then for long, so that what happens to a program mostly finds it with something held.
      rest(hold.stop_token(), below(10) == 0 ? settings_.ttl / (1 + below(4)) : microseconds(below(2'000)));
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
  std::vector<std::unique_ptr<M>>& mutexes_;
  FencedFile& file_;
  std::mt19937_64 random_;
  Event now_;  // what is common to all that is told of the grant now
  TimePoint lengthened_ = TimePoint::min();
  std::mutex resting_;
  std::condition_variable_any rested_;
};

template <class M>
void run(const Settings& settings) {
  FencedFile file(settings.file);
  Options options;
  options.servers = {settings.servers};
  options.password = settings.password;
  options.ttl = settings.ttl;
  options.connect_timeout = std::chrono::seconds(30);
  Client client(options);
  auto mutexes = make_mutexes<M>(client, settings);
  std::atomic<bool> over{false};
  std::vector<std::thread> threads;
  for (size_t t = 0; t < settings.threads; ++t) {
    threads.emplace_back([&, t] {
      Locker<M> locker(settings, static_cast<uint32_t>(t), mutexes, file);
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
  if (settings.primitive == "mutex") run<cleat::Mutex>(settings);
  if (settings.primitive == "recursive") run<cleat::RecursiveMutex>(settings);
  if (settings.primitive == "shared") run<cleat::SharedMutex>(settings);
  return 0;
}
