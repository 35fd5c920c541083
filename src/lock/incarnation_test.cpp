// A new incarnation: sessions, queues and REQ results are gone, holds by tokens stay, no number comes twice.
#include <gtest/gtest.h>

#include "lock/machine.hpp"

namespace cleat::lock {
namespace {

constexpr uint64_t kAbove = uint64_t{1'800'000'000} << 20;

class Ears final : public Sink {
 public:
  void on_outcome(const Outcome& o) override {
    last = o.result;
    fence = o.fence;
    if (o.result == Result::kOpened) session = o.session;
  }
  void on_event(const Event&) override {}
  void on_session_opened(base::SessionId, int64_t, By, int64_t) override {}
  void on_session_ended(base::SessionId, Why) override {}
  Result last = Result::kDone;
  base::Fence fence;
  base::SessionId session;
};

struct World {
  Machine machine;
  Ears ears;
  int64_t log_ms = 1000;

  Result say(Command c, uint64_t connection = 1) {
    EntryBuilder b;
    b.begin_run({1, 1, connection});
    c.seq = 1;
    b.add(c);
    ++log_ms;
    EXPECT_TRUE(machine.apply(b.finish(log_ms, 1'700'000'000'000 + log_ms), ears).ok());
    return ears.last;
  }
  Result lock(std::string_view name, std::string_view token, int64_t wait_ms = 0, int64_t delay_ms = 0) {
    Command c;
    c.verb = Verb::kLock;
    c.name = name;
    c.token = token;
    c.by = token.empty() ? By::kImplicit : By::kNone;
    c.ttl_ms = token.empty() ? 0 : 10'000;
    c.wait_ms = wait_ms;
    c.delay_ms = delay_ms;
    const std::string req = token.empty() ? "r-" + std::string(name) : "";
    c.req = req;
    return say(c, token.empty() ? 2 : 3);
  }
};

// Both holds of a session, one with a delay, somebody who waits for one of them, and a token's hold.
void fill(World& w) {
  Command open;
  open.verb = Verb::kOpenSession;
  open.ttl_ms = 10'000;
  open.key = "0123456789abcdef";
  EXPECT_EQ(w.say(open), Result::kOpened);
  EXPECT_EQ(w.lock("plain", ""), Result::kGranted);
  EXPECT_EQ(w.lock("delayed", "", 0, 5000), Result::kGranted);
  EXPECT_EQ(w.lock("by token", "t"), Result::kGranted);
  EXPECT_EQ(w.lock("plain", "waits", 60'000), Result::kQueued);
}

TEST(Incarnation, OnlyTokensKeepTheirHolds) {
  World w;
  fill(w);
  w.machine.begin_incarnation({{kAbove}, kAbove, 1'800'000'000'000});
  EXPECT_EQ(w.machine.check_invariants(), "");
  const Totals t = w.machine.totals();
  EXPECT_EQ(t.sessions, 0u);
  EXPECT_EQ(t.waiters, 0u);
  EXPECT_EQ(t.req_results, 0u);
  EXPECT_EQ(t.holds, 1u);
  EXPECT_EQ(t.ghosts, 1u);  // lost uncleanly: its DELAY applies
  EXPECT_TRUE(w.machine.show("plain", {}).holders.empty());
  EXPECT_EQ(w.machine.show("by token", {}).holders.size(), 1u);
  EXPECT_EQ(w.lock("by token", "another"), Result::kNotGranted);
  EXPECT_EQ(w.lock("delayed", "another"), Result::kNotGranted);
  const auto history = w.machine.history("plain", 10);
  ASSERT_GE(history.size(), 2u);
  EXPECT_EQ(why_text(history.back().why), "restored");
}

TEST(Incarnation, ATokensTimeGoesOnFromWhereItStood) {
  World w;
  fill(w);
  w.machine.begin_incarnation({{kAbove}, kAbove, 1'800'000'000'000});
  w.log_ms += 9'000;
  EXPECT_EQ(w.lock("by token", "another"), Result::kNotGranted);
  w.log_ms += 2'000;
  EXPECT_EQ(w.lock("by token", "another"), Result::kGranted);
}

TEST(Incarnation, NoNumberIsGivenAgain) {
  World w;
  fill(w);
  const uint64_t fence = w.machine.last_fence().value;
  w.machine.begin_incarnation({{kAbove}, kAbove, 1});
  EXPECT_GT(w.machine.revision().value, kAbove);
  EXPECT_EQ(w.lock("plain", "t"), Result::kGranted);
  EXPECT_EQ(w.ears.fence.value, kAbove + 1);
  EXPECT_GT(w.ears.fence.value, fence);
  Command open;
  open.verb = Verb::kOpenSession;
  open.ttl_ms = 10'000;
  open.key = "0123456789abcdef";
  EXPECT_EQ(w.say(open), Result::kOpened);
  EXPECT_GT(w.ears.session.value, kAbove);
  w.machine.begin_incarnation({{7}, 7, 1});  // never lowered
  EXPECT_EQ(w.machine.last_fence().value, kAbove + 1);
}

// What members restore from one file must be one state, and be read back as it was written.
TEST(Incarnation, EqualStatesBecomeEqualStates) {
  World a, b;
  fill(a);
  a.machine.begin_snapshot();
  std::vector<std::string> blocks;
  while (!a.machine.write_some(100, [&](std::string_view block) { blocks.emplace_back(block); })) {
  }
  for (const std::string& block : blocks) ASSERT_TRUE(b.machine.load_block(block).ok());
  ASSERT_TRUE(b.machine.finish_load().ok());
  for (World* w : {&a, &b}) w->machine.begin_incarnation({{kAbove}, kAbove, 1'800'000'000'000});
  EXPECT_EQ(a.machine.digest(), b.machine.digest());
  Machine again;
  b.machine.begin_snapshot();
  while (!b.machine.write_some(1 << 20, [&](std::string_view block) { ASSERT_TRUE(again.load_block(block).ok()); })) {
  }
  ASSERT_TRUE(again.finish_load().ok());
  EXPECT_EQ(again.digest(), b.machine.digest());
}

}  // namespace
}  // namespace cleat::lock
