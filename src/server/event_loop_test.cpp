// The loop with real sockets: a node on an ephemeral port and its clients, all in one thread.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <optional>

#include "server/event_loop.hpp"
#include "server/service_kit.hpp"

namespace cleat::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class EventLoopTest : public ::testing::Test {
 protected:
  EventLoopTest() : listener_(*net::Listener::open(*net::parse_address("127.0.0.1:0"))) {
    Surroundings around;
    around.close_socket = [this](Connection& c) { loop_->close_socket(c); };
    service_.emplace(config_, "", clock_, around);
    replica_.emplace(clock_, *service_);
    service_->serve(*replica_);
    loop_.emplace(*service_, listener_, clock_, notify_);
  }
  ~EventLoopTest() override {
    for (const int fd : clients_) close(fd);
  }

  int connect(int receive_buffer = 0) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (receive_buffer > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(listener_.address().port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
    clients_.push_back(fd);
    return fd;
  }
  void write(int fd, std::string_view bytes) {
    ASSERT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  // Turns until `n` bytes came or the server closed; bounded.
  std::string read(int fd, size_t n) {
    std::string got;
    for (int i = 0; i < 20'000 && got.size() < n; ++i) {
      loop_->turn(false);
      char bytes[65536];
      const ssize_t r = recv(fd, bytes, std::min(sizeof bytes, n - got.size()), MSG_DONTWAIT);
      if (r == 0) return got + "<closed>";
      if (r > 0) got.append(bytes, static_cast<size_t>(r));
    }
    return got;
  }
  template <class F>
  bool turn_until(F condition) {
    for (int i = 0; i < 20'000; ++i) {
      if (condition()) return true;
      loop_->turn(false);
    }
    return false;
  }

  Config config_;
  TestClock clock_;
  net::ServiceNotify notify_{nullptr, nullptr};
  net::Listener listener_;
  std::optional<Service> service_;
  std::optional<DirectReplica> replica_;
  std::optional<EventLoop> loop_;
  std::vector<int> clients_;
};

TEST_F(EventLoopTest, LocksAndUnlocks) {
  const int a = connect(), b = connect();
  write(a, "LOCK x\r\n");
  EXPECT_EQ(read(a, 4), ":1\r\n");
  write(b, "LOCK x\r\n");
  EXPECT_EQ(read(b, 0), "");
  write(a, "UNLOCK x\r\n");
  EXPECT_EQ(read(a, 4), ":0\r\n");
  EXPECT_EQ(read(b, 4), ":2\r\n");
}

TEST_F(EventLoopTest, WaitsForInputAndWakes) {
  const int a = connect();
  loop_->turn(true);  // the connection
  write(a, "PING\r\n");
  loop_->turn(true);
  char bytes[16];
  EXPECT_EQ(recv(a, bytes, sizeof bytes, MSG_DONTWAIT), 7);
}

TEST_F(EventLoopTest, AConnectionThatClosesEndsItsLocks) {
  const int a = connect(), b = connect();
  write(a, "LOCK x\r\n");
  EXPECT_EQ(read(a, 4), ":1\r\n");
  write(b, "LOCK x\r\n");
  ASSERT_TRUE(turn_until([&] { return service_->connections() == 2; }));
  shutdown(a, SHUT_RDWR);
  EXPECT_EQ(read(b, 4), ":2\r\n");
  EXPECT_EQ(service_->connections(), 1u);
}

// As a member finds it that was stopped for longer than its clients' patience.
TEST_F(EventLoopTest, WhoWasGoneBeforeItsLockWasReadGetsNone) {
  const int gone = connect(), a = connect();
  write(a, "PING\r\n");
  ASSERT_EQ(read(a, 7), "+PONG\r\n");
  write(gone, "LOCK x TOKEN t TTL 60000\r\nLOCK x TOKEN u TTL 60000 WAIT 60000\r\n");
  shutdown(gone, SHUT_RDWR);
  ASSERT_TRUE(turn_until([&] { return service_->connections() == 1; }));
  EXPECT_EQ(service_->metrics().commands, 3u) << "it was read";
  write(a, "TRYLOCK x TOKEN v TTL 60000\r\n");
  EXPECT_EQ(read(a, 4), ":1\r\n");
}

TEST_F(EventLoopTest, WhatIsLetGoBeforeTheConnectionClosesIsFree) {
  const int gone = connect(), a = connect();
  write(gone, "LOCK x TOKEN t TTL 60000\r\n");
  ASSERT_EQ(read(gone, 4), ":1\r\n");
  write(gone, "UNLOCK x TOKEN t\r\n");
  shutdown(gone, SHUT_RDWR);
  write(a, "PING\r\n");
  ASSERT_EQ(read(a, 7), "+PONG\r\n");
  ASSERT_TRUE(turn_until([&] { return service_->connections() == 1; }));
  write(a, "TRYLOCK x TOKEN v TTL 60000\r\n");
  EXPECT_EQ(read(a, 4), ":2\r\n");
}

TEST_F(EventLoopTest, AWaiterWhoseClientGoesIsSeenThoughItIsNotRead) {
  const int a = connect(), b = connect();
  write(a, "LOCK x\r\n");
  EXPECT_EQ(read(a, 4), ":1\r\n");
  // So much behind the waiting LOCK that the connection is not read any more.
  write(b, "LOCK x\r\n");
  std::string pings;
  for (int i = 0; i < 10'000; ++i) pings += "PING\r\n";
  write(b, pings);
  ASSERT_TRUE(turn_until([&] { return service_->metrics().bytes_in > kInputBlock; }));
  for (int i = 0; i < 10; ++i) loop_->turn(false);
  const uint64_t taken = service_->metrics().bytes_in;
  shutdown(b, SHUT_RDWR);
  ASSERT_TRUE(turn_until([&] { return service_->connections() == 1; }));
  EXPECT_EQ(service_->metrics().bytes_in, taken);
}

TEST_F(EventLoopTest, ASlowReaderGetsEverythingInTheEnd) {
  const int a = connect(4096), b = connect();
  const std::string word(60'000, 'x');
  const std::string request = "*2\r\n$4\r\nECHO\r\n$60000\r\n" + word + "\r\n";
  // As much as is taken from it while it reads nothing.
  std::string sent;
  for (int idle = 0; idle < 200; ++idle) {
    const size_t at = sent.size() % request.size();
    const ssize_t n = send(a, request.data() + at, request.size() - at, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) sent.append(request, at, static_cast<size_t>(n)), idle = 0;
    loop_->turn(false);
  }
  const size_t requests = sent.size() / request.size();
  ASSERT_GT(requests, 20u);
  write(b, "PING\r\n");
  EXPECT_EQ(read(b, 7), "+PONG\r\n") << "nobody else is disturbed";
  std::string wanted;
  for (size_t i = 0; i < requests; ++i) wanted += "$60000\r\n" + word + "\r\n";
  EXPECT_TRUE(read(a, wanted.size()) == wanted);
}

TEST_F(EventLoopTest, ABurstOfConnectionsIsServed) {
  std::vector<int> crowd;
  for (int i = 0; i < 600; ++i) crowd.push_back(connect());
  for (const int fd : crowd) write(fd, "PING\r\n");
  for (const int fd : crowd) ASSERT_EQ(read(fd, 7), "+PONG\r\n");
  EXPECT_EQ(service_->connections(), 600u);
}

TEST_F(EventLoopTest, OneTooManyIsToldAndClosed) {
  config_.max_connections = 1;
  connect();
  ASSERT_TRUE(turn_until([&] { return service_->connections() == 1; }));
  const int b = connect();
  const std::string got = read(b, 1'000);
  EXPECT_THAT(got, StartsWith("-LIMIT max-connections is reached"));
  EXPECT_THAT(got, HasSubstr("<closed>"));
}

TEST_F(EventLoopTest, StopsOnSigtermAndAnswersWhatIsDecided) {
  const int a = connect();
  write(a, "LOCK x\r\n");
  EXPECT_EQ(read(a, 4), ":1\r\n");
  raise(SIGHUP);
  raise(SIGTERM);
  loop_->run();
  EXPECT_EQ(service_->connections(), 0u);
  char byte;
  EXPECT_EQ(recv(a, &byte, 1, MSG_DONTWAIT), 0);
  EXPECT_FALSE(replica_->machine().check("x", base::Fence{1})) << "its implicit session ended in the log";
}

}  // namespace
}  // namespace cleat::server
