// Messages from outside never stop the process (engine.md rule 6): directed ones, and real ones changed at random.
#include <gtest/gtest.h>

#include "raft/cluster_testing.hpp"

namespace cleat::raft {
namespace {

using testing::bytes;
using testing::Cluster;

enum Type : uint64_t {
  kHup = 0,
  kPropose = 2,
  kAppend = 3,
  kAppendResponse = 4,
  kVote = 5,
  kVoteResponse = 6,
  kSnapshot = 7,
  kHeartbeat = 8,
  kTransfer = 13,
  kTimeoutNow = 14,
  kReadIndex = 15,
  kReadIndexResponse = 16,
  kPreVote = 17,
};

// Just enough protobuf to write an eraftpb.Message: field numbers as in eraftpb.proto of raft-proto 0.7.
class Pb {
 public:
  Pb& number(int field, uint64_t v) { return varint(static_cast<uint64_t>(field) << 3), varint(v), *this; }
  Pb& bytes(int field, std::string_view v) {
    varint(static_cast<uint64_t>(field) << 3 | 2), varint(v.size());
    out_.append(v);
    return *this;
  }
  const std::string& str() const { return out_; }

 private:
  Pb& varint(uint64_t v) {
    for (; v >= 0x80; v >>= 7) out_.push_back(static_cast<char>(v | 0x80));
    out_.push_back(static_cast<char>(v));
    return *this;
  }
  std::string out_;
};

Pb message(Type type, uint64_t from, uint64_t to, uint64_t term) {
  return Pb().number(1, type).number(2, to).number(3, from).number(4, term);
}

std::string entry(uint64_t index, uint64_t term) {
  return Pb().number(2, term).number(3, index).bytes(4, "x").str();
}

class Wire : public ::testing::Test {
 protected:
  Wire() {
    leader_ = c_.leader();
    me_ = leader_ % 3 + 1;
    other_ = me_ % 3 + 1;
    EXPECT_TRUE(c_.propose(leader_, "v"));
    c_.settle();
    c_.ticks(2);
    term_ = group().status().term;
    last_ = group().status().last;
  }
  Group& group() { return *c_.at(me_).group; }
  Dropped step(const Pb& m) { return group().step(leader_, bytes(m.str()), Group::kAnySnapshot); }
  Pb from_leader(Type type) { return message(type, leader_, me_, term_); }

