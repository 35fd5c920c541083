#include "fault_locks.hpp"

#include <cleat/grant.hpp>
#include <cleat/token_lock.hpp>

#include <future>
#include <stdexcept>
#include <vector>

namespace cleat::tests {
namespace {

using std::chrono::milliseconds;
using TimePoint = boot_clock::time_point;

std::string name_of(size_t name) {
  return "faults/" + std::to_string(name);
}

// Every third name has a MAXHOLD.
LockOptions options_of(size_t name, milliseconds ttl) {
  LockOptions options;
  if (name % 3 == 2) options.max_hold = ttl / 2;
  return options;
}

milliseconds short_wait(Random& random) {
  return milliseconds(1 + below(random, 50));
}

// ---- those of threads

template <class M>
class TakenMutex final : public Taken {
 public:
  TakenMutex(M& mutex, bool shared) : mutex_(mutex), shared_(shared), hold_(mutex.hold()) {}
  uint64_t fence() const override { return hold_.fence(); }
  TimePoint deadline() const override { return hold_.deadline(); }
  std::stop_token stop_token() const override { return hold_.stop_token(); }

  // Its owner enters a recursive one again: the same grant.
  void more(Random& random) override {
    if constexpr (std::is_same_v<M, RecursiveMutex>) {
      try {
        for (size_t wanted = below(random, 3); wanted > 0; --wanted, ++deeper_) {
          mutex_.lock();
          if (mutex_.fence() != fence()) throw std::logic_error("a re-entry has another fence");
        }
      } catch (const Error& e) {
        if (e.code() != errc::lost || hold_.held()) throw;
      }
    }
  }

  void let_go() override {
    for (size_t i = 0; i <= deeper_; ++i) {
      if constexpr (std::is_same_v<M, SharedMutex>) {
        if (shared_) {
          mutex_.unlock_shared();
          continue;
        }
      }
      mutex_.unlock();
    }
  }

 private:
  M& mutex_;
  const bool shared_;
  const Hold hold_;
  size_t deeper_ = 0;
};

template <class M>
class MutexTaker final : public Taker {
 public:
  // Two objects of each name, as two parts of one program would have them.
  MutexTaker(Client& client, milliseconds ttl, size_t names) {
    for (size_t i = 0; i < 2 * names; ++i) {
      mutexes_.push_back(std::make_unique<M>(client, name_of(i % names), options_of(i % names, ttl)));
    }
  }

  std::unique_ptr<Taken> take(size_t name, bool& shared, Random& random) override {
    M& mutex = *mutexes_[name + (below(random, 2) == 0 ? 0 : mutexes_.size() / 2)];
    shared = std::is_same_v<M, SharedMutex> && below(random, 3) > 0;
    if (!enter(mutex, shared, random)) return nullptr;
    return std::make_unique<TakenMutex<M>>(mutex, shared);
  }

 private:
  static bool enter(M& mutex, bool shared, Random& random) {
    const size_t way = below(random, 4);
    try {
      if constexpr (std::is_same_v<M, SharedMutex>) {
        if (shared && way == 0) return mutex.try_lock_shared();
        if (shared && way == 1) return mutex.try_lock_shared_for(short_wait(random));
        if (shared) return mutex.lock_shared(), true;
      }
      if (way == 0) return mutex.try_lock();
      if (way == 1) return mutex.try_lock_for(short_wait(random));
    } catch (const Error& e) {
      if (e.code() == errc::unreachable) return false;
      throw;
    }
    mutex.lock();
    return true;
  }

  std::vector<std::unique_ptr<M>> mutexes_;
};

// ---- those of tasks

class TakenGrant final : public Taken {
 public:
  explicit TakenGrant(Grant grant) : grant_(std::move(grant)) {}
  uint64_t fence() const override { return grant_.fence(); }
  TimePoint deadline() const override { return grant_.deadline(); }
  std::stop_token stop_token() const override { return grant_.stop_token(); }
  void let_go() override { grant_.unlock(); }

