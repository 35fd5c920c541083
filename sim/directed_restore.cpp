// What is left of a group founds the next one (engine.md "Restore and recovery").
#include "changes.hpp"
#include "directed_case.hpp"
#include "heritage.hpp"

namespace cleat::sim {
namespace {

class Next : public Case {
 public:
  Next(const Case& over, const Heritage& heritage, int members, bool tell)
      : Case(over.seed, tell, members, calm, &heritage) {}
};

std::string backup_of(Case& c) {
  std::string out;
  if (!c.running()) return out;
  Server& from = c.seed % 2 == 0 ? *c.leader() : c.other_than(*c.leader());
  const uint64_t index = c.leader()->replica().status().applied;
  c.require([&] { return from.replica().status().applied >= index; }, 2'000'000, "a member does not catch up");
  from.snapshot();
  c.require(
      [&] {
        const auto backup = make_backup(from, index);
        if (backup) out = *backup;
        return backup.has_value();
      },
      5'000'000, "no backup is made");
  return out;
}

// Locks `name` in a session or by a token; 0 if that failed.
uint64_t locked(Case& c, Asker& asker, const std::string& name, const std::string& token = "") {
  Request r;
  r.c.verb = lock::Verb::kLock;
  r.name = name;
  r.token = token;
  r.c.ttl_ms = token.empty() ? 0 : 600'000;
  r.req = token.empty() ? "r-" + name : "";
  const uint64_t asked = asker.ask(r);
  c.require([&] { return asker.granted(asked); }, 3'000'000, "LOCK of " + name + " is not granted");
  return c.running() ? asker.reply(asked)->fence : 0;
}

void open(Case& c, Asker& asker) {
  if (!c.running()) return;
  asker.connect(*c.leader());
  const uint64_t opened = asker.open(60'000);
  c.require([&] { return asker.answered(opened); }, 3'000'000, "OPEN is not answered");
}

// The next group grants above `given`, knows the token's hold and nothing of the session. What it granted last.
uint64_t check_next(Case& c, Asker& asker, uint64_t old_session, uint64_t given) {
  if (!c.running()) return 0;
  asker.connect(*c.leader());
  const uint64_t attached = asker.attach(old_session, "0123456789abcdef");
  c.require([&] { return asker.answered(attached); }, 3'000'000, "ATTACH is not answered");
  if (!c.running()) return 0;
  c.expect(asker.reply(attached)->result == lock::Result::kNoSession, "restore",
           "restore: a session of an earlier incarnation goes on");
  open(c, asker);
  const uint64_t fence = locked(c, asker, "x");
  c.expect(fence > given, "fencing", fmt::format("fencing: fence {} comes after {} of before", fence, given));
  const lock::NameView token =
      c.running() ? c.leader()->replica().machine().show("t", {.count = 10}) : lock::NameView{};
  c.expect(token.holders_total == 1 && token.holders[0].fence.value <= given, "restore",
           "restore: the hold of a token is gone");
  c.expect(c.world.coverage[kExpiries] == 0, "restore", "restore: a session of before expires");
  return fence;
}

}  // namespace

// Twice from one backup: neither gives a number again that anybody had, also not one given after the backup.
RunResult restored_twice(uint64_t seed, bool tell) {
  Case first(seed, tell);
  Asker asker(first), waiter(first);
  open(first, asker);
  locked(first, asker, "x");
  locked(first, asker, "t", "token");
  if (first.running()) waiter.connect(*first.leader());
  const uint64_t waits = first.running() ? waiter.lock("x") : 0;
  first.spin(100'000);
  const std::string backup = backup_of(first);
  const uint64_t given = locked(first, asker, "after the backup");
  first.expect(!waiter.answered(waits), "exclusion", "exclusion: 'x' is held twice");
  first.spin(2'000'000);
  first.end();
  const auto second_heritage = first.running() ? restored_from(first, backup) : std::nullopt;
  if (!second_heritage) return first.result();
  Next second(first, *second_heritage, 3, tell);
  Asker second_asker(second);
  const uint64_t second_given = check_next(second, second_asker, asker.session(), given);
  second.settle();
  second.spin(2'000'000);
  second.end();
  auto third_heritage = second.running() ? restored_from(second, backup) : std::nullopt;
  if (!third_heritage) return second.result();
  Next third(second, *third_heritage, 3, tell);
  Asker third_asker(third);
  check_next(third, third_asker, asker.session(), second_given);
  third.expect(third_heritage->origin.incarnation > second_heritage->origin.incarnation, "restore",
               "restore: two incarnations have one number");
  third.settle();
  return third.result();
}

// Two of three are lost for good: the third goes on alone, and grows again.
RunResult recovered_from_one(uint64_t seed, bool tell) {
  Case first(seed, tell);
  Asker asker(first);
  open(first, asker);
  locked(first, asker, "x");
  locked(first, asker, "t", "token");
  const uint64_t given = locked(first, asker, "last");
  first.spin(500'000);
  if (!first.running()) return first.result();
  Server& survivor = *first.servers()[seed % 3];
  for (Server* s : first.servers()) seed % 2 == 0 ? s->kill() : s->crash(false);
  first.spin(2'000'000);
  first.end();
  const auto heritage = recovered_from(first, survivor);
  if (!heritage) return first.result();
  Next second(first, *heritage, 3, tell);
  Asker second_asker(second);
  check_next(second, second_asker, asker.session(), given);
  Changes changes(second);
  changes.end();
  changes.begin();
  for (int i = 0; i < 2 && second.running(); ++i) {
    changes.join();
    second.require([&] { return changes.settled(); }, 20'000'000, "a member does not join");
  }
  second.settle();
  return second.result();
}

}  // namespace cleat::sim
