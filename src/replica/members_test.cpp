#include "replica/members.hpp"

#include <gtest/gtest.h>

namespace cleat::replica {
namespace {

const std::vector<Member> kThree = {{1, "a", "10.0.0.1:7421"}, {2, "b", "10.0.0.2:7421"}, {3, "c", "[::1]:7421"}};

TEST(Members, ComeBackFromTheirBytes) {
  const Members members(kThree);
  std::string conf;
  const auto back = Members::decode(members.encode(std::string("\0conf", 5)), conf);
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(*back, members);
  EXPECT_EQ(conf, std::string("\0conf", 5));
  EXPECT_EQ(back->find(2)->name, "b");
  EXPECT_EQ(back->find("c")->id, 3u);
  EXPECT_EQ(back->find("d"), nullptr);
}

TEST(Members, AnIdIsNeverUsedAgain) {
  Members members(kThree);
  members.apply({MemberChange::Kind::kAddLearner, {4, "d", "x:1"}});
  members.apply({MemberChange::Kind::kRemove, {4, "", ""}});
  EXPECT_EQ(members.find(4), nullptr);
  EXPECT_EQ(members.next_id(), 5u);
  members.apply({MemberChange::Kind::kAddLearner, {4, "d", "x:1"}});
  EXPECT_EQ(members, [] {
    Members m(kThree);
    m.apply({MemberChange::Kind::kAddLearner, {4, "d", "x:1"}});
    m.apply({MemberChange::Kind::kRemove, {4, "", ""}});
    return m;
  }());
}

TEST(Members, CutOrChangedBytesAreRefused) {
  const std::string whole = Members(kThree).encode("conf");
  std::string conf;
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_FALSE(Members::decode(whole.substr(0, n), conf).ok()) << n;
  EXPECT_FALSE(Members::decode(whole + "x", conf).ok());
  const std::string change = encode({MemberChange::Kind::kPromote, {4, "d", "x:1"}});
  ASSERT_TRUE(decode_member_change(change).ok());
  for (size_t n = 0; n < change.size(); ++n) EXPECT_FALSE(decode_member_change(change.substr(0, n)).ok()) << n;
  EXPECT_FALSE(decode_member_change(encode({MemberChange::Kind{9}, {4, "d", "x:1"}})).ok());
}

}  // namespace
}  // namespace cleat::replica
