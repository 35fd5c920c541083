// The calls of the library for Asio's completion tokens: callbacks, asio::use_future, asio::use_awaitable and the like.
// The only header that includes Asio (1.22 or newer, standalone); nothing of it is compiled into the library.
//
//   asio::awaitable<void> save(cleat::Mutex& orders) {
//     cleat::Grant grant = co_await cleat::async_lock(orders, asio::use_awaitable);
//     write(order, grant.fence());
//   }  // unlocks
//
// They complete with (std::error_code, cleat::Grant) on the executor of the completion handler, as asio::post does, and
// count as its outstanding work until then. A handler without one runs on Asio's system_executor: bind yours.
// Cancelling through the handler's cancellation slot, of whatever type, ends the wait with errc::cancelled; a grant
// that is under way in that moment is let go. When the execution context is destroyed before, the wait is cancelled and
// its handler destroyed without being called. Each call is an owner of its own (see cleat::Grant), so any task may make
// it on any thread, and a Grant is no one's but its holder's.
#pragma once

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/execution/context.hpp>
#include <asio/execution_context.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/query.hpp>

#include <chrono>
#include <concepts>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "cleat/grant.hpp"

namespace cleat {

namespace detail {

// The waits whose handlers run in one execution context: they end with it, like those of Asio's own objects.
class PendingWaits {
 public:
  class Wait {
   public:
    virtual ~Wait() = default;
    virtual void abandon() noexcept = 0;  // the context is gone
  };
  using Place = std::list<std::shared_ptr<Wait>>::iterator;

  // False: the context is being destroyed.
  bool add(std::shared_ptr<Wait> wait, Place& place) {
    const std::lock_guard guard(mutex_);
    if (over_) return false;
    place = waits_.insert(waits_.end(), std::move(wait));
    return true;
  }
  // Calls `complete`, which may use the context, unless that is being destroyed.
  template <class Complete>
  void end(Place place, const Complete& complete) {
    const std::lock_guard guard(mutex_);
    if (over_) return;
    complete();
    waits_.erase(place);
  }
  void abandon_all() noexcept {
    std::list<std::shared_ptr<Wait>> all;
    {
      const std::lock_guard guard(mutex_);
      over_ = true;
      all.swap(waits_);
    }
    for (const auto& wait : all) wait->abandon();
  }

 private:
  std::mutex mutex_;
  std::list<std::shared_ptr<Wait>> waits_;
  bool over_ = false;
};

class PendingWaitsService : public asio::execution_context::service {
 public:
  using key_type = PendingWaitsService;
  static inline asio::execution_context::id id;

  explicit PendingWaitsService(asio::execution_context& context) : service(context) {}
  std::shared_ptr<PendingWaits> waits() const { return waits_; }

 private:
  void shutdown() noexcept override { waits_->abandon_all(); }

  const std::shared_ptr<PendingWaits> waits_ = std::make_shared<PendingWaits>();
};

template <class Executor>
std::shared_ptr<PendingWaits> pending_waits(const Executor& executor) {
  if constexpr (asio::can_query<Executor, asio::execution::context_t>::value) {
    return asio::use_service<PendingWaitsService>(asio::query(executor, asio::execution::context)).waits();
  } else {
    return std::make_shared<PendingWaits>();
  }
}

// One call from its start to its completion. What it completes with, besides the error: Result...
template <class Handler, class... Result>
class Operation final : public PendingWaits::Wait, public std::enable_shared_from_this<Operation<Handler, Result...>> {
 public:
  explicit Operation(Handler handler)
      : handler_(std::move(handler)),
        work_(asio::get_associated_executor(handler_)),
        waits_(pending_waits(work_.get_executor())) {}

  // begin(done) starts the call; cancel() ends it early.
  template <class Begin, class Cancel>
  void start(const Begin& begin, const Cancel& cancel) {
    const auto self = this->shared_from_this();
    if (!waits_->add(self, place_)) return;
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) {
      slot.assign([weak = std::weak_ptr(self), cancel](asio::cancellation_type type) {
        if (type != asio::cancellation_type::none && !weak.expired()) cancel();
      });
    }
    cancel_ = cancel;
    begin([self](std::error_code code, Result... result) { self->complete(code, std::move(result)...); });
  }

