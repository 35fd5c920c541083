// What libraries and operators ask a node: CLIENT, CONFIG, INFO, TIME.
#include <gmock/gmock.h>

#include "server/service_kit.hpp"

namespace cleat::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

using ServiceCommands = ServiceTest;

TEST_F(ServiceCommands, InfoBeginsAsLibrariesExpect) {
  auto& a = connect();
  const std::string got = ask(a, "INFO");
  EXPECT_THAT(got, MatchesRegex("\\$[0-9]+\r\n# Server\r\nredis_version:[^\r]+\r\ncleat_version:[^\r]+\r\n"
                                "redis_mode:standalone\r\nloading:0\r\n.*"));
}

TEST_F(ServiceCommands, InfoCountsAcquisitionsByResult) {
  auto& a = connect();
  auto& b = connect(3);
  ask(a, "LOCK x");
  ask(b, "LOCK x WAIT 0");
  ask(b, "LOCK x WAIT 100 REQ r1 ASYNC");
  pass(101);
  ask(b, "LOCK x REQ r2 ASYNC");
  ask(b, "CANCEL r2");
  ask(b, "LOCK x REQ r3 ASYNC");
  clock_.now_us += 20'000;
  ask(a, "UNLOCK x");
  ask(b, "LOCK x NOREENTRY");
  take(b);
  const std::string got = ask(a, "INFO");
  for (const char* line :
       {"lock_requests:6", "acquired_at_once:1", "acquired_after_wait:1", "not_acquired_busy:1",
        "not_acquired_timed_out:1", "not_acquired_cancelled:1", "deadlocks:1", "unlocks:1", "holds:1",
        "implicit_sessions:2", "contention_rate:0.6667", "wait_ms_count:2", "hold_ms_count:1", "hold_ms_max:121"}) {
    EXPECT_THAT(got, HasSubstr("\r\n" + std::string(line) + "\r\n"));
  }
}

TEST_F(ServiceCommands, InfoCountsEachRequestOnce) {
  auto& a = connect();
  auto& b = connect(3);
  ask(a, "LOCK x TOKEN t TTL 60000");
  ask(a, "LOCK x TOKEN t TTL 60000");  // joins its hold
  ask(b, "SESSION OPEN");
  ask(b, "LOCK x REQ r1 ASYNC");
  ask(b, "LOCK x REQ r1 ASYNC");  // joins its waiter
  send(b, "LOCK x");
  run();
  drop(b);  // what waits there ends with it
  ask(a, "LOCK y TOKEN u TTL 60000");
  auto& c = connect();
  ask(c, "LOCK y TOKEN w TTL 60000 WAIT 60000");
  ask(a, "LOCK y TOKEN w TTL 60000 WAIT 60000");  // takes its place
  const std::string got = ask(connect(), "INFO");
  for (const char* line : {"lock_requests:8", "lock_requests_repeated:3", "acquired_at_once:2", "acquired_after_wait:0",
                           "not_acquired_busy:0", "not_acquired_cancelled:1", "contention_rate:0.3750"}) {
    EXPECT_THAT(got, HasSubstr("\r\n" + std::string(line) + "\r\n"));
  }
}

TEST_F(ServiceCommands, InfoNamesTheLeaderAndTheClockRates) {
  config_.listen = "127.0.0.1:7421";
  auto& a = connect();
  const std::string got = ask(a, "INFO replication");
  for (const char* line : {"role:leader", "leader:127.0.0.1:7421", "clock_rate_difference_ppm:0"}) {
    EXPECT_THAT(got, HasSubstr("\r\n" + std::string(line) + "\r\n"));
  }
  replica_->trouble = replica::Trouble::kNoQuorum;
  EXPECT_THAT(ask(a, "INFO replication"), HasSubstr("\r\nrole:follower\r\nleader:\r\n"));
  replica_->members.resize(2);
  replica_->members[0].id = 2, replica_->members[0].client_address = "10.0.0.2:7420";
  replica_->members[1].id = 3, replica_->members[1].client_address = "10.0.0.3:7420";
  replica_->worst_clock_ppm = 340;
  replica_->leader = 3;
  EXPECT_THAT(ask(a, "INFO replication"), AllOf(HasSubstr("\r\nrole:follower\r\nleader:10.0.0.3:7420\r\n"),
                                                HasSubstr("\r\nclock_rate_difference_ppm:340\r\n")));
}

TEST_F(ServiceCommands, InfoOfOneSection) {
  auto& a = connect();
  EXPECT_THAT(ask(a, "INFO clients"), AllOf(HasSubstr("# Clients\r\n"), Not(HasSubstr("# Server"))));
}

