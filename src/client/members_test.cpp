#include "client/members.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace cleat::client {
namespace {

using namespace std::chrono_literals;

Endpoint at(uint16_t port) {
  return {.host = "10.0.0.1", .port = port};
}

struct MembersTest : ::testing::Test {
  TimePoint now{1'000s};

  Members members(std::vector<uint16_t> ports, uint64_t seed = 1) {
    std::vector<Endpoint> given;
    for (const uint16_t port : ports) given.push_back(at(port));
    return {std::move(given), Random(seed)};
  }
  milliseconds pause(const Members& m) const {
    return std::max(std::chrono::duration_cast<milliseconds>(m.next_attempt() - now), 0ms);
  }
  // Lets the current one fail; returns how long to wait for the next.
  milliseconds fail(Members& m) {
    m.failed(now);
    const milliseconds waited = pause(m);
    now += waited;
    return waited;
  }
  // Where it goes when each fails in turn.
  std::multiset<uint16_t> round(Members& m, size_t tries) {
    std::multiset<uint16_t> ports;
    for (; tries > 0; --tries) {
      ports.insert(m.current().port);
      fail(m);
    }
    return ports;
  }
};

TEST_F(MembersTest, TheFirstAttemptIsAtOnce) {
  EXPECT_EQ(pause(members({1, 2, 3})), 0ms);
}

TEST_F(MembersTest, ARoundTriesEachOnce) {
  Members m = members({1, 2, 3});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(round(m, 3), (std::multiset<uint16_t>{1, 2, 3}));
}

TEST_F(MembersTest, WithinARoundItGoesOnAlmostAtOnceBetweenRoundsThePauseDoubles) {
  Members m = members({1, 2, 3});
  milliseconds longest = 50ms;
  for (int i = 0; i < 12; ++i) {
    EXPECT_LE(fail(m), 25ms);
    EXPECT_LE(fail(m), 25ms);
    const milliseconds paused = fail(m);
    EXPECT_GE(paused, longest / 2);
    EXPECT_LE(paused, longest);
    longest = std::min<milliseconds>(2 * longest, 1s);
  }
  EXPECT_EQ(longest, 1s);
}

TEST_F(MembersTest, PausesOfClientsDiffer) {
  std::set<int64_t> pauses;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Members m = members({1}, seed);
    for (int i = 0; i < 6; ++i) m.failed(now);
    pauses.insert(pause(m).count());
  }
  EXPECT_GE(pauses.size(), 15u);
}

TEST_F(MembersTest, ClientsBeginAtDifferentMembersAndThoseOfADeadOneSpread) {
  std::multiset<uint16_t> first, behind_1;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    Members m = members({1, 2, 3}, seed);
    first.insert(m.current().port);
    if (m.current().port != 1) continue;
    m.failed(now);
    behind_1.insert(m.current().port);
  }
  for (const uint16_t port : {1, 2, 3}) EXPECT_GT(first.count(port), 60u) << port;
  for (const uint16_t port : {2, 3}) EXPECT_GT(behind_1.count(port), 25u) << port;
}

TEST_F(MembersTest, TheSameSeedGivesTheSameOrderAndPauses) {
  Members a = members({1, 2, 3}, 7), b = members({1, 2, 3}, 7);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(a.current(), b.current());
    a.failed(now);
    b.failed(now);
    ASSERT_EQ(pause(a), pause(b));
  }
}

TEST_F(MembersTest, AGoodConnectionForgetsWhatFailedBefore) {
  Members m = members({1});
  for (int i = 0; i < 10; ++i) fail(m);
  m.reached(now);
  now += 1s;
  EXPECT_LE(fail(m), 50ms);
}

TEST_F(MembersTest, AMemberThatAcceptsAndClosesIsNoGoodConnection) {
  Members m = members({1});
  milliseconds paused{0};
  for (int i = 0; i < 10; ++i) {
    m.reached(now);
    now += 10ms;
    paused = fail(m);
  }
  EXPECT_GE(paused, 500ms);
}

TEST_F(MembersTest, DuplicatesCountOnce) {
  EXPECT_EQ(members({1, 1, 2}).size(), 2u);
}

