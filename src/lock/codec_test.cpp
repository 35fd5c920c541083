// Stored bytes: what stands in src/lock/golden/ must be written and read for ever. CLEAT_RECORD=1 writes the files
// anew, which is right only before a format has shipped.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <random>

#include "lock/level.hpp"
#include "lock/machine.hpp"

namespace cleat::lock {
namespace {

std::string hex(std::string_view bytes) {
  std::string out;
  for (size_t i = 0; i < bytes.size(); ++i) {
    constexpr char kDigits[] = "0123456789abcdef";
    const auto b = static_cast<unsigned char>(bytes[i]);
    out += kDigits[b >> 4];
    out += kDigits[b & 15];
    out += i % 32 == 31 ? '\n' : ' ';
  }
  if (!out.empty() && out.back() == ' ') out.back() = '\n';
  return out;
}

void expect_golden(const std::string& name, std::string_view bytes) {
  const std::string path = std::string(CLEAT_SOURCE_DIR "/src/lock/golden/") + name + ".hex";
  if (std::getenv("CLEAT_RECORD")) std::ofstream(path) << hex(bytes);
  std::ifstream in(path);
  const std::string recorded((std::istreambuf_iterator<char>(in)), {});
  EXPECT_FALSE(recorded.empty()) << path;
  EXPECT_EQ(hex(bytes), recorded) << path;
}

Command full_command() {
  Command c;
  c.verb = Verb::kLock;
  c.seq = 300;
  c.by = By::kExplicit;
  c.session = {7};
  c.session_epoch = 2;
  c.name = "db/orders";
  c.owner = "worker-1";
  c.req = "r-1";
  c.data = "10.0.0.1:80";
  c.has_data = true;
  c.mode = Mode::kShared;
  c.priority = 3;
  c.async = true;
  c.no_reentry = true;
  c.wait_ms = 5000;
  c.ttl_ms = 30'000;
  c.max_hold_ms = 60'000;
  c.delay_ms = 1000;
  return c;
}

Command token_command() {
  Command c;
  c.verb = Verb::kLock;
  c.seq = 1;
  c.name = std::string_view("a\0\xff", 3);
  c.token = "t";
  c.wait_ms = 0;
  c.ttl_ms = 500;
  return c;
}

std::string entry_of(std::initializer_list<Command> commands, int64_t log_ms) {
  EntryBuilder b;
  b.begin_run({1, 2, 3});
  for (const Command& c : commands) b.add(c);
  return std::string(b.finish(log_ms, 1'700'000'000'000));
}

Command plain(Verb verb, std::string_view name, std::string_view owner = {}) {
  Command c;
  c.verb = verb;
  c.by = By::kImplicit;
  c.name = name;
  c.owner = owner;
  return c;
}

// A machine with one of everything: hold, ghost, waiter, token, REQ results of all states, loss, history, mark.
void fill(Machine& m) {
  NullSink sink;
  Command open = plain(Verb::kOpenSession, "");
  open.key = "0123456789abcdef";
  open.label = "web-1";
  open.ttl_ms = 10'000;
  Command held = full_command();
  held.session = {1};
  held.session_epoch = 1;
  Command waits = held;
  waits.owner = "other";
  waits.req = "r-2";
  waits.mode = Mode::kExclusive;
  Command lost = held;
  lost.name = "short";
  lost.req = "r-3";
  lost.ttl_ms = 100;
  Command mark = plain(Verb::kMark, "");
  mark.session = {1};
  mark.heard_ms = 990;
  ASSERT_TRUE(m.apply(entry_of({open}, 1000), sink).ok());
  ASSERT_TRUE(
      m.apply(entry_of({held, waits, lost, token_command(), plain(Verb::kLock, "i", "o"), mark}, 1000), sink).ok());
  ASSERT_TRUE(m.apply(entry_of({plain(Verb::kTick, "")}, 1200), sink).ok());
}

std::vector<std::string> image_of(Machine& m) {
  std::vector<std::string> blocks;
  m.begin_snapshot();
  while (!m.write_some(1, [&](std::string_view b) { blocks.emplace_back(b); })) {
  }
  return blocks;
}

base::Status load(Machine& m, const std::vector<std::string>& blocks) {
  for (const std::string& b : blocks)
    if (base::Status s = m.load_block(b); !s.ok()) return s;
  return m.finish_load();
}

TEST(Codec, GoldenEntries) {
  expect_golden("entry_full_lock", entry_of({full_command()}, 1234));
  expect_golden("entry_token_lock_unlock", entry_of({token_command(), plain(Verb::kUnlock, "a", "o")}, 1));
  expect_golden("entry_tick", entry_of({plain(Verb::kTick, "")}, 0));
}

Command raise_to(uint32_t level) {
  Command c = plain(Verb::kRaiseLevel, "");
  c.level = level;
  return c;
}

TEST(Codec, GoldenRaise) {
  expect_golden("entry_raise_level", entry_of({raise_to(2)}, 0));
}

TEST(Level, RisesByAnEntryAndStandsInSnapshots) {
  Machine m;
  NullSink sink;
  EXPECT_EQ(m.level(), kFirstLevel);
  const uint64_t digest = m.digest();
  ASSERT_TRUE(m.apply(entry_of({raise_to(3)}, 0), sink).ok());
  EXPECT_EQ(m.level(), 3u);
  EXPECT_NE(m.digest(), digest);
  ASSERT_TRUE(m.apply(entry_of({raise_to(2)}, 0), sink).ok());
  EXPECT_EQ(m.level(), 3u) << "it never goes back";
  Machine copy;
  ASSERT_TRUE(load(copy, image_of(m)).ok());
  EXPECT_EQ(copy.level(), 3u);
}

TEST(Level, ThisBuildNeedsNoMoreThanTheFirst) {
  EXPECT_EQ(known_level(), kFirstLevel);
  EXPECT_FALSE(renewals_recorded(known_level()));
  EXPECT_EQ(required_level(full_command()), kFirstLevel);
  Command c = plain(Verb::kRenew, "a");
  EXPECT_EQ(required_level(c), kFirstLevel);
  c.has_data = true;
  EXPECT_GT(required_level(c), known_level()) << "what would be applied otherwise than it is meant is not taken";
}

TEST(Codec, GoldenSettings) {
  std::string bytes;
  encode(Settings{}, bytes);
  expect_golden("settings", bytes);
  EXPECT_EQ(*decode_settings(bytes), Settings{});
}

TEST(Codec, GoldenSnapshot) {
  Machine m;
  fill(m);
  ASSERT_EQ(m.totals().ghosts, 1u);
  ASSERT_EQ(m.totals().waiters, 1u);
  std::string all;
  for (const std::string& b : image_of(m)) all += b;
  expect_golden("snapshot", all);
}

TEST(Codec, CommandsComeBack) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto pick = [&](uint64_t n) { return random() % n; };
    Command c = pick(2) ? full_command() : token_command();
    c.verb = static_cast<Verb>(pick(2) ? 1 + pick(10) : 20 + pick(6));
    c.seq = random() >> pick(64);
    c.session = {random() >> pick(64)};
    c.mode = static_cast<Mode>(pick(kModes));
    c.priority = static_cast<uint8_t>(pick(10));
    c.wait_ms = pick(3) ? static_cast<int64_t>(pick(uint64_t{1} << 40)) : kForever;
    c.fence = {random() >> (11 + pick(53))};
    c.heard_ms = static_cast<int64_t>(random() >> (11 + pick(53)));
    c.clean = pick(2);
    c.takeover = pick(2);
    std::string bytes;
    encode(c, bytes);
    std::string_view in = bytes;
    Command back;
    ASSERT_TRUE(decode(in, back));
    EXPECT_TRUE(in.empty());
    ASSERT_EQ(back, c);
  }
}

