// Two and three nodes with real sockets in one thread: what the loop, the link and the pump's outbox do together.
#include "server/peer_link.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>

#include "server/event_loop.hpp"
#include "server/service_kit.hpp"

namespace cleat::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TalkingReplica final : public replica::Replica {
 public:
  explicit TalkingReplica(PeerLink& link) : link_(link) {}
  uint32_t boot() const override { return 7; }
  replica::Trouble begin_run(const base::ConnectionRef&) override { return replica::Trouble::kNoQuorum; }
  replica::Trouble add(const lock::Command&) override { return replica::Trouble::kNoQuorum; }
  void read(uint64_t) override {}
  void keep_alive(const replica::KeepAlive&) override {}
  void vouch(base::SessionId, int64_t) override {}
  void input_left() override { ++inputs_left; }
  bool step() override {
    for (auto& [member, message] : std::exchange(to_send, {})) link_.send(member, message);
    link_.flush();
    if (in_step) std::exchange(in_step, nullptr)();
    received_before_step = received.size();
    return false;
  }
  std::optional<int64_t> next_wake_us() const override {
    return to_send.empty() ? std::optional<int64_t>() : std::optional<int64_t>(0);
  }
  void receive(uint32_t member, std::string_view message) override {
    received.push_back(std::to_string(member) + ":" + std::string(message));
  }
  void peer_up(uint32_t member, uint32_t boot, uint32_t level) override { ups[member] = {boot, level}; }
  void peer_down(uint32_t member) override { EXPECT_EQ(ups.erase(member), 1u); }
  const lock::Machine& machine() const override { return machine_; }
  replica::Status status() const override { return {}; }
  void begin_snapshot() override {}
  base::Status close() override { return {}; }

  std::vector<std::pair<uint32_t, std::string>> to_send;
  std::function<void()> in_step;
  std::vector<std::string> received;
  size_t received_before_step = 0;
  std::map<uint32_t, std::pair<uint32_t, uint32_t>> ups;
  int inputs_left = 0;

 private:
  PeerLink& link_;
  lock::Machine machine_;
};

struct Rules final : Admission {
  base::Status admit(net::PeerEnd, uint64_t, const net::PeerHello&) override { return verdict; }
  void on_outsider_up(uint64_t key, const net::PeerHello& theirs) override {
    up[key] = theirs.name;
    if (!peers) return;
    EXPECT_TRUE(peers->send(key, "welcome, " + theirs.name));
  }
  void on_outsider_down(uint64_t key) override { EXPECT_EQ(up.erase(key), 1u); }
  void on_outsider_message(const net::PeerHello& theirs, std::string_view message) override {
    heard.push_back(theirs.name + ":" + std::string(message));
  }
  void turn(int64_t) override { ++turns; }
  base::Status verdict;
  net::Peers* peers = nullptr;
  std::map<uint64_t, std::string> up;
  std::vector<std::string> heard;
  int turns = 0;
};

struct Node {
  explicit Node(uint32_t id) : listener(*net::Listener::open(*net::parse_address("127.0.0.1:0"))) {
    Surroundings around;
    around.close_socket = [this](Connection& c) { loop->close_socket(c); };
    service.emplace(config, "", clock, around);
    service->serve(replica, id);
    loop.emplace(*service, listener, clock, notify);
    peers.emplace(loop->poller(), options(), link);
    name = std::string(1, static_cast<char>('a' + id - 1));
    say(id);
    EXPECT_TRUE(peers->listen(*net::parse_address("127.0.0.1:0")).ok());
    link.attach(*peers);
    loop->drive(&link);
    if (id != 0) link.serve(&replica, id);
  }
  static net::PeersOptions options() {
    net::PeersOptions o;
    o.secret = "a secret of sixteen";
    o.silent_us = 60'000'000;
    return o;
  }
  void say(uint32_t id) {
    net::PeerHello hello;
    hello.member = id;
    hello.name = name;
    hello.boot = 7;
    hello.level = 2;
    peers->set_hello(hello);
  }
  replica::Member member(uint32_t id) const { return {id, name, peers->address().text()}; }

  std::string name;
  Config config;
  TestClock clock;
  net::ServiceNotify notify{nullptr, nullptr};
  net::Listener listener;
  Rules rules;
  PeerLink link{rules};
  TalkingReplica replica{link};
  std::optional<Service> service;
  std::optional<EventLoop> loop;
  std::optional<net::Peers> peers;
};

class PeerLinkTest : public ::testing::Test {
 protected:
  template <class F>
  bool turn_until(F condition) {
    for (int i = 0; i < 20'000; ++i) {
      if (condition()) return true;
      for (Node* node : {&a_, &b_}) {
        node->clock.now_us += 1000;
        node->loop->turn(false);
      }
    }
    return false;
  }
  void join() {
    const replica::Members members({a_.member(1), b_.member(2)});
    a_.link.set_members(members);
    b_.link.set_members(members);
    ASSERT_TRUE(turn_until([&] { return a_.replica.ups.size() == 1 && b_.replica.ups.size() == 1; }));
  }

  Node a_{1}, b_{2};
};

TEST_F(PeerLinkTest, MembersOfATableReachEachOther) {
  join();
  EXPECT_EQ(a_.replica.ups[2], (std::pair<uint32_t, uint32_t>(7, 2)));
  a_.replica.to_send = {{2, "one"}, {2, "two"}, {3, "nobody"}};
  ASSERT_TRUE(turn_until([&] { return b_.replica.received.size() == 2; }));
  EXPECT_THAT(b_.replica.received, ElementsAre("1:one", "1:two"));
  EXPECT_THAT(b_.rules.heard, IsEmpty());
  EXPECT_GT(a_.rules.turns, 0);
}