 private:
  void complete(std::error_code code, Result... result) {
    const auto waits = waits_;
    waits->end(place_, [&] {
      const auto executor = work_.get_executor();
      auto run = [handler = std::move(handler_), code, ... result = std::move(result)]() mutable {
        std::move(handler)(code, std::move(result)...);
      };
      asio::post(executor, std::move(run));
      work_.reset();
    });
  }

  void abandon() noexcept override {
    cancel_();
    const Handler gone = std::move(handler_);
    work_.reset();
  }

  Handler handler_;
  asio::executor_work_guard<asio::associated_executor_t<Handler>> work_;
  const std::shared_ptr<PendingWaits> waits_;
  PendingWaits::Place place_;
  std::function<void()> cancel_;
};

struct StartLock {
  template <class Handler>
  void operator()(Handler handler, LockCall call) const {
    const auto operation = std::make_shared<Operation<Handler, Grant>>(std::move(handler));
    operation->start([&call](auto done) { call.start(std::move(done)); }, [call] { call.cancel(); });
  }
};

struct StartUnlock {
  template <class Handler>
  void operator()(Handler handler, Grant grant) const {
    const auto operation = std::make_shared<Operation<Handler>>(std::move(handler));
    operation->start([&grant](auto done) { grant.unlock(std::move(done)); }, [] {});
  }
};

template <class Token>
auto async_lock(LockCall call, Token&& token) {
  return asio::async_initiate<Token, void(std::error_code, Grant)>(StartLock{}, token, std::move(call));
}

}  // namespace detail

// What can be locked so: Mutex and SharedMutex. It is not needed any more once the call has returned.
template <class M>
concept AsyncLockable = std::constructible_from<LockCall, const M&, Wait>;

// Waits for as long as it takes.
template <AsyncLockable M, class Token>
auto async_lock(const M& mutex, Token&& token) {
  return detail::async_lock(LockCall(mutex), std::forward<Token>(token));
}
// These three complete without error and with an empty Grant when it was not granted in time.
template <AsyncLockable M, class Token>
auto async_try_lock(const M& mutex, Token&& token) {
  return detail::async_lock(LockCall(mutex, Wait::none()), std::forward<Token>(token));
}
template <AsyncLockable M, class Rep, class Period, class Token>
auto async_try_lock_for(const M& mutex, const std::chrono::duration<Rep, Period>& wait, Token&& token) {
  return detail::async_lock(LockCall(mutex, Wait::during(wait)), std::forward<Token>(token));
}
template <AsyncLockable M, class Clock, class Duration, class Token>
auto async_try_lock_until(const M& mutex, const std::chrono::time_point<Clock, Duration>& until, Token&& token) {
  return detail::async_lock(LockCall(mutex, Wait::until(until)), std::forward<Token>(token));
}

template <class Token>
auto async_lock_shared(const SharedMutex& mutex, Token&& token) {
  return detail::async_lock(LockCall(mutex, Wait::for_ever(), true), std::forward<Token>(token));
}
template <class Token>
auto async_try_lock_shared(const SharedMutex& mutex, Token&& token) {
  return detail::async_lock(LockCall(mutex, Wait::none(), true), std::forward<Token>(token));
}
template <class Rep, class Period, class Token>
auto async_try_lock_shared_for(const SharedMutex& mutex, const std::chrono::duration<Rep, Period>& wait,
                               Token&& token) {
  return detail::async_lock(LockCall(mutex, Wait::during(wait), true), std::forward<Token>(token));
}
template <class Clock, class Duration, class Token>
auto async_try_lock_shared_until(const SharedMutex& mutex, const std::chrono::time_point<Clock, Duration>& until,
                                 Token&& token) {
  return detail::async_lock(LockCall(mutex, Wait::until(until), true), std::forward<Token>(token));
}

// Only for those who must know when other programs find the lock free: it completes, with (std::error_code), when the
// service has answered. The belief to hold it ends at the call; cancelling changes nothing.
template <class Token>
auto async_unlock(Grant grant, Token&& token) {
  return asio::async_initiate<Token, void(std::error_code)>(detail::StartUnlock{}, token, std::move(grant));
}

}  // namespace cleat
