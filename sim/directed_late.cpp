// A client gave a connection up while what it had sent lay unread in the socket of a paused member, and went on through
// another one. What the member does when it wakes must not be done behind the client's back.
#include "directed_case.hpp"

namespace cleat::sim {
namespace {

constexpr int64_t kPauseUs = 3'000'000;

// `asker` has a session, and says "LOCK x REQ r1" to a member that is paused from now on: the leader or another.
Server* leave_a_lock_behind(Case& c, Asker& asker, uint64_t seed) {
  if (!c.running()) return nullptr;
  Server& paused = seed % 2 == 0 ? *c.leader() : c.other_than(*c.leader());
  asker.connect(paused);
  const uint64_t opened = asker.open(30'000);
  c.require([&] { return asker.answered(opened); }, 1'000'000, "OPEN is not answered");
  c.spin(100'000);
  paused.stall(kPauseUs);
  asker.lock("x", "r1");
  c.spin(300'000 + static_cast<int64_t>(seed * 7919 % 200'000));
  return &paused;
}

// It goes to another member, and attaches its session there.
void move_from(Case& c, Asker& asker, Server& paused) {
  c.require([&] { return c.leader_but(paused) != nullptr; }, kPauseUs - 600'000,
            "nobody leads while a member is paused");
  if (!c.running()) return;
  asker.connect(c.other_than(paused));
  const uint64_t attached = asker.attach(true);
  c.require([&] { return asker.answered(attached); }, 2'000'000, "ATTACH is not answered");
}

}  // namespace

RunResult late_lock_of_a_waiter(uint64_t seed, bool tell) {
  Case c(seed, tell);
  Asker asker(c), holder(c);
  if (!c.running()) return c.result();
  holder.connect(*c.leader());
  const uint64_t opened = holder.open(60'000);
  c.require([&] { return holder.answered(opened); }, 1'000'000, "OPEN is not answered");
  const uint64_t held = holder.lock("x");
  c.require([&] { return holder.granted(held); }, 1'000'000, "LOCK is not granted");
  Server* paused = leave_a_lock_behind(c, asker, seed);
  if (paused != nullptr) move_from(c, asker, *paused);
  const uint64_t again = asker.lock("x", "r1");
  c.spin(kPauseUs + 1'000'000);
  c.expect(c.world.coverage[kLate] > 0, "coverage", "coverage: nothing came late");
  c.expect(!asker.answered(again), "exactly once", "exactly once: a LOCK that waits was answered");
  if (c.running()) holder.unlock("x", holder.reply(held)->fence);
  c.require([&] { return asker.granted(again); }, 2'000'000, "the LOCK is granted, and its client is not told");
  c.expect_one_holder("x");
  c.settle();
  return c.result();
}

RunResult late_lock_forgotten(uint64_t seed, bool tell) {
  Case c(seed, tell, 3, [](Plan& p) {
    calm(p);
    p.req_results = 4;
  });
  Asker asker(c);
  Server* paused = leave_a_lock_behind(c, asker, seed);
  if (paused != nullptr) move_from(c, asker, *paused);
  for (int i = 1; i <= 10 && c.running(); ++i) {
    const uint64_t locked = asker.lock("x", fmt::format("r{}", i));
    c.require([&] { return asker.granted(locked); }, 1'000'000, "LOCK is not granted");
    if (!c.running()) break;
    const uint64_t let_go = asker.unlock("x", asker.reply(locked)->fence, fmt::format("u{}", i));
    c.require([&] { return asker.answered(let_go); }, 1'000'000, "UNLOCK is not answered");
    if (c.running()) c.expect(asker.reply(let_go)->depth == 0, "exactly once", "exactly once: a LOCK was done twice");
  }
  c.spin(kPauseUs + 1'000'000);
  c.expect(c.world.coverage[kLate] > 0, "coverage", "coverage: nothing came late");
  c.expect(c.leader() != nullptr && c.leader()->replica().machine().totals().holds == 0, "exactly once",
           "exactly once: a LOCK was done when its client had long gone on");
  c.settle();
  return c.result();
}

}  // namespace cleat::sim
