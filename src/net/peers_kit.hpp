// Members in one process with real sockets on ephemeral loopback ports, each with a poller of its own. Time is the
// test's: nothing sleeps, and every wait is bounded by a count of turns.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "net/peers.hpp"

namespace cleat::net {

inline constexpr uint32_t kA = 1, kB = 2, kC = 3;

// The kernel's own time limit counts real time, and a busy machine may take long for a test.
inline PeersOptions with_secret() {
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
  // Its process ends; others learn of it in the turns that follow.
  void remove(Node& node) {
    std::erase_if(nodes_, [&](const auto& n) { return n.get() == &node; });
  }
  Node& come_back(uint32_t id, const Address& where) {
    nodes_.push_back(std::make_unique<Node>(id));
    const auto status = nodes_.back()->peers.listen(where);
    EXPECT_TRUE(status.ok()) << status.message();
    return *nodes_.back();
  }

  std::vector<std::unique_ptr<Node>> nodes_;
  int64_t now_us_ = 1'000'000;
};

}  // namespace cleat::net
