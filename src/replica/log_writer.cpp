#include "replica/log_writer.hpp"

#include <signal.h>

namespace cleat::replica {

LogWriter::~LogWriter() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  came_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void LogWriter::begin(raft::Ready ready) {
  ++begun_;
  {
    const std::lock_guard guard(mutex_);
    waiting_.push_back(std::move(ready));
  }
  if (!own_thread_) return;
  if (thread_.joinable()) return came_.notify_one();
  // Signals are for the loop's thread.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

bool LogWriter::due() const {
  if (!own_thread_) return begun_ > 0;
  const std::lock_guard guard(mutex_);
  return !done_.empty() || (no_space_ && !waiting_.empty());
}

std::optional<LogWriter::Tried> LogWriter::take() {
  if (begun_ == 0) return std::nullopt;
  std::unique_lock guard(mutex_);
  if (own_thread_) tried_one_.wait(guard, [&] { return !done_.empty() || no_space_; });
  std::optional<Tried> out;
  if (!done_.empty()) {
    out.emplace(std::move(done_.front()));
    done_.pop_front();
  } else {
    raft::Ready ready = std::move(waiting_.front());
    waiting_.pop_front();
    out.emplace(no_space_ ? Tried{std::move(ready), raft::Persisted::kNoSpace, 0} : tried(std::move(ready)));
    no_space_ = no_space_ || out->result == raft::Persisted::kNoSpace;
  }
  if (--begun_ == 0) no_space_ = false;
  return out;
}

void LogWriter::wake_when_tried(bool wanted) {
  const std::lock_guard guard(mutex_);
  wake_wanted_ = wanted;
}

LogWriter::Tried LogWriter::tried(raft::Ready ready) const {
  const int64_t before_us = clock_.mono_us();
  const raft::Persisted result = ready.write();
  return {std::move(ready), result, clock_.mono_us() - before_us};
}

void LogWriter::run() {
  std::unique_lock guard(mutex_);
  for (;;) {
    came_.wait(guard, [&] { return stopping_ || (!waiting_.empty() && !no_space_); });
    if (stopping_) return;
    raft::Ready ready = std::move(waiting_.front());
    waiting_.pop_front();
    guard.unlock();
    Tried one = tried(std::move(ready));
    guard.lock();
    no_space_ = one.result == raft::Persisted::kNoSpace;
    done_.push_back(std::move(one));
    tried_one_.notify_one();
    if (wake_wanted_) wake_();
  }
}

}  // namespace cleat::replica
