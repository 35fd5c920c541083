#include "client/lock_handle.hpp"

#include <cstdio>
#include <cstdlib>

#include "client/rank_check.hpp"

namespace cleat::client {

const std::string& this_owner() {
  static std::atomic<uint64_t> next{1};
  thread_local const std::string kOwner = "t" + std::to_string(next.fetch_add(1, std::memory_order_relaxed));
  return kOwner;
}

LockHandle::LockHandle(std::shared_ptr<Engine> engine, std::string name, LockOptions options, const char* type,
                       bool recursive)
    : engine_(std::move(engine)), name_(std::move(name)), options_(options), type_(type), recursive_(recursive) {}

LockHandle::~LockHandle() {
  if (engine_->forked()) return;
  for (const auto& [owner, held] : held_) {
    if (held.hold->held()) misused("destroyed while thread " + owner + " holds it: unlock it first");
    engine_->release(held.hold);
  }
}

void LockHandle::misused(const std::string& what) const noexcept {
  std::fprintf(stderr, "%s '%s' %s\n", type_, name_.c_str(), what.c_str());
  std::abort();
}

LockHandle::Own LockHandle::enter_again(bool for_ever) {
  const std::lock_guard guard(mutex_);
  const auto it = held_.find(this_owner());
  if (it == held_.end()) return Own::kNone;
  const bool alive = it->second.hold->held();
  const std::string what = std::string(type_) + " '" + name_ + "': ";
  if (recursive_ && alive) {
    ++it->second.depth;
    return Own::kEntered;
  }
  if (!alive) throw Error(errc::lost, what + "this thread lost it, and must unlock() it before it locks it again");
  if (!for_ever) return Own::kRefused;
  throw Error(errc::deadlock, what + "this thread has locked it already");
}

AttemptPtr LockHandle::attempt(std::string owner, bool shared, Wait wait) const {
  auto attempt = std::make_shared<Attempt>();
  attempt->name = name_;
  attempt->owner = std::move(owner);
  attempt->shared = shared;
  attempt->priority = options_.priority;
  attempt->max_hold = options_.max_hold;
  attempt->delay = options_.delay;
  attempt->only_try = wait.only_try;
  attempt->until = wait.time;
  if (wait.within) attempt->until = engine_->now() + *wait.within;
  return attempt;
}

bool LockHandle::acquire(bool shared, Wait wait) {
  engine_->check_process();
  if (const Own own = enter_again(!wait.only_try && !wait.within && !wait.time); own != Own::kNone)
    return own == Own::kEntered;
  const Rank& rank = options_.rank;
  if (rank.value != 0 && !wait.only_try) check_rank(name_, rank, engine_->options().on_rank_violation);
  const AttemptPtr attempt = this->attempt(this_owner(), shared, wait);
  engine_->acquire(attempt);
  if (attempt->error) throw Error(*attempt->error, attempt->message);
  if (!attempt->hold) return false;
  if (rank.value != 0) note_rank(attempt->hold, rank);
  const std::lock_guard guard(mutex_);
  held_[attempt->owner] = {.hold = attempt->hold, .shared = shared, .depth = 1};
  return true;
}

void LockHandle::release(bool shared) noexcept {
  if (engine_->forked()) return;  // it is the parent's
  std::shared_ptr<HoldState> hold;
  {
    const std::lock_guard guard(mutex_);
    const auto it = held_.find(this_owner());
    if (it == held_.end()) misused("unlocked by a thread that does not hold it");
    if (it->second.shared != shared) misused("unlocked in another mode than it was locked in");
    if (--it->second.depth > 0) return;
    hold = std::move(it->second.hold);
    held_.erase(it);
  }
  if (options_.rank.value != 0) forget_rank(hold);
  hold->release();
  engine_->release(std::move(hold));
}

std::shared_ptr<HoldState> LockHandle::hold() const {
  const std::lock_guard guard(mutex_);
  const auto it = held_.find(this_owner());
  if (it != held_.end()) return it->second.hold;
  throw Error(errc::not_held, std::string(type_) + " '" + name_ + "' is not held by this thread");
}

}  // namespace cleat::client

namespace cleat {

using client::LockHandle;

Handle::Handle(Client& client, std::string name, LockOptions options, const char* type, bool recursive)
    : handle_(std::make_unique<LockHandle>(client.engine_, std::move(name), options, type, recursive)) {}
Handle::~Handle() = default;

const std::string& Handle::name() const noexcept {
  return handle_->name();
}
Hold Handle::hold() const {
  return Hold(handle_->hold());
}
bool Handle::lock(Mode mode, Wait wait) {
  return handle_->acquire(mode == Mode::shared, wait);
}
void Handle::unlock(Mode mode) noexcept {
  handle_->release(mode == Mode::shared);
}

}  // namespace cleat
