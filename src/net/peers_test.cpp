// Members in one process with real sockets on ephemeral loopback ports, each with a poller of its own. Time is the
// test's: nothing sleeps, and every wait is bounded by a count of turns.
#include "net/peers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>

#include "net/hmac.hpp"

namespace cleat::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint32_t kA = 1, kB = 2, kC = 3;

struct Node final : PeerHandler {
  explicit Node(uint32_t id, PeersOptions options = {.secret = "a secret of sixteen"})
      : member(id), peers(poller, std::move(options), *this) {
    hello.cluster[0] = 7;
    hello.member = id;
    hello.name = std::string(1, static_cast<char>('a' + id - 1));
    hello.boot = 1;
    peers.set_hello(hello);
  }
  void listen() {
    const auto status = peers.listen(*parse_address("127.0.0.1:0"));
    ASSERT_TRUE(status.ok()) << status.message();
  }
  void dial(const Node& other) { peers.dial(other.member, other.peers.address(), other.member); }

  base::Status admit(PeerEnd end, uint64_t key, const PeerHello& theirs) override {
    asked.emplace_back(end, key, theirs);
    return verdict;
  }
  void on_up(uint64_t key, const PeerHello& theirs) override {
    up[key] = theirs;
    for (const std::string& message : greetings) EXPECT_TRUE(peers.send(key, message));
  }
  void on_down(uint64_t key) override { EXPECT_EQ(up.erase(key), 1u); }
  void on_accepted(const PeerHello& theirs) override { ++accepted[theirs.name]; }
  void on_accepted_down(const PeerHello& theirs) override { --accepted[theirs.name]; }
  void on_message(const PeerHello& theirs, std::string_view message) override {
    got[theirs.member].emplace_back(message);
  }
  void on_log(int level, std::string_view line) override {
    if (level >= 2) lines.emplace_back(line);
  }

  const uint32_t member;
  PeerHello hello;
  base::Status verdict;
  std::vector<std::string> greetings;
  std::vector<std::tuple<PeerEnd, uint64_t, PeerHello>> asked;
  std::map<uint64_t, PeerHello> up;
  std::map<std::string, int> accepted;
  std::map<uint32_t, std::vector<std::string>> got;
  std::vector<std::string> lines;
  Poller poller;
  Peers peers;
};

class PeersTest : public ::testing::Test {
 protected:
  Node& add(uint32_t id, PeersOptions options = {.secret = "a secret of sixteen"}) {
    nodes_.push_back(std::make_unique<Node>(id, std::move(options)));
    nodes_.back()->listen();
    return *nodes_.back();
  }
  // What every member's loop does, once for each; 1 ms passes.
  void turn() {
    for (const auto& node : nodes_) {
      for (const Ready& r : node->poller.wait(0)) {
        if (!r.tag) continue;
        ASSERT_TRUE(Peers::is_peer_tag(r.tag));
        node->peers.take(r);
      }
      node->peers.turn(now_us_);
      node->peers.flush();
    }
    now_us_ += 1000;
  }
  template <class F>
  bool turn_until(F condition, int turns = 20'000) {
    for (int i = 0; i < turns; ++i) {
      if (condition()) return true;
      turn();
    }
    return false;
  }
  void remove(Node& node) {
    std::erase_if(nodes_, [&](const auto& n) { return n.get() == &node; });
  }

  std::vector<std::unique_ptr<Node>> nodes_;
  int64_t now_us_ = 1'000'000;
};

TEST_F(PeersTest, ThreeMembersReachEachOtherInOrder) {
  for (const uint32_t id : {kA, kB, kC}) add(id);
  for (const auto& from : nodes_)
    for (const auto& to : nodes_)
      if (from != to) from->dial(*to);
  ASSERT_TRUE(turn_until([&] {
    return std::all_of(nodes_.begin(), nodes_.end(),
                       [](const auto& n) { return n->up.size() == 2 && n->peers.accepted() == 2; });
  }));
  for (int i = 0; i < 1000; ++i) {
    for (const auto& from : nodes_)
      for (const auto& to : nodes_)
        EXPECT_EQ(from->peers.send(to->member, "message " + std::to_string(i)), from != to);
    if (i % 7 == 0) turn();
  }
  ASSERT_TRUE(turn_until([&] {
    return std::all_of(nodes_.begin(), nodes_.end(), [](const auto& n) {
      return std::all_of(n->got.begin(), n->got.end(), [](const auto& g) { return g.second.size() == 1000; });
    });
  }));
  for (const auto& node : nodes_) {
    ASSERT_EQ(node->got.size(), 2u);
    for (const auto& [from, messages] : node->got)
      for (size_t i = 0; i < messages.size(); ++i) ASSERT_EQ(messages[i], "message " + std::to_string(i));
    EXPECT_THAT(node->lines, IsEmpty());
  }
}

