#include "client/thread_runner.hpp"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"
#include "client/engine.hpp"
#include "client/request.hpp"

namespace cleat::client {
namespace {

// So long the thread waits for the next caller, and a caller for its answer, before the thread drives again. What comes
// unasked is read so much later at most.
constexpr milliseconds kMoment{5};

// Signals and cancellation are for the threads of the program where they stand in its own code, not for whoever drives:
// all others wait for that one.
class Undisturbed {
 public:
  Undisturbed() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_before_);
  }
  ~Undisturbed() {
    pthread_setcancelstate(cancel_before_, nullptr);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;

 private:
  sigset_t before_;
  int cancel_before_ = PTHREAD_CANCEL_ENABLE;
};

}  // namespace

ThreadRunner::ThreadRunner() : wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CLEAT_CHECK(wake_fd_, "eventfd needs a free file descriptor");
}

ThreadRunner::~ThreadRunner() {
  CLEAT_CHECK(!thread_.joinable(), "end() was called");
}

uint64_t ThreadRunner::seed() {
  return random_seed();
}

void ThreadRunner::begin(Engine& engine) {
  engine_ = &engine;
  const Undisturbed inherited;
  thread_ = std::thread([this] { run(); });
}

void ThreadRunner::end() {
  wake();
  thread_.join();
}

// ---- any thread

void ThreadRunner::wake() noexcept {
  {
    const std::lock_guard guard(mutex_);
    if (driver_ == Driver::kNobody) {
      needed_ = true;
      return stands_by_.notify_one();
    }
  }
  const uint64_t one = 1;
  if (::write(wake_fd_.get(), &one, sizeof one) < 0) return;  // its counter is full: it is awake already
}

bool ThreadRunner::take_over(bool to_wait) {
  const std::lock_guard guard(mutex_);
  if (driver_ != Driver::kNobody || needed_) return false;
  driver_ = Driver::kCaller;
  if (to_wait) ++waits_;
  return true;
}

void ThreadRunner::hand_back() {
  const bool quiet = engine_->quiet();
  const std::lock_guard guard(mutex_);
  driver_ = Driver::kNobody;
  needed_ = needed_ || !quiet || engine_->has_jobs();
  if (needed_) stands_by_.notify_one();
}

void ThreadRunner::send() noexcept {
  const Undisturbed here;
  if (!take_over(false)) return wake();
  engine_->send_releases();
  hand_back();
}

bool ThreadRunner::drive_until(const std::atomic<int>& done) {
  const Undisturbed here;
  if (!take_over(true)) return false;
  const TimePoint until = clock_->now() + kMoment;
  engine_->receive();
  for (turn(); done.load(std::memory_order_acquire) == 0 && clock_->now() < until; turn()) wait(kMoment);
  hand_back();
  return true;
}

void ThreadRunner::await(const Attempt& attempt, bool must_wake) {
  const bool drove = drive_until(attempt.done);
  if (attempt.done.load(std::memory_order_acquire) != 0) return;
  awaited_ = true;
  if (!drove && must_wake) wake();
  attempt.done.wait(0, std::memory_order_acquire);
}

bool ThreadRunner::in_turn() const noexcept {
  return std::this_thread::get_id() == turning_.load(std::memory_order_relaxed);
}

// ---- whoever drives

void ThreadRunner::turn() noexcept {
  turning_.store(std::this_thread::get_id(), std::memory_order_relaxed);
  engine_->turn();
  turning_.store({}, std::memory_order_relaxed);
}

void ThreadRunner::wait(milliseconds limit) {
  alarm_.set(engine_->next_wake(), clock_->now());
  pollfd fds[] = {
      {wake_fd_.get(), POLLIN, 0}, {alarm_.fd(), POLLIN, 0}, {socket_.fd(), socket_.wanted(engine_->has_output()), 0}};
  ::poll(fds, 3, static_cast<int>(limit.count()));
  if (fds[0].revents != 0) {
    uint64_t count;
    CLEAT_CHECK(::read(wake_fd_.get(), &count, sizeof count) == sizeof count, "poll said that it can be read");
  }
  if (fds[1].revents != 0) alarm_.drain();
  if (fds[2].revents != 0) engine_->ready(fds[2].revents);
}

// ---- the thread

void ThreadRunner::run() {
  for (turn(); !engine_->over(); turn()) {
    // There was one who waited, and there is none now: perhaps it is about to come again.
    if (awaited_ && engine_->quiet()) {
      stand_by();
      engine_->receive();
    } else {
      wait(milliseconds(-1));
    }
  }
}

void ThreadRunner::stand_by() {
  std::unique_lock lock(mutex_);
  if (engine_->has_jobs()) return;
  awaited_ = false;
  driver_ = Driver::kNobody;
  for (bool called = true; called && !needed_;) {
    std::chrono::nanoseconds moment = kMoment;
    if (driver_ == Driver::kNobody) {
      const TimePoint wake_at = engine_->next_wake().value_or(TimePoint::max());
      moment = std::clamp<std::chrono::nanoseconds>(wake_at - clock_->now(), std::chrono::nanoseconds(0), moment);
    }
    const uint64_t seen = waits_;
    stands_by_.wait_for(lock, moment, [this] { return needed_; });
    called = waits_ != seen;
  }
  needed_ = true;
  stands_by_.wait(lock, [this] { return driver_ == Driver::kNobody; });
  needed_ = false;
  driver_ = Driver::kThread;
}

}  // namespace cleat::client
