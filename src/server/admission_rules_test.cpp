#include "server/admission_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "replica/level_watch.hpp"

namespace cleat::server {
namespace {

using net::PeerEnd;
using net::PeerHello;
using ::testing::HasSubstr;
using ::testing::StartsWith;

net::ClusterId cluster(uint8_t n) {
  net::ClusterId id;
  id.fill(n);
  return id;
}

PeerHello nobody(const std::string& name) {
  PeerHello h;
  h.level = 1;
  h.name = name;
  return h;
}

PeerHello member(uint32_t id, const std::string& name, uint32_t boot = 1) {
  PeerHello h = nobody(name);
  h.cluster = cluster(1);
  h.incarnation = 1;
  h.member = id;
  h.boot = boot;
  return h;
}

class AdmissionRules : public ::testing::Test {
 protected:
  AdmissionRules() {
    members_ = replica::Members({{1, "a", "h:1"}, {2, "b", "h:2"}, {3, "c", "h:3"}, {4, "d", "h:4"}});
    members_.apply({replica::MemberChange::Kind::kRemove, {4, "", ""}});
    own_ = {OwnPlace::Kind::kMember, "a", cluster(1), 1, 1, &founders_, &members_, false, &boots_};
  }
  std::string accepted(const PeerHello& h) const { return said(PeerEnd::kAccepted, "", h); }
  std::string dialed(const std::string& expected, const PeerHello& h) const {
    return said(PeerEnd::kDialed, expected, h);
  }
  std::string said(PeerEnd end, const std::string& expected, const PeerHello& h) const {
    const auto status = admit(own_, end, expected, h);
    return status.ok() ? "in" : status.message();
  }

