// Members in one process with real sockets on ephemeral loopback ports, each with a poller of its own. Time is the
// test's: nothing sleeps, and every wait is bounded by a count of turns.
#include "net/peers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "net/listener.hpp"

namespace cleat::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint32_t kA = 1, kB = 2, kC = 3;

// The kernel's own time limit counts real time, and a busy machine may take long for a test.
PeersOptions with_secret() {
  PeersOptions o;
  o.secret = "a secret of sixteen";
  o.silent_us = 60'000'000;
  return o;
}
template <class F>
PeersOptions changed(F change) {
  PeersOptions o = with_secret();
  change(o);
  return o;
}

struct Node final : PeerHandler {
  explicit Node(uint32_t id, PeersOptions options = with_secret())
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
    return theirs.member == refused.first ? refused.second : verdict;
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
    if (hold_after_each) peers.hold_input(true);
  }
  void on_log(int level, std::string_view line) override {
    if (level >= 1) (level == 1 ? good_news : lines).emplace_back(line);
  }

  const uint32_t member;
  PeerHello hello;
  base::Status verdict;
  std::pair<uint32_t, base::Status> refused;
  bool hold_after_each = false;
  std::vector<std::string> greetings;
  std::vector<std::tuple<PeerEnd, uint64_t, PeerHello>> asked;
  std::map<uint64_t, PeerHello> up;
  std::map<std::string, int> accepted;
  std::map<uint32_t, std::vector<std::string>> got;
  std::vector<std::string> lines, good_news;
  Poller poller;
  Peers peers;
};