TEST_F(ServiceCommands, ConfigGetShowsSettingsAndWhatRedisToolsAskFor) {
  auto& a = connect();
  EXPECT_EQ(ask(a, "CONFIG GET save"), "*2\r\n$4\r\nsave\r\n$0\r\n\r\n");
  EXPECT_EQ(ask(a, "CONFIG GET appendonly"), "*2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n");
  EXPECT_EQ(ask(a, "CONFIG GET maxmemory"), "*0\r\n");
  EXPECT_EQ(ask(a, "CONFIG GET MAX-CONN*"), "*2\r\n$15\r\nmax-connections\r\n$5\r\n20000\r\n");
}

TEST_F(ServiceCommands, ConfigSetChangesWhatMayChange) {
  auto& a = connect();
  EXPECT_EQ(ask(a, "CONFIG SET log-level debug"), "+OK\r\n");
  EXPECT_EQ(ask(a, "CONFIG GET log-level"), "*2\r\n$9\r\nlog-level\r\n$5\r\ndebug\r\n");
  EXPECT_EQ(ask(a, "CONFIG SET log-level loud"), "-ERR log-level: \"loud\" is not one of debug|info|warning|error\r\n");
  EXPECT_THAT(ask(a, "CONFIG SET max-connections 5"),
              StartsWith("-ERR max-connections cannot change while the node runs"));
  EXPECT_THAT(ask(a, "CONFIG SET nothing 5"), StartsWith("-ERR there is no setting 'nothing'"));
  EXPECT_THAT(ask(a, "CONFIG SET log-level error nothing 5"), StartsWith("-ERR "));
  EXPECT_EQ(config_.log_level, "debug") << "all or nothing";
}

TEST_F(ServiceCommands, ClientsAreDescribed) {
  auto& a = connect();
  auto& b = connect(3);
  EXPECT_EQ(ask(a, "CLIENT ID"), ":1\r\n");
  EXPECT_EQ(ask(a, "CLIENT SETNAME worker-1"), "+OK\r\n");
  EXPECT_EQ(ask(a, "CLIENT GETNAME"), "$8\r\nworker-1\r\n");
  EXPECT_EQ(ask(a, "CLIENT SETINFO LIB-NAME lib"), "+OK\r\n");
  EXPECT_THAT(ask(a, "CLIENT INFO"),
              AllOf(HasSubstr("id=1 addr=127.0.0.1:40001 "), HasSubstr("name=worker-1 "), HasSubstr("lib-name=lib ")));
  const std::string list = ask(b, "CLIENT LIST");
  EXPECT_THAT(list, AllOf(HasSubstr("id=1 "), HasSubstr("id=2 "), HasSubstr("resp=3")));
  EXPECT_THAT(ask(b, "CLIENT LIST ID 2"), Not(HasSubstr("id=1 ")));
  EXPECT_THAT(ask(b, "CLIENT MAINT_NOTIFICATIONS ON"), StartsWith("-ERR unknown subcommand"));
}

TEST_F(ServiceCommands, SmallOnes) {
  auto& a = connect();
  EXPECT_EQ(ask(a, "PING"), "+PONG\r\n");
  EXPECT_EQ(ask(a, "PING hi"), "$2\r\nhi\r\n");
  EXPECT_EQ(ask(a, "ECHO hi"), "$2\r\nhi\r\n");
  EXPECT_EQ(ask(a, "SELECT 0"), "+OK\r\n");
  EXPECT_EQ(ask(a, "SELECT 1"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(ask(a, "TIME"), "*2\r\n$10\r\n1700000001\r\n$1\r\n0\r\n");
  EXPECT_THAT(ask(a, "COMMAND COUNT"), StartsWith(":"));
  EXPECT_THAT(ask(a, "SESSION SHOW"), StartsWith("-NOSESSION "));
}

TEST_F(ServiceCommands, SessionsAreShown) {
  auto& a = connect(3);
  ask(a, "LOCK x");
  EXPECT_THAT(ask(a, "SESSION SHOW"), HasSubstr("implicit"));
  EXPECT_THAT(ask(a, "SESSION LIST"), HasSubstr("implicit"));
  EXPECT_THAT(ask(a, "SHOW x"), HasSubstr("EXCLUSIVE"));
  EXPECT_THAT(ask(a, "LOCKS"), HasSubstr("$1\r\nx\r\n"));
  EXPECT_THAT(ask(a, "SHOW x LOCAL"), HasSubstr("EXCLUSIVE"));
}

}  // namespace
}  // namespace cleat::server
