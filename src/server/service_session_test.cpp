// Sessions and connections: implicit and explicit ones, their loss, RESET, AUTH, HELLO, CLIENT KILL, vouching.
#include <gmock/gmock.h>

#include "server/service_kit.hpp"

namespace cleat::server {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class ServiceSession : public ServiceTest {
 protected:
  struct Opened {
    std::string id, key;
  };
  // *6 id :n key $16 k ttl :n
  Opened open(Client& client, const std::string& options = "") {
    const std::string got = ask(client, "SESSION OPEN " + options);
    const auto id_at = got.find("id\r\n:") + 5;
    const auto key_at = got.find("$16\r\n") + 5;
    EXPECT_NE(got.find("$16\r\n"), std::string::npos) << got;
    return {got.substr(id_at, got.find('\r', id_at) - id_at), got.substr(key_at, 16)};
  }
};

TEST_F(ServiceSession, AnImplicitSessionEndsWithItsConnection) {
  auto& a = connect();
  auto& b = connect();
  EXPECT_EQ(ask(a, "LOCK x"), ":1\r\n");
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), "$-1\r\n");
  drop(a);
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), ":2\r\n");
}

TEST_F(ServiceSession, LocksOfManyConnectionsThatGoAtOnceEndInSeveralTurns) {
  constexpr int kEach = 6'000;
  Client* clients[] = {&connect(), &connect(), &connect()};
  for (Client* client : clients) {
    for (int i = 0; i < kEach; ++i)
      send(*client, "LOCK " + std::to_string(client->connection->ref.connection) + "/" + std::to_string(i));
    run();
  }
  ASSERT_EQ(replica_->machine().totals().holds, 3u * kEach);
  service_->begin_turn();
  for (Client* client : clients) service_->disconnected(*client->connection);
  service_->finish_turn();
  EXPECT_EQ(replica_->machine().totals().holds, 2u * kEach);
  EXPECT_TRUE(service_->has_more());
  service_->destroy_gone();
  for (Client* client : clients) client->connection = nullptr;
  run();
  EXPECT_EQ(replica_->machine().totals().holds, 0u);
  EXPECT_FALSE(service_->has_more());
}

TEST_F(ServiceSession, AWaiterOfAGoneConnectionIsCancelled) {
  auto& a = connect();
  auto& b = connect();
  auto& c = connect();
  ask(a, "LOCK x");
  ask(b, "LOCK x");
  drop(b);
  ask(a, "UNLOCK x");
  EXPECT_EQ(ask(c, "LOCK x WAIT 0"), ":2\r\n");
}

TEST_F(ServiceSession, DelayAppliesWhenAConnectionBreaksAndNotAfterQuit) {
  auto& a = connect();
  auto& b = connect();
  auto& c = connect();
  ask(a, "LOCK x DELAY 5000");
  ask(b, "LOCK y DELAY 5000");
  drop(a);
  ask(b, "QUIT");
  EXPECT_EQ(ask(c, "LOCK x WAIT 0"), "$-1\r\n");
  EXPECT_EQ(ask(c, "LOCK y WAIT 0"), ":3\r\n");
}

TEST_F(ServiceSession, ClientKillIsUnclean) {
  auto& a = connect();
  auto& b = connect();
  ask(a, "LOCK x DELAY 5000");
  EXPECT_EQ(ask(b, "CLIENT KILL ID 1"), ":1\r\n");
  EXPECT_EQ(a.connection, nullptr);
  run();
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), "$-1\r\n");
  EXPECT_THAT(ask(b, "CLIENT KILL 1.2.3.4:5"), StartsWith("-ERR No such client"));
}

TEST_F(ServiceSession, AnUndeliveredGrantOfAnExplicitSessionIsUndone) {
  auto& a = connect();
  auto& b = connect();
  const Opened session = open(a);
  cut(a, "LOCK x");
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), ":2\r\n");
  EXPECT_THAT(ask(b, "HISTORY x"), HasSubstr("undelivered"));
}

