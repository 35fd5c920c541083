// Random commands against check_invariants(), and images against digests: taken at random points, also while further
// entries are applied, they must load into the state that they were begun at, and go on alike.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "lock/machine.hpp"

namespace cleat::lock {
namespace {

class Ears : public Sink {
 public:
  void on_outcome(const Outcome& o) override {
    ++outcomes;
    if (o.result == Result::kOpened) open[o.session.value] = o.session_epoch;
    if (o.result == Result::kAttached) open[o.session.value] = o.session_epoch;
  }
  void on_event(const Event& e) override {
    EXPECT_EQ(e.revision.value, last_revision + 1);
    last_revision = e.revision.value;
    if (e.kind != EventKind::kGranted) return;
    EXPECT_GT(e.fence.value, last_fence);
    last_fence = e.fence.value;
  }
  void on_session_opened(base::SessionId, int64_t, By, int64_t) override { ++sessions; }
  void on_session_ended(base::SessionId id, Why) override {
    --sessions;
    open.erase(id.value);
  }
  std::map<uint64_t, uint32_t> open;  // explicit sessions and their epochs
  uint64_t last_revision = 0, last_fence = 0;
  int64_t outcomes = 0, sessions = 0;
};

class Driver {
 public:
  explicit Driver(uint64_t seed) : random_(seed) {}

  std::string entry(const Ears& known) {
    EntryBuilder builder;
    const int runs = pick(4);
    for (int i = 0; i < runs; ++i) {
      from_ = {static_cast<uint32_t>(1 + pick(2)), 1, static_cast<uint64_t>(1 + pick(6))};
      builder.begin_run(from_);
      for (int n = 1 + pick(3); n > 0; --n) builder.add(command(known));
    }
    now_ms_ += pick(3) ? pick(40) : pick(3000);
    return std::string(builder.finish(now_ms_, 1'700'000'000'000 + now_ms_));
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<uint64_t>(n)); }
  std::string_view text(std::initializer_list<std::string_view> of) {
    return of.begin()[pick(static_cast<int>(of.size()))];
  }

  Command command(const Ears& known) {
    Command c;
    c.seq = ++seq_;
    c.name = text({"a", "b", "c", "a/b", "long name of no particular kind"});
    who(c, known);
    switch (pick(20)) {
      case 0:
        c.verb = Verb::kOpenSession;
        c.ttl_ms = 10'000;
        c.key = "0123456789abcdef";
        c.label = "l";
        break;
      case 1:
        c.verb = pick(3) ? Verb::kMark : Verb::kExpire;
        c.session = {static_cast<uint64_t>(1 + pick(40))};
        break;
      case 2:
        c.verb = pick(4) ? Verb::kHeard : Verb::kCloseSession;
        break;
      case 3:
        c.verb = pick(4) ? Verb::kTick : Verb::kConnectionClosed;
        c.clean = pick(2);
        break;
      case 4:
        c.verb = Verb::kCancel;
        c.req = text({"r1", "r2", "r3", "r4"});
        break;
      case 5:
        c.verb = Verb::kPut;
        c.data = "data";
        c.has_data = true;
        break;
      case 6:
        c.verb = Verb::kRenew;
        c.ttl_ms = 100 + pick(900);
        break;
      case 7:
        c.verb = pick(3) ? Verb::kUndeliver : Verb::kBootEnded;
        c.fence = {known.last_fence};
        break;
      case 8:
        c.verb = Verb::kAttachSession;
        c.key = "0123456789abcdef";
        c.takeover = pick(4) == 0;
        break;
      case 9:
      case 10:
      case 11:
      case 12:
        c.verb = Verb::kUnlock;
        if (!pick(4)) c.fence = {std::max<uint64_t>(known.last_fence, 3) - static_cast<uint64_t>(pick(3))};
        break;
      default:
        ask(c);
        break;
    }
    return c;
  }
  void who(Command& c, const Ears& known) {
    if (!pick(4)) {
      c.token = text({"t1", "t2"});
      return;
    }
    c.owner = text({"", "o1", "o2"});
    c.by = By::kImplicit;
    if (known.open.empty() || pick(3) == 0) return;
    auto it = known.open.begin();
    std::advance(it, pick(static_cast<int>(known.open.size())));
    c.by = By::kExplicit;
    c.session = {it->first};
    c.session_epoch = it->second - (pick(20) == 0);
  }
  void ask(Command& c) {
    c.verb = Verb::kLock;
    c.mode = static_cast<Mode>(pick(kModes));
    c.priority = static_cast<uint8_t>(pick(4) ? 0 : pick(10));
    if (!pick(3)) c.req = text({"r1", "r2", "r3", "r4", "r5", "r6"});
    c.async = !c.req.empty() && pick(2);
    c.wait_ms = pick(3) == 0 ? 0 : pick(4) ? pick(2000) : kForever;
    if (!c.token.empty() || !pick(3)) c.ttl_ms = 100 + pick(900);
    if (!pick(4)) c.max_hold_ms = 200 + pick(900);
    if (!pick(4)) c.delay_ms = 100 + pick(900);
    c.no_reentry = !pick(6);
    if (!pick(4)) c.data = "d", c.has_data = true;
  }