TEST_F(MembersTest, LearnsAndForgets) {
  Members m = members({1});
  EXPECT_FALSE(m.several());
  m.learn(std::vector{at(1), at(2), at(3)});
  EXPECT_EQ(m.current(), at(1)) << "what it is connected to stays";
  EXPECT_EQ(round(m, 3), (std::multiset<uint16_t>{1, 2, 3}));
  m.learn(std::vector{at(1), at(3), at(4)});
  while (m.current() == at(2)) fail(m);
  EXPECT_EQ(round(m, 3), (std::multiset<uint16_t>{1, 3, 4}));
}

TEST_F(MembersTest, WhatWasGivenIsNeverForgotten) {
  Members m = members({1, 2});
  m.learn(std::vector{at(3)});
  EXPECT_EQ(round(m, 3), (std::multiset<uint16_t>{1, 2, 3}));
  m.learn({});
  while (m.current() == at(3)) fail(m);
  EXPECT_EQ(round(m, 2), (std::multiset<uint16_t>{1, 2}));
}

TEST_F(MembersTest, TheCurrentOneIsForgottenWhenItIsLeft) {
  Members m = members({1});
  m.learn(std::vector{at(2)});
  while (m.current() != at(2)) fail(m);
  m.learn({});
  EXPECT_EQ(m.current(), at(2));
  fail(m);
  EXPECT_EQ(m.size(), 1u);
  EXPECT_EQ(m.current(), at(1));
}

TEST_F(MembersTest, TheCurrentOneThatComesBackIsKept) {
  Members m = members({1});
  m.learn(std::vector{at(2)});
  while (m.current() != at(2)) fail(m);
  m.learn({});
  m.learn(std::vector{at(2)});
  fail(m);
  EXPECT_EQ(m.size(), 2u);
}

TEST_F(MembersTest, LearnedOnesAreBounded) {
  Members m = members({1});
  std::vector<Endpoint> many;
  for (uint16_t port = 2; port < 1'000; ++port) many.push_back(at(port));
  m.learn(many);
  EXPECT_EQ(m.size(), 1 + Members::kMostLearned);
}

// Any order of what can happen leaves it with all that was given, and with a current one.
TEST_F(MembersTest, WhateverHappensTheGivenOnesStay) {
  Random chance(42);
  for (uint64_t seed = 0; seed < 50; ++seed) {
    Members m = members({1, 2}, seed);
    for (int i = 0; i < 200; ++i) {
      now += milliseconds(chance.below(1'500));
      switch (chance.below(3)) {
        case 0:
          m.failed(now);
          ASSERT_LE(m.next_attempt() - now, 1s);
          break;
        case 1:
          m.reached(now);
          break;
        default: {
          std::vector<Endpoint> told;
          for (uint16_t port = 2; port < 7; ++port) {
            if (chance.below(2) == 0) told.push_back(at(port));
          }
          m.learn(told);
        }
      }
    }
    m.learn({});
    if (m.current() != at(1) && m.current() != at(2)) m.failed(now);
    ASSERT_EQ(round(m, 2), (std::multiset<uint16_t>{1, 2})) << "seed " << seed;
  }
}

Reply text(const char* word) {
  return Reply::of(std::string(word));
}
Reply map_of(std::vector<Reply> items) {
  return {.type = Reply::Type::kMap, .integer = 0, .text = {}, .items = std::move(items)};
}

TEST(ClientAddresses, AreReadFromMembersStatus) {
  const auto member = [](Reply client) { return map_of({text("name"), text("a"), text("client"), std::move(client)}); };
  const Reply members{.type = Reply::Type::kArray,
                      .integer = 0,
                      .text = {},
                      .items = {member(text("10.0.0.1:7000")), member(Reply::nil()), member(text("0.0.0.0:7420")),
                                member(text("[::]:7420")), member(text("db2:7001")), member(text(":0"))}};
  EXPECT_EQ(client_addresses(map_of({text("term"), Reply::of(int64_t{3}), text("members"), members})),
            (std::vector<Endpoint>{{"10.0.0.1", 7000}, {"db2", 7001}}));
}

TEST(ClientAddresses, OfAnythingElseAreNone) {
  EXPECT_TRUE(client_addresses(text("OK")).empty());
  EXPECT_TRUE(client_addresses(map_of({text("members"), text("x")})).empty());
  EXPECT_TRUE(client_addresses(map_of({text("members"), map_of({text("client"), text("a:1")})})).empty());
}

}  // namespace
}  // namespace cleat::client