TEST_F(ServiceSession, AnUndeliveredReentryIsTakenBackToTheDepthBefore) {
  auto& a = connect();
  auto& b = connect();
  auto& other = connect();
  const Opened session = open(a);
  EXPECT_EQ(ask(a, "LOCK x"), ":1\r\n");
  ask(b, "SESSION ATTACH " + session.id + " " + session.key);
  cut(b, "LOCK x\r\nLOCK x\r\nLOCK x\r\nUNLOCK x");
  EXPECT_THAT(ask(other, "SHOW x"), HasSubstr("$5\r\ndepth\r\n:1\r\n"));
  EXPECT_EQ(ask(a, "UNLOCK x"), ":0\r\n");
}

TEST_F(ServiceSession, AReentryWhoseAnswerCouldNotBeSentIsTakenBack) {
  auto& a = connect();
  auto& b = connect();
  const Opened session = open(a);
  ask(a, "LOCK x");
  ask(b, "SESSION ATTACH " + session.id + " " + session.key);
  b.reads = false;
  send(b, "LOCK x");
  send(b, "LOCK x REQ r");
  send(b, "LOCK x");
  send(b, "UNLOCK x");
  run();
  drop(b);
  EXPECT_EQ(ask(a, "UNLOCK x"), ":1\r\n") << "the one with REQ stands";
  EXPECT_EQ(ask(a, "UNLOCK x"), ":0\r\n");
}

TEST_F(ServiceSession, AGrantWhoseAnswerWasSentStandsThoughMoreIsUnsent) {
  auto& a = connect();
  auto& b = connect();
  const Opened session = open(a);
  a.reads = false;
  send(a, "LOCK x");
  send(a, "LOCK y");
  run();
  ASSERT_EQ(a.connection->out, ":1\r\n:2\r\n");
  service_->sent(*a.connection, 7);
  drop(a);
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), "$-1\r\n");
  EXPECT_EQ(ask(b, "LOCK y WAIT 0"), ":3\r\n");
}

TEST_F(ServiceSession, AGrantWhoseAnswerCouldNotBeSentIsUndone) {
  auto& a = connect();
  auto& b = connect();
  open(a);
  ask(a, "LOCK sent");
  a.reads = false;
  send(a, "LOCK x");
  turn();
  drop(a);  // the driver found it gone when it sent
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), ":3\r\n");
  EXPECT_EQ(ask(b, "LOCK sent WAIT 0"), "$-1\r\n") << "an answer that was sent stands";
}

TEST_F(ServiceSession, WithReqAGrantStandsThoughItsConnectionIsGone) {
  auto& a = connect();
  auto& b = connect();
  const Opened session = open(a);
  service_->begin_turn();
  const std::string line = "LOCK x REQ r\r\n";
  std::copy(line.begin(), line.end(), a.connection->input.space().data());
  service_->received(*a.connection, line.size());
  service_->disconnected(*a.connection);
  service_->finish_turn();
  service_->destroy_gone();
  run();
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), "$-1\r\n");
  ask(b, "SESSION ATTACH " + session.id + " " + session.key);
  EXPECT_EQ(ask(b, "LOCK x REQ r"), ":1\r\n");
}

TEST_F(ServiceSession, OpenIsRefusedWhileTheImplicitSessionHoldsSomething) {
  auto& a = connect();
  ask(a, "LOCK x");
  EXPECT_THAT(ask(a, "SESSION OPEN"), StartsWith("-ERR this connection holds or waits"));
  EXPECT_EQ(ask(a, "UNLOCK x"), ":0\r\n") << "it is as before";
  open(a);
  EXPECT_EQ(ask(a, "LOCK x"), ":2\r\n");
}

