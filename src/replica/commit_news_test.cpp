#include "replica/commit_news.hpp"

#include <gtest/gtest.h>

#include "replica/cluster_testing.hpp"
#include "replica/peer_messages.hpp"

namespace cleat::replica {
namespace {

using testing::lock_of;

TEST(CommitNews, WhoWaitsIsToldAtOnceAndTheOthersALittleLater) {
  CommitNews news;
  EXPECT_TRUE(news.lacks(2, 10));
  news.wanted(2, 10);
  EXPECT_EQ(news.due(2, 10, 10, 1000), 10u);
  EXPECT_EQ(news.due(3, 10, 10, 1000), 0u);
  EXPECT_EQ(news.next_wake_us(), 1000 + CommitNews::kLateUs);
  EXPECT_EQ(news.due(3, 11, 11, 1000 + CommitNews::kLateUs), 11u);
  news.told(2, 10);
  news.told(3, 11);
  EXPECT_FALSE(news.lacks(3, 11));
  EXPECT_EQ(news.next_wake_us(), std::nullopt);
}

TEST(CommitNews, NobodyIsToldOfWhatHeHasNot) {
  CommitNews news;
  news.wanted(2, 10);
  EXPECT_EQ(news.due(2, 10, 0, 0), 0u);
  EXPECT_EQ(news.next_wake_us(), std::nullopt) << "there is nothing to tell until it has more";
  EXPECT_EQ(news.due(2, 10, 9, 0), 0u) << "what its client waits for is not there yet";
  EXPECT_EQ(news.due(2, 10, 9, CommitNews::kLateUs), 9u);
  news.told(2, 9);
  EXPECT_EQ(news.due(2, 10, 10, CommitNews::kLateUs), 10u);
}

TEST(CommitNews, AnAppendThatCarriesItSavesTheMessage) {
  CommitNews news;
  news.wanted(2, 10);
  news.told(2, 12);
  EXPECT_EQ(news.due(2, 12, 12, 1'000'000), 0u);
  news.forget(2);
  EXPECT_EQ(news.due(2, 12, 12, 0), 0u);
  EXPECT_EQ(news.due(2, 12, 12, CommitNews::kLateUs), 12u) << "it may have been lost with the connection";
}

// No time passes: neither a tick nor the next append is needed for the answer.
TEST(CommitNews, AClientOfAFollowerIsAnsweredAtOnce) {
  testing::Cluster c;
  c.leader();
  const uint32_t follower = c.follower();
  c.pass_ms(100);
  for (int n = 1; n <= 3; ++n) {
    const size_t before = c.at(follower).heard.outcomes.size();
    ASSERT_EQ(c.ask(follower, 7, lock_of("n" + std::to_string(n))), Trouble::kNone);
    for (int i = 0; i < 5; ++i) c.turn();
    EXPECT_EQ(c.at(follower).heard.outcomes.size(), before + 1) << n;
  }
}

// An entry needs an append and its answer; the commit index costs no more, whoever hears of it a little later.
TEST(CommitNews, AnEntryTakesTwoMessagesAMember) {
  testing::Cluster c;
  const uint32_t leader = c.leader();
  c.pass_ms(1000);
  int messages = 0;
  c.spoil = [&](std::string&) { ++messages; };
  for (int n = 1; n <= 10; ++n) {
    ASSERT_EQ(c.ask(leader, 7, lock_of("n" + std::to_string(n))), Trouble::kNone);
    for (int i = 0; i < 3; ++i) c.turn();
  }
  EXPECT_EQ(c.at(leader).heard.outcomes.size(), 10u);
  EXPECT_EQ(messages, 40);
  EXPECT_FALSE(c.same_state()) << "the last entry is not known to be committed yet";
  c.clock.now_us += CommitNews::kLateUs;
  for (int i = 0; i < 3; ++i) c.turn();
  EXPECT_EQ(messages, 42);
  EXPECT_TRUE(c.same_state());
}

TEST(CommitNews, OnlyTheLeaderOfTheTermIsBelieved) {
  testing::Cluster c;
  const uint32_t leader = c.leader(), follower = c.follower(), third = 6 - leader - follower;
  c.pass_ms(1000);
  ASSERT_EQ(c.ask(leader, 7, lock_of("n")), Trouble::kNone);
  for (int i = 0; i < 3; ++i) c.turn();
  auto& replica = *c.at(follower).replica;
  const uint64_t term = replica.status().term, last = c.at(leader).replica->status().applied;
  ASSERT_EQ(replica.status().commit, last - 1);
  replica.receive(third, encode(Committed{term, last}));
  replica.receive(leader, encode(Committed{term - 1, last}));
  replica.receive(leader, encode(Committed{term, last + 1}));
  EXPECT_EQ(replica.status().commit, last - 1);
  replica.receive(leader, encode(Committed{term, last}));
  EXPECT_EQ(replica.status().commit, last);
}

}  // namespace
}  // namespace cleat::replica
