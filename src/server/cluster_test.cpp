// Whole nodes without sockets: who founds, who joins, who is sent away, over restarts and emptied directories.
#include "server/cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lock/machine.hpp"
#include "replica/level_watch.hpp"
#include "storage/fake_file_system.hpp"

namespace cleat::server {
namespace {

using Phase = Cluster::Phase;
using ::testing::HasSubstr;

// Says what a test wants of it.
class StatusReplica final : public replica::Replica {
 public:
  explicit StatusReplica(std::vector<uint64_t> starts) : starts_(std::move(starts)) {}
  uint32_t boot() const override { return static_cast<uint32_t>(starts_.size()); }
  std::vector<uint64_t> starts() const override { return {starts_.rbegin(), starts_.rend()}; }
  replica::Trouble begin_run(const base::ConnectionRef&) override { return replica::Trouble::kNone; }
  replica::Trouble add(const lock::Command&) override { return replica::Trouble::kNone; }
  void read(uint64_t) override {}
  void keep_alive(const replica::KeepAlive&) override {}
  void vouch(base::SessionId, int64_t) override {}
  void input_left() override {}
  bool step() override { return false; }
  std::optional<int64_t> next_wake_us() const override { return std::nullopt; }
  const lock::Machine& machine() const override { return machine_; }
  replica::Status status() const override { return told; }
  std::vector<replica::PeerStatus> peers() const override { return met; }
  void change_members(uint64_t, const replica::MemberChange& change) override { asked.push_back(change); }
  void begin_snapshot() override {}
  base::Status close() override { return {}; }
  replica::Status told;
  std::vector<replica::PeerStatus> met;
  std::vector<replica::MemberChange> asked;

 private:
  std::vector<uint64_t> starts_;  // the latest is the last
  lock::Machine machine_;
};

class Net;

struct Node final : PeerPort {
  Node(Net& net_, std::string address_) : net(net_), address(std::move(address_)) {}
  void set_hello(const net::PeerHello& h) override;
  void dial(uint64_t key, const net::Address& to) override { dials[key] = to.text(); }
  void drop(uint64_t key) override;
  void send(uint64_t key, std::string_view message) override;
  void admit_again() override { ++admitted_again; }
  std::string trouble(uint64_t key) const override {
    const auto it = troubles.find(key);
    return it == troubles.end() ? "" : it->second;
  }

  Net& net;
  std::string address;
  storage::FakeFileSystem files;
  std::unique_ptr<Cluster> cluster;
  std::unique_ptr<StatusReplica> replica;
  net::PeerHello hello;
  std::map<uint64_t, std::string> dials, troubles;
  std::map<uint64_t, Node*> up;
  std::vector<uint64_t> starts;  // ids, the latest is the last
  int admitted_again = 0;
};

class Net {
 public:
  Node& node(const std::string& address) {
    auto& n = nodes_[address];
    if (!n) n = std::make_unique<Node>(*this, address);
    return *n;
  }
  // From the disk as it is.
  base::Status start(Node& n, const std::string& name, const std::string& list, const std::string& join = "") {
    stop(n);
    Config config;
    config.name = name;
    config.cluster = list;
    config.join = join;
    config.peer_listen = n.address;
    auto settings = cluster_settings(config);
    EXPECT_TRUE(settings.ok()) << settings.status().message();
    Cluster::Options options{*settings, "d", n.address, &n.files};
    options.fresh.fill(static_cast<uint8_t>(++nonces_));
    n.cluster = std::make_unique<Cluster>();
    if (base::Status s = n.cluster->start(std::move(options)); !s.ok()) return s;
    n.cluster->attach(n);
    return {};
  }
  void stop(Node& n) {
    for (auto& [address, other] : nodes_) {
      for (auto it = other->up.begin(); it != other->up.end();) {
        const bool ends = it->second == &n || other.get() == &n;
        const uint64_t key = it->first;
        it = ends ? other->up.erase(it) : std::next(it);
        if (ends && other.get() != &n && other->cluster) other->cluster->on_outsider_down(key);
      }
    }
    n.cluster.reset();
    n.replica.reset();
    n.dials.clear(), n.troubles.clear();
  }
  void empty(Node& n) {
    stop(n);
    n.files = storage::FakeFileSystem();
    n.starts.clear();
  }
  // Until nothing happens any more.
  void run() {
    for (int i = 0; i < 50; ++i) {
      for (auto& [address, n] : nodes_) {
        if (!n->cluster) continue;
        serve(*n);
        connect(*n);
        n->cluster->turn(now_us_ += 1'000'000);
      }
    }
  }
  void serve(Node& n) {
    if (n.cluster->phase() != Phase::kMember || n.replica) return;
    n.starts.push_back(++start_id_);
    n.replica = std::make_unique<StatusReplica>(n.starts);
    n.cluster->serve(n.replica.get(), n.cluster->identity().founder() ? n.cluster->members() : replica::Members());
    redial(n);
  }
  void redial(Node& n) {
    for (const replica::Member& m : n.cluster->members().all()) {
      if (m.id != n.cluster->identity().member) n.dials[m.id] = m.address;
    }
  }

