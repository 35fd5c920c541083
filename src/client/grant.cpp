#include "cleat/grant.hpp"

#include <atomic>

#include "client/engine.hpp"
#include "client/lock_handle.hpp"

namespace cleat {
namespace {

// A task, as OWNER tells it to the service: one for each call, so that no two tasks share one.
std::string next_task() {
  static std::atomic<uint64_t> next{1};
  return "c" + std::to_string(next.fetch_add(1, std::memory_order_relaxed));
}

}  // namespace

Grant& Grant::operator=(Grant&& other) noexcept {
  if (this == &other) return *this;
  unlock();
  engine_ = std::move(other.engine_);
  state_ = std::move(other.state_);
  return *this;
}

Hold Grant::hold() const {
  if (state_ == nullptr)
    throw Error(errc::not_held, "this cleat::Grant is empty: nothing was granted, or it was unlocked");
  return Hold(state_);
}

bool Grant::held() const noexcept {
  return state_ != nullptr && state_->held();
}

void Grant::unlock(std::function<void(std::error_code)> confirmed) noexcept {
  const auto engine = std::move(engine_);
  auto state = std::move(state_);
  if (state == nullptr) {
    if (confirmed) confirmed({});
    return;
  }
  if (engine->forked()) return;  // it is the parent's
  state->release();
  engine->release(std::move(state), std::move(confirmed));
}

LockCall::LockCall(const Mutex& mutex, Wait wait) : LockCall(mutex, wait, false) {}
LockCall::LockCall(const SharedMutex& mutex, Wait wait, bool shared)
    : LockCall(static_cast<const Handle&>(mutex), wait, shared) {}
LockCall::LockCall(const Handle& handle, Wait wait, bool shared)
    : engine_(handle.handle_->engine()), attempt_(handle.handle_->attempt(next_task(), shared, wait)) {}

void LockCall::start(std::function<void(std::error_code, Grant)> done) {
  attempt_->on_done = [engine = engine_, done = std::move(done)](client::Attempt& a) {
    done(a.error ? make_error_code(*a.error) : std::error_code(), Grant(engine, std::move(a.hold)));
  };
  engine_->start(attempt_);
}

void LockCall::cancel() const noexcept {
  engine_->cancel(attempt_);
}

}  // namespace cleat
