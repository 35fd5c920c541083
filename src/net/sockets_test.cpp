// Listener, poller and service notification with real sockets on ephemeral ports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/listener.hpp"
#include "net/poller.hpp"
#include "net/service_notify.hpp"

namespace cleat::net {
namespace {

using ::testing::HasSubstr;

int connect_to(const Address& address) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(address.port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  return fd;
}

TEST(Sockets, AcceptedOnesInheritTheOptions) {
  auto listener = Listener::open(*parse_address("127.0.0.1:0"));
  ASSERT_TRUE(listener.ok()) << listener.status().message();
  ASSERT_NE(listener->address().port, 0);
  EXPECT_FALSE(listener->accept().has_value());
  const int client = connect_to(listener->address());
  const auto accepted = listener->accept();
  ASSERT_TRUE(accepted.has_value());
  EXPECT_THAT(accepted->peer, HasSubstr("127.0.0.1:"));
  int on = 0;
  socklen_t length = sizeof on;
  getsockopt(accepted->fd, IPPROTO_TCP, TCP_NODELAY, &on, &length);
  EXPECT_EQ(on, 1);
  on = 0;
  getsockopt(accepted->fd, SOL_SOCKET, SO_KEEPALIVE, &on, &length);
  EXPECT_EQ(on, 1);
  EXPECT_GE(silent_ms(accepted->fd), 0);
  close(client);
  close(accepted->fd);
}

TEST(Sockets, ATakenPortIsTold) {
  auto first = Listener::open(*parse_address("127.0.0.1:0"));
  ASSERT_TRUE(first.ok());
  const auto second = Listener::open(first->address());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), base::Code::kBusy);
  EXPECT_EQ(second.status().message(),
            first->address().text() +
                " is taken: another node or program listens there. Stop it, or choose another "
                "address with --listen HOST:PORT");
  EXPECT_THAT(Listener::open(first->address(), "--peer-listen").status().message(),
              HasSubstr("with --peer-listen HOST:PORT"));
  const auto foreign = Listener::open(*parse_address("192.0.2.1:0"));
  ASSERT_FALSE(foreign.ok());
  EXPECT_THAT(foreign.status().message(), HasSubstr("this machine has no such address"));
}

TEST(Sockets, ThePollerTellsWhatIsReadyAndNothingForgotten) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
  Poller poller;
  int tag = 0;
  ASSERT_TRUE(poller.add(pair[0], &tag, {}).ok());
  EXPECT_TRUE(poller.wait(0).empty());
  ASSERT_EQ(write(pair[1], "x", 1), 1);
  auto ready = poller.wait(0);
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_EQ(ready[0].tag, &tag);
  EXPECT_TRUE(ready[0].readable);
  EXPECT_FALSE(ready[0].writable);
  EXPECT_FALSE(ready[0].gone);
  poller.forget(&tag);
  EXPECT_EQ(ready[0].tag, nullptr);
  poller.change(pair[0], &tag, {.read = false, .write = true});
  ready = poller.wait(0);
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_TRUE(ready[0].writable);
  EXPECT_FALSE(ready[0].readable);
  poller.change(pair[0], &tag, {.read = false, .write = false});
  EXPECT_TRUE(poller.wait(0).empty()) << "bytes wait, and nobody asked for them";
  close(pair[1]);
  ready = poller.wait(0);
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_TRUE(ready[0].gone);
  close(pair[0]);
}

TEST(Sockets, ServiceNotifyReachesItsSocket) {
  const std::string path = "/tmp/cleat_notify_" + std::to_string(getpid());
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, path.size());
  unlink(path.c_str());
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const ServiceNotify notify(path.c_str(), "3000000");
  EXPECT_EQ(notify.watchdog_every_ms(), 1'500);
  notify.tell("READY=1");
  char bytes[64];
  const auto n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  ASSERT_EQ(n, 7);
  EXPECT_EQ(std::string_view(bytes, 7), "READY=1");
  close(fd);
  unlink(path.c_str());
  const ServiceNotify nobody(nullptr, nullptr);
  nobody.tell("READY=1");
  EXPECT_FALSE(nobody.watchdog_every_ms().has_value());
  EXPECT_FALSE(ServiceNotify("x", "soon").watchdog_every_ms().has_value());
}

TEST(Sockets, TheFileLimitIsNeverLowered) {
  const uint64_t now = raise_file_limit(0);
  EXPECT_GT(now, 0u);
  EXPECT_EQ(raise_file_limit(now), now);
}

}  // namespace
}  // namespace cleat::net
