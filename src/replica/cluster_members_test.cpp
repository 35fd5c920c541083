// Several members: they fall behind and get a snapshot, are told nonsense, come and go.
#include "replica/cluster_testing.hpp"
#include "replica/peer_messages.hpp"

namespace cleat::replica {
namespace {

using lock::Result;
using testing::Cluster;
using testing::lock_of;

TEST(Cluster, AMemberThatWasAwayForLongGetsASnapshot) {
  Cluster c;
  const uint32_t leader = c.leader();
  const uint32_t away = c.follower();
  c.kill(away);
  for (int i = 0; i < 3; ++i) {
    for (int k = 0; k < 20; ++k) ASSERT_TRUE(c.answer(leader, lock_of("n" + std::to_string(i * 100 + k), "t")));
    c.at(leader).replica->begin_snapshot();
    c.pass_ms(1500);
  }
  c.open(away);
  c.pass_ms(3000);
  EXPECT_EQ(c.at(away).heard.replaced, 1);
  EXPECT_TRUE(c.same_state());
  c.kill(away);
  c.open(away);
  EXPECT_TRUE(c.same_state_after_ms(500));
  EXPECT_EQ(c.answer(away, lock_of("n0", "u"))->result, Result::kNotGranted);
}

// On the real file system, where it is received, loaded and its predecessor freed on threads (make races).
TEST(Cluster, ASnapshotIsTakenOverWhileTheMemberGoesOn) {
  Cluster c;
  const uint32_t leader = c.leader();
  const uint32_t away = c.follower();
  lock::Command open;
  open.verb = lock::Verb::kOpenSession;
  open.ttl_ms = 60'000;
  open.key = "0123456789abcdef";
  const auto opened = c.answer(leader, open);
  ASSERT_EQ(opened->result, Result::kOpened);
  auto& member = c.at(away);
  member.options.files = nullptr;
  for (int round = 1; round <= 2; ++round) {
    c.kill(away);
    for (int i = 0; i < 3; ++i) {
      for (int k = 0; k < 20; ++k)
        ASSERT_TRUE(c.answer(leader, lock_of("n" + std::to_string(round * 1000 + i * 100 + k), "t")));
      c.at(leader).replica->begin_snapshot();
      c.pass_ms(1500);
    }
    c.open(away);
    // The threads work in real time: the clock hardly moves meanwhile, so that nothing ends by its TTL.
    for (int i = 0; i < 1'000'000 && member.heard.replaced == 0; ++i) {
      c.turn();
      if (i % 1'000 == 0) c.pass_ms(5);
    }
    ASSERT_EQ(member.heard.replaced, 1);
    EXPECT_TRUE(c.same_state_after_ms(500));
    EXPECT_EQ(c.answer(away, lock_of("n1000", "u"))->result, Result::kNotGranted);
    member.replica->keep_alive({1, base::SessionId{opened->session}, open.key, kAnyEpoch});
    c.pass_ms(100);
    EXPECT_TRUE(member.heard.keep_alives[1].first.alive);
  }
}

// A peer is trusted to be who it is, not to be right: what it says beside Raft's own messages is checked.
TEST(Cluster, SpoiledMessagesDisturbNobodyForLong) {
  Cluster c;
  c.leader();
  uint64_t x = 88172645463325252, spoiled = 0;
  const auto roll = [&](uint64_t n) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return x % n;
  };
  c.spoil = [&](std::string& m) {
    if (m.empty() || kind_of(m) == PeerKind::kRaft || roll(3) != 0) return;
    ++spoiled;
    if (roll(4) == 0) m.resize(roll(m.size()));
    for (uint64_t n = roll(3); n > 0 && m.size() > 1; --n) m[1 + roll(m.size() - 1)] = static_cast<char>(roll(256));
  };
  for (int i = 0; i < 400; ++i) {
    const uint32_t id = static_cast<uint32_t>(1 + roll(3));
    (void)c.ask(id, 1 + roll(5), lock_of("n" + std::to_string(roll(20)), "t" + std::to_string(i)));
    c.at(id).replica->read(static_cast<uint64_t>(i));
    c.at(id).replica->keep_alive({1000u + static_cast<uint64_t>(i), base::SessionId{roll(4)}, "key", kAnyEpoch});
    c.at(id).replica->vouch(base::SessionId{roll(4)}, 3);
    c.pass_ms(10);
  }
  EXPECT_GT(spoiled, 500u);
  c.spoil = {};
  c.pass_ms(3000);
  for (uint32_t id = 1; id <= 3; ++id) EXPECT_TRUE(c.answer(id, lock_of("last", "t" + std::to_string(id)), 9));
  EXPECT_TRUE(c.same_state_after_ms(200));
}

TEST(Cluster, OneMemberGrowsToThreeAndShrinksAgain) {
  Cluster c(1);
  ASSERT_EQ(c.leader(), 1u);
  const auto held = c.answer(1, lock_of("n", "t"));
  ASSERT_EQ(held->result, Result::kGranted);
  uint64_t cookie = 0;
  const auto change = [&](uint32_t at, MemberChange::Kind kind, const Member& m) -> base::Status {
    c.at(at).replica->change_members(++cookie, {kind, m});
    for (int i = 0; i < 400 && !c.at(at).heard.changes.contains(cookie); ++i) c.pass_ms(5);
    return c.at(at).heard.changes.contains(cookie) ? c.at(at).heard.changes[cookie]
                                                   : base::Status(base::Code::kIo, "-");
  };
  for (uint32_t id = 2; id <= 3; ++id) {
    c.make(id, {});
    c.open(id);
    const auto added = change(1, MemberChange::Kind::kAddLearner, Cluster::member(id));
    ASSERT_TRUE(added.ok()) << added.message();
    c.pass_ms(3000);
    const auto promoted = change(1, MemberChange::Kind::kPromote, {id, "", ""});
    ASSERT_TRUE(promoted.ok()) << promoted.message();
  }
  EXPECT_TRUE(c.same_state_after_ms(500));
  EXPECT_EQ(c.at(3).heard.members.all().size(), 3u);
  EXPECT_TRUE(c.at(3).replica->status().voter);
  EXPECT_EQ(c.answer(3, lock_of("n", "u"))->result, Result::kNotGranted);

  EXPECT_FALSE(change(1, MemberChange::Kind::kRemove, {1, "", ""}).ok()) << "the leader goes only after another leads";
  ASSERT_TRUE(c.at(1).replica->transfer(2).ok());
  c.pass_ms(500);
  ASSERT_EQ(c.leader(), 2u);
  c.kill(3);
  c.pass_ms(1200);
  const auto refused = change(2, MemberChange::Kind::kRemove, {1, "", ""});
  EXPECT_FALSE(refused.ok()) << "2 and the dead 3 would have no majority";
  c.open(3);
  c.pass_ms(1500);
  const auto removed = change(2, MemberChange::Kind::kRemove, {1, "", ""});
  ASSERT_TRUE(removed.ok()) << removed.message();
  c.pass_ms(500);
  EXPECT_EQ(c.at(2).replica->members().all().size(), 2u);
  EXPECT_GT(c.answer(3, lock_of("m", "u"))->fence, held->fence);

  // Of two, the one that goes is needed for its own leaving: it belongs to the old majority.
  const auto alone = change(2, MemberChange::Kind::kRemove, {3, "", ""});
  ASSERT_TRUE(alone.ok()) << alone.message();
  c.pass_ms(3000);
  EXPECT_EQ(c.leader(), 2u);
  EXPECT_EQ(c.at(2).replica->members().all().size(), 1u);
  EXPECT_EQ(c.answer(2, lock_of("n", "u"))->result, Result::kNotGranted);
}

// A change of leader in the middle of a removal can make the one that goes lead the joint membership.
TEST(Cluster, OneThatGoesLetsAnotherLeadBeforeTheJointMembershipIsLeft) {
  int led = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    Cluster c(3, seed);
    const uint32_t old = c.leader(), goes = old % 3 + 1, stays = goes % 3 + 1;
    c.pass_ms(300);
    c.at(old).replica->change_members(1, {MemberChange::Kind::kRemove, {goes, "", ""}});
    c.turn();  // it arrives, and the others' answers do not
    c.cut_off = {old};
    const auto leader = [&] { return c.at(stays).replica->status().leader; };
    for (int i = 0; i < 400 && (leader() == old || leader() == 0); ++i) c.pass_ms(5);
    const bool leads = leader() == goes;
    c.cut_off = {};
    const Replica& leaver = *c.at(goes).replica;
    for (int i = 0; leads && i < 100 && !leaver.status().leads; ++i) c.turn();
    ASSERT_EQ(leaver.status().leads, leads) << "seed " << seed;
    for (int i = 0; i < 100 && leaver.status().leads; ++i) c.turn(), c.clock.now_us += 5000;
    ASSERT_FALSE(leaver.status().leads) << "seed " << seed;
    EXPECT_TRUE(!leads || leaver.members().find(goes)) << "seed " << seed << ": it left without a successor";
    c.pass_ms(1000);
    const uint32_t next = c.leader();
    ASSERT_NE(next, goes);
    EXPECT_FALSE(c.at(next).replica->members().find(goes)) << "seed " << seed;
    EXPECT_EQ(c.answer(next, lock_of("n", "t"))->result, Result::kGranted);
    led += leads;
  }
  EXPECT_GT(led, 2);
}

}  // namespace
}  // namespace cleat::replica