 private:
  void connect(Node& n) {
    for (const auto& [key, address] : std::map(n.dials)) {
      const auto it = nodes_.find(address);
      if (n.up.contains(key)) continue;
      if (it == nodes_.end() || !it->second->cluster) {
        n.troubles[key] = "connection refused";
        continue;
      }
      Node& other = *it->second;
      net::PeerHello mine = n.hello;
      mine.to_member = key < kOutsider ? static_cast<uint32_t>(key) : 0;
      base::Status in = other.cluster->admit(net::PeerEnd::kAccepted, 0, mine);
      n.troubles[key] = in.ok() ? "" : std::string(net::kRefusedByThem) + in.message();
      if (in.ok()) n.troubles[key] = (in = n.cluster->admit(net::PeerEnd::kDialed, key, other.hello)).message();
      if (!in.ok()) continue;
      n.up[key] = &other;
      const bool of_group = n.hello.member != 0 && other.hello.member != 0;
      if (!of_group || key >= kOutsider) n.cluster->on_outsider_up(key, other.hello);
    }
  }
  std::map<std::string, std::unique_ptr<Node>> nodes_;
  int nonces_ = 0;
  int64_t now_us_ = 0;
  uint64_t start_id_ = 0;
};

void Node::set_hello(const net::PeerHello& h) {
  hello = h;
  Cluster* const kept = cluster.get();
  for (const auto& [key, other] : std::exchange(up, {})) kept->on_outsider_down(key);
}
void Node::drop(uint64_t key) {
  dials.erase(key);
  up.erase(key);
}
void Node::send(uint64_t key, std::string_view message) {
  const auto it = up.find(key);
  if (it != up.end() && it->second->cluster) it->second->cluster->on_outsider_message(hello, std::string(message));
}

const char* const kList = "a=127.0.0.1:1,b=127.0.0.1:2,c=127.0.0.1:3";

class ClusterTest : public ::testing::Test {
 protected:
  void start_all() {
    ASSERT_TRUE(net_.start(a_, "a", kList).ok());
    ASSERT_TRUE(net_.start(b_, "b", kList).ok());
    ASSERT_TRUE(net_.start(c_, "c", kList).ok());
  }
  void found() {
    start_all();
    net_.run();
    for (Node* n : {&a_, &b_, &c_}) ASSERT_EQ(n->cluster->phase(), Phase::kMember) << n->cluster->waiting();
  }
  // As the pump of `n` tells it to all.
  void table(const replica::Members& members, std::initializer_list<Node*> all) {
    for (Node* n : all) {
      n->cluster->set_members(members);
      if (n->cluster->phase() == Phase::kMember) net_.redial(*n);
    }
  }
  void lead(Node& n, std::initializer_list<std::pair<uint32_t, bool>> voters) {
    n.replica->told.leads = true;
    n.replica->met.clear();
    for (const auto& [id, voter] : voters) {
      replica::PeerStatus p;
      p.id = id;
      p.voter = voter;
      n.replica->met.push_back(p);
    }
  }
  Net net_;
  Node &a_ = net_.node("127.0.0.1:1"), &b_ = net_.node("127.0.0.1:2"), &c_ = net_.node("127.0.0.1:3"),
       &d_ = net_.node("127.0.0.1:4");
};

TEST_F(ClusterTest, ThreeFoundAndComeBack) {
  ASSERT_TRUE(net_.start(a_, "a", kList).ok());
  net_.run();
  EXPECT_EQ(a_.cluster->phase(), Phase::kFounding);
  EXPECT_EQ(a_.cluster->waiting(),
            "this node is waiting for b (127.0.0.1:2: connection refused), c (127.0.0.1:3: connection refused)");
  ASSERT_TRUE(net_.start(b_, "b", kList).ok());
  net_.run();
  EXPECT_EQ(a_.cluster->waiting(), "this node is waiting for c (127.0.0.1:3: connection refused)");
  found();
  const auto id = a_.cluster->identity().cluster;
  EXPECT_EQ(b_.cluster->identity().cluster, id);
  EXPECT_EQ(c_.cluster->identity().member, 3u);
  for (Node* n : {&a_, &b_, &c_}) EXPECT_EQ(n->up.size(), 2u);
  start_all();  // again, from their disks
  EXPECT_EQ(a_.cluster->phase(), Phase::kMember);
  EXPECT_EQ(a_.cluster->identity().cluster, id);
  EXPECT_THAT(net_.start(a_, "b", kList).message(), HasSubstr("is the directory of member a and not of b"));
  EXPECT_TRUE(net_.start(a_, "", "").ok());
}

TEST_F(ClusterTest, OneThatWasKilledWhileFoundingComesIntoTheSameGroup) {
  start_all();
  const std::string nonce = c_.files.content("d/nonce");
  // c is gone in the moment when the others have heard it and it has not heard them.
  net_.stop(c_);
  net_.run();
  found();
  EXPECT_EQ(c_.files.content("d/nonce"), nonce);
  EXPECT_EQ(c_.cluster->identity().cluster, a_.cluster->identity().cluster);
}

TEST_F(ClusterTest, AnEmptiedFounderIsSentAway) {
  found();
  net_.empty(c_);
  ASSERT_TRUE(net_.start(c_, "c", kList).ok());
  net_.run();
  ASSERT_EQ(c_.cluster->phase(), Phase::kStopped);
  EXPECT_THAT(c_.cluster->stop_reason(), HasSubstr("cleat cluster remove c\n  cleat cluster add c=127.0.0.1:3"));
  EXPECT_EQ(c_.files.content("d/cluster"), "");
}

// It listens on every address, say, and knows none by which others reach it.
TEST_F(ClusterTest, OneThatJoinsWithoutAnAddressOfItsOwnAsksForOne) {
  Config config;
  config.name = "d";
  config.join = "127.0.0.1:1";
  config.peer_listen = "127.0.0.1:0";
  d_.cluster = std::make_unique<Cluster>();
  ASSERT_TRUE(d_.cluster->start({*cluster_settings(config), "d", "", &d_.files}).ok());
  d_.cluster->attach(d_);
  EXPECT_THAT(d_.cluster->waiting(), HasSubstr("run `cleat cluster add d=HOST:PORT` against"));
}

TEST_F(ClusterTest, JoinsWhenItIsAdded) {
  found();
  ASSERT_TRUE(net_.start(d_, "d", "", "127.0.0.1:1").ok());
  net_.run();
  EXPECT_EQ(d_.cluster->phase(), Phase::kJoining);
  EXPECT_EQ(d_.cluster->waiting(),
            "this node waits to be added: run `cleat cluster add d=127.0.0.1:4` against a member of the cluster");
  EXPECT_THAT(d_.trouble(kOutsider), HasSubstr("has no member d"));
  replica::Members members = a_.cluster->members();
  members.apply({replica::MemberChange::Kind::kAddLearner, {4, "d", "127.0.0.1:4"}});
  lead(a_, {{2, true}, {3, true}, {4, false}});
  table(members, {&a_, &b_, &c_});
  net_.run();
  ASSERT_EQ(d_.cluster->phase(), Phase::kMember);
  EXPECT_EQ(d_.cluster->identity().member, 4u);
  EXPECT_EQ(d_.cluster->identity().members, members.all());
  EXPECT_FALSE(d_.cluster->identity().founder());
  EXPECT_EQ(d_.up.size(), 3u);
  // Stopped and started it is the same member, whatever it was started with.
  ASSERT_TRUE(net_.start(d_, "d", "", "127.0.0.1:1").ok());
  EXPECT_EQ(d_.cluster->identity().member, 4u);
  net_.run();
  EXPECT_EQ(d_.up.size(), 3u);

  // Emptied it is not taken in again, neither as a learner nor as a voter.
  for (const bool voter : {false, true}) {
    lead(a_, {{2, true}, {3, true}, {4, voter}});
    net_.empty(d_);
    ASSERT_TRUE(net_.start(d_, "d", "", "127.0.0.1:1").ok());
    net_.run();
    EXPECT_EQ(d_.cluster->phase(), Phase::kJoining);
    EXPECT_THAT(d_.cluster->waiting(), HasSubstr("a says: member d (id 4) was another directory"));
  }
}

TEST_F(ClusterTest, OnlyTheLeaderTakesIn) {
  found();
  ASSERT_TRUE(net_.start(d_, "d", "", "127.0.0.1:2").ok());
  replica::Members members = a_.cluster->members();
  members.apply({replica::MemberChange::Kind::kAddLearner, {4, "d", "127.0.0.1:4"}});
  table(members, {&a_, &b_, &c_});
  net_.run();
  EXPECT_EQ(d_.cluster->phase(), Phase::kJoining);
  lead(b_, {{1, true}, {3, true}, {4, false}});
  net_.run();
  EXPECT_EQ(d_.cluster->phase(), Phase::kMember);
}

TEST_F(ClusterTest, ARemovedMemberStops) {
  found();
  replica::Members members = a_.cluster->members();
  members.apply({replica::MemberChange::Kind::kRemove, {3, "c", ""}});
  net_.stop(c_);
  table(members, {&a_, &b_});
  ASSERT_TRUE(net_.start(c_, "c", kList).ok());  // it was down meanwhile
  net_.run();
  EXPECT_EQ(a_.admitted_again, 1);  // it could stay for as long as its old connection stands
  ASSERT_EQ(c_.cluster->phase(), Phase::kStopped);
  EXPECT_THAT(c_.cluster->stop_reason(), HasSubstr("this member was removed from the cluster"));
  EXPECT_THAT(c_.cluster->stop_reason(), HasSubstr("--join"));

  members.apply({replica::MemberChange::Kind::kRemove, {2, "b", ""}});
  table(members, {&b_});  // it applied its own removal
  EXPECT_EQ(b_.cluster->phase(), Phase::kStopped);
}

TEST_F(ClusterTest, ADiskPutBackIsSentAway) {
  found();
  net_.stop(c_);
  const auto copy = c_.starts;
  ASSERT_TRUE(net_.start(c_, "c", kList).ok());
  net_.run();
  EXPECT_EQ(a_.trouble(3), "");
  net_.stop(c_);
  c_.starts = copy;
  ASSERT_TRUE(net_.start(c_, "c", kList).ok());
  net_.run();
  ASSERT_EQ(c_.cluster->phase(), Phase::kStopped);
  EXPECT_THAT(c_.cluster->stop_reason(), HasSubstr("its disk was put back to an earlier state"));
}

TEST_F(ClusterTest, WhatItSaysToAnotherIsNotMeantForItself) {
  for (const std::string_view word : {kRemovedRefusal, kPutBackRefusal, replica::kTooOld}) {
    found();
    a_.troubles[3] = "c: " + std::string(word);
    a_.cluster->turn(1'000'000'000'000);
    EXPECT_EQ(a_.cluster->phase(), Phase::kMember) << a_.cluster->stop_reason();
    a_.troubles[3] = std::string(net::kRefusedByThem) + a_.troubles[3];
    a_.cluster->turn(2'000'000'000'000);
    EXPECT_EQ(a_.cluster->phase(), Phase::kStopped);
    EXPECT_THAT(a_.cluster->stop_reason(), HasSubstr(word));
    for (Node* n : {&a_, &b_, &c_}) net_.empty(*n);
  }
}

TEST_F(ClusterTest, TheStartsOfOthersAreRemembered) {
  found();
  net_.stop(c_);
  const auto copy = c_.starts;
  ASSERT_TRUE(net_.start(c_, "c", kList).ok());
  net_.run();
  net_.stop(c_);
  ASSERT_TRUE(net_.start(a_, "a", kList).ok());
  ASSERT_TRUE(net_.start(b_, "b", kList).ok());
  c_.starts = copy;
  ASSERT_TRUE(net_.start(c_, "c", kList).ok());
  net_.run();
  EXPECT_EQ(a_.cluster->phase(), Phase::kMember);
  ASSERT_EQ(c_.cluster->phase(), Phase::kStopped);
  EXPECT_THAT(c_.cluster->stop_reason(), HasSubstr("number 2 and does not know of its start number 2"));
  ASSERT_TRUE(a_.files.flip("d/boots", 9, 1));
  EXPECT_THAT(net_.start(a_, "a", kList).message(), HasSubstr("d/boots is damaged"));
}

TEST_F(ClusterTest, OneAlone) {
  Cluster::Options options{ClusterSettings{}, "d", "", &d_.files, {}, true};
  options.fresh.fill(9);
  Cluster alone;
  ASSERT_TRUE(alone.start(options).ok());
  EXPECT_EQ(alone.phase(), Phase::kMember);
  EXPECT_EQ(alone.identity().name, "node");
  EXPECT_EQ(alone.members().all(), (std::vector<replica::Member>{{1, "node", ""}}));
  options.fresh.fill(8);
  Cluster again;
  ASSERT_TRUE(again.start(options).ok());
  EXPECT_EQ(again.identity(), alone.identity());
}

TEST_F(ClusterTest, OneAloneGetsAnAddressWhenItIsToGrow) {
  Cluster::Options options{ClusterSettings{}, "d", "", &d_.files, {}, false};
  Cluster alone;
  ASSERT_TRUE(alone.start(options).ok());
  options.own_address = "127.0.0.1:4";
  Cluster again;
  ASSERT_TRUE(again.start(options).ok());
  again.attach(d_);
  StatusReplica replica({1, 2});
  again.serve(&replica, again.members());
  again.turn(0);
  EXPECT_TRUE(replica.asked.empty());  // not before it leads
  replica.told.leads = true;
  again.turn(1'000'000);
  again.turn(2'000'000);
  ASSERT_EQ(replica.asked.size(), 1u);
  EXPECT_EQ(replica.asked[0],
            (replica::MemberChange{replica::MemberChange::Kind::kAddress, {1, "node", "127.0.0.1:4"}}));
  again.set_members(replica::Members({{1, "node", "127.0.0.1:4"}}));
  again.turn(3'000'000);
  EXPECT_EQ((*load_identity(d_.files, "d"))->members[0].address, "127.0.0.1:4");
}

TEST_F(ClusterTest, AStateWithoutAnOwnerDoesNotFoundWithOthers) {
  Config config;
  config.name = "a";
  config.cluster = kList;
  Cluster old;
  EXPECT_THAT(old.start({*cluster_settings(config), "d", "127.0.0.1:1", &d_.files, {}, true}).message(),
              HasSubstr("holds the state of a node alone"));
}

TEST_F(ClusterTest, NothingIsFoundedThatIsNotOnDisk) {
  start_all();
  c_.files.fail_syncs(true);
  net_.run();
  EXPECT_EQ(c_.cluster->phase(), Phase::kStopped);
  EXPECT_THAT(c_.cluster->stop_reason(), HasSubstr("sync"));
  EXPECT_NE(a_.cluster->phase(), Phase::kStopped);
}

}  // namespace
}  // namespace cleat::server
