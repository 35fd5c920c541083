// What members say beside Raft's own messages, and lists of members: decoded or refused, and the same again from their
// own encoding. Then said by a member to the leader or to another follower of a cluster of three that lives on through
// many inputs: whatever it is, they go on and what they hold makes sense. (Raft's own messages: wire_fuzz. A leader
// that puts into the log what is no entry is not survived, on purpose.)
#include <array>
#include <deque>
#include <filesystem>
#include <memory>

#include "fuzzing.hpp"
#include "raft/virtual_disk.hpp"
#include "replica/peer_messages.hpp"
#include "replica/replica.hpp"
#include "storage/fake_file_system.hpp"

namespace {

using namespace cleat;

template <class T>
void round_trip(std::string_view bytes) {
  T first, second;
  if (!replica::decode(bytes, first)) return;
  const std::string encoded = replica::encode(first);
  MUST_HOLD(replica::decode(encoded, second));
  MUST_HOLD(replica::encode(second) == encoded);
}

template <class... T>
void round_trips(std::string_view bytes) {
  (round_trip<T>(bytes), ...);
}

void member_lists(std::string_view bytes) {
  std::string conf_state, again_state;
  if (const auto members = replica::Members::decode(bytes, conf_state); members.ok()) {
    const auto again = replica::Members::decode(members->encode(conf_state), again_state);
    MUST_HOLD(again.ok() && *again == *members && again_state == conf_state);
  }
  if (const auto change = replica::decode_member_change(bytes); change.ok()) {
    const auto again = replica::decode_member_change(replica::encode(*change));
    MUST_HOLD(again.ok() && *again == *change);
  }
}

struct TestClock : replica::Clock {
  int64_t now_us = 1'000'000;
  int64_t mono_us() override { return now_us; }
  int64_t wall_ms() override { return 1'700'000'000'000; }
};

struct Deaf : replica::Listener {
  void on_outcome(const lock::Outcome&) override {}
  void on_event(const lock::Event&) override {}
  void on_session_opened(base::SessionId, int64_t, lock::By, int64_t) override {}
  void on_session_ended(base::SessionId, lock::Why) override {}
  void on_read(uint64_t, replica::Trouble) override {}
  void on_keep_alive(uint64_t, const replica::KeepAliveAnswer&, replica::Trouble) override {}
  void on_leadership(bool, uint64_t) override {}
  void on_log(int, std::string_view) override {}
};

struct Letter {
  uint32_t from, to;
  std::string message;
};

struct Node : replica::Outbox {
  uint32_t id = 0;
  std::deque<Letter>* post = nullptr;
  raft::VirtualDisk disk;
  storage::FakeFileSystem files;
  Deaf listener;
  std::unique_ptr<replica::Replica> replica;
  void send(uint32_t to, std::string_view message) override { post->push_back({id, to, std::string(message)}); }
  void flush() override {}
};

class Cluster {
 public:
  Cluster() {
    std::vector<replica::Member> founders;
    for (uint32_t id = 1; id <= 3; ++id) founders.push_back({id, std::string(1, static_cast<char>('a' + id)), "h:1"});
    for (uint32_t id = 1; id <= 3; ++id) open(id, founders);
    for (Node& a : nodes_)
      for (Node& b : nodes_)
        if (a.id != b.id) a.replica->peer_up(b.id, b.replica->boot(), lock::known_level());
  }
  ~Cluster() {
    for (Node& n : nodes_) n.replica.reset();
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }
  Node* leader() {
    for (int i = 0; i < 1000; ++i) {
      for (Node& n : nodes_)
        if (n.replica->status().leads) return &n;
      pass_ms(20);
    }
    return nullptr;
  }
  Node& other_than(uint32_t a, uint32_t b) {
    for (Node& n : nodes_)
      if (n.id != a && n.id != b) return n;
    return nodes_[0];
  }
  void pass_ms(int64_t ms) {
    clock_.now_us += ms * 1000;
    for (int i = 0; i < 3; ++i) {
      for (Node& n : nodes_) n.replica->step();
      for (const auto letters = std::exchange(letters_, {}); const Letter& l : letters)
        nodes_[l.to - 1].replica->receive(l.from, l.message);
    }
  }
  void check() const {
    for (const Node& n : nodes_) {
      const std::string broken = n.replica->machine().check_invariants();
      if (!broken.empty()) std::fprintf(stderr, "%s\n", broken.c_str());
      MUST_HOLD(broken.empty());
    }
  }

 private:
  void open(uint32_t id, const std::vector<replica::Member>& founders) {
    Node& n = nodes_[id - 1];
    n.id = id;
    n.post = &letters_;
    replica::Options o;
    o.dir = dir_ + "/" + std::to_string(id);
    std::filesystem::create_directories(o.dir);
    o.disk = &n.disk;
    o.files = &n.files;
    o.snapshot_turn_us = 0;
    o.min_free_bytes = 1000;
    o.member = id;
    o.founders = founders;
    o.outbox = &n;
    auto opened = replica::Replica::open(o, clock_, n.listener);
    MUST_HOLD(opened.ok());
    n.replica = *std::move(opened);
  }

  const std::string dir_ = fuzz::scratch_folder();
  TestClock clock_;
  std::deque<Letter> letters_;
  std::array<Node, 3> nodes_;
};

// As a member may say it: without what Raft itself would be given.
std::string without_raft(std::string_view message) {
  if (replica::kind_of(message) == replica::PeerKind::kRaft) return {};
  replica::SnapshotOffer offer;
  if (!replica::decode(message, offer)) return std::string(message);
  offer.wire = {};
  return replica::encode(offer);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace replica;
  if (size < 1) return 0;
  std::string_view bytes = fuzz::text(data + 1, size - 1);
  round_trips<Forward, ForwardSeen, ReadAsk, ReadAnswer, KeepAliveAsk, KeepAliveAnswers, Vouches, PeerState>(bytes);
  round_trips<SnapshotOffer, SnapshotGet, SnapshotPiece, SnapshotDone, Committed>(bytes);
  member_lists(bytes);

  static std::unique_ptr<Cluster> cluster;
  static unsigned inputs = 0;
  if (inputs++ % 1024 == 0) cluster.reset(), cluster = std::make_unique<Cluster>();
  Node* leader = cluster->leader();
  MUST_HOLD(leader != nullptr);
  Node& liar = cluster->other_than(leader->id, leader->id);
  Node& victim = data[0] % 2 == 0 ? *leader : cluster->other_than(leader->id, liar.id);
  while (!bytes.empty()) {  // messages, each behind a byte of length
    const auto length = static_cast<uint8_t>(bytes[0]);
    const std::string message = without_raft(bytes.substr(1, length));
    bytes.remove_prefix(std::min<size_t>(bytes.size(), length + 1u));
    if (!message.empty()) victim.replica->receive(liar.id, message);
  }
  cluster->pass_ms(1 + data[0] / 16);
  if (inputs % 64 == 0) cluster->check();
  return 0;
}
