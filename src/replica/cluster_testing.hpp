// For tests: several replicas in one process, with message queues that the test may cut, on one clock set by hand.
#pragma once

#include <deque>
#include <functional>
#include <set>

#include "replica/testing.hpp"

namespace cleat::replica::testing {

struct ClusterRecorder : Recorder {
  std::vector<uint64_t> terms;
  int replaced = 0;
  std::vector<size_t> waits;  // outcomes that had been told at each on_wait()
  std::map<uint64_t, base::Status> changes;
  Members members;
  void on_term(uint64_t term) override { terms.push_back(term); }
  void on_state_replaced() override { ++replaced; }
  void on_wait() override { waits.push_back(outcomes.size()); }
  void on_members_changed(uint64_t cookie, const base::Status& s) override { changes[cookie] = s; }
  void on_members(const Members& m) override { members = m; }
  std::string unfit;
  void on_unfit(const std::string& why) override { unfit = why; }
};

inline lock::Command lock_of(std::string_view name, std::string_view token = "t") {
  return Node::lock_token(name, token, 600'000);
}

class Cluster {
 public:
  struct Node : Outbox {
    Cluster* cluster = nullptr;
    uint32_t id = 0;
    raft::testing::TempDir dir{"/dev/shm"};
    raft::VirtualDisk disk;
    storage::FakeFileSystem files;
    ClusterRecorder heard;
    Options options;
    std::unique_ptr<Replica> replica;
    uint64_t seq = 0;
    void send(uint32_t to, std::string_view message) override { cluster->post(id, to, message); }
    void flush() override {}
  };

  explicit Cluster(uint32_t count = 3, uint64_t seed = 1) : seed_(seed) {
    std::vector<Member> founders;
    for (uint32_t id = 1; id <= count; ++id) founders.push_back(member(id));
    for (uint32_t id = 1; id <= count; ++id) make(id, founders);
    for (uint32_t id = 1; id <= count; ++id) open(id);
  }

  static Member member(uint32_t id) {
    return {id, std::string(1, static_cast<char>('a' + id - 1)), "host" + std::to_string(id) + ":1"};
  }
  Node& make(uint32_t id, const std::vector<Member>& founders) {
    Node& n = nodes_[id];
    n.cluster = this;
    n.id = id;
    n.options.dir = n.dir.path();
    n.options.disk = &n.disk;
    n.options.files = &n.files;
    n.options.snapshot_turn_us = 0;
    n.options.min_free_bytes = 1000;
    n.options.member = id;
    n.options.seed = seed_;
    n.options.founders = founders;
    n.options.outbox = &n;
    n.options.client_address = "client" + std::to_string(id);
    return n;
  }
  void open(uint32_t id) {
    Node& n = nodes_[id];
    auto opened = Replica::open(n.options, clock, n.heard);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    n.replica = *std::move(opened);
    for (auto& [other, o] : nodes_) {
      if (other == id || !o.replica) continue;
      connect(id, other);
      if (dialed_late != id) connect(other, id);
    }
  }
  void kill(uint32_t id, uint64_t seed = 1) {
    Node& n = nodes_[id];
    n.disk.crash(seed);
    n.files.crash(seed);
    n.replica.reset();
    n.heard = {};
    std::erase_if(letters_, [&](const Letter& l) { return l.from == id || l.to == id; });
    for (auto& [other, o] : nodes_)
      if (o.replica) o.replica->peer_down(id);
  }
  void connect(uint32_t from, uint32_t to) {
    nodes_[from].replica->peer_up(to, nodes_[to].replica->boot(), nodes_[to].options.level);
  }
  uint32_t dialed_late = 0;  // when it is opened, the others do not know yet: connect() is the test's
  // No message passes from or to it; the connections stand, as they do when packets vanish.
  std::set<uint32_t> cut_off;
  std::function<void(std::string& message)> spoil;  // what becomes of each message on its way

  void pass_ms(int64_t ms, int64_t turn_ms = 5) {
    for (; ms > 0; ms -= turn_ms) {
      clock.now_us += turn_ms * 1000;
      for (int i = 0; i < 4; ++i) turn();
    }
  }
  // Everything that happens while no time passes.
  void turn() {
    for (auto& [id, n] : nodes_)
      if (n.replica) n.replica->step();
    for (auto letters = std::exchange(letters_, {}); const Letter& l : letters) {
      if (cut_off.contains(l.from) || cut_off.contains(l.to)) continue;
      if (auto& to = nodes_[l.to]; to.replica) to.replica->receive(l.from, l.message);
    }
  }
  uint32_t leader() {
    for (int i = 0; i < 1000; ++i) {
      for (auto& [id, n] : nodes_)
        if (n.replica && n.replica->status().leads && !cut_off.contains(id)) return id;
      pass_ms(10);
    }
    ADD_FAILURE() << "nobody leads";
    return 1;
  }
  uint32_t follower() {
    const uint32_t leads = leader();
    for (auto& [id, n] : nodes_)
      if (id != leads && n.replica) return id;
    return 0;
  }
  Node& at(uint32_t id) { return nodes_[id]; }
  Trouble ask(uint32_t id, uint64_t connection, lock::Command c) {
    Node& n = nodes_[id];
    c.seq = ++n.seq;
    if (const Trouble t = n.replica->begin_run({id, n.replica->boot(), connection}); t != Trouble::kNone) return t;
    return n.replica->add(c);
  }
  // What it answered, after waiting for it.
  std::optional<Heard> answer(uint32_t id, lock::Command c, uint64_t connection = 7) {
    Node& n = nodes_[id];
    const size_t before = n.heard.outcomes.size();
    EXPECT_EQ(ask(id, connection, c), Trouble::kNone);
    for (int i = 0; i < 200 && n.heard.outcomes.size() == before; ++i) pass_ms(5);
    if (n.heard.outcomes.size() == before) return {};
    return n.heard.outcomes.back();
  }
  bool same_state_after_ms(int64_t ms) {
    pass_ms(ms);
    return same_state();
  }
  bool same_state() {
    std::set<uint64_t> digests;
    for (auto& [id, n] : nodes_)
      if (n.replica) digests.insert(n.replica->machine().digest());
    return digests.size() == 1;
  }

  ManualClock clock;

 private:
  struct Letter {
    uint32_t from, to;
    std::string message;
  };
  void post(uint32_t from, uint32_t to, std::string_view message) {
    letters_.push_back({from, to, std::string(message)});
    if (spoil) spoil(letters_.back().message);
  }

  uint64_t seed_;
  std::deque<Letter> letters_;
  std::map<uint32_t, Node> nodes_;
};

}  // namespace cleat::replica::testing
