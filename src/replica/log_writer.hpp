// Writes a leader's Readys to its disk beside the pump, in the order in which they were begun: meanwhile its loop reads
// and answers clients and hears the others, whose acknowledgements the entries wait for anyway. A thread of its own,
// or, in the simulator, the turn after the one in which a write was begun.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "raft/group.hpp"
#include "raft/ready.hpp"
#include "replica/replica.hpp"

namespace cleat::replica {

class LogWriter {
 public:
  struct Tried {
    raft::Ready ready;
    raft::Persisted result;
    int64_t took_us;
  };

  // `wake` is called on the thread, after a write whose end somebody waits for.
  LogWriter(Clock& clock, bool own_thread, std::function<void()> wake)
      : clock_(clock), own_thread_(own_thread), wake_(std::move(wake)) {}
  ~LogWriter();  // what was begun and not tried is not written
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // All of these on the pump's thread.
  void begin(raft::Ready ready);
  // Begun, and not yet taken back.
  bool busy() const { return begun_ > 0; }
  // take() has one without waiting.
  bool due() const;
  // The oldest, tried. None: nothing is begun. When its write found no room, those behind it come back as they were
  // begun (kNoSpace, untried): they are to be written after it.
  std::optional<Tried> take();
  // Whether to wake, from now on.
  void wake_when_tried(bool wanted);

 private:
  void run();
  Tried tried(raft::Ready ready) const;

  Clock& clock_;
  const bool own_thread_;
  const std::function<void()> wake_;
  size_t begun_ = 0;

  mutable std::mutex mutex_;  // of these:
  std::condition_variable came_, tried_one_;
  std::deque<raft::Ready> waiting_;
  std::deque<Tried> done_;
  bool stopping_ = false, no_space_ = false, wake_wanted_ = false;

  std::thread thread_;
};

}  // namespace cleat::replica
