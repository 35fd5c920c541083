// Who is not let in, not let stay, or given up, and what both ends are told about it.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.hpp"
#include "net/peers_kit.hpp"

namespace cleat::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

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

}  // namespace
}  // namespace cleat::net