TEST_F(PeersTest, BothEndsLearnWhoTheOtherIs) {
  Node& a = add(kA);
  Node& b = add(kB);
  a.hello.level = 3;
  a.hello.incarnation = 5;
  a.peers.set_hello(a.hello);
  a.dial(b);
  ASSERT_TRUE(turn_until([&] { return a.up.count(kB) == 1; }));
  ASSERT_EQ(b.asked.size(), 1u);
  PeerHello wanted = a.hello;
  wanted.to_member = kB;
  EXPECT_EQ(b.asked[0], std::make_tuple(PeerEnd::kAccepted, uint64_t{0}, wanted));
  ASSERT_EQ(a.asked.size(), 1u);
  EXPECT_EQ(a.asked[0], std::make_tuple(PeerEnd::kDialed, uint64_t{kB}, b.hello));
  EXPECT_EQ(a.up[kB], b.hello);
}

TEST_F(PeersTest, AMemberThatStartsAgainIsReachedAgain) {
  Node& a = add(kA);
  Node* b = &add(kB);
  const Address where = b->peers.address();
  a.peers.dial(kB, where, kB);
  ASSERT_TRUE(turn_until([&] { return a.up.count(kB) == 1; }));
  remove(*b);
  ASSERT_TRUE(turn_until([&] { return a.up.empty(); }));
  EXPECT_FALSE(a.peers.send(kB, "nobody hears this"));
  ASSERT_TRUE(turn_until([&] { return a.peers.state(kB)->trouble == "Connection refused"; }));
  for (int i = 0; i < 10'000; ++i) turn();  // ten seconds
  EXPECT_THAT(a.lines, ElementsAre("lost the connection to member b at " + where.text() +
                                       ": the other end closed the connection",
                                   "no connection to the member at " + where.text() + ": Connection refused"));
  nodes_.push_back(std::make_unique<Node>(kB));
  b = nodes_.back().get();
  ASSERT_TRUE(b->peers.listen(where).ok());
  a.greetings = {"hello again"};
  ASSERT_TRUE(turn_until([&] { return b->got[kA].size() == 1; }, 1'100)) << "within the longest pause";
  EXPECT_EQ(b->got[kA][0], "hello again");
  EXPECT_EQ(a.peers.state(kB)->connects, 2u);
}

TEST_F(PeersTest, AnotherSecretNeverGetsThroughAndIsToldOnce) {
  Node& a = add(kA, {.secret = "another secret altogether"});
  Node& b = add(kB);
  a.dial(b);
  b.dial(a);
  for (int i = 0; i < 10'000; ++i) turn();
  EXPECT_THAT(a.asked, IsEmpty());
  EXPECT_THAT(b.asked, IsEmpty());
  EXPECT_THAT(a.up, IsEmpty());
  EXPECT_THAT(b.got, IsEmpty());
  const std::string why = "the cluster secrets differ: every member needs the same secret file";
  EXPECT_EQ(a.peers.state(kB)->trouble, "it refused: " + why);
  EXPECT_THAT(a.lines, ElementsAre("no connection to member b at " + b.peers.address().text() + ": it refused: " + why,
                                   "did not let in member b at 127.0.0.1: " + why));
  EXPECT_EQ(b.lines.size(), 2u);
  now_us_ += 60'000'000;
  for (int i = 0; i < 2'000; ++i) turn();
  EXPECT_EQ(a.lines.size(), 4u) << "and once a minute";
}

TEST_F(PeersTest, WhoIsNotAdmittedLearnsWhy) {
  Node& a = add(kA);
  Node& b = add(kB);
  b.verdict = {base::Code::kInvalid, "member 1 was removed; start it with an empty directory"};
  a.dial(b);
  ASSERT_TRUE(turn_until([&] { return !a.lines.empty(); }));
  EXPECT_THAT(a.lines[0], HasSubstr("it refused: member 1 was removed; start it with an empty directory"));
  EXPECT_THAT(b.lines[0], HasSubstr("did not let in member a at 127.0.0.1: member 1 was removed"));
  EXPECT_THAT(a.asked, IsEmpty()) << "the accepting end is asked first";
  b.verdict = {};
  a.verdict = {base::Code::kInvalid, "that is not whom I meant"};
  ASSERT_TRUE(turn_until([&] { return b.lines.size() == 2; }));
  EXPECT_THAT(b.lines[1], HasSubstr("it refused: that is not whom I meant"));
  EXPECT_THAT(a.up, IsEmpty());
  a.verdict = {};
  ASSERT_TRUE(turn_until([&] { return a.up.size() == 1; }));
}

}  // namespace
}  // namespace cleat::net