TEST(Codec, ArgumentHashLeavesOutWhatARepeatMayChange) {
  Command a = full_command(), b = a;
  b.seq = 9;
  b.async = false;
  b.session_epoch = 5;
  EXPECT_EQ(argument_hash(a), argument_hash(b));
  b.ttl_ms += 1;
  EXPECT_NE(argument_hash(a), argument_hash(b));
}

TEST(Codec, UnknownFieldsAreSkippedAndWrongOnesRefused) {
  std::string bytes;
  encode(full_command(), bytes);
  bytes.pop_back();
  std::string newer = bytes + std::string("\x7e\x05\x81\x01\x02xy\0", 8);  // field 63 = 5, field 64 = "xy"
  std::string_view in = newer;
  Command c;
  ASSERT_TRUE(decode(in, c));
  EXPECT_EQ(c, full_command());
  for (const std::string& bad : {bytes, bytes + std::string("\x02\x14\0", 3), std::string("\x02\x63\0", 3),
                                 std::string("\x04\x01\0", 3), std::string("\x02\x14\x1a\x06\0", 5)}) {
    in = bad;
    EXPECT_FALSE(decode(in, c)) << hex(bad);
  }
}

TEST(Codec, HostileEntriesChangeNothing) {
  Machine m;
  fill(m);
  NullSink sink;
  std::mt19937_64 random(2);
  const std::string good = entry_of({full_command(), token_command(), plain(Verb::kUnlock, "a")}, 1200);
  int refused = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bad = good;
    for (uint64_t n = 1 + random() % 3; n > 0; --n) bad[random() % bad.size()] = static_cast<char>(random());
    if (random() % 4 == 0) bad.resize(random() % bad.size());
    const uint64_t before = i % 100 == 0 ? m.digest() : 0;
    if (m.apply(bad, sink).ok()) continue;
    ++refused;
    if (before) {
      EXPECT_EQ(m.digest(), before);
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_EQ(m.check_invariants(), "");
  EXPECT_FALSE(m.apply("", sink).ok());
}

TEST(Codec, DamagedImagesAreRefusedOrSound) {
  Machine m;
  fill(m);
  const std::vector<std::string> good = image_of(m);
  std::mt19937_64 random(3);
  NullSink sink;
  int refused = 0;
  for (int i = 0; i < 3'000; ++i) {
    std::vector<std::string> bad = good;
    std::string& block = bad[random() % bad.size()];
    if (random() % 8 == 0)
      block.resize(random() % block.size());
    else
      block[random() % block.size()] = static_cast<char>(random());
    Machine into;
    const base::Status status = load(into, bad);
    refused += !status.ok();
    if (!status.ok()) {
      EXPECT_FALSE(status.message().empty());
      continue;
    }
    // The storage's checksums stop such images; one that fits together must still be safe to work with.
    ASSERT_TRUE(into.apply(entry_of({plain(Verb::kTick, "")}, kMaxStampMs), sink).ok());
    ASSERT_EQ(into.check_invariants(), "");
  }
  EXPECT_GT(refused, 1000);
  for (size_t missing = 0; missing < good.size(); ++missing) {
    std::vector<std::string> bad = good;
    bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(missing));
    Machine into;
    EXPECT_EQ(load(into, bad).code(), base::Code::kCorrupt) << "without block " << missing;
    bad = good;
    bad.push_back(good[missing]);
    Machine twice;
    EXPECT_EQ(load(twice, bad).code(), base::Code::kCorrupt) << "block " << missing << " twice";
  }
}

TEST(Codec, TimeNeverGoesBack) {
  Machine m;
  NullSink sink;
  ASSERT_TRUE(m.apply(entry_of({plain(Verb::kTick, "")}, 10), sink).ok());
  EXPECT_EQ(m.apply(entry_of({plain(Verb::kTick, "")}, 9), sink).code(), base::Code::kCorrupt);
}

}  // namespace
}  // namespace cleat::lock
