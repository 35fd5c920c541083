// The parts of `cleat bench` that have no socket: when pairs are due, what a connection says, what is counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/bench_schedule.hpp"
#include "cli/bench_talk.hpp"

namespace cleat::cli {
namespace {

using client::TimePoint;
using std::chrono::microseconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr TimePoint kStart{std::chrono::hours(1)};

TimePoint at(microseconds us) {
  return kStart + us;
}
TimePoint at_ms(int64_t ms) {
  return kStart + milliseconds(ms);
}

BenchCommand asked(std::optional<int64_t> rate) {
  BenchCommand out;
  out.rate = rate;
  out.warm_up = milliseconds(100);
  out.duration = milliseconds(1'000);
  return out;
}

TEST(BenchSchedule, PairsAreDueAtTheRateWhateverBecomesOfThem) {
  BenchSchedule schedule(kStart, asked(3));
  EXPECT_EQ(schedule.due(), kStart);
  schedule.took();
  EXPECT_EQ(schedule.due(), kStart + std::chrono::nanoseconds(333'333'333));
  schedule.took();
  schedule.took();
  EXPECT_EQ(schedule.due(), at_ms(1'000)) << "three a second, without a drift";
  schedule.took();
  EXPECT_EQ(schedule.due(), std::nullopt) << "1333 ms is behind the end";
  EXPECT_EQ(BenchSchedule(kStart, asked({})).due(), std::nullopt);
}

TEST(BenchTally, CountsWhatWasDueInTheWindow) {
  BenchTally tally({at_ms(100), at_ms(1'100)});
  tally.pair(at_ms(99), at_ms(99), at_ms(100));  // was due while warming up: for the rate only
  tally.pair(at_ms(100), at_ms(110), at_ms(130));
  tally.pair(at_ms(1'099), at_ms(1'199), at_ms(1'299));  // released behind the end: for the latencies only
  EXPECT_EQ(tally.pairs(), 2u);
  const std::string json = tally.json(asked({}), 0.5, false);
  EXPECT_THAT(json, HasSubstr("\"pairs_per_s\":2,"));
  EXPECT_THAT(json, HasSubstr("\"lock\":{\"count\":2,"));
  EXPECT_THAT(json, HasSubstr("\"max_us\":200000}"));
  EXPECT_TRUE(tally.clean());
  tally.error("LOCK answered LIMIT");
  EXPECT_FALSE(tally.clean());
  EXPECT_THAT(tally.text(asked({}), 0.5), HasSubstr("error: LOCK answered LIMIT: 1\n"));
  EXPECT_THAT(tally.text(asked({}), 0.5), HasSubstr("Closed loop"));
  EXPECT_THAT(tally.text(asked({}), 0.5), Not(HasSubstr("This program itself")));
  EXPECT_THAT(tally.text(asked({}), 0.95), HasSubstr("This program itself used 95% of a core"));
}

TEST(BenchTally, WhatWasNeverSentIsInThePercentiles) {
  BenchTally tally({at_ms(100), at_ms(1'100)});
  for (int i = 0; i < 10; ++i) tally.pair(at_ms(200), at_ms(201), at_ms(202));
  tally.unsent(at_ms(50), at_ms(5'000));  // while warming up
  for (int i = 0; i < 90; ++i) tally.unsent(at_ms(1'000), at_ms(5'000));
  EXPECT_EQ(tally.unsent(), 90u);
  EXPECT_FALSE(tally.clean());
  EXPECT_THAT(tally.json(asked(100), 0, false), HasSubstr("\"lock\":{\"count\":100,\"p50_us\":4"));
}

TEST(BenchTally, EndsEarly) {
  BenchTally tally({at_ms(100), at_ms(1'100)});
  tally.end_window(at_ms(600));
  tally.pair(at_ms(500), at_ms(510), at_ms(599));
  tally.pair(at_ms(500), at_ms(510), at_ms(600));
  EXPECT_THAT(tally.json(asked({}), 0, true),
              HasSubstr("\"measured_ms\":500,\"interrupted\":true,\"pairs\":1,\"pairs_per_s\":2,"));
  BenchTally none({at_ms(100), at_ms(1'100)});
  none.end_window(at_ms(50));
  EXPECT_THAT(none.json(asked({}), 0, true),
              HasSubstr("\"measured_ms\":0,\"interrupted\":true,\"pairs\":0,\"pairs_per_s\":0,"));
}

// A connection whose server is the test.
struct Talk {
  explicit Talk(int64_t lanes, int64_t contend = 0) : talk({"p", "7", contend}, lanes, 1, tally) {
    talk.connected({"HELLO", "3"});
    EXPECT_THAT(said(), HasSubstr("HELLO"));
    EXPECT_TRUE(hear("%1\r\n$6\r\nserver\r\n$5\r\ncleat\r\n", 0).ok());
    EXPECT_TRUE(talk.greeted());
  }
  std::string said() { return std::exchange(talk.output(), ""); }
  base::Status hear(const std::string& bytes, int64_t ms) { return talk.received(bytes, at_ms(ms)); }

  BenchTally tally{{kStart, at_ms(1'000'000)}};
  BenchTalk talk;
};

std::string request(const client::Words& words) {
  return client::encode_request(words);
}

TEST(BenchTalk, APairInEachLane) {
  Talk c(2);
  c.talk.begin(at_ms(1), at_ms(1));
  c.talk.begin(at_ms(2), at_ms(2));
  EXPECT_FALSE(c.talk.ready(at_ms(3)));
  EXPECT_EQ(c.talk.unanswered_since(), at_ms(1));
  EXPECT_EQ(c.said(), request({"LOCK", "p/7.1.0", "OWNER", "0"}) + request({"LOCK", "p/7.1.1", "OWNER", "1"}));
  EXPECT_TRUE(c.hear(":5\r\n", 10).ok());
  EXPECT_EQ(c.said(), request({"UNLOCK", "p/7.1.0", "OWNER", "0"}));
  EXPECT_TRUE(c.hear(":6\r\n:0\r\n", 20).ok());
  EXPECT_EQ(c.said(), request({"UNLOCK", "p/7.1.1", "OWNER", "1"}));
  EXPECT_TRUE(c.talk.ready(at_ms(20)));
  EXPECT_EQ(c.tally.pairs(), 1u);
  EXPECT_EQ(c.talk.unanswered_since(), at_ms(20)) << "the release of the second lane";
  EXPECT_TRUE(c.hear(":0\r\n", 30).ok());
  EXPECT_TRUE(c.talk.idle());
  EXPECT_EQ(c.talk.unanswered_since(), TimePoint::max());
  EXPECT_EQ(c.tally.pairs(), 2u);
  EXPECT_TRUE(c.tally.clean());
}

TEST(BenchTalk, WaitsForItsTurnAtAContendedName) {
  Talk c(2, 1);
  c.talk.begin(at_ms(1), at_ms(1));
  c.talk.begin(at_ms(1), at_ms(1));
  EXPECT_EQ(c.said(), request({"LOCK", "p/0", "OWNER", "0", "ASYNC", "REQ", "0.1"}) +
                          request({"LOCK", "p/0", "OWNER", "1", "ASYNC", "REQ", "1.1"}));
  EXPECT_TRUE(c.hear(":5\r\n+QUEUED\r\n", 10).ok());
  EXPECT_EQ(c.said(), request({"UNLOCK", "p/0", "OWNER", "0"}));
  EXPECT_TRUE(
      c.hear(":0\r\n>5\r\n$5\r\ncleat\r\n$7\r\ngranted\r\n$3\r\np/0\r\n$3\r\n1.1\r\n%1\r\n$5\r\nfence\r\n:6\r\n", 20)
          .ok());
  EXPECT_EQ(c.said(), request({"UNLOCK", "p/0", "OWNER", "1"}));
  EXPECT_TRUE(c.hear(":0\r\n", 30).ok());
  EXPECT_EQ(c.tally.pairs(), 2u);
}

TEST(BenchTalk, ARefusalPausesTheLane) {
  Talk c(1);
  c.talk.begin(at_ms(1), at_ms(1));
  EXPECT_TRUE(c.hear("-LIMIT too many holds\r\n", 10).ok());
  EXPECT_TRUE(c.talk.idle());
  EXPECT_FALSE(c.talk.ready(at_ms(11)));
  EXPECT_TRUE(c.talk.ready(at_ms(110)));
  EXPECT_THAT(c.tally.json(asked({}), 0, false), HasSubstr("\"errors\":{\"LOCK answered LIMIT\":1}"));
}

TEST(BenchTalk, LeavesAMemberThatHasNoQuorum) {
  Talk c(2);
  c.talk.begin(at_ms(1), at_ms(1));
  c.talk.begin(at_ms(1), at_ms(1));
  EXPECT_FALSE(c.hear("-NOQUORUM no majority answers\r\n", 10).ok());
  c.talk.lost("the connection was lost");
  EXPECT_TRUE(c.talk.idle());
  EXPECT_FALSE(c.talk.greeted());
  EXPECT_EQ(c.said(), "");
  c.talk.connected({"HELLO", "3"});
  EXPECT_TRUE(c.hear("%0\r\n", 20).ok());
  c.said();
  c.talk.begin(at_ms(20), at_ms(20));
  EXPECT_THAT(c.said(), HasSubstr("p/7.2.")) << "the old session may still hold the old names";
  EXPECT_THAT(c.tally.json(asked({}), 0, false),
              HasSubstr("\"errors\":{\"LOCK answered NOQUORUM\":1,\"LOCK: the connection was lost\":1}"));
}

TEST(BenchTalk, WhatIsNoAnswerEndsTheConnection) {
  EXPECT_FALSE(Talk(1).hear(":1\r\n", 1).ok()) << "a reply to nothing";
  EXPECT_FALSE(Talk(1).hear("?\r\n", 1).ok());
  Talk c(1);
  c.talk.begin(at_ms(1), at_ms(1));
  EXPECT_FALSE(c.hear("%0\r\n", 1).ok());
}

// The service stands still for half a second. What was due in it is told as waiting, though only one could be asked.
TEST(BenchOpenLoop, AStallIsSeenByAllThatWereDueInIt) {
  BenchCommand open = asked(1'000);
  open.warm_up = milliseconds(0);
  BenchSchedule schedule(kStart, open);
  Talk c(1);
  for (int64_t us = 0; schedule.due() || !c.talk.idle(); us += 100) {
    if (us == 300'000) us = 800'000;  // the stall
    if (!c.talk.idle()) static_cast<void>(c.talk.received(":1\r\n", at(microseconds(us))));
    if (const auto due = schedule.due(); due && *due <= at(microseconds(us)) && c.talk.ready(at(microseconds(us)))) {
      c.talk.begin(*due, at(microseconds(us)));
      schedule.took();
    }
  }
  const std::string json = c.tally.json(open, 0, false);
  EXPECT_THAT(json, HasSubstr("\"count\":1000"));
  EXPECT_THAT(json, ::testing::ContainsRegex("\"pair\":.\"count\":1000,\"p50_us\":[0-9]{2,6},\"p90_us\":4[0-9]{5}"))
      << "a tenth of all waited for more than 400 ms";
}

}  // namespace
}  // namespace cleat::cli
