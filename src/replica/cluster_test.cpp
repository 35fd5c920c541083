// Several members, over queues: any member serves, a change of leader loses nothing.
#include "replica/cluster_testing.hpp"
#include "replica/peer_messages.hpp"

namespace cleat::replica {
namespace {

using lock::Result;
using testing::Cluster;
using testing::lock_of;

TEST(Cluster, EveryMemberAnswersFromItsOwnApply) {
  Cluster c;
  const uint32_t leader = c.leader();
  std::set<uint64_t> fences;
  for (uint32_t id = 1; id <= 3; ++id) {
    const auto got = c.answer(id, lock_of("n" + std::to_string(id), "t"));
    ASSERT_TRUE(got) << "member " << id << ", leader " << leader;
    EXPECT_EQ(got->result, Result::kGranted);
    fences.insert(got->fence);
  }
  EXPECT_EQ(fences.size(), 3u);
  EXPECT_TRUE(c.same_state_after_ms(200));
}

TEST(Cluster, AHoldStandsOnAllMembers) {
  Cluster c;
  c.leader();
  ASSERT_EQ(c.answer(1, lock_of("n", "t1"))->result, Result::kGranted);
  EXPECT_EQ(c.answer(2, lock_of("n", "t2"))->result, Result::kNotGranted);
  EXPECT_EQ(c.answer(3, lock_of("n", "t1"))->result, Result::kGranted) << "the same token joins its hold";
}

TEST(Cluster, ALeaderThatDiesTakesNothingWithIt) {
  Cluster c;
  const uint32_t old = c.leader();
  const uint32_t other = c.follower();
  const auto held = c.answer(other, lock_of("n", "t"));
  ASSERT_EQ(held->result, Result::kGranted);
  c.kill(old);
  const uint32_t next = c.leader();
  ASSERT_NE(next, old);
  c.pass_ms(100);
  EXPECT_EQ(c.answer(other, lock_of("n", "u"))->result, Result::kNotGranted);
  EXPECT_GT(c.answer(next, lock_of("m", "u"))->fence, held->fence);
  EXPECT_FALSE(c.at(other).heard.terms.empty());
  c.open(old);
  EXPECT_TRUE(c.same_state_after_ms(500));
  EXPECT_EQ(c.answer(old, lock_of("n", "v"))->result, Result::kNotGranted);
}

TEST(Cluster, WhatAnOldTermDidNotTakeIsToldByTheNewOne) {
  Cluster c;
  const uint32_t old = c.leader();
  c.cut_off = {old};
  // The old leader takes it, and can't commit it.
  ASSERT_EQ(c.ask(old, 9, lock_of("n", "lost")), Trouble::kNone);
  const uint64_t taken_in = c.at(old).replica->term();
  c.pass_ms(3000);
  EXPECT_FALSE(c.at(old).replica->status().leads) << "without a quorum nobody leads for long";
  EXPECT_TRUE(c.at(old).heard.outcomes.empty());
  c.cut_off = {};
  const uint32_t next = c.leader();
  c.pass_ms(1000);
  ASSERT_NE(next, old);
  ASSERT_FALSE(c.at(old).heard.terms.empty());
  EXPECT_GT(c.at(old).heard.terms.back(), taken_in) << "so it may be asked again";
  EXPECT_TRUE(c.at(old).heard.outcomes.empty());
  EXPECT_EQ(c.answer(old, lock_of("n", "again"))->result, Result::kGranted);
}

TEST(Cluster, AForwardThatIsLostWithItsConnectionIsSentAgain) {
  Cluster c;
  c.leader();
  const uint32_t member = c.follower();
  c.pass_ms(100);
  c.cut_off = {member};
  ASSERT_EQ(c.ask(member, 9, lock_of("n", "t")), Trouble::kNone);
  c.pass_ms(100);
  EXPECT_TRUE(c.at(member).heard.outcomes.empty());
  c.cut_off = {};
  c.pass_ms(700);
  ASSERT_EQ(c.at(member).heard.outcomes.size(), 1u);
  EXPECT_EQ(c.at(member).heard.outcomes[0].result, Result::kGranted);
  EXPECT_GT(c.at(member).replica->status().forwards_again, 0u);
}

TEST(Cluster, AForwardThatWasGivenUpIsNotDoneLater) {
  Cluster c;
  c.leader();
  const uint32_t member = c.follower();
  lock::Command implicit = lock_of("held", "");
  implicit.by = lock::By::kImplicit;
  ASSERT_EQ(c.answer(member, implicit, 12)->result, Result::kGranted);
  // What it says is lost, what it hears arrives: no other term comes.
  c.spoil = [](std::string& message) {
    if (kind_of(message) == PeerKind::kForward) message = "x";
  };
  ASSERT_EQ(c.ask(member, 9, lock_of("n", "given up")), Trouble::kNone);
  lock::Command closed;
  closed.verb = lock::Verb::kConnectionClosed;
  ASSERT_EQ(c.ask(member, 12, closed), Trouble::kNone);
  c.pass_ms(2500);
  ASSERT_EQ(c.ask(member, 10, lock_of("m", "fresh")), Trouble::kNone);
  c.pass_ms(1000);
  c.spoil = nullptr;
  c.pass_ms(1000);
  for (const auto& h : c.at(member).heard.outcomes) EXPECT_NE(h.connection, 9u);
  EXPECT_EQ(c.at(member).heard.outcomes.back().connection, 10u);
  EXPECT_EQ(c.answer(c.leader(), lock_of("n", "other"))->result, Result::kGranted);
  EXPECT_EQ(c.answer(c.leader(), lock_of("held", "other"))->result, Result::kGranted) << "its connection ended";
  EXPECT_EQ(c.answer(member, lock_of("o", "after"))->result, Result::kGranted);
}

// A forward under way is done whoever waits for it; for a session's client that went on elsewhere TAKEOVER bars it.
TEST(Cluster, AForwardOfAConnectionThatWasShutOutIsRefused) {
  Cluster c;
  const uint32_t leader = c.leader(), member = c.follower();
  lock::Command open;
  open.verb = lock::Verb::kOpenSession;
  open.ttl_ms = 60'000;
  open.key = "key";
  const auto opened = c.answer(member, open, 8);
  ASSERT_EQ(opened->result, Result::kOpened);
  lock::Command lock = lock_of("n", "");
  lock.by = lock::By::kExplicit;
  lock.session = {opened->session};
  lock.session_epoch = opened->epoch;
  lock.req = "r";
  c.cut_off = {member};
  ASSERT_EQ(c.ask(member, 8, lock), Trouble::kNone);
  c.pass_ms(100);
  lock::Command attach;
  attach.verb = lock::Verb::kAttachSession;
  attach.session = lock.session;
  attach.key = open.key;
  attach.takeover = true;
  ASSERT_EQ(c.answer(leader, attach, 9)->result, Result::kAttached);
  c.cut_off = {};
  c.pass_ms(700);
  ASSERT_EQ(c.at(member).heard.outcomes.size(), 2u);
  EXPECT_EQ(c.at(member).heard.outcomes[1].result, Result::kNoSession);
  EXPECT_EQ(c.answer(leader, lock_of("n", "other"))->result, Result::kGranted);
}

TEST(Cluster, WhatCannotBeProposedNowKeepsNobodyBusy) {
  Cluster c;
  const uint32_t leads = c.leader(), other = c.follower();
  lock::Command short_one = lock_of("n", "t");
  short_one.ttl_ms = 300;
  ASSERT_EQ(c.answer(leads, short_one)->result, Result::kGranted);
  auto& leader = *c.at(leads).replica;
  // Its end is due, and the entry before it waits for others.
  for (uint32_t id = 1; id <= 3; ++id)
    if (id != leads) c.cut_off.insert(id);
  ASSERT_EQ(c.ask(leads, 9, lock_of("m", "t")), Trouble::kNone);
  c.pass_ms(400);
  ASSERT_TRUE(leader.status().leads);
  EXPECT_GT(leader.next_wake_us(), c.clock.now_us);
  c.cut_off = {other};
  c.pass_ms(200);
  // It is due, and the leader waits for another to take over.
  ASSERT_EQ(c.answer(leads, short_one)->result, Result::kGranted);
  ASSERT_TRUE(leader.transfer(other).ok());
  c.pass_ms(400);
  ASSERT_TRUE(leader.status().leads);
  ASSERT_EQ(c.ask(leads, 9, lock_of("o", "t")), Trouble::kNone);
  leader.step();
  EXPECT_GT(leader.status().proposals_held, 0u);
  EXPECT_EQ(leader.status().proposals_refused, 0u);
  EXPECT_GT(leader.next_wake_us(), c.clock.now_us);
  c.cut_off = {};
  EXPECT_TRUE(c.same_state_after_ms(1500));
}

// In the leader's term, and before the leader has dialed it anew.
TEST(Cluster, WhatAMemberAsksThatWasStartedAgainIsDone) {
  Cluster c;
  const uint32_t leader = c.leader(), member = c.follower();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(c.answer(member, lock_of("n" + std::to_string(i), "t")));
  const uint64_t term = c.at(leader).replica->status().term;
  c.kill(member);
  c.pass_ms(300);
  c.dialed_late = member;
  c.open(member);
  c.pass_ms(300);
  const auto first = c.answer(member, lock_of("again", "t"));
  ASSERT_TRUE(first) << "it counts its forwards anew";
  EXPECT_EQ(first->result, Result::kGranted);
  c.connect(leader, member);
  EXPECT_TRUE(c.answer(member, lock_of("more", "t")));
  EXPECT_EQ(c.at(leader).replica->status().term, term);
}

TEST(Cluster, ReadsAndKeepAlivesOnAnyMember) {
  Cluster c;
  c.leader();
  c.pass_ms(100);
  lock::Command open;
  open.verb = lock::Verb::kOpenSession;
  open.ttl_ms = 2000;
  open.key = "0123456789abcdef";
  const auto opened = c.answer(c.follower(), open);
  ASSERT_EQ(opened->result, Result::kOpened);
  for (uint32_t id = 1; id <= 3; ++id) {
    auto& n = c.at(id);
    n.replica->read(id);
    n.replica->keep_alive({100 + id, base::SessionId{opened->session}, open.key, kAnyEpoch});
    n.replica->keep_alive({200 + id, base::SessionId{opened->session}, "wrong", kAnyEpoch});
    c.pass_ms(100);
    ASSERT_TRUE(n.heard.reads.contains(id)) << "member " << id;
    EXPECT_EQ(n.heard.reads[id], Trouble::kNone);
    ASSERT_TRUE(n.heard.keep_alives.contains(100 + id)) << "member " << id;
    EXPECT_TRUE(n.heard.keep_alives[100 + id].first.alive);
    EXPECT_EQ(n.heard.keep_alives[100 + id].first.ttl_ms, 2000);
    EXPECT_EQ(n.heard.keep_alives[100 + id].first.term, n.replica->status().term);
    EXPECT_LE(c.clock.now_us - n.heard.keep_alives[100 + id].first.clock_us, 100'000);
    ASSERT_TRUE(n.heard.keep_alives.contains(200 + id));
    EXPECT_FALSE(n.heard.keep_alives[200 + id].first.alive);
  }
}

// What a member says of its clock is made that of one that runs faster than all others, in both directions.
void speed_up(Cluster& c, double rate) {
  c.spoil = [rate](std::string& message) {
    PeerState s;
    if (kind_of(message) != PeerKind::kState || !decode(message, s)) return;
    s.sent_us = static_cast<uint64_t>(static_cast<double>(s.sent_us) * rate);
    s.echo_us = static_cast<uint64_t>(static_cast<double>(s.echo_us) / rate);
    message = encode(s);
  };
}

TEST(Cluster, ClocksThatDifferByHalfTheMarginAreToldOf) {
  Cluster c;
  c.leader();
  speed_up(c, 1.003);
  c.pass_ms(90'000, 50);
  EXPECT_NEAR(static_cast<double>(c.at(1).replica->status().worst_clock_ppm), 3'000, 300);
  EXPECT_FALSE(c.at(1).replica->status().clock_warning);
  speed_up(c, 1.008);
  c.pass_ms(900'000, 50);
  EXPECT_TRUE(c.at(1).replica->status().clock_warning);
  std::string said;
  for (const std::string& line : c.at(1).heard.lines) said += line + "\n";
  EXPECT_NE(said.find("the clock of b runs "), std::string::npos) << said;
  EXPECT_NE(said.find("faster than this one's, which is more than half of margin-ppm (10000)"), std::string::npos);
}

TEST(Cluster, WithoutAQuorumReadsAndKeepAlivesSaySo) {
  Cluster c;
  const uint32_t leader = c.leader();
  c.pass_ms(100);
  for (uint32_t id = 1; id <= 3; ++id)
    if (id != leader) c.kill(id);
  auto& n = c.at(leader);
  n.replica->read(1);
  n.replica->keep_alive({2, base::SessionId{1}, "x", kAnyEpoch});
  c.pass_ms(5000);
  ASSERT_TRUE(n.heard.reads.contains(1));
  EXPECT_EQ(n.heard.reads[1], Trouble::kNoQuorum);
  ASSERT_TRUE(n.heard.keep_alives.contains(2));
  EXPECT_EQ(n.heard.keep_alives[2].second, Trouble::kNoQuorum);
  EXPECT_EQ(c.ask(leader, 3, lock_of("n", "t")), Trouble::kNoQuorum);
}

}  // namespace
}  // namespace cleat::replica