class PeersTest : public ::testing::Test {
 protected:
  Node& add(uint32_t id, PeersOptions options = with_secret()) {
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
      for (const auto& to : nodes_) EXPECT_EQ(from->peers.send(to->member, "message " + std::to_string(i)), from != to);
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
  EXPECT_THAT(a.lines, ElementsAre("no connection to the member at " + where.text() + ": Connection refused"))
      << "it took leave, and that is no trouble";
  nodes_.push_back(std::make_unique<Node>(kB));
  b = nodes_.back().get();
  ASSERT_TRUE(b->peers.listen(where).ok());
  a.greetings = {"hello again"};
  ASSERT_TRUE(turn_until([&] { return b->got[kA].size() == 1; }, 1'100)) << "within the longest pause";
  EXPECT_EQ(b->got[kA][0], "hello again");
  EXPECT_EQ(a.peers.state(kB)->connects, 2u);
  EXPECT_THAT(a.good_news, ElementsAre("connected to member b at " + where.text(),
                                       "member b at " + where.text() +
                                           " closed the connection, as members do that stop or begin anew",
                                       "connected to member b at " + where.text()))
      << "the end of a trouble that was told is told, too";
}

TEST_F(PeersTest, WhoComesBackAndConnectsIsReachedAtOnce) {
  Node& a = add(kA);
  Node* b = &add(kB);
  const Address where = b->peers.address();
  a.peers.dial(kB, where, kB);
  ASSERT_TRUE(turn_until([&] { return a.up.count(kB) == 1; }));
  remove(*b);
  for (int i = 0; i < 5'000; ++i) turn();
  // Right behind an attempt, so that the next is at least half a second away.
  ASSERT_TRUE(turn_until([&] { return a.peers.next_wake_us() > now_us_ + 400'000; }));
  nodes_.push_back(std::make_unique<Node>(kB));
  b = nodes_.back().get();
  ASSERT_TRUE(b->peers.listen(where).ok());
  b->dial(a);
  EXPECT_TRUE(turn_until([&] { return a.up.count(kB) == 1; }, 100));
}

TEST_F(PeersTest, AnotherSecretNeverGetsThroughAndIsToldOnce) {
  Node& a = add(kA, changed([](PeersOptions& o) { o.secret = "another secret altogether"; }));
  Node& b = add(kB);
  a.dial(b);
  b.dial(a);
  for (int i = 0; i < 10'000; ++i) turn();
  EXPECT_THAT(a.asked, IsEmpty());
  EXPECT_THAT(b.asked, IsEmpty());
  EXPECT_THAT(a.up, IsEmpty());
  EXPECT_THAT(b.got, IsEmpty());
  const std::string why = "the cluster secrets differ: every member needs the same --cluster-secret-file";
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

TEST_F(PeersTest, LargeMessagesAndManySmallOnesArriveWhole) {
  Node& a = add(kA);
  Node& b = add(kB);
  a.dial(b);
  ASSERT_TRUE(turn_until([&] { return !a.up.empty(); }));
  std::vector<std::string> sent;
  for (size_t i = 0; i < 40; ++i) {
    const size_t size = i % 13 == 0 ? kMostPeerMessage : (i * 7919) % 70'000;
    sent.emplace_back(size, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(a.peers.send(kB, sent.back()));
  }
  EXPECT_FALSE(a.peers.send(kB, std::string(kMostPeerMessage + 1, 'x')));
  ASSERT_TRUE(turn_until([&] { return b.got[kA].size() == sent.size(); }));
  EXPECT_TRUE(b.got[kA] == sent);
  EXPECT_EQ(a.peers.state(kB)->unsent_bytes, 0u);
  EXPECT_EQ(a.peers.state(kB)->messages_sent, sent.size());
  EXPECT_EQ(a.peers.state(kB)->messages_dropped, 1u);
}

TEST_F(PeersTest, WhoDoesNotReadFillsItsSendersBufferAndNoMore) {
  Node& a = add(kA, changed([](PeersOptions& o) { o.send_buffer_bytes = 4u << 20; }));
  Node& b = add(kB);
  Node& c = add(kC);
  a.dial(b);
  a.dial(c);
  ASSERT_TRUE(turn_until([&] { return a.up.size() == 2; }));
  b.peers.hold_input(true);
  const std::string message(64u << 10, 'x');
  size_t taken = 0;
  for (int refused = 0; refused < 20;) {
    if (a.peers.send(kB, message)) {
      ++taken, refused = 0;
    } else {
      ++refused;
    }
    ASSERT_LE(a.peers.state(kB)->unsent_bytes, 4u << 20);
    ASSERT_LT(taken, 1'000u) << "64 MiB: somebody reads";
    turn();
  }
  ASSERT_TRUE(a.peers.send(kC, "you are not disturbed"));
  ASSERT_TRUE(turn_until([&] { return c.got[kA].size() == 1; }));
  EXPECT_THAT(b.got, IsEmpty());
  EXPECT_TRUE(b.peers.input_left());
  b.peers.hold_input(false);
  ASSERT_TRUE(turn_until([&] { return b.got[kA].size() == taken; }));
  EXPECT_TRUE(a.peers.send(kB, message));
  turn();
  EXPECT_FALSE(b.peers.input_left());
}

// What lies in the reader's own buffer needs no new bytes to come out.
TEST_F(PeersTest, HeldMessagesComeOutWhenTheHoldEnds) {
  Node& a = add(kA);
  Node& b = add(kB);
  b.hold_after_each = true;
  a.dial(b);
  ASSERT_TRUE(turn_until([&] { return !a.up.empty(); }));
  for (const char* m : {"one", "two", "three"}) ASSERT_TRUE(a.peers.send(kB, m));
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_THAT(b.got[kA], ElementsAre("one"));
  b.peers.hold_input(false);
  EXPECT_LE(*b.peers.next_wake_us(), now_us_);
  turn();
  EXPECT_THAT(b.got[kA], ElementsAre("one", "two"));
  b.peers.hold_input(false);
  turn();
  EXPECT_THAT(b.got[kA], ElementsAre("one", "two", "three"));
}

TEST_F(PeersTest, OneMemberHasOneConnectionAtATime) {
  Node& b = add(kB);
  Node& a = add(kA);
  a.dial(b);
  ASSERT_TRUE(turn_until([&] { return a.up.size() == 1; }));
  Node& twin = add(kA);  // the same member, whose old connection is still thought to stand
  twin.dial(b);
  a.peers.drop(kB);
  ASSERT_TRUE(turn_until([&] { return twin.up.size() == 1; }));
  EXPECT_EQ(b.accepted["a"], 1);
  EXPECT_EQ(b.peers.accepted(), 1u);
}

TEST_F(PeersTest, StrangersAreFewAndDoNotStay) {
  Node& a = add(kA, changed([](PeersOptions& o) { o.most_unproven = 8; }));
  std::vector<int> strangers;
  for (int i = 0; i < 50; ++i) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(a.peers.address().port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    strangers.push_back(fd);
    turn();
    ASSERT_LE(a.peers.unproven(), 8u);
  }
  EXPECT_EQ(a.peers.unproven(), 8u);
  Node& b = add(kB);
  b.dial(a);
  ASSERT_TRUE(turn_until([&] { return a.peers.accepted() == 1; })) << "a member comes in all the same";
  now_us_ += 2'000'000;
  turn();
  EXPECT_EQ(a.peers.unproven(), 0u);
  for (const int fd : strangers) {
    char byte;
    EXPECT_LE(recv(fd, &byte, 1, 0), 0);
    close(fd);
  }
  EXPECT_THAT(a.lines, IsEmpty()) << "a scan of the port is no news";
}

// A listener that takes connections and says nothing.
TEST_F(PeersTest, WhoDoesNotAnswerIsGivenUpAndTriedAgain) {
  Node& a = add(kA);
  auto silent = Listener::open(*parse_address("127.0.0.1:0"));
  ASSERT_TRUE(silent.ok());
  a.peers.dial(kB, silent->address(), kB);
  ASSERT_TRUE(turn_until([&] { return !a.lines.empty(); }, 2'100));
  EXPECT_THAT(a.lines[0], HasSubstr("it did not introduce itself within 2000 ms"));
  int times = 0;
  ASSERT_TRUE(turn_until([&] { return (times += silent->accept().has_value()) == 2; }, 100));
}

// As a process that is stopped: its kernel answers, and takes nothing once its buffers are full. Real time passes here,
// since the kernel measures it.
TEST_F(PeersTest, WhoTakesNothingForTooLongIsLost) {
  Node& a = add(kA, changed([](PeersOptions& o) { o.silent_us = 300'000; }));
  Node& b = add(kB);
  a.dial(b);
  ASSERT_TRUE(turn_until([&] { return !a.up.empty(); }));
  const std::string message(1u << 20, 'x');
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(a.peers.send(kB, message));
  a.peers.flush();
  for (int i = 0; i < 1'000 && !a.up.empty(); ++i) {
    for (const Ready& r : a.poller.wait(20)) a.peers.take(r);
  }
  EXPECT_THAT(a.up, IsEmpty());
  EXPECT_EQ(a.peers.state(kB)->trouble, "Connection timed out");
}

TEST_F(PeersTest, PausesGrowAndDiffer) {
  const auto pauses = [](uint64_t seed) {
    Node a(kA, changed([&](PeersOptions& o) { o.seed = seed; }));
    uint16_t port = 0;
    {
      const auto gone = Listener::open(*parse_address("127.0.0.1:0"));
      port = gone->address().port;
    }
    a.peers.dial(kB, {"127.0.0.1", port});
    std::vector<int64_t> out;
    int64_t now_us = 1'000'000;
    a.peers.turn(now_us);
    for (int i = 0; i < 8; ++i) {
      for (int k = 0; k < 1000 && *a.peers.next_wake_us() > now_us + 1'500'000; ++k)
        for (const Ready& r : a.poller.wait(1)) a.peers.take(r);  // until then the limit of the attempt counts
      const int64_t next = *a.peers.next_wake_us();
      out.push_back(next - now_us);
      now_us = next;
      a.peers.turn(now_us);
    }
    return out;
  };
  const auto some = pauses(1);
  int64_t whole_us = 50'000;
  for (const int64_t pause : some) {
    EXPECT_GE(pause, whole_us / 2);
    EXPECT_LE(pause, whole_us);
    whole_us = std::min<int64_t>(whole_us * 2, 1'000'000);
  }
  EXPECT_NE(some, pauses(2));
  EXPECT_EQ(some, pauses(1)) << "the seed decides";
}

TEST_F(PeersTest, NamesAreResolvedBesideTheLoop) {
  Node& a = add(kA);
  Node& b = add(kB);
  Address named = b.peers.address();
  named.host = "0x7f000001";  // a name as far as Cleat knows; every resolver knows it without asking anybody
  ASSERT_TRUE(is_name(named));
  a.peers.dial(kB, named, kB);
  a.peers.dial(kC, {std::string(64, 'x'), 7430}, kC);  // longer than a label may be: nobody is asked, either
  for (int i = 0; i < 1000 && (a.up.empty() || a.lines.empty()); ++i) {
    for (const Ready& r : a.poller.wait(10))
      if (r.tag) a.peers.take(r);
    a.peers.turn(now_us_);
    turn();
  }
  EXPECT_EQ(a.up.count(kB), 1u);
  EXPECT_THAT(a.peers.state(kC)->trouble, HasSubstr("cannot be resolved"));
}

TEST_F(PeersTest, BeyondLoopbackASecretIsNeeded) {
  Node a(kA, {});
  const auto status = a.peers.listen(*parse_address("0.0.0.0:0"));
  EXPECT_EQ(status.code(), base::Code::kInvalid);
  EXPECT_EQ(status.message(),
            "0.0.0.0:0 can be reached from other machines, so the members must share a secret: give each of them the "
            "same --cluster-secret-file FILE, or use loopback addresses for all of them");
  EXPECT_TRUE(a.peers.listen(*parse_address("127.0.0.1:0")).ok());
  a.peers.dial(kB, *parse_address("192.0.2.1:7430"));
  a.peers.turn(1'000'000);
  EXPECT_EQ(a.peers.state(kB)->trouble,
            "it is on another machine, and without a cluster secret members talk on loopback only");
}

TEST_F(PeersTest, RulesThatChangeReachConnectionsThatStand) {
  Node& a = add(kA);
  Node& b = add(kB);
  Node& c = add(kC);
  for (Node* node : {&a, &c}) {
    node->dial(b);
    b.dial(*node);
  }
  ASSERT_TRUE(turn_until([&] { return b.up.size() == 2 && a.up.size() == 1 && c.up.size() == 1; }));
  ASSERT_TRUE(turn_until([&] { return b.peers.accepted() == 2; }));
  b.peers.admit_again();
  turn();
  EXPECT_EQ(b.asked.size(), 8u) << "all four once more";
  EXPECT_EQ(b.up.size(), 2u);
  b.refused = {kA, {base::Code::kInvalid, "member 1 was removed"}};
  b.peers.admit_again();
  EXPECT_TRUE(b.peers.next_wake_us().has_value());
  ASSERT_TRUE(turn_until([&] { return a.up.empty() && a.peers.accepted() == 0; }));
  EXPECT_EQ(a.peers.state(kB)->trouble, "it refused: member 1 was removed");
  EXPECT_EQ(b.up.count(kC), 1u);
  EXPECT_EQ(c.up.size(), 1u);
  EXPECT_EQ(b.peers.accepted(), 1u);
}

TEST_F(PeersTest, TheReasonIsHeardByWhoIsInTheMidstOfSending) {
  Node& a = add(kA);
  Node& b = add(kB);
  a.dial(b);
  ASSERT_TRUE(turn_until([&] { return a.up.size() == 1 && b.peers.accepted() == 1; }));
  b.peers.hold_input(true);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(a.peers.send(kB, std::string(1u << 20, 'x')));
  for (int i = 0; i < 100; ++i) turn();
  ASSERT_GT(a.peers.state(kB)->unsent_bytes, 0u);
  b.refused = {kA, {base::Code::kInvalid, "member 1 was removed"}};
  b.peers.admit_again();
  ASSERT_TRUE(turn_until([&] { return !a.lines.empty(); }));
  EXPECT_THAT(a.lines[0], HasSubstr("lost the connection to member b"));
  EXPECT_THAT(a.lines[0], HasSubstr("it refused: member 1 was removed"));
}

TEST_F(PeersTest, ANewHelloIsSaidAfterReconnect) {
  Node& a = add(kA);
  Node& b = add(kB);
  a.dial(b);
  b.dial(a);
  ASSERT_TRUE(turn_until([&] { return a.up.size() == 1 && b.up.size() == 1; }));
  a.hello.member = 9;
  a.peers.set_hello(a.hello);
  turn();
  EXPECT_EQ(b.up[kA].member, kA);
  ASSERT_TRUE(a.peers.send(kB, "the last of the old"));
  a.peers.reconnect();
  ASSERT_TRUE(turn_until([&] { return b.up[kA].member == 9; }));
  ASSERT_TRUE(turn_until([&] { return a.up.size() == 1 && b.up.size() == 1; }));
  EXPECT_EQ(b.got[kA].size(), 1u) << "it was flushed before";
  EXPECT_THAT(a.lines, IsEmpty()) << "on purpose, so no trouble";
  EXPECT_THAT(b.lines, IsEmpty());
}

TEST_F(PeersTest, DropAndDialFromWithinCallbacks) {
  Node& b = add(kB);
  struct Fickle final : PeerHandler {
    base::Status admit(PeerEnd, uint64_t key, const PeerHello&) override {
      if (key == 2) peers->drop(2);
      return {};
    }
    void on_up(uint64_t key, const PeerHello&) override {
      ++ups;
      peers->drop(key);
      if (key < 10) peers->dial(key + 1, where);
    }
    void on_down(uint64_t) override { ADD_FAILURE() << "all were dropped"; }
    void on_message(const PeerHello&, std::string_view) override {}
    void on_log(int, std::string_view) override {}
    Peers* peers = nullptr;
    Address where;
    int ups = 0;
  } fickle;
  Poller poller;
  Peers peers(poller, with_secret(), fickle);
  fickle.peers = &peers;
  fickle.where = b.peers.address();
  for (const uint64_t key : {2, 3}) peers.dial(key, b.peers.address());
  for (int i = 0; i < 2'000; ++i) {
    for (const Ready& r : poller.wait(0))
      if (r.tag) peers.take(r);
    peers.turn(now_us_);
    turn();
  }
  EXPECT_EQ(fickle.ups, 8) << "3 to 10";
  EXPECT_FALSE(peers.next_wake_us().has_value());
  EXPECT_EQ(b.peers.accepted(), 0u);
}

}  // namespace
}  // namespace cleat::net
