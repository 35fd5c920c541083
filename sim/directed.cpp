#include "directed.hpp"

#include "changes.hpp"
#include "directed_case.hpp"

namespace cleat::sim {
namespace {

RunResult leader_dies_with_a_forward(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& old = *c.leader();
  Asker asker(c);
  asker.connect(c.other_than(old));
  c.spin(100'000);
  const uint64_t asked = asker.lock("x");
  c.world.after(200 + static_cast<int64_t>(seed * 61 % 1400), [&] { seed % 2 == 0 ? old.kill() : old.crash(false); });
  c.require([&] { return asker.granted(asked); }, 10'000'000, "a LOCK is lost with the leader it was forwarded to");
  c.settle();
  c.expect_one_holder("x");
  c.expect(asker.answers() == 1, "exactly once", "exactly once: one LOCK got several answers");
  return c.result();
}

RunResult leader_cut_one_way(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& old = *c.leader();
  const bool hears = seed % 2 == 0, quiet = seed / 2 % 2 == 0;
  for (Server* s : c.servers()) {
    if (s == &old) continue;
    hears ? c.network.cut(old.member(), s->member(), quiet) : c.network.cut(s->member(), old.member(), quiet);
  }
  Asker asker(c);
  asker.connect(c.other_than(old));
  c.require([&] { return c.leader_but(old) != nullptr && !old.leads(); }, 10'000'000,
            hears ? "a leader that nobody hears goes on" : "a leader that hears nobody goes on");
  c.works(asker, 5, "while the old leader is cut off");
  c.settle();
  return c.result();
}

// It is paused, another leads meanwhile, and it wakes without knowing: nothing that it says may be old.
RunResult deposed_leader_says_nothing(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& old = *c.leader();
  Asker there(c), elsewhere(c);
  there.connect(old);
  const uint64_t opened = there.open(20'000);
  c.require([&] { return there.answered(opened); }, 1'000'000, "OPEN is not answered");
  c.network.cut_off(old.member(), true, true);
  old.stall(4'000'000);
  c.require([&] { return c.leader_but(old) != nullptr; }, 3'900'000, "nobody leads while the leader is paused");
  elsewhere.connect(c.other_than(old));
  c.works(elsewhere, 1, "while the old leader is paused");
  const uint64_t kept = there.keep_alive();
  c.spin(1'000'000 + static_cast<int64_t>(seed * 7919 % 500'000));
  const uint64_t read = there.check("work", 1);
  c.spin(4'000'000);
  for (const uint64_t n : {kept, read})
    if (const Reply* r = there.reply(n))
      c.expect(r->trouble != replica::Trouble::kNone, "reads", "reads: a deposed leader answers as if it led");
  c.settle();
  return c.result();
}

RunResult follower_with_a_full_disk(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& full = c.other_than(*c.leader());
  Asker asker(c);
  asker.connect(*c.leader());
  full.fill_disk(true);
  c.works(asker, 20, "while one member's disk is full");
  c.settle();
  return c.result();
}

RunResult leader_with_a_slow_disk(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& slow = *c.leader();
  Asker asker(c);
  asker.connect(c.other_than(slow));
  slow.slow_disk(400'000);
  for (int i = 0; i < 40 && c.running() && c.leader() == &slow; ++i) {
    asker.unlock("x", 1);
    c.spin(500'000);
  }
  c.require([&] { return c.leader_but(slow) != nullptr; }, 5'000'000, "a leader with a slow disk does not hand over");
  c.works(asker, 5, "after the hand-over");
  c.settle();
  return c.result();
}

RunResult leader_short_of_room(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& full = *c.leader();
  Asker asker(c);
  asker.connect(c.other_than(full));
  full.fill_disk(false);
  c.require([&] { return c.leader_but(full) != nullptr; }, 10'000'000, "a leader short of room does not hand over");
  c.spin(500'000);
  c.works(asker, 5, "after the hand-over");
  c.settle();
  return c.result();
}

RunResult all_restart_at_once(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Asker asker(c);
  asker.connect(*c.servers()[seed % 3]);
  const uint64_t opened = asker.open(3'000);
  c.require([&] { return asker.answered(opened); }, 2'000'000, "OPEN is not answered");
  const uint64_t asked = asker.lock("x", "r1");
  c.require([&] { return asker.granted(asked); }, 1'000'000, "LOCK is not granted");
  for (Server* s : c.servers()) s->crash(false);
  // Longer than the TTL: nobody could listen, so nobody is ended.
  c.spin(4'000'000);
  for (Server* s : c.servers()) c.restart_later(*s, 1'000 + static_cast<int64_t>(s->member() * seed % 7 * 50'000));
  c.require([&] { return c.leader() != nullptr; }, 10'000'000, "nobody leads after all started again");
  c.expect_one_holder("x");
  asker.connect(*c.servers()[(seed + 1) % 3]);
  asker.attach();
  c.spin(500'000);
  const uint64_t again = asker.lock("x", "r1");
  c.require([&] { return asker.granted(again); }, 5'000'000, "the repeated LOCK is not answered");
  if (c.running())
    c.expect(asker.reply(again)->repeated && asker.reply(again)->fence == asker.reply(asked)->fence, "exactly once",
             "exactly once: the repeated LOCK got another fence");
  c.settle();
  return c.result();
}

bool all_done(Cluster& c) {
  return c.leader() != nullptr &&
         std::all_of(c.clients.begin(), c.clients.end(), [](const auto& client) { return client->done(); });
}

// A timing profile for members 100 ms apart: heartbeats each 200 ms, elections after 2 to 4 s, sessions of 8 s and
// more.
RunResult members_far_apart(uint64_t seed, bool tell) {
  Case c(seed, tell, 3, [](Plan& p) {
    calm(p);
    p.wire_us = 100'000;
    p.tick_us = 200'000;
    p.session_ttl_min_ms = 8'000;
    p.session_ttl_max_ms = 12'000;
  });
  c.add_clients();
  c.spin(8'000'000);
  const uint64_t term = c.leader() != nullptr ? c.leader()->replica().status().term : 0;
  c.expect(term != 0 && term <= 4, "progress", "progress: leaders change without a reason");
  if (c.running()) {
    Server& old = *c.leader();
    old.kill();
    c.restart_later(old, 5'000'000);
    c.require([&] { return c.leader() != nullptr; }, 12'000'000, "nobody leads after the leader died");
  }
  c.spin(8'000'000);
  for (auto& client : c.clients) client->finish();
  c.require([&] { return all_done(c); }, 90'000'000, "not all comes to an end");
  c.settle();
  return c.result();
}

RunResult hand_overs_under_load(uint64_t seed, bool tell) {
  Case c(seed, tell, 3, [](Plan& p) {
    calm(p);
    p.session_ttl_min_ms = 3'000;
    p.session_ttl_max_ms = 5'000;
  });
  c.add_clients();
  for (int i = 0; i < 15 && c.running(); ++i) {
    c.spin(800'000);
    if (c.leader() != nullptr && c.leader()->replica().transfer(0).ok()) c.leader()->wake();
  }
  for (auto& client : c.clients) client->finish();
  c.require([&] { return all_done(c); }, 60'000'000, "not all comes to an end");
  c.expect(c.world.coverage[kUnknown] == 0, "progress", "progress: an outcome was lost in a hand-over");
  c.expect(c.world.coverage[kNoQuorum] == 0, "progress", "progress: a hand-over took 2 s");
  c.expect(c.world.coverage[kNoSession] == 0, "paused server", "a paused server kills no one: but a hand-over did");
  c.settle();
  return c.result();
}

// A session that speaks all the time, through one member, outlives any change of leader: also back to one that heard it
// last long ago.
RunResult session_over_leaders(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& through = c.other_than(*c.leader());
  Asker asker(c);
  asker.connect(through);
  const uint64_t opened = asker.open(2'000);
  c.require([&] { return asker.answered(opened); }, 1'000'000, "OPEN is not answered");
  for (int i = 0; i < 50 && c.running(); ++i) {
    const uint64_t kept = asker.keep_alive();
    c.require([&] { return asker.answered(kept); }, 2'000'000, "a KEEPALIVE is not answered");
    if (!c.running()) break;
    const Reply& r = *asker.reply(kept);
    c.expect(r.alive || r.trouble != replica::Trouble::kNone, "paused server",
             "a paused server kills no one: but a session that speaks all the time has ended");
    c.spin(static_cast<int64_t>(200'000 + seed * 7'777 % 200'000));
    if (i % 10 != 9 || c.leader() == nullptr) continue;
    for (Server* s : c.servers())
      if (s != c.leader() && s != &through && c.leader()->replica().transfer(s->member()).ok()) {
        c.leader()->wake();
        break;
      }
  }
  c.settle();
  return c.result();
}

// The one that is to take over does not answer: the leader takes nothing for a while, then goes on where it was.
RunResult hand_over_that_fails(uint64_t seed, bool tell) {
  Case c(seed, tell);
  for (int i = 0; i < 5 && c.running() && c.leader() != nullptr; ++i) {
    Server& leader = *c.leader();
    Server& paused = c.other_than(leader);
    Server& third =
        **std::find_if(c.servers().begin(), c.servers().end(), [&](Server* s) { return s != &leader && s != &paused; });
    Asker here(c), there(c);
    here.connect(leader);
    there.connect(third);
    paused.stall(2'500'000);  // then it wakes, and takes over after all
    if (leader.replica().transfer(paused.member()).ok()) leader.wake();
    c.spin(1'000);
    const uint64_t a = here.lock("a"), b = there.lock("b");
    c.require([&] { return here.granted(a) && there.granted(b); }, 1'500'000,
              "requests are lost in a hand-over that fails");
    if (!c.running()) break;
    here.unlock("a", here.reply(a)->fence);
    there.unlock("b", there.reply(b)->fence);
    c.spin(4'000'000);
  }
  c.expect(c.world.coverage[kHeldProposals] > 0, "coverage", "coverage: no proposal waited for a hand-over");
  c.settle();
  return c.result();
}

// From one to three, then all who were there first leave: the hold stays.
RunResult every_member_replaced(uint64_t seed, bool tell) {
  Case c(seed, tell, 1);
  if (!c.running()) return c.result();
  Asker asker(c);
  asker.connect(c.member(1));
  const uint64_t opened = asker.open(120'000);
  c.require([&] { return asker.answered(opened); }, 2'000'000, "OPEN is not answered");
  const uint64_t asked = asker.lock("x", "r1");
  c.require([&] { return asker.granted(asked); }, 2'000'000, "LOCK is not granted");
  Changes changes(c);
  changes.end();
  changes.begin();
  for (int i = 0; i < 4 && c.running(); ++i) {
    changes.join();
    c.require([&] { return changes.settled(); }, 20'000'000, "a member does not join");
    if (i < 2) continue;
    changes.leave(*c.servers().front());
    c.require([&] { return changes.settled(); }, 20'000'000, "a member does not leave");
  }
  c.require([&] { return c.leader() != nullptr; }, 10'000'000, "nobody leads after the changes");
  c.expect_one_holder("x");
  if (c.running()) asker.connect(*c.servers().back());
  asker.attach();
  c.spin(500'000);
  const uint64_t again = asker.lock("x", "r1");
  c.require([&] { return asker.granted(again); }, 5'000'000, "the hold is not found again");
  c.settle();
  return c.result();
}

// Who waited on a connection of a process that is gone, and cannot ask again, waits no more once it is back.
RunResult waiters_of_an_ended_boot(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& dies = c.other_than(*c.leader());
  Asker holder(c), waiter(c);
  holder.connect(*c.leader());
  const uint64_t held = holder.lock("x");
  c.require([&] { return holder.granted(held); }, 1'000'000, "LOCK is not granted");
  waiter.connect(dies);
  const uint64_t opened = waiter.open(60'000);
  c.require([&] { return waiter.answered(opened); }, 1'000'000, "OPEN is not answered");
  waiter.lock("x");
  const auto waiters = [&] {
    return c.leader() == nullptr ? 99 : c.leader()->replica().machine().show("x", {.count = 10}).waiters_total;
  };
  c.require([&] { return waiters() == 1; }, 1'000'000, "the second LOCK does not wait");
  dies.kill();
  c.restart_later(dies, 300'000);
  c.require([&] { return waiters() == 0; }, 5'000'000, "boots: a waiter outlives the process of its connection");
  c.settle();
  return c.result();
}

// The leader stands still when a session is nearly over, and finds its keep-alive, and maybe does not read all that is
// there at once: it ends nobody before it has.
RunResult last_moment_unread(uint64_t seed, bool tell) {
  Case c(seed, tell, 3, [](Plan& p) {
    calm(p);
    p.rates.assign(3, 1.0);
  });
  if (!c.running()) return c.result();
  Asker asker(c);
  asker.connect(c.other_than(*c.leader()));
  const uint64_t opened = asker.open(1'000);
  c.require([&] { return asker.answered(opened); }, 1'000'000, "OPEN is not answered");
  for (int i = 0; i < 10 && c.running(); ++i) {
    c.spin(940'000);
    if (c.leader() == nullptr) break;
    c.leader()->stall(95'000);
    c.spin(static_cast<int64_t>(seed * 7'919 % 20'000));
    const uint64_t kept = asker.keep_alive();
    c.require([&] { return asker.answered(kept); }, 2'000'000, "a KEEPALIVE is not answered");
    if (c.running())
      c.expect(asker.reply(kept)->alive, "paused server",
               "a paused server kills no one: but a session ended though its keep-alive had come");
  }
  c.settle();
  return c.result();
}

// The wire from a follower breaks again and again while requests are on it: in the same term they come there all the
// same.
RunResult forwards_lost(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& leader = *c.leader();
  Server& follower = c.other_than(leader);
  Asker asker(c);
  asker.connect(follower);
  const uint64_t opened = asker.open(60'000);
  c.require([&] { return asker.answered(opened); }, 2'000'000, "OPEN is not answered");
  for (int i = 0; i < 10 && c.running(); ++i) {
    const uint64_t asked = asker.lock(fmt::format("n{}", i), fmt::format("r{}", i));
    c.spin(static_cast<int64_t>((seed + static_cast<uint64_t>(i)) * 37 % 400));
    c.network.break_wire(follower.member(), leader.member());
    c.require([&] { return asker.granted(asked); }, 3'000'000, "a LOCK on a wire that broke is not granted");
  }
  c.settle();
  return c.result();
}

RunResult long_away(uint64_t seed, bool tell) {
  Case c(seed, tell);
  if (!c.running()) return c.result();
  Server& away = c.other_than(*c.leader());
  Asker asker(c);
  asker.connect(*c.leader());
  away.kill();
  for (int i = 0; i < 4; ++i) {
    c.works(asker, 10, "while one member is away");
    for (Server* s : c.servers()) s->snapshot();
    c.spin(1'500'000);
  }
  c.settle();
  c.expect(c.world.coverage[kStateReplaced] > 0, "progress", "progress: it came back without a snapshot");
  return c.result();
}

}  // namespace

const std::vector<DirectedCase>& directed_cases() {
  static const std::vector<DirectedCase> kCases = {
      {"leader_dies_with_a_forward", "a leader that dies between forward and commit leaves exactly one hold",
       leader_dies_with_a_forward},
      {"leader_cut_one_way", "a leader that hears nobody, or is heard by nobody, gives way", leader_cut_one_way},
      {"deposed_leader_says_nothing", "a leader that was paused and deposed answers nothing",
       deposed_leader_says_nothing},
      {"follower_with_a_full_disk", "a follower whose disk is full holds nobody up", follower_with_a_full_disk},
      {"leader_with_a_slow_disk", "a leader whose disk is slow hands over", leader_with_a_slow_disk},
      {"leader_short_of_room", "a leader whose disk is nearly full hands over", leader_short_of_room},
      {"all_restart_at_once", "all members crash, for longer than the TTL: nothing is lost", all_restart_at_once},
      {"members_far_apart", "members 100 ms apart with the timing profile for it", members_far_apart},
      {"hand_overs_under_load", "leadership is handed over again and again: no request is lost", hand_overs_under_load},
      {"session_over_leaders", "a session that speaks all the time outlives changes of leader", session_over_leaders},
      {"hand_over_that_fails", "who is to take over is paused: the leader goes on, no request is lost",
       hand_over_that_fails},
      {"every_member_replaced", "one member grows to three, and all who were first leave", every_member_replaced},
      {"waiters_of_an_ended_boot", "a member starts again: who waited on its old connections is gone",
       waiters_of_an_ended_boot},
      {"last_moment_unread", "a keep-alive that came in time, but was not read yet, counts", last_moment_unread},
      {"forwards_lost", "what was forwarded on a wire that broke comes there all the same", forwards_lost},
      {"long_away", "a member comes back after the log it needs is gone", long_away},
      {"late_lock_of_a_waiter", "a paused member has a LOCK done again whose client waits elsewhere",
       late_lock_of_a_waiter},
      {"late_lock_forgotten", "a paused member has a LOCK done whose REQ result is long gone", late_lock_forgotten},
      {"restored_twice", "one backup founds two groups after each other: no fence is given again", restored_twice},
      {"recovered_from_one", "two of three are lost for good: the third goes on, and grows again", recovered_from_one},
  };
  return kCases;
}

}  // namespace cleat::sim