TEST_F(ServiceSession, TakeoverShutsTheOthersOutForGood) {
  auto& a = connect();
  auto& b = connect();
  const Opened session = open(a);
  EXPECT_EQ(ask(a, "LOCK x"), ":1\r\n");
  EXPECT_THAT(ask(b, "SESSION ATTACH " + session.id + " " + session.key + " TAKEOVER"), HasSubstr("takeover_ms"));
  EXPECT_THAT(ask(a, "UNLOCK x"), StartsWith("-NOSESSION "));
  EXPECT_THAT(ask(a, "LOCK y WAIT 0"), StartsWith("-NOSESSION ")) << "no implicit session takes its place";
  EXPECT_THAT(ask(a, "LOCK t TOKEN t TTL 1000"), StartsWith(":")) << "a token needs none";
  EXPECT_EQ(ask(a, "RESET"), "+RESET\r\n");
  EXPECT_THAT(ask(a, "LOCK y WAIT 0"), StartsWith(":"));
  EXPECT_EQ(ask(b, "UNLOCK x"), ":0\r\n");
}

TEST_F(ServiceSession, AfterAFailedAttachThereIsNoSession) {
  auto& a = connect();
  auto& b = connect();
  const Opened session = open(a);
  EXPECT_THAT(ask(b, "SESSION ATTACH " + session.id + " 0123456789abcdef"), StartsWith("-DENIED "));
  EXPECT_THAT(ask(b, "LOCK y WAIT 0"), StartsWith("-NOSESSION "));
  open(b);
  EXPECT_EQ(ask(b, "LOCK y WAIT 0"), ":1\r\n");
}

TEST_F(ServiceSession, AnExpiredSessionIsTold) {
  auto& a = connect(3);
  const std::string got = ask(a, "SESSION OPEN");
  const auto at = got.find("id\r\n:") + 5;
  const auto id = std::stoull(got.substr(at));
  EXPECT_EQ(ask(a, "LOCK x"), ":1\r\n");
  replica_->expire(base::SessionId{id});
  pass(1);
  EXPECT_THAT(take(a), StartsWith(">5\r\n$5\r\ncleat\r\n$4\r\nlost\r\n$1\r\nx\r\n"));
  EXPECT_THAT(ask(a, "LOCK x WAIT 0"), StartsWith("-NOSESSION "));
  EXPECT_THAT(ask(a, "SESSION KEEPALIVE"), StartsWith("-NOSESSION "));
}

TEST_F(ServiceSession, KeepAliveOfOneselfAndOfPairs) {
  auto& a = connect();
  auto& b = connect();
  const Opened session = open(a, "TTL 7000");
  EXPECT_EQ(ask(a, "SESSION KEEPALIVE"), "*2\r\n:7000\r\n:0\r\n");
  EXPECT_EQ(ask(b, "SESSION KEEPALIVE " + session.id + " " + session.key + " 999 0123456789abcdef"),
            "*2\r\n*2\r\n:7000\r\n:0\r\n$-1\r\n");
  EXPECT_THAT(ask(b, "SESSION KEEPALIVE"), StartsWith("-NOSESSION "));
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), ":1\r\n") << "it never had a session to lose";
}

TEST_F(ServiceSession, ResetEndsTheImplicitSessionCleanly) {
  auto& a = connect(3);
  auto& b = connect();
  ask(a, "CLIENT SETNAME worker");
  ask(a, "LOCK x DELAY 5000");
  EXPECT_EQ(ask(a, "RESET"), "+RESET\r\n");
  EXPECT_EQ(ask(a, "CLIENT GETNAME"), "$-1\r\n") << "RESP2 again, and no name";
  EXPECT_EQ(ask(b, "LOCK x WAIT 0"), ":2\r\n");
  EXPECT_EQ(ask(a, "LOCK y"), ":3\r\n") << "a new implicit session";
}

TEST_F(ServiceSession, ResetDetachesAnExplicitSession) {
  auto& a = connect();
  auto& b = connect();
  const Opened session = open(a);
  ask(a, "LOCK x");
  EXPECT_EQ(ask(a, "RESET"), "+RESET\r\n");
  EXPECT_EQ(ask(a, "LOCK x WAIT 0"), "$-1\r\n");
  ask(b, "SESSION ATTACH " + session.id + " " + session.key);
  EXPECT_EQ(ask(b, "UNLOCK x"), ":0\r\n");
}

