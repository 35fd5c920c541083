#include "server/membership_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cleat::server {
namespace {

using replica::MemberChange;
using Asked = resp::MembersChange::Kind;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class MembershipRules : public ::testing::Test {
 protected:
  MembershipRules() {
    facts_ = {"ab", 1, 1, 7, "a", "127.0.0.1:7420", "127.0.0.1:1", false, ""};
    status_.leads = true;
    status_.leader = 1;
    status_.commit = 100;
    peer(2), peer(3);
  }
  replica::PeerStatus& peer(uint32_t id, bool up = true, bool voter = true) {
    replica::PeerStatus p;
    p.id = id;
    p.up = up;
    p.voter = voter;
    p.match = 90 + id;
    p.client_address = "127.0.0.1:742" + std::to_string(id);
    peers_.push_back(p);
    return peers_.back();
  }
  void add(uint32_t id, const std::string& name, bool up = true) {
    members_.apply({MemberChange::Kind::kAddLearner, {id, name, "127.0.0.1:" + std::to_string(id)}});
    peer(id, up, false);
  }
  MembersPlan plan(Asked kind, std::string_view name = "", std::string_view address = "") {
    return plan_members({kind, name, address}, facts_, now());
  }
  std::string refusal(Asked kind, std::string_view name = "", std::string_view address = "") {
    const MembersPlan p = plan(kind, name, address);
    const auto* e = std::get_if<AnswerError>(&p);
    return e ? e->line : "not refused";
  }
  MemberChange change(Asked kind, std::string_view name = "", std::string_view address = "") {
    const MembersPlan p = plan(kind, name, address);
    const auto* c = std::get_if<AskChange>(&p);
    EXPECT_TRUE(c) << refusal(kind, name, address);
    return c ? c->change : MemberChange{};
  }

  MembersNow now() const { return {members_, status_, peers_}; }

  std::vector<replica::PeerStatus> peers_;
  replica::Members members_{{{1, "a", "127.0.0.1:1"}, {2, "b", "127.0.0.1:2"}, {3, "c", "127.0.0.1:3"}}};
  replica::Status status_;
  ClusterFacts facts_;
};

TEST_F(MembershipRules, OnlyTheLeaderChanges) {
  status_.leads = false;
  status_.leader = 2;
  EXPECT_EQ(refusal(Asked::kRemove, "c"), "NOTLEADER 127.0.0.1:7422 b leads: ask it");
  peers_[0].client_address.clear();
  EXPECT_THAT(refusal(Asked::kTransfer), StartsWith("TRYAGAIN b leads"));
  status_.leader = 0;
  EXPECT_THAT(refusal(Asked::kAdd, "d", "127.0.0.1:4"), StartsWith("NOQUORUM "));
  facts_.waiting = "this node waits for b";
  EXPECT_EQ(refusal(Asked::kRemove, "c"), "NOQUORUM this node waits for b");
}

TEST_F(MembershipRules, Add) {
  EXPECT_EQ(change(Asked::kAdd, "d", "127.0.0.1:4"),
            (MemberChange{MemberChange::Kind::kAddLearner, {4, "d", "127.0.0.1:4"}}));
  add(4, "d");
  EXPECT_EQ(std::get<AnswerId>(plan(Asked::kAdd, "d", "127.0.0.1:4")).id, 4u);  // the same again
  EXPECT_EQ(refusal(Asked::kAdd, "d", "127.0.0.1:5"),
            "ERR there is a member d already, at 127.0.0.1:4: choose another name, or remove it first");
  EXPECT_EQ(refusal(Asked::kAdd, "e", "127.0.0.1:4"), "ERR 127.0.0.1:4 is the address of member d already");
  EXPECT_THAT(refusal(Asked::kAdd, "e", "nowhere"), HasSubstr("is not HOST:PORT"));
  EXPECT_THAT(refusal(Asked::kAdd, "a b", "127.0.0.1:9"), HasSubstr("letters, digits"));
  EXPECT_THAT(refusal(Asked::kAdd, "e", "10.0.0.1:9"), HasSubstr("no secret"));
  facts_.has_secret = true;
  EXPECT_EQ(change(Asked::kAdd, "e", "10.0.0.1:9").member.id, 5u);
  // A removed one comes back under a new id.
  members_.apply({MemberChange::Kind::kRemove, {4, "", ""}});
  EXPECT_EQ(change(Asked::kAdd, "d", "127.0.0.1:4").member.id, 5u);
}

TEST_F(MembershipRules, ANodeAloneNeedsAnAddressFirst) {
  members_ = replica::Members({{1, "node", ""}});
  peers_.clear();
  EXPECT_EQ(refusal(Asked::kAdd, "b", "127.0.0.1:2"), "TRYAGAIN node is about to be known at 127.0.0.1:1");
  facts_.peer_address.clear();
  EXPECT_THAT(refusal(Asked::kAdd, "b", "127.0.0.1:2"), HasSubstr("Restart it with --peer-listen"));
  EXPECT_EQ(refusal(Asked::kRemove, "node"), "ERR node is the only member: to end it, stop it");
  EXPECT_EQ(refusal(Asked::kTransfer), "ERR no other voter is up that could lead");
}

TEST_F(MembershipRules, RemoveNeverLosesTheQuorum) {
  EXPECT_EQ(change(Asked::kRemove, "c").kind, MemberChange::Kind::kRemove);
  EXPECT_EQ(refusal(Asked::kRemove, "a"), "ERR a leads: let another member lead first (MEMBERS TRANSFER)");
  EXPECT_EQ(refusal(Asked::kRemove, "x"), "ERR there is no member 'x': there are a, b, c");
  peers_[1].up = false;                                  // c
  EXPECT_EQ(change(Asked::kRemove, "c").member.id, 3u);  // the one that is down may go
  EXPECT_EQ(
      refusal(Asked::kRemove, "b"),
      "ERR b is not removed: of the 2 voters then (a, c) only 1 would be up, which is no majority: start c first");
  add(4, "d", false);
  EXPECT_EQ(change(Asked::kRemove, "d").member.id, 4u);  // a learner may always go
}

TEST_F(MembershipRules, Promote) {
  add(4, "d");
  EXPECT_EQ(change(Asked::kPromote, "d").kind, MemberChange::Kind::kPromote);
  peers_.back().up = false;
  EXPECT_THAT(refusal(Asked::kPromote, "d"), StartsWith("TRYAGAIN d is not reached at 127.0.0.1:4"));
  peers_.back().up = true;
  peers_[0].up = peers_[1].up = false;
  EXPECT_THAT(refusal(Asked::kPromote, "d"), HasSubstr("of the 4 voters then (a, b, c, d) only 2 would be up"));
  EXPECT_EQ(std::get<AnswerId>(plan(Asked::kPromote, "b")).id, 2u);  // it has a vote
}

TEST_F(MembershipRules, Transfer) {
  EXPECT_EQ(std::get<AskTransfer>(plan(Asked::kTransfer)).to.name, "c");  // the furthest
  EXPECT_EQ(std::get<AskTransfer>(plan(Asked::kTransfer, "b")).to.name, "b");
  EXPECT_EQ(std::get<AnswerId>(plan(Asked::kTransfer, "a")).id, 1u);
  add(4, "d");
  EXPECT_EQ(refusal(Asked::kTransfer, "d"), "ERR d can't lead: it is a learner");
  peers_[1].up = false;
  EXPECT_EQ(refusal(Asked::kTransfer, "c"), "ERR c can't lead: it is not up");
}

TEST_F(MembershipRules, Status) {
  add(4, "d", false);
  peers_[0].heard_us_ago = 12'400;
  resp::MembersReply r = members_status(facts_, now());
  EXPECT_EQ(r.leader, "a");
  ASSERT_EQ(r.members.size(), 4u);
  EXPECT_EQ(r.members[0].role, "leader");
  EXPECT_EQ(r.members[0].client, "127.0.0.1:7420");
  EXPECT_EQ(r.members[0].boot, 7u);
  EXPECT_EQ(r.members[1].role, "follower");
  EXPECT_EQ(r.members[1].lag, 8u);
  EXPECT_EQ(r.members[1].heard_ms, 12);
  EXPECT_EQ(r.members[3].role, "learner");
  EXPECT_FALSE(r.members[3].up);
  // As a follower sees it.
  facts_.member = 2;
  status_.leads = false;
  peers_.clear();
  peer(1).applied = 99;
  peer(3, false);
  r = members_status(facts_, now());
  EXPECT_EQ(r.leader, "a");
  EXPECT_EQ(r.members[0].lag, 1u);
  EXPECT_EQ(r.members[1].role, "follower");
  EXPECT_EQ(r.members[2].role, "unknown");
  EXPECT_FALSE(r.members[2].lag.has_value());
}

TEST(ChangeErrors, HaveCodesToActOn) {
  EXPECT_EQ(change_error({base::Code::kBusy, "m"}), "TRYAGAIN m");
  EXPECT_EQ(change_error({base::Code::kInvalid, "m"}), "ERR m");
  EXPECT_EQ(change_error({base::Code::kUnavailable, "m"}), "UNKNOWN m: look with MEMBERS STATUS whether it was done");
}

}  // namespace
}  // namespace cleat::server
