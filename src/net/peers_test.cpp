// Members reach one another: what is sent arrives in order, whole, and once; who was away is reached again.
#include <gmock/gmock.h>

#include <algorithm>

#include "net/listener.hpp"
#include "net/peers_kit.hpp"

namespace cleat::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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
  a.greetings = {"hello again"};
  b = &come_back(kB, where);
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
  Node& b = add(kB);
  const Address where = b.peers.address();
  a.peers.dial(kB, where, kB);
  ASSERT_TRUE(turn_until([&] { return a.up.count(kB) == 1; }));
  remove(b);
  for (int i = 0; i < 5'000; ++i) turn();
  // Right behind an attempt, so that the next is at least half a second away.
  ASSERT_TRUE(turn_until([&] { return a.peers.next_wake_us() > now_us_ + 400'000; }));
  come_back(kB, where).dial(a);
  EXPECT_TRUE(turn_until([&] { return a.up.count(kB) == 1; }, 100));
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