TEST_F(ServiceSession, HelloKeepsTheSession) {
  auto& a = connect();
  ask(a, "LOCK x");
  EXPECT_THAT(ask(a, "HELLO 3 SETNAME w"), StartsWith("%7\r\n"));
  EXPECT_EQ(ask(a, "UNLOCK x"), ":0\r\n");
  EXPECT_EQ(ask(a, "CLIENT GETNAME"), "$1\r\nw\r\n");
  EXPECT_THAT(ask(a, "HELLO 4"), StartsWith("-NOPROTO "));
}

TEST_F(ServiceSession, PasswordIsAskedFor) {
  start("secret");
  auto& a = connect();
  EXPECT_EQ(ask(a, "LOCK x"), "-NOAUTH Authentication required.\r\n");
  EXPECT_EQ(ask(a, "FROB"), "-NOAUTH Authentication required.\r\n");
  EXPECT_THAT(ask(a, "HELLO 3"), StartsWith("-NOAUTH HELLO must be called"));
  EXPECT_THAT(ask(a, "AUTH wrong"), StartsWith("-WRONGPASS "));
  EXPECT_THAT(ask(a, "AUTH other secret"), StartsWith("-WRONGPASS "));
  EXPECT_THAT(ask(a, "HELLO 3 AUTH default secre"), StartsWith("-WRONGPASS "));
  EXPECT_THAT(ask(a, "LOCK x"), StartsWith("-NOAUTH "));
  EXPECT_THAT(ask(a, "HELLO 2 AUTH default secret"), StartsWith("*14\r\n"));
  EXPECT_EQ(ask(a, "LOCK x"), ":1\r\n");
  EXPECT_EQ(ask(a, "RESET"), "+RESET\r\n");
  EXPECT_THAT(ask(a, "LOCK x"), StartsWith("-NOAUTH ")) << "RESET asks for it anew";
  EXPECT_EQ(ask(a, "AUTH secret"), "+OK\r\n");
}

TEST_F(ServiceSession, AuthWithoutAPasswordSet) {
  auto& a = connect();
  EXPECT_EQ(ask(a, "AUTH x"), "-ERR no password is set\r\n");
  EXPECT_EQ(ask(a, "HELLO 3 AUTH default x"), "-ERR no password is set\r\n");
}

TEST_F(ServiceSession, ImplicitSessionsAreVouchedForByBytesAndProbes) {
  auto& a = connect();
  ask(a, "LOCK x");
  ASSERT_TRUE(service_->next_wake_us().has_value());
  clock_.now_us += 2'000'000;
  turn();
  ASSERT_EQ(replica_->vouched.size(), 1u);
  EXPECT_LE(replica_->vouched.begin()->second, 2'000);
  clock_.now_us += 5'000'000;
  turn();
  EXPECT_GE(replica_->vouched.begin()->second, 6'000) << "nothing was heard";
  silent_ms_ = 300;
  clock_.now_us += 2'000'000;
  turn();
  EXPECT_EQ(replica_->vouched.begin()->second, 300) << "its kernel answered a probe";
}

TEST_F(ServiceSession, AnExplicitSessionIsVouchedForWhileItsCommandWaits) {
  auto& a = connect();
  auto& b = connect();
  ask(b, "LOCK t TOKEN t TTL 60000");
  open(a, "TTL 500");
  send(a, "LOCK t");
  run();
  EXPECT_EQ(service_->next_wake_us(), clock_.now_us + 100'000) << "five times in its TTL";
  clock_.now_us += 100'000;
  turn();
  ASSERT_EQ(replica_->vouched.size(), 1u);
  EXPECT_EQ(replica_->vouched.begin()->second, 0);
  ask(b, "UNLOCK t TOKEN t");
  EXPECT_EQ(take(a), ":2\r\n");
  replica_->vouched.clear();
  clock_.now_us += 100'000;
  turn();
  EXPECT_TRUE(replica_->vouched.empty());
}

TEST_F(ServiceSession, ConnectionsHaveALimit) {
  config_.max_connections = 2;
  connect();
  auto& b = connect();
  EXPECT_THAT(connect().got, StartsWith("-LIMIT max-connections is reached"));
  drop(b);
  EXPECT_EQ(ask(connect(), "PING"), "+PONG\r\n");
}

}  // namespace
}  // namespace cleat::server
