// For tests: a replica on a virtual disk with a clock that is set by hand, and a listener that remembers.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "raft/testing.hpp"
#include "replica/replica.hpp"
#include "storage/fake_file_system.hpp"

namespace cleat::replica::testing {

struct ManualClock : Clock {
  int64_t now_us = 1'000'000;
  int64_t mono_us() override { return now_us; }
  int64_t wall_ms() override { return 1'700'000'000'000; }
};

struct Heard {
  uint64_t connection, seq;
  lock::Result result;
  uint64_t fence, session;
  uint32_t epoch;
};

struct Recorder : Listener {
  std::vector<Heard> outcomes;
  std::vector<uint64_t> ended;
  std::map<uint64_t, Trouble> reads;
  std::map<uint64_t, std::pair<KeepAliveAnswer, Trouble>> keep_alives;
  std::vector<std::string> entries, lines;
  bool leads = false;

  void on_outcome(const lock::Outcome& o) override {
    outcomes.push_back({o.to.connection, o.seq, o.result, o.fence.value, o.session.value, o.session_epoch});
  }
  void on_event(const lock::Event&) override {}
  void on_session_opened(base::SessionId, int64_t, lock::By, int64_t) override {}
  void on_session_ended(base::SessionId id, lock::Why) override { ended.push_back(id.value); }
  void on_read(uint64_t cookie, Trouble t) override { reads[cookie] = t; }
  void on_keep_alive(uint64_t cookie, const KeepAliveAnswer& a, Trouble t) override { keep_alives[cookie] = {a, t}; }
  void on_leadership(bool l, uint64_t) override { leads = l; }
  void on_log(int, std::string_view line) override { lines.emplace_back(line); }
  void on_entry(uint64_t, uint64_t, std::string_view e, bool) override { entries.emplace_back(e); }

  size_t count(lock::Verb verb) const {
    size_t n = 0;
    for (const std::string& e : entries) {
      lock::EntryReader reader(e);
      base::ConnectionRef from;
      lock::Command c;
      while (reader.next_run(from))
        while (reader.next_command(c)) n += c.verb == verb;
    }
    return n;
  }
};

// A node that can be crashed and started again.
struct Node {
  raft::testing::TempDir dir{"/dev/shm"};
  raft::VirtualDisk disk;
  storage::FakeFileSystem files;
  ManualClock clock;
  Recorder heard;
  Options options;
  std::unique_ptr<Replica> replica;
  uint64_t seq = 0;

  Node() {
    options.dir = dir.path();
    options.disk = &disk;
    options.files = &files;
    options.snapshot_turn_us = 0;
    options.min_free_bytes = 1000;
  }

  base::Status open() {
    auto opened = Replica::open(options, clock, heard);
    if (!opened.ok()) return opened.status();
    replica = *std::move(opened);
    return {};
  }
  void start() {
    const base::Status s = open();
    ASSERT_TRUE(s.ok()) << s.message();
    pass_ms(1);
    pass_ms(1);
    ASSERT_TRUE(heard.leads);
  }
  void crash(uint64_t seed = 1) {
    disk.crash(seed);
    files.crash(seed);
    disk.fail_syncs(false);
    replica.reset();
    heard = {};
  }
  void pass_ms(int64_t ms) {
    clock.now_us += ms * 1000;
    replica->step();
  }
  void run_ms(int64_t ms, int64_t turn_ms = 20) {
    for (; ms > 0; ms -= turn_ms) pass_ms(std::min(ms, turn_ms));
  }
  Trouble ask(uint64_t connection, lock::Command c) {
    c.seq = ++seq;
    if (const Trouble t = replica->begin_run({1, replica->boot(), connection}); t != Trouble::kNone) return t;
    return replica->add(c);
  }
  const Heard* answer() const { return heard.outcomes.empty() ? nullptr : &heard.outcomes.back(); }

  base::SessionId open_session(int64_t ttl_ms, std::string_view key = "0123456789abcdef") {
    lock::Command c;
    c.verb = lock::Verb::kOpenSession;
    c.ttl_ms = ttl_ms;
    c.key = key;
    EXPECT_EQ(ask(1, c), Trouble::kNone);
    pass_ms(1);
    EXPECT_TRUE(answer() && answer()->result == lock::Result::kOpened);
    return {answer() ? answer()->session : 0};
  }
  // A command of that session that changes nothing.
  void say_something(base::SessionId session) {
    lock::Command c;
    c.verb = lock::Verb::kCancel;
    c.by = lock::By::kExplicit;
    c.session = session;
    c.session_epoch = replica->machine().session_state(session)->epoch;
    c.req = "nothing";
    EXPECT_EQ(ask(1, c), Trouble::kNone);
  }
  void keep_alive(uint64_t cookie, base::SessionId id, std::string_view key = "0123456789abcdef") {
    replica->keep_alive({cookie, id, key, kAnyEpoch});
  }
  bool alive(uint64_t cookie) {
    const auto k = heard.keep_alives.find(cookie);
    return k != heard.keep_alives.end() && k->second.second == Trouble::kNone && k->second.first.alive;
  }
  static lock::Command lock_token(std::string_view name, std::string_view token, int64_t ttl_ms, int64_t wait_ms = 0) {
    lock::Command c;
    c.verb = lock::Verb::kLock;
    c.name = name;
    c.token = token;
    c.ttl_ms = ttl_ms;
    c.wait_ms = wait_ms;
    return c;
  }
};

}  // namespace cleat::replica::testing