  std::vector<ListedMember> founders_ = {{"a", "h:1"}, {"b", "h:2"}, {"c", "h:3"}};
  replica::Members members_;
  SeenBoots boots_;
  OwnPlace own_;
};

TEST_F(AdmissionRules, MembersOfTheSameGroup) {
  PeerHello b = member(2, "b");
  b.to_member = 1;
  EXPECT_EQ(accepted(b), "in");
  EXPECT_EQ(dialed("b", member(2, "b")), "in");
  b.to_member = 3;
  EXPECT_THAT(accepted(b), HasSubstr("it wants member 3 and this is member 1 (a)"));
  EXPECT_EQ(dialed("c", member(2, "b")), "b answers where c is expected: their addresses are mixed up");
}

TEST_F(AdmissionRules, AnotherClusterOrIncarnation) {
  PeerHello b = member(2, "b");
  b.cluster = cluster(2);
  EXPECT_THAT(accepted(b), HasSubstr("b is a member of cluster 0202"));
  b = member(2, "b");
  b.incarnation = 2;
  EXPECT_THAT(accepted(b), HasSubstr("a new incarnation (2: "));
  EXPECT_THAT(accepted(b), HasSubstr("and a is of the older one (1): stop a, empty its directory"));
  EXPECT_EQ(dialed("b", b), accepted(b));
  b.incarnation = 0;
  EXPECT_THAT(accepted(b), HasSubstr("and b is of the older one (0), of which nothing is accepted"));
  EXPECT_THAT(accepted(b), HasSubstr("run `cleat cluster remove b`, start it with --join"));
  PeerHello d = member(7, "d");
  d.incarnation = 0;
  EXPECT_THAT(accepted(d), HasSubstr("empty its directory, start it with --join"));
  EXPECT_THAT(accepted(d), HasSubstr("run `cleat cluster add d=HOST:PORT`"));
}

TEST_F(AdmissionRules, WhoIsNotInTheTable) {
  EXPECT_THAT(accepted(member(4, "d")), StartsWith(std::string(kRemovedRefusal)));
  EXPECT_THAT(accepted(member(4, "d")), HasSubstr("cleat cluster add d="));
  EXPECT_EQ(accepted(member(5, "e")), "a does not know member 5 (e) yet; it will when it has caught up");
  EXPECT_EQ(accepted(member(2, "x")), "member 2 is called b and not x");
  own_.table_is_old = true;
  EXPECT_EQ(accepted(member(4, "d")), "in");
  EXPECT_EQ(accepted(member(5, "e")), "in");
  EXPECT_EQ(accepted(member(2, "x")), "member 2 is called b and not x");
}

TEST_F(AdmissionRules, ADirectoryPutBackToAnEarlierState) {
  boots_[2] = {7, 0};
  EXPECT_EQ(accepted(member(2, "b", 7)), "in");
  EXPECT_EQ(accepted(member(2, "b", 8)), "in");
  EXPECT_THAT(accepted(member(2, "b", 6)), HasSubstr("its start number 6 and does not know of its start number 7"));
  EXPECT_THAT(dialed("b", member(2, "b", 1)), HasSubstr("cleat cluster remove b"));
}

// The copy is counted up as the directory was that it replaced.
TEST_F(AdmissionRules, ADirectoryPutBackThatWasStartedAsOften) {
  const auto b = [](uint32_t boot, std::vector<uint64_t> starts) {
    PeerHello h = member(2, "b", boot);
    h.starts = std::move(starts);
    return h;
  };
  boots_[2] = {3, 103};
  EXPECT_EQ(accepted(b(3, {103, 102, 101})), "in");
  EXPECT_EQ(accepted(b(4, {104, 103, 102})), "in");
  EXPECT_THAT(accepted(b(3, {203, 102, 101})), HasSubstr(std::string(kPutBackRefusal)));
  EXPECT_THAT(accepted(b(5, {205, 204, 203, 102})), HasSubstr("number 5 and does not know of its start number 3"));
  EXPECT_EQ(accepted(b(6, {206, 205, 204})), "in") << "its list does not reach back so far";
  EXPECT_EQ(accepted(b(4, {104, 0})), "in");
  boots_[2].id = 0;
  EXPECT_EQ(accepted(b(3, {203, 102, 101})), "in");
}

// An image of the machine as it ran last: nobody met a start that it lacks, but its leader counted on more.
TEST_F(AdmissionRules, ADirectoryPutBackToWithinItsLatestStart) {
  const auto b = [](uint32_t boot, uint64_t term, std::optional<uint64_t> last) {
    PeerHello h = member(2, "b", boot);
    h.starts = {100 + boot};
    h.found_term = term;
    h.found_next = last ? *last + 1 : 0;
    return h;
  };
  boots_[2] = {3, 103};
  own_.term = 5;
  own_.match = 80;
  EXPECT_EQ(accepted(b(4, 5, 80)), "in");
  EXPECT_THAT(accepted(b(4, 5, 79)),
              HasSubstr("its log ended with entry 79 of term 5 or before when it started, and it "
                        "had acknowledged entry 80 in term 5: " +
                        std::string(kPutBackRefusal)));
  EXPECT_THAT(dialed("b", b(4, 4, 90)), HasSubstr(std::string(kPutBackRefusal))) << "it has answered in term 5";
  EXPECT_EQ(accepted(b(4, 6, 70)), "in") << "a later leader may have cut its log";
  EXPECT_EQ(accepted(b(3, 5, 70)), "in") << "the same start is connected again";
  EXPECT_THAT(accepted(b(4, 0, 0)), HasSubstr(std::string(kPutBackRefusal))) << "it had just joined then";
  EXPECT_EQ(accepted(b(4, 0, std::nullopt)), "in") << "an older build does not say";
  own_.match = 0;
  EXPECT_EQ(accepted(b(4, 4, 70)), "in") << "it acknowledged nothing to this leader";
}

TEST_F(AdmissionRules, TheLatestStartIsRemembered) {
  PeerHello b = member(2, "b", 3);
  EXPECT_EQ(seen_start({}, b), (SeenStart{3, 0}));
  b.starts = {103, 102};
  EXPECT_EQ(seen_start({2, 102}, b), (SeenStart{3, 103}));
  EXPECT_EQ(seen_start({4, 104}, b), (SeenStart{4, 104}));
}

TEST_F(AdmissionRules, TwoOfTheSame) {
  EXPECT_THAT(accepted(member(2, "a")), HasSubstr("both ends are called a"));
  EXPECT_THAT(accepted(member(1, "b")), HasSubstr("both are member 1: a data directory was copied"));
  EXPECT_THAT(accepted(nobody("a")), HasSubstr("both ends are called a"));
}

TEST_F(AdmissionRules, WhatNobodyMaySay) {
  PeerHello odd = nobody("b");
  odd.member = 2;
  EXPECT_THAT(accepted(odd), HasSubstr("neither"));
  odd = member(2, "b");
  odd.member = 0;
  EXPECT_THAT(accepted(odd), HasSubstr("neither"));
  EXPECT_THAT(accepted(member(2, "b\n")), HasSubstr("a name that no member can have"));
  EXPECT_THAT(accepted(member(2, "")), HasSubstr("a name that no member can have"));
}

TEST_F(AdmissionRules, WhoHasNoPlaceYetIsTalkedToIfTheTableHasOne) {
  EXPECT_EQ(accepted(nobody("c")), "in");
  EXPECT_EQ(dialed("c", nobody("c")), "in");
  EXPECT_THAT(accepted(nobody("e")), HasSubstr("has no member e: run `cleat cluster add e=HOST:PORT`"));
}

TEST_F(AdmissionRules, WhoKnowsLessThanTheGroupUses) {
  own_.level = 2;
  PeerHello b = member(2, "b");
  b.level = 1;
  EXPECT_THAT(accepted(b), HasSubstr("b: this cleat is too old for its cluster: all members have moved to feature "
                                     "level 2, and this one knows 1 at most"));
  PeerHello joins = nobody("c");
  joins.level = 1;
  EXPECT_THAT(dialed("c", joins), HasSubstr(std::string(replica::kTooOld)));
  b.level = joins.level = 2;
  EXPECT_EQ(accepted(b), "in");
  EXPECT_EQ(dialed("c", joins), "in");
  b.level = 3;
  EXPECT_EQ(accepted(b), "in");
}

TEST_F(AdmissionRules, WhileFounding) {
  own_ = {OwnPlace::Kind::kFounding, "a", {}, 0, 0, &founders_, nullptr, false, nullptr};
  EXPECT_EQ(accepted(nobody("b")), "in");
  EXPECT_EQ(dialed("b", nobody("b")), "in");
  EXPECT_EQ(accepted(member(2, "b")), "in");
  EXPECT_EQ(accepted(member(9, "c")), "in");  // what it says decides, not its id
  EXPECT_EQ(accepted(nobody("x")),
            "a waits for the members of its --cluster, a=h:1,b=h:2,c=h:3, and x is not one of them");
  EXPECT_THAT(dialed("b", nobody("c")), HasSubstr("mixed up"));
}

TEST_F(AdmissionRules, WhileJoining) {
  own_ = {OwnPlace::Kind::kJoining, "d", {}, 0, 0, nullptr, nullptr, false, nullptr};
  EXPECT_EQ(accepted(member(2, "b")), "in");
  EXPECT_EQ(dialed("", member(2, "b")), "in");
  EXPECT_THAT(accepted(nobody("e")), HasSubstr("d waits to be added to a cluster itself"));
  EXPECT_THAT(accepted(member(2, "d")), HasSubstr("both ends are called d"));
}

}  // namespace
}  // namespace cleat::server
