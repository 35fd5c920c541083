// What only a change of leader or a refused proposal shows, without a network.
#include "replica/liveness.hpp"

#include <gtest/gtest.h>

namespace cleat::replica {
namespace {

struct Ears : lock::Sink {
  base::SessionId opened;
  void on_outcome(const lock::Outcome&) override {}
  void on_event(const lock::Event&) override {}
  void on_session_opened(base::SessionId id, int64_t, lock::By, int64_t) override { opened = id; }
  void on_session_ended(base::SessionId, lock::Why) override {}
};

struct Member {
  lock::Machine machine;
  Liveness liveness;
  base::SessionId session;

  Member() {
    lock::EntryBuilder entry;
    lock::Command open;
    open.verb = lock::Verb::kOpenSession;
    open.ttl_ms = 1000;  // kept for 1011 ms
    open.key = "0123456789abcdef";
    entry.begin_run({1, 1, 1});
    entry.add(open);
    Ears ears;
    EXPECT_TRUE(machine.apply(entry.finish(0, 0), ears).ok());
    session = ears.opened;
    liveness.opened(session, 1000, 0);
  }
  size_t collect(int64_t stamp_ms, uint64_t proved = 0) {
    lock::EntryBuilder entry;
    entry.begin_run({1, 1, 0});
    liveness.collect({.stamp_ms = stamp_ms, .round = proved + 1, .proved_round = proved, .drained = true, .applied = 0},
                     machine, entry);
    return entry.commands();
  }
};

TEST(Liveness, WhatWasHeardInAnEarlierTermIsForgotten) {
  Member m;
  m.liveness.lead(0);
  m.liveness.heard(m.session, 900);
  m.liveness.follow();
  m.liveness.lead(300);
  EXPECT_EQ(m.collect(820), 1u) << "silent for half of D since the election at 300";
}

// Found by the simulator (3 members, seed 1042): a member vouched for a silence that began before log time did.
TEST(Liveness, AVoucherForALongSilenceTakesNothingFromTheElection) {
  Member m;
  m.liveness.lead(300);
  m.liveness.heard(m.session, -425);
  EXPECT_EQ(m.collect(800), 0u);
  EXPECT_EQ(m.collect(820), 1u) << "silent for half of D since the election at 300";
}

TEST(Liveness, ARefusedMarkWasNotMade) {
  Member m;
  m.liveness.lead(0);
  EXPECT_EQ(m.collect(600), 1u);
  m.liveness.refused();
  EXPECT_FALSE(m.liveness.barred(m.session, *m.machine.session_state(m.session), 0));
  EXPECT_EQ(m.collect(610), 1u) << "proposed again";
  m.liveness.proposed(5);
  EXPECT_TRUE(m.liveness.barred(m.session, *m.machine.session_state(m.session), 4)) << "until it is applied and lifted";
}

TEST(Liveness, AnExpireNeedsAProofBegunAfterTheSilenceWasSeen) {
  Member m;
  m.liveness.lead(0);
  EXPECT_EQ(m.collect(2000, 3), 0u) << "seen now: a ticket";
  EXPECT_TRUE(m.liveness.wants_proof(3));
  EXPECT_EQ(m.collect(2001, 3), 0u) << "no later proof yet";
  EXPECT_EQ(m.collect(2002, 4), 1u);
  m.liveness.proposed(9);
  EXPECT_EQ(m.liveness.counters().expires, 1u);
  EXPECT_TRUE(m.liveness.barred(m.session, *m.machine.session_state(m.session), 8)) << "its end is on its way";
}

// Its Heard was proposed, the commit takes long, it falls silent again, a Mark is proposed behind it: applying the
// Heard says nothing about what came after the Mark.
TEST(Liveness, AnEntryBeforeTheMarkDoesNotLiftItsBar) {
  Member m;
  m.liveness.lead(0);
  m.liveness.want_heard(m.session);
  ASSERT_EQ(m.collect(100), 1u);
  m.liveness.proposed(4);
  ASSERT_EQ(m.collect(600), 1u) << "a Mark";
  m.liveness.proposed(5);
  EXPECT_TRUE(m.liveness.barred(m.session, *m.machine.session_state(m.session), 4));
  EXPECT_FALSE(m.liveness.barred(m.session, *m.machine.session_state(m.session), 5)) << "nothing of it stands";
}

TEST(Liveness, OneHeardAfterItsTicketIsReprieved) {
  Member m;
  m.liveness.lead(0);
  EXPECT_EQ(m.collect(2000, 3), 0u);
  m.liveness.heard(m.session, 2001);
  EXPECT_EQ(m.collect(2002, 4), 0u);
  EXPECT_FALSE(m.liveness.tickets());
  EXPECT_EQ(m.liveness.counters().reprieved, 1u);
}

}  // namespace
}  // namespace cleat::replica
