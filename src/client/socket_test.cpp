#include "client/socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <future>
#include <memory>

#include "client/listener_testing.hpp"

namespace cleat::client {
namespace {

using ::testing::HasSubstr;
using testing::Listener;

bool ready(const Socket& socket, int timeout_ms) {
  pollfd fd{socket.fd(), socket.wanted(false), 0};
  return ::poll(&fd, 1, timeout_ms) == 1;
}

base::Status connect(Socket& socket) {
  while (socket.phase() == Socket::Phase::kConnecting) {
    if (!ready(socket, 10'000)) return {base::Code::kIo, "nothing happened for 10 s"};
    if (base::Status s = socket.finish_connect(); !s.ok()) return s;
  }
  return {};
}

// Names whose addresses are told by hand.
struct SocketTest : ::testing::Test {
  Listener listener;
  std::promise<Found> answer;
  std::shared_future<Found> told{answer.get_future()};
  std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);
  // The look-up may outlive the test.
  Socket socket{[told = told, asked = asked](const Endpoint&) {
    ++*asked;
    return told.get();
  }};
  Endpoint named{.host = "db1", .port = listener.port()};

  Found here() const { return look_up({.host = "127.0.0.1", .port = listener.port()}, true); }
};

TEST_F(SocketTest, AnAddressNeedsNoLookUp) {
  ASSERT_TRUE(socket.start({.host = "127.0.0.1", .port = listener.port()}).ok());
  EXPECT_TRUE(connect(socket).ok());
  EXPECT_EQ(socket.phase(), Socket::Phase::kOpen);
  EXPECT_EQ(*asked, 0);
  answer.set_value({});
}

TEST_F(SocketTest, ANameIsLookedUpWhileOthersGoOn) {
  ASSERT_TRUE(socket.start(named).ok());
  EXPECT_EQ(socket.phase(), Socket::Phase::kConnecting);
  EXPECT_FALSE(ready(socket, 0));
  answer.set_value(here());
  EXPECT_TRUE(connect(socket).ok());
  EXPECT_EQ(socket.phase(), Socket::Phase::kOpen);
}

TEST_F(SocketTest, WhoComesAgainJoinsTheLookUp) {
  ASSERT_TRUE(socket.start(named).ok());
  socket.close();
  ASSERT_TRUE(socket.start(named).ok());
  answer.set_value(here());
  EXPECT_TRUE(connect(socket).ok());
  EXPECT_EQ(*asked, 1);
}

TEST_F(SocketTest, ALookUpThatIsGivenUpDoesNotDisturbAnotherConnection) {
  ASSERT_TRUE(socket.start(named).ok());
  ASSERT_TRUE(socket.start({.host = "127.0.0.1", .port = listener.port()}).ok());
  EXPECT_TRUE(connect(socket).ok());
  answer.set_value({});
  EXPECT_EQ(socket.phase(), Socket::Phase::kOpen);
}

TEST_F(SocketTest, ANameWithoutAnAddressIsAFailure) {
  ASSERT_TRUE(socket.start(named).ok());
  answer.set_value({{}, "nobody knows it"});
  EXPECT_EQ(connect(socket).message(), "nobody knows it");
  EXPECT_EQ(socket.phase(), Socket::Phase::kClosed);
}

TEST_F(SocketTest, TheNextAddressIsTried) {
  Found found = look_up({.host = "127.0.0.1", .port = 1}, true);
  found.addresses.push_back(here().addresses[0]);
  ASSERT_TRUE(socket.start(named).ok());
  answer.set_value(std::move(found));
  EXPECT_TRUE(connect(socket).ok());
}

TEST(LookUp, TellsWhatIsWrong) {
  EXPECT_THAT(look_up({.host = "not an address", .port = 1}, true).error, HasSubstr("can't be looked up"));
  EXPECT_EQ(look_up({.host = "::1", .port = 1}, true).addresses.size(), 1u);
}

bool rings(const Alarm& alarm, int within_ms) {
  pollfd fd{alarm.fd(), POLLIN, 0};
  return ::poll(&fd, 1, within_ms) == 1;
}

TEST(AlarmTest, ItIsBroughtForwardButNotPutOff) {
  using std::chrono::hours;
  Alarm alarm;
  const TimePoint now = boot_clock::now();
  alarm.set(now + hours(1), now);
  EXPECT_FALSE(rings(alarm, 0));
  alarm.set(now + milliseconds(5), now);
  alarm.set(now + hours(1), now);
  EXPECT_TRUE(rings(alarm, 10'000));
  alarm.drain();
  EXPECT_FALSE(rings(alarm, 0));
  alarm.set(now + hours(1), boot_clock::now());
  EXPECT_FALSE(rings(alarm, 0)) << "the one before has rung";
  alarm.set(now, boot_clock::now());
  EXPECT_TRUE(rings(alarm, 10'000));
  alarm.set(std::nullopt, boot_clock::now());
  EXPECT_FALSE(rings(alarm, 0)) << "off";
}

}  // namespace
}  // namespace cleat::client