  Cluster c_;
  uint64_t leader_, me_, other_, term_, last_;
};

TEST_F(Wire, OnlyTheAuthenticatedPeerSpeaksAndOnlyToMe) {
  EXPECT_EQ(step(message(kHeartbeat, other_, me_, term_)), Dropped::kNotFromPeer);
  EXPECT_EQ(step(message(kHeartbeat, me_, me_, term_)), Dropped::kNotFromPeer);
  EXPECT_EQ(group().step(me_, bytes(message(kHeartbeat, me_, me_, term_).str())), Dropped::kNotFromPeer);
  EXPECT_EQ(group().step(0, bytes(message(kHeartbeat, 0, me_, term_).str())), Dropped::kNotFromPeer);
  EXPECT_EQ(step(message(kHeartbeat, leader_, other_, term_)), Dropped::kNotToMe);
  EXPECT_EQ(step(from_leader(kHeartbeat)), Dropped::kNot);
}

TEST_F(Wire, LocalAndForwardedTypesAreDropped) {
  for (Type t : {kHup, kPropose, kTransfer, kReadIndex, kReadIndexResponse}) {
    EXPECT_EQ(step(from_leader(t)), Dropped::kBadType) << t;
  }
  EXPECT_EQ(step(from_leader(static_cast<Type>(77))), Dropped::kUnreadable);
}

TEST_F(Wire, MessagesThatPanicRaftAreDropped) {
  EXPECT_EQ(group().step(leader_, bytes(std::string_view("\x08\x11", 2))), Dropped::kNotFromPeer);
  EXPECT_EQ(step(message(kPreVote, leader_, me_, 0)), Dropped::kNoTerm);
  EXPECT_EQ(step(from_leader(kHeartbeat).number(8, last_ + 1)), Dropped::kCommitPastLog);
  EXPECT_EQ(step(from_leader(kAppend).number(6, last_ + 5)), Dropped::kBadNumbers) << "term 0 matches a gap";
  EXPECT_EQ(step(from_leader(kAppend).number(5, term_).number(6, last_).bytes(7, entry(last_ + 2, term_))),
            Dropped::kBadEntries);
  EXPECT_EQ(step(from_leader(kAppend).number(5, term_).number(6, last_).bytes(7, entry(last_ + 1, term_ + 1))),
            Dropped::kBadEntries);
  EXPECT_EQ(step(from_leader(kAppend).number(6, UINT64_MAX)), Dropped::kBadNumbers);
  EXPECT_EQ(step(from_leader(kTimeoutNow).number(7, 0)), Dropped::kUnreadable);
  EXPECT_EQ(group().step(other_, bytes(message(kTimeoutNow, other_, me_, term_).str())), Dropped::kNotLeader);
  EXPECT_EQ(group().status().last, last_);
}

TEST_F(Wire, SnapshotsMustMakeSense) {
  const auto snapshot = [&](uint64_t index, uint64_t term, const Pb& conf) {
    const Pb meta = Pb().bytes(1, conf.str()).number(2, index).number(3, term);
    return from_leader(kSnapshot).bytes(9, Pb().bytes(2, meta.str()).str());
  };
  const Pb good = Pb().number(1, 1).number(1, 2).number(1, 3);
  for (const uint64_t loaded : {Group::kNoSnapshot, uint64_t{99}})
    EXPECT_EQ(group().step(leader_, bytes(snapshot(100, 1, good).str()), loaded), Dropped::kBadSnapshot)
        << "nobody has the state of entry 100";
  EXPECT_EQ(step(snapshot(0, 1, good)), Dropped::kBadSnapshot);
  EXPECT_EQ(step(snapshot(100, 0, good)), Dropped::kBadSnapshot);
  EXPECT_EQ(step(snapshot(100, term_ + 1, good)), Dropped::kBadSnapshot);
  EXPECT_EQ(step(snapshot(UINT64_MAX, 1, good)), Dropped::kBadSnapshot);
  EXPECT_EQ(step(snapshot(100, 1, Pb())), Dropped::kBadSnapshot) << "no voters";
  EXPECT_EQ(step(snapshot(100, 1, Pb().number(1, me_).number(1, me_))), Dropped::kBadSnapshot) << "a voter twice";
  EXPECT_EQ(step(snapshot(100, 1, Pb().number(1, me_).number(2, me_))), Dropped::kBadSnapshot) << "voter and learner";
  EXPECT_EQ(step(snapshot(100, 1, Pb().number(1, me_).number(1, 0))), Dropped::kBadSnapshot) << "member 0";
  EXPECT_EQ(step(snapshot(100, 1, Pb().number(1, 8).number(1, 9))), Dropped::kBadSnapshot) << "without me";
  EXPECT_EQ(step(snapshot(100, 1, Pb().number(1, me_).number(4, 9))), Dropped::kBadSnapshot)
      << "next of no joint state";
  EXPECT_EQ(step(snapshot(100, 1, good)), Dropped::kNot);
  EXPECT_TRUE(group().has_ready());
}

TEST_F(Wire, AVoteAnswerBeforeTheVoteIsPersistedIsDropped) {
  group().campaign();
  Ready ready = group().ready();
  EXPECT_EQ(step(message(kVoteResponse, leader_, me_, term_ + 1)), Dropped::kTooEarly);
  EXPECT_EQ(group().persist(ready), Persisted::kDone);
  EXPECT_EQ(step(message(kVoteResponse, leader_, me_, term_ + 1)), Dropped::kNot);
}

TEST_F(Wire, WhoStartsAgainKnowsForWhomItVoted) {
  const auto votes_for = [&](uint64_t candidate) {
    std::string answer;
    c_.on_letter = [&](const Cluster::Letter& l) {
      if (l.from == me_ && l.to == candidate && l.kind == kVoteResponse) answer = l.wire;
    };
    // As in a hand-over, which counts although the leader was heard a moment ago.
    Pb vote = message(kVote, candidate, me_, term_ + 1).number(5, term_).number(6, last_);
    vote.bytes(12, "CampaignTransfer");
    EXPECT_EQ(group().step(candidate, bytes(vote.str()), Group::kAnySnapshot), Dropped::kNot);
    c_.speak(me_);
    c_.on_letter = nullptr;
    EXPECT_NE(answer, "");
    const std::string kReject = "\x50\x01";  // field 10: true
    return answer.find(kReject) == std::string::npos;
  };
  EXPECT_TRUE(votes_for(other_));
  EXPECT_FALSE(votes_for(leader_));
  c_.crash(me_, 7);
  c_.restart(me_);
  EXPECT_FALSE(votes_for(leader_)) << "it voted in this term before it started again";
  EXPECT_TRUE(votes_for(other_));
}

TEST_F(Wire, AFollowerAheadOfTheLeaderIsNotBelieved) {
  const Pb claim = message(kAppendResponse, me_, leader_, term_).number(6, last_ + 10);
  EXPECT_EQ(c_.at(leader_).group->step(me_, bytes(claim.str())), Dropped::kCommitPastLog);
}

// Real traffic with bytes changed, dropped, added, and fields appended; each victim goes on living with what it took.
TEST(WireFuzz, NothingStopsTheProcess) {
  uint64_t x = 88172645463325252;
  const auto roll = [&](uint64_t n) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x % n;
  };
  const char* rounds = std::getenv("CLEAT_WIRE_FUZZ_ROUNDS");
  const int n = rounds ? std::atoi(rounds) : 60;
  size_t taken = 0, dropped = 0;
  for (int round = 0; round < n; ++round) {
    Cluster c(static_cast<uint64_t>(round) + 1);
    std::vector<Cluster::Letter> seen;
    c.on_letter = [&](const Cluster::Letter& l) { seen.push_back(l); };
    uint64_t leader = c.leader();
    for (int i = 0; i < 5; ++i) (void)c.propose(leader, "v" + std::to_string(i));
    c.settle();
    const uint64_t lagging = leader % 3 + 1;
    c.cut_off = {lagging};
    for (int i = 0; i < 5; ++i) (void)c.propose(leader, "w");
    c.settle();
    auto& l = c.at(leader);
    ASSERT_TRUE(l.group->compact({l.group->status().applied, 0, l.group->members()}, l.group->status().applied).ok());
    c.cut_off = {};
    c.ticks(5);
    c.on_letter = nullptr;
    for (int i = 0; i < 400; ++i) {
      const Cluster::Letter& base = seen[roll(seen.size())];
      std::string wire = base.wire;
      for (uint64_t k = roll(4); k > 0 && !wire.empty(); --k) {
        const size_t at = roll(wire.size());
        switch (roll(5)) {
          case 0:
            wire[at] = static_cast<char>(wire[at] ^ (1 << roll(8)));
            break;
          case 1:
            wire[at] = static_cast<char>(roll(256));
            break;
          case 2:
            wire.resize(at);
            break;
          case 3:
            wire.insert(at, 1, static_cast<char>(roll(256)));
            break;
          case 4: {
            const uint64_t values[] = {0, 1, roll(30), UINT64_MAX, 1ull << 61};
            const int fields[] = {1, 4, 5, 6, 8, 10, 11, 13, 15, 16};
            wire += Pb().number(fields[roll(10)], values[roll(5)]).str();
          }
        }
      }
      auto& victim = c.at(base.to);
      (victim.group->step(base.from, bytes(wire), Group::kAnySnapshot) == Dropped::kNot ? taken : dropped)++;
      if (roll(4) == 0) c.settle();
      if (roll(10) == 0) c.ticks(1);
    }
    c.ticks(2);
  }
  EXPECT_GT(taken, 1000u);
  EXPECT_GT(dropped, 1000u);
}

}  // namespace
}  // namespace cleat::raft
