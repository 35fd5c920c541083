// A group of one voter: propose, persist, commit, restart, reads.
#include <gtest/gtest.h>

#include "raft/testing.hpp"

namespace cleat::raft {
namespace {

TEST(OneVoter, LeadsWhenOpened) {
  testing::TempDir dir;
  auto group = testing::open(testing::one_voter(dir));
  EXPECT_EQ(group->status().role, Role::kLeader);
  EXPECT_EQ(group->status().boot, 1u);
}

TEST(OneVoter, ProposalComesBackCommittedAndSurvivesRestart) {
  testing::TempDir dir;
  testing::Applied applied;
  {
    auto group = testing::open(testing::one_voter(dir));
    testing::drain(*group, &applied);
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(group->propose(testing::bytes("value " + std::to_string(i))));
      testing::drain(*group, &applied);
    }
  }
  const std::vector<std::string> expected = {"value 0", "value 1", "value 2", "value 3", "value 4"};
  EXPECT_EQ(applied.payloads(), expected);
  testing::Applied again;
  auto group = testing::open(testing::one_voter(dir));
  EXPECT_EQ(group->status().boot, 2u);
  testing::drain(*group, &again);
  EXPECT_EQ(again.payloads(), expected);
  EXPECT_EQ(group->status().role, Role::kLeader);
}

TEST(OneVoter, ManyEntriesInOneProposal) {
  testing::TempDir dir;
  testing::Applied applied;
  auto group = testing::open(testing::one_voter(dir));
  testing::drain(*group, &applied);
  std::vector<std::string> payloads;
  std::vector<Bytes> views;
  for (int i = 0; i < 500; ++i) payloads.push_back(std::to_string(i));
  for (const auto& p : payloads) views.push_back(testing::bytes(p));
  ASSERT_TRUE(group->propose(views));
  testing::drain(*group, &applied);
  EXPECT_EQ(applied.payloads(), payloads);
}

TEST(OneVoter, ReadIsConfirmedOnceATermEntryIsCommitted) {
  testing::TempDir dir;
  auto group = testing::open(testing::one_voter(dir));
  EXPECT_FALSE(group->read_index().has_value());
  testing::drain(*group, nullptr);
  auto first = group->read_index(), second = group->read_index();
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  Ready ready = group->ready();
  ASSERT_EQ(ready.read_count(), 2u);
  EXPECT_EQ(ready.read(0).context, *first);
  EXPECT_EQ(ready.read(0).index, group->status().commit);
}

TEST(OneVoter, SecondProcessIsRefused) {
  testing::TempDir dir;
  auto group = testing::open(testing::one_voter(dir));
  auto other = Group::open(testing::one_voter(dir));
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code(), base::Code::kBusy);
  EXPECT_NE(other.status().message().find("in use by another process"), std::string::npos);
}

}  // namespace
}  // namespace cleat::raft
