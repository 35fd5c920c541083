#include "client/thread_runner.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.hpp"
#include "client/engine.hpp"
#include "client/request.hpp"

namespace cleat::client {

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
  // Signals are for the threads of the program.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this, &engine] { run(engine); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ThreadRunner::end() {
  wake();
  thread_.join();
}

void ThreadRunner::wake() noexcept {
  const uint64_t one = 1;
  if (::write(wake_fd_.get(), &one, sizeof one) < 0) return;  // its counter is full: it is awake already
}

void ThreadRunner::await(const Attempt& attempt) {
  attempt.done.wait(0, std::memory_order_acquire);
}

bool ThreadRunner::in_turn() const noexcept {
  return std::this_thread::get_id() == id_.load(std::memory_order_relaxed);
}

void ThreadRunner::run(Engine& engine) {
  id_ = std::this_thread::get_id();
  for (;;) {
    engine.turn();
    if (engine.over()) return;
    wait(engine);
  }
}

void ThreadRunner::wait(Engine& engine) {
  alarm_.set(engine.next_wake(), clock_->now());
  pollfd fds[] = {
      {wake_fd_.get(), POLLIN, 0}, {alarm_.fd(), POLLIN, 0}, {socket_.fd(), socket_.wanted(engine.has_output()), 0}};
  ::poll(fds, 3, -1);
  if (fds[0].revents != 0) {
    uint64_t count;
    CLEAT_CHECK(::read(wake_fd_.get(), &count, sizeof count) == sizeof count, "poll said that it can be read");
  }
  alarm_.drain();
  if (fds[2].revents != 0) engine.ready(fds[2].revents);
}

}  // namespace cleat::client