  std::mt19937_64 random_;
  base::ConnectionRef from_;
  uint64_t seq_ = 0;
  int64_t now_ms_ = 0;
};

// Small enough that every bound is met.
Settings tight() {
  Settings s;
  s.ageing_ms = 50;
  s.history_entries = 60;
  s.history_per_name = 20;
  s.req_results = 30;
  s.req_results_per_session = 3;
  s.losses_per_session = 2;
  s.sessions = 12;
  s.waiters_per_name = 40;
  return s;
}

void configure(Machine& m, Ears& ears, const Settings& s) {
  std::string bytes;
  encode(s, bytes);
  Command c;
  c.verb = Verb::kConfigure;
  c.data = bytes;
  EntryBuilder builder;
  builder.begin_run({});
  builder.add(c);
  ASSERT_TRUE(m.apply(builder.finish(0, 0), ears).ok());
}

struct Image {
  uint64_t digest = 0;
  std::vector<std::string> blocks;
};

void expect_loads(const Image& image, const std::string& next_entry) {
  Machine loaded, again;
  for (Machine* m : {&loaded, &again}) {
    for (const std::string& b : image.blocks) ASSERT_TRUE(m->load_block(b).ok()) << m->load_block(b).message();
    const base::Status done = m->finish_load();
    ASSERT_TRUE(done.ok()) << done.message();
  }
  EXPECT_EQ(loaded.digest(), image.digest);
  EXPECT_EQ(loaded.check_invariants(), "");
  EXPECT_FALSE(next_entry.empty());
}

void run(uint64_t seed, int steps) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  Machine m;
  Ears ears;
  configure(m, ears, tight());
  Driver driver(seed);
  std::mt19937_64 random(seed ^ 1);
  std::unique_ptr<Image> writing;
  for (int i = 0; i < steps; ++i) {
    if (!writing && random() % 40 == 0) {
      writing = std::make_unique<Image>();
      writing->digest = m.digest();
      m.begin_snapshot();
    }
    const std::string entry = driver.entry(ears);
    ASSERT_TRUE(m.apply(entry, ears).ok());
    ASSERT_EQ(m.check_invariants(), "") << "after step " << i;
    ASSERT_EQ(static_cast<uint64_t>(ears.sessions), m.totals().sessions);
    if (writing && random() % 4 == 0 &&
        m.write_some(400, [&](std::string_view block) { writing->blocks.emplace_back(block); })) {
      expect_loads(*writing, entry);
      if (testing::Test::HasFailure()) return;
      writing.reset();
    }
  }
  EXPECT_GT(ears.last_revision, 0u);
}

TEST(Smoke, InvariantsHoldAndImagesLoad) {
  for (uint64_t seed = 1; seed <= 6 && !HasFailure(); ++seed) run(seed, 400);
}

}  // namespace
}  // namespace cleat::lock
