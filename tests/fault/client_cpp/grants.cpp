#include "grants.hpp"

#include <cleat/grant.hpp>
#include <cleat/token_lock.hpp>

#include <future>
#include <optional>
#include <utility>

namespace cleat::campaign {
namespace {

using std::chrono::milliseconds;
using TimePoint = boot_clock::time_point;

Wait wait_of(const Wish& wish) {
  return wish.wait > milliseconds(0) ? Wait::during(wish.wait) : Wait::none();
}

Operation begin(const Wish& wish, History& history) {
  return history.call("lock", wish.name,
                      Fields().set("mode", wish.shared ? "S" : "X").set("wait_ms", wish.wait.count()));
}

// A call that ended without a grant. `unreachable`: perhaps there was one, which the library lets go when it hears of
// it.
void note_failure(Operation& operation, const std::error_code& code) {
  const bool unknown = code == errc::unreachable || code == errc::closed;
  const bool refused = code == errc::limit || code == errc::no_space;
  operation.done(unknown ? "unknown" : refused ? "refused" : "wrong", Fields().set("why", code.message()));
}

std::unique_ptr<Taken> note_grant(Operation& operation, std::unique_ptr<Taken> taken, const Fields& more = {}) {
  operation.done("ok", taken->about().set(more));
  return taken;
}

// ---- a task's

class TakenGrant final : public Taken {
 public:
  TakenGrant(History& history, const Wish& wish, Grant grant)
      : Taken(history, wish.name, wish.shared, grant.fence()), hold_(grant.hold()), grant_(std::move(grant)) {}

 private:
  TimePoint deadline() override { return hold_.deadline(); }
  std::string why_lost() override { return hold_.why_lost(); }
  const char* unlock() override {
    auto told = std::make_shared<std::promise<std::error_code>>();
    auto answer = told->get_future();
    grant_.unlock([told](std::error_code code) { told->set_value(code); });
    // Confirmed: it is free of this hold, by this call; or was lost before, perhaps by our own clock alone.
    return answer.get() ? "unknown" : "gone";
  }

  const Hold hold_;
  Grant grant_;
};

std::unique_ptr<Taken> take_grant(Client& client, const Wish& wish, History& history) {
  Operation operation = begin(wish, history);
  const SharedMutex mutex(client, wish.name, wish.options);
  LockCall call(mutex, wait_of(wish), wish.shared);
  auto told = std::make_shared<std::promise<std::pair<std::error_code, Grant>>>();
  auto answer = told->get_future();
  call.start([told](std::error_code code, Grant grant) { told->set_value({code, std::move(grant)}); });
  auto [code, grant] = answer.get();
  if (code) return note_failure(operation, code), nullptr;
  if (!grant) return operation.done("refused"), nullptr;
  return note_grant(operation, std::make_unique<TakenGrant>(history, wish, std::move(grant)));
}

// ---- a thread's

class TakenMutex final : public Taken {
 public:
  TakenMutex(History& history, const Wish& wish, std::unique_ptr<SharedMutex> mutex)
      : Taken(history, wish.name, wish.shared, mutex->fence()), hold_(mutex->hold()), mutex_(std::move(mutex)) {}

 private:
  TimePoint deadline() override { return hold_.deadline(); }
  std::string why_lost() override { return hold_.why_lost(); }
  const char* unlock() override {
    shared() ? mutex_->unlock_shared() : mutex_->unlock();
    return "unknown";  // the service hears of it in a moment
  }

  const Hold hold_;
  const std::unique_ptr<SharedMutex> mutex_;
};

std::unique_ptr<Taken> take_mutex(Client& client, const Wish& wish, History& history) {
  Operation operation = begin(wish, history);
  auto mutex = std::make_unique<SharedMutex>(client, wish.name, wish.options);
  try {
    const bool try_only = wish.wait == milliseconds(0);
    const bool granted = wish.shared ? (try_only ? mutex->try_lock_shared() : mutex->try_lock_shared_for(wish.wait))
                                     : (try_only ? mutex->try_lock() : mutex->try_lock_for(wish.wait));
    if (!granted) return operation.done("refused"), nullptr;
  } catch (const Error& e) {
    return note_failure(operation, e.code()), nullptr;
  }
  return note_grant(operation, std::make_unique<TakenMutex>(history, wish, std::move(mutex)));
}

// ---- without a session

class TakenToken final : public Taken {
 public:
  TakenToken(History& history, const Wish& wish, TokenLock lock)
      : Taken(history, wish.name, wish.shared, lock.fence()), lock_(std::move(lock)) {}

  bool by_token() const override { return true; }
  void renew() override {
    Operation operation = history_.call("renew", name(), about());
    try {
      const bool renewed = lock_.renew();
      operation.done(renewed ? "ok" : "lost", about());
    } catch (const Error& e) {
      operation.done(e.code() == errc::unreachable ? "unknown" : "wrong", Fields().set("why", e.what()));
    }
  }

 private:
  TimePoint deadline() override { return lock_.deadline(); }
  const char* unlock() override { return lock_.unlock() ? "gone" : "unknown"; }

  TokenLock lock_;
};

std::unique_ptr<Taken> take_token(const Options& options, const Wish& wish, History& history) {
  TokenLock lock(options, wish.name, {.ttl = options.ttl, .shared = wish.shared, .lock = wish.options});
  Operation operation = begin(wish, history);
  try {
    const bool granted = wish.wait == milliseconds(0) ? lock.try_lock() : lock.try_lock_for(wish.wait);
    if (!granted) return operation.done("refused"), nullptr;
  } catch (const Error& e) {
    note_failure(operation, e.code());
    lock.unlock();  // perhaps it was granted in silence; nothing was believed, so nothing is noted
    return nullptr;
  }
  const std::string token = lock.token();
  return note_grant(operation, std::make_unique<TakenToken>(history, wish, std::move(lock)),
                    Fields().set("token", token));
}

}  // namespace

int64_t Taken::deadline_ns() {
  latest_ = std::max(latest_, deadline());
  return latest_ == TimePoint::min() ? 0 : as_monotonic_ns(latest_);
}

void Taken::let_go() {
  const std::string why = why_lost();
  // Behind the deadline it is the holder's own clock that says so, and not the service.
  if (const int64_t at = deadline_ns(); !why.empty() && monotonic_ns() < at) {
    history_.told_lost(name_, fence_, at, why);
  }
  Operation operation = history_.call("unlock", name_, about());
  operation.done(unlock());
}

std::unique_ptr<Taken> take(Client& client, const Options& options, const Wish& wish, History& history,
                            Random& random) {
  const uint64_t way = below(random, 10);
  if (way < 2) return take_token(options, wish, history);
  if (way < 3) return take_mutex(client, wish, history);
  return take_grant(client, wish, history);
}

}  // namespace cleat::campaign
