#include "replica/proofs.hpp"

#include <gtest/gtest.h>

namespace cleat::replica {
namespace {

raft::ReadContext context(uint8_t n) {
  return {n};
}

TEST(Proofs, ARoundConfirmsOnlyWhatCameBeforeItBegan) {
  Proofs proofs;
  const uint64_t early = proofs.round_for_new();
  proofs.began(context(1), 0);
  const uint64_t late = proofs.round_for_new();  // drained while the round is under way
  proofs.confirmed(context(1), 10);
  EXPECT_LE(early, proofs.settled_round(10));
  EXPECT_GT(late, proofs.settled_round(10));
  proofs.began(context(2), 1);
  proofs.confirmed(context(2), 10);
  EXPECT_LE(late, proofs.settled_round(10));
}

TEST(Proofs, WaitsUntilTheIndexIsApplied) {
  Proofs proofs;
  const uint64_t round = proofs.round_for_new();
  proofs.began(context(1), 0);
  proofs.confirmed(context(1), 10);
  EXPECT_EQ(proofs.proved_round(), round);
  EXPECT_LT(proofs.settled_round(9), round);
  EXPECT_EQ(proofs.settled_round(10), round);
}

TEST(Proofs, ALaterRoundConfirmsTheEarlierOnesWhoseAnswerWasLost) {
  Proofs proofs;
  const uint64_t round = proofs.round_for_new();
  proofs.began(context(1), 0);
  proofs.began(context(2), 1);
  proofs.confirmed(context(2), 3);
  EXPECT_LE(round, proofs.settled_round(3));
  proofs.confirmed(context(1), 99);  // late: changes nothing
  EXPECT_EQ(proofs.settled_round(3), round + 1);
}

TEST(Proofs, AnswersOfAnEndedTermCountForNothing) {
  Proofs proofs;
  const uint64_t round = proofs.round_for_new();
  proofs.began(context(1), 0);
  proofs.drop();
  proofs.confirmed(context(1), 1);
  EXPECT_LT(proofs.proved_round(), round);
}

TEST(Proofs, WhatWasConfirmedAndNotAppliedBeforeTheTermEndedIsProvedAgain) {
  Proofs proofs;
  const uint64_t round = proofs.round_for_new();
  proofs.began(context(1), 0);
  proofs.confirmed(context(1), 9);
  EXPECT_LT(proofs.settled_round(8), round);
  proofs.drop();
  EXPECT_LT(proofs.proved_round(), round);
  proofs.began(context(2), 1);
  proofs.confirmed(context(2), 9);
  EXPECT_GE(proofs.settled_round(9), round);
}

TEST(Proofs, AStrangeContextIsIgnored) {
  Proofs proofs;
  const uint64_t round = proofs.round_for_new();
  proofs.began(context(1), 0);
  proofs.confirmed(context(7), 1);
  EXPECT_LT(proofs.proved_round(), round);
}

TEST(Proofs, AnotherMayBeginOncePatienceIsOver) {
  Proofs proofs;
  EXPECT_FALSE(proofs.under_way(0));
  proofs.began(context(1), 1000);
  EXPECT_TRUE(proofs.under_way(1000));
  EXPECT_FALSE(proofs.under_way(1000 + Proofs::kPatienceUs));
}

}  // namespace
}  // namespace cleat::replica