TEST_F(PeerLinkTest, WhatIsFlushedInTheStepIsGoneBeforeTheStepEnds) {
  join();
  a_.replica.to_send = {{2, "before the disk"}};
  bool arrived = false;
  a_.replica.in_step = [&] {
    for (int i = 0; i < 100 && !arrived; ++i) {
      b_.loop->turn(false);
      arrived = !b_.replica.received.empty();
    }
  };
  a_.loop->turn(false);
  EXPECT_TRUE(arrived);
}

TEST_F(PeerLinkTest, WhatCameIsTakenBeforeTheStepOfTheSameTurn) {
  join();
  a_.replica.to_send = {{2, "x"}};
  a_.loop->turn(false);
  for (int i = 0; i < 1'000 && b_.replica.received.empty(); ++i) b_.loop->turn(false);
  EXPECT_THAT(b_.replica.received, ElementsAre("1:x"));
  EXPECT_EQ(b_.replica.received_before_step, 1u) << "it stepped in that very turn";
}

TEST_F(PeerLinkTest, AMemberThatIsRemovedIsLetGoAndOneThatMovedIsFound) {
  join();
  b_.link.set_members(replica::Members({b_.member(2)}));
  ASSERT_TRUE(turn_until([&] { return a_.peers->accepted() == 0; }));
  EXPECT_FALSE(b_.peers->state(1).has_value());
  replica::Members moved({a_.member(1), {2, "b", "127.0.0.1:1"}});
  a_.link.set_members(moved);
  EXPECT_EQ(a_.peers->state(2)->address, "127.0.0.1:1");
  EXPECT_FALSE(a_.peers->state(2)->up);
  a_.link.set_members(replica::Members({a_.member(1), b_.member(2)}));
  ASSERT_TRUE(turn_until([&] { return a_.peers->state(2)->up; }));
}

TEST_F(PeerLinkTest, WhoAnswersAtAnothersAddressIsRefused) {
  a_.link.set_members(replica::Members({a_.member(1), {3, "c", b_.peers->address().text()}}));
  ASSERT_TRUE(turn_until([&] { return !a_.peers->state(3)->trouble.starts_with("not connected"); }));
  EXPECT_EQ(a_.peers->state(3)->trouble, "member 3 was meant, and member 2 answers there: the addresses are mixed up");
  EXPECT_THAT(a_.replica.ups, IsEmpty());
}

TEST_F(PeerLinkTest, RefusedByTheRules) {
  b_.rules.verdict = {base::Code::kInvalid, "member 1 was removed"};
  const replica::Members members({a_.member(1), b_.member(2)});
  a_.link.set_members(members);
  ASSERT_TRUE(turn_until([&] { return a_.peers->state(2)->trouble == "it refused: member 1 was removed"; }));
  EXPECT_THAT(a_.replica.ups, IsEmpty());
}

// A joiner is dialed by the id that it is to get, learns it over that connection, and is a member from then on.
TEST_F(PeerLinkTest, AnOutsiderIsWelcomedAndBecomesAMember) {
  b_.link.serve(nullptr, 0);
  b_.say(0);
  a_.rules.peers = &*a_.peers;
  const replica::Members members({a_.member(1), b_.member(2)});
  a_.link.set_members(members);
  ASSERT_TRUE(turn_until([&] { return !b_.rules.heard.empty(); }));
  EXPECT_THAT(b_.rules.heard, ElementsAre("a:welcome, b"));
  EXPECT_EQ(a_.rules.up[2], "b");
  EXPECT_THAT(a_.replica.ups, IsEmpty());
  b_.link.serve(&b_.replica, 2);
  b_.say(2);
  b_.peers->reconnect();
  b_.link.set_members(members);
  ASSERT_TRUE(turn_until([&] { return a_.replica.ups.size() == 1 && b_.replica.ups.size() == 1; }));
  EXPECT_THAT(a_.rules.up, IsEmpty());
  a_.replica.to_send = {{2, "raft"}};
  ASSERT_TRUE(turn_until([&] { return !b_.replica.received.empty(); }));
  EXPECT_THAT(b_.replica.received, ElementsAre("1:raft"));
}

// More than one turn reads from a member: the pump must not judge by silence.
TEST_F(PeerLinkTest, WhatIsLeftUnreadIsSaid) {
  join();
  for (int i = 0; i < 40; ++i) a_.replica.to_send.emplace_back(2, std::string(1 << 20, 'x'));
  ASSERT_TRUE(turn_until([&] { return b_.replica.received.size() == 40; }));
  b_.peers->hold_input(true);
  const int before = b_.replica.inputs_left;
  a_.replica.to_send = {{2, "x"}};
  a_.loop->turn(false);
  b_.service->heard_members();
  b_.loop->turn(false);
  EXPECT_GT(b_.replica.inputs_left, before);
}

TEST_F(PeerLinkTest, ClientsAreServedBesideMembers) {
  join();
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(a_.listener.address().port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  ASSERT_EQ(send(fd, "PING\r\n", 6, 0), 6);
  std::string got;
  ASSERT_TRUE(turn_until([&] {
    char bytes[64];
    const ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) got.append(bytes, static_cast<size_t>(n));
    return got == "+PONG\r\n";
  }));
  close(fd);
}

}  // namespace
}  // namespace cleat::server
