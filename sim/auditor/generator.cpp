// Small worlds, so that every rule meets every other all the time: few names, owners and tokens, limits of 2 or 3, and
// times whose D() and deadlines fall on the same millisecond (D(500) = 506, so waits and delays of 506 are among them).
#include <array>
#include <cstdlib>

#include "plan.hpp"

namespace cleat::auditor {

using lock::Mode;
using lock::Verb;

namespace {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t next() {  // splitmix64, Steele, Lea and Flood 2014
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  uint64_t below(uint64_t n) { return next() % n; }
  bool one_in(uint64_t n) { return below(n) == 0; }
  template <class T, size_t N>
  T pick(const T (&of)[N]) {
    return of[below(N)];
  }

 private:
  uint64_t state_;
};

// What differs from world to world: each seed leans another way, so that rare meetings become common somewhere.
struct Leaning {
  uint8_t names, owners, tokens, reqs;
  uint32_t token_weight, req_weight, intent_weight, priority_weight, delay_weight, session_churn;
};

// In one of so many worlds all crowd at one name: from 16 holders and waiters on the machine keeps indexes of a name.
constexpr uint64_t kCrowdedEvery = 5;

lock::Settings tiny_settings(Random& r) {
  lock::Settings s;
  s.margin_ppm = r.pick<uint32_t>({10'000, 10'000, 10'000, 0, 50'000});
  s.ageing_ms = r.pick<uint32_t>({10'000, 100, 10, 0});
  s.implicit_ttl_ms = r.pick<uint32_t>({10'000, 2'000});
  s.waiters_per_name = r.pick<uint64_t>({2, 3, 5, 100});
  s.holds_per_session = r.pick<uint64_t>({2, 3, 4, 100});
  s.sessions = r.pick<uint64_t>({8, 12, 100, 100});
  s.holds = r.pick<uint64_t>({4, 6, 100});
  s.waiters = r.pick<uint64_t>({4, 8, 100});
  s.req_results = r.pick<uint64_t>({3, 8, 100});
  s.req_results_per_session = r.pick<uint64_t>({1, 2, 4, 100});
  s.losses_per_session = r.pick<uint64_t>({1, 2, 64});
  s.history_entries = r.pick<uint64_t>({10, 30, 60});
  s.history_per_name = r.pick<uint64_t>({3, 8, 16});
  return s;
}

class Generator {
 public:
  explicit Generator(uint64_t seed) : r_(seed), crowded_(seed % kCrowdedEvery == 0) {
    lean_ = {static_cast<uint8_t>(1 + r_.below(4)),         static_cast<uint8_t>(1 + r_.below(3)),
             static_cast<uint8_t>(1 + r_.below(3)),         static_cast<uint8_t>(1 + r_.below(5)),
             static_cast<uint32_t>(r_.pick({2, 4, 8, 30})), static_cast<uint32_t>(r_.pick({1, 2, 4})),
             static_cast<uint32_t>(r_.pick({2, 3, 6})),     static_cast<uint32_t>(r_.pick({2, 4, 10})),
             static_cast<uint32_t>(r_.pick({2, 4, 10})),    static_cast<uint32_t>(r_.pick({4, 10, 30}))};
    if (crowded_) lean_.names = 1;
  }

  Plan make(size_t steps) {
    Plan plan;
    plan.settings = settings();
    for (int i = 0; i < 3; ++i) {
      plan.later.push_back(settings());
    }
    for (size_t i = 0; i < steps; ++i) plan.steps.push_back(step());
    return plan;
  }

 private:
  lock::Settings settings() {
    lock::Settings s = tiny_settings(r_);
    if (crowded_) s.waiters_per_name = s.holds_per_session = s.holds = s.waiters = 100;
    return s;
  }

  Step step() {
    Step s;
    if (crowded_ && !r_.one_in(20)) {
      s.ms = r_.pick({0, 0, 0, 1, 6});
    } else if (r_.one_in(4)) {
      s.jump = Jump::kToNextDue;
      s.ms = r_.pick({0, 0, 0, -1, 1, 50});
    } else {
      s.ms = r_.pick({0, 0, 0, 1, 1, 6, 50, 100, 100, 250, 500, 506, 1000, 3000});
    }
    s.restore = r_.one_in(200);
    if (r_.one_in(12)) return s.runs.push_back(of_server()), s;
    const uint64_t runs = 1 + r_.below(3);
    uint8_t used = 0;
    for (uint64_t i = 0; i < runs; ++i) {
      const auto slot = static_cast<uint8_t>(r_.below(kSlots));
      if (used >> slot & 1) continue;  // one run of a connection in flight
      used |= static_cast<uint8_t>(1 << slot);
      s.runs.push_back(of_client(slot));
    }
    return s;
  }

  Run of_server() {
    Run run;
    run.slot = static_cast<uint8_t>(r_.below(kSlots));
    Op op;
    op.verb = r_.pick({Verb::kTick, Verb::kTick, Verb::kMark, Verb::kMark, Verb::kHeard, Verb::kExpire, Verb::kExpire,
                       Verb::kExpire, Verb::kExpire, Verb::kUndeliver, Verb::kUndeliver, Verb::kConnectionClosed,
                       Verb::kConnectionClosed, Verb::kConnectionClosed, Verb::kBootEnded, Verb::kConfigure});
    if (op.verb == Verb::kConfigure && !r_.one_in(4)) op.verb = Verb::kTick;
    op.name = name();
    op.target = static_cast<uint8_t>(r_.below(8));
    op.clean = r_.one_in(2);
    op.back_ms = static_cast<int64_t>(r_.below(300));
    op.fence = r_.one_in(8) ? FencePick::kBogus : FencePick::kNewest;
    run.ops.push_back(op);
    return run;
  }

  Run of_client(uint8_t slot) {
    Run run;
    run.slot = slot;
    run.revive = !r_.one_in(4);
    if (r_.one_in(lean_.session_churn)) {
      run.ops.push_back(of_session());
      return run;
    }
    const uint64_t ops = r_.pick({1, 1, 1, 2, 3, 4});
    for (uint64_t i = 0; i < ops; ++i) run.ops.push_back(of_lock());
    return run;
  }

  Op of_session() {
    Op op;
    op.verb = r_.pick({Verb::kOpenSession, Verb::kOpenSession, Verb::kAttachSession, Verb::kAttachSession,
                       Verb::kAttachSession, Verb::kCloseSession});
    op.ttl_ms = r_.pick({500, 1000, 10'000});
    op.target = static_cast<uint8_t>(r_.below(8));
    op.takeover = r_.one_in(3);
    op.wrong_key = r_.one_in(10);
    return op;
  }

  Op of_lock() {
    Op op;
    op.verb = r_.pick({Verb::kLock, Verb::kLock, Verb::kLock, Verb::kLock, Verb::kLock, Verb::kUnlock, Verb::kUnlock,
                       Verb::kUnlock, Verb::kRenew, Verb::kPut, Verb::kCancel});
    op.name = name();
    if (r_.one_in(lean_.token_weight)) {
      op.token = static_cast<uint8_t>(1 + r_.below(lean_.tokens));
    } else {
      op.owner = static_cast<uint8_t>(r_.below(lean_.owners));
    }
    if (op.verb == Verb::kCancel || !r_.one_in(1 + lean_.req_weight)) {
      op.req = static_cast<uint8_t>(1 + r_.below(lean_.reqs));
    }
    if (op.req != 0 && op.verb != Verb::kCancel && r_.one_in(2)) op.req = kFreshReq;
    op.aim = op.verb == Verb::kLock ? r_.one_in(8) : !r_.one_in(3);
    op.target = static_cast<uint8_t>(r_.below(7));
    op.again = op.token == 0 && r_.one_in(8);
    if (op.verb == Verb::kLock) return of_lock_options(op);
    if (op.verb == Verb::kCancel) return op;
    if (op.verb == Verb::kRenew) op.ttl_ms = ttl();
    if (op.verb == Verb::kPut) op.data = static_cast<uint8_t>(1 + r_.below(3));
    if (r_.one_in(3)) {
      op.fence =
          r_.pick({FencePick::kMine, FencePick::kNewest, FencePick::kOlder, FencePick::kLost, FencePick::kBogus});
    }
    return op;
  }

  Op of_lock_options(Op op) {
    op.mode = r_.one_in(lean_.intent_weight)
                  ? r_.pick({Mode::kIntentShared, Mode::kIntentExclusive, Mode::kSharedIntentExclusive, Mode::kUpdate})
                  : r_.pick({Mode::kExclusive, Mode::kExclusive, Mode::kShared});
    op.wait_ms = r_.pick<int64_t>({0, lock::kForever, lock::kForever, 100, 250, 500, 506, 1000});
    if (op.token != 0) {
      op.wait_ms = r_.pick<int64_t>({0, 0, 100, 250, 506, 1000});
      op.ttl_ms = ttl();
    } else if (r_.one_in(2)) {
      op.ttl_ms = ttl();
    }
    if (r_.one_in(lean_.priority_weight)) op.priority = static_cast<uint8_t>(r_.below(10));
    if (r_.one_in(lean_.delay_weight)) op.delay_ms = r_.pick({100, 250, 506});
    if (r_.one_in(5)) op.max_hold_ms = r_.pick({100, 500, 990, 2000});
    if (r_.one_in(6)) op.data = static_cast<uint8_t>(1 + r_.below(3));
    op.no_reentry = r_.one_in(6);
    op.async = op.req != 0 && r_.one_in(2);
    if (crowded_ && op.token == 0) join_crowd(op);
    return op;
  }

  // Many that share, and many that wait without holding up their connection.
  void join_crowd(Op& op) {
    if (!r_.one_in(4)) op.mode = r_.pick({Mode::kIntentShared, Mode::kIntentShared, Mode::kShared});
    if (!r_.one_in(4)) op.wait_ms = lock::kForever;
    if (!r_.one_in(4)) op.ttl_ms = op.max_hold_ms = 0;
    if (r_.one_in(4)) return;
    op.req = kFreshReq;
    op.async = true;
    op.again = op.aim = false;
  }

  uint8_t name() { return static_cast<uint8_t>(r_.below(lean_.names)); }
  int64_t ttl() { return r_.pick({500, 500, 600, 750, 1000, 1500}); }

  Random r_;
  Leaning lean_{};
  bool crowded_;
};

}  // namespace

Plan make_plan(uint64_t seed, size_t steps) {
  return Generator(seed).make(steps);
}

}  // namespace cleat::auditor