 private:
  Grant grant_;
};

class TaskTaker final : public Taker {
 public:
  TaskTaker(Client& client, milliseconds ttl) : client_(client), ttl_(ttl) {}

  std::unique_ptr<Taken> take(size_t name, bool& shared, Random& random) override {
    shared = below(random, 3) == 0;
    const SharedMutex mutex(client_, name_of(name), options_of(name, ttl_));
    const size_t way = below(random, 4);
    LockCall call(mutex,
                  way == 0   ? Wait::none()
                  : way == 1 ? Wait::during(short_wait(random))
                             : Wait::for_ever(),
                  shared);
    auto told = std::make_shared<std::promise<std::pair<std::error_code, Grant>>>();
    auto answer = told->get_future();
    call.start([told](std::error_code code, Grant grant) { told->set_value({code, std::move(grant)}); });
    if (way == 2 && answer.wait_for(short_wait(random)) != std::future_status::ready) call.cancel();
    auto [code, grant] = answer.get();
    if (code && code != errc::unreachable && code != errc::cancelled) throw std::system_error(code);
    if (!grant) return nullptr;
    return std::make_unique<TakenGrant>(std::move(grant));
  }

 private:
  Client& client_;
  const milliseconds ttl_;
};

// ---- those without a session

class TakenToken final : public Taken {
 public:
  explicit TakenToken(TokenLock lock) : lock_(std::move(lock)) {}
  uint64_t fence() const override { return lock_.fence(); }
  TimePoint deadline() const override { return lock_.held() ? lock_.deadline() : TimePoint::min(); }
  void more(Random& random) override {
    if (below(random, 2) == 0) return;
    try {
      (void)lock_.renew();
    } catch (const Error& e) {
      if (e.code() != errc::unreachable) throw;
    }
  }
  void let_go() override { (void)lock_.unlock(); }

 private:
  TokenLock lock_;
};

class TokenTaker final : public Taker {
 public:
  explicit TokenTaker(const Options& options) : options_(options) {}

  // A token for each turn: one that was not known to be let go would join its hold.
  std::unique_ptr<Taken> take(size_t name, bool& shared, Random& random) override {
    shared = below(random, 3) == 0;
    TokenLock lock(options_, name_of(name),
                   {.ttl = options_.ttl, .shared = shared, .lock = options_of(name, options_.ttl)});
    try {
      const size_t way = below(random, 4);
      bool granted = true;
      if (way == 0) granted = lock.try_lock();
      if (way == 1) granted = lock.try_lock_for(short_wait(random));
      if (way > 1) lock.lock();
      if (granted) return std::make_unique<TakenToken>(std::move(lock));
    } catch (const Error& e) {
      if (e.code() != errc::unreachable) throw;
    }
    return nullptr;
  }

 private:
  const Options options_;
};

// ---- all of them

class AnyTaker final : public Taker {
 public:
  AnyTaker(const std::string& primitive, const Options& options, size_t names) : client_(options) {
    const auto add = [&](const char* kind, auto taker) {
      if (primitive == kind || primitive == "mixed") takers_.push_back(std::move(taker));
    };
    add("mutex", std::make_unique<MutexTaker<Mutex>>(client_, options.ttl, names));
    add("recursive", std::make_unique<MutexTaker<RecursiveMutex>>(client_, options.ttl, names));
    add("shared", std::make_unique<MutexTaker<SharedMutex>>(client_, options.ttl, names));
    add("task", std::make_unique<TaskTaker>(client_, options.ttl));
    add("token", std::make_unique<TokenTaker>(options));
    if (takers_.empty()) throw std::invalid_argument("no lock is called " + primitive);
  }

  std::unique_ptr<Taken> take(size_t name, bool& shared, Random& random) override {
    return takers_[below(random, takers_.size())]->take(name, shared, random);
  }

 private:
  Client client_;
  std::vector<std::unique_ptr<Taker>> takers_;
};

}  // namespace

std::unique_ptr<Taker> make_taker(const std::string& primitive, const Options& options, size_t names) {
  return std::make_unique<AnyTaker>(primitive, options, names);
}

}  // namespace cleat::tests
