// A machine that was suspended: what it slept counts. A time namespace stands for it: a process with one thread enters
// one in which CLOCK_BOOTTIME is ahead, as it is after a suspend, while the other clocks go on.
#include <cleat/cleat.hpp>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>

#include "client/engine.hpp"
#include "client/socket.hpp"
#include "server_process.hpp"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

namespace cleat::tests {
namespace {

using namespace std::chrono_literals;
using client::Engine;
using client::Socket;

bool write_all(const char* path, const std::string& text) {
  const client::Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  return ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// So much since the process began; only if it has one thread. Empty: done; else why not.
std::string sleep_as_if_suspended(std::chrono::seconds time) {
  const auto why = [](const char* what) { return std::string(what) + ": " + ::strerror(errno); };
  if (::unshare(CLONE_NEWTIME) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWTIME) != 0) return why("no time namespace");
  if (!write_all("/proc/self/timens_offsets", "boottime " + std::to_string(time.count()) + " 0\n")) {
    return why("its offsets can't be set");
  }
  const client::Fd space(::open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC));
  if (::setns(space.get(), CLONE_NEWTIME) != 0) return why("it can't be entered");
  return {};
}

// Runs it in a child, where no other thread is. Its answer.
std::string in_a_child(const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string said = body();
    ::_exit(::write(ends[1], said.data(), said.size()) == static_cast<ssize_t>(said.size()) ? 0 : 1);
  }
  ::close(ends[1]);
  std::string said;
  char buffer[512];
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) said.append(buffer, static_cast<size_t>(n));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? said : "the child died";
}

constexpr auto kNotHere = "not here: ";

TEST(SuspendTest, TheBootClockCountsTheTimeSuspended) {
  const std::string said = in_a_child([]() -> std::string {
    const auto before = boot_clock::now();
    const std::string why = sleep_as_if_suspended(3'600s);
    if (!why.empty()) return kNotHere + why;
    const auto passed = boot_clock::now() - before;
    if (passed < 3'600s) return "too little";
    return passed < 3'660s ? "counted" : "too much";
  });
  if (said.starts_with(kNotHere)) GTEST_SKIP() << said;
  EXPECT_EQ(said, "counted");
}

// A Client without its thread, which a time namespace could not be entered with.
class OneThread final : public client::Runner {
 public:
  std::shared_ptr<const client::Clock> clock() const override { return clock_; }
  client::Wire& wire() override { return socket_; }
  uint64_t seed() override { return 1; }
  void begin(Engine& engine) override { engine_ = &engine; }
  void end() override {}
  void wake() noexcept override {}
  bool in_turn() const noexcept override { return false; }
  void send() noexcept override {}
  void await(const client::Attempt& attempt, bool) override {
    for (engine_->turn(); !attempt.done; engine_->turn()) {
      pollfd fd = {socket_.fd(), socket_.wanted(engine_->has_output()), 0};
      ::poll(&fd, 1, 10);
      if (fd.revents != 0) engine_->ready(fd.revents);
    }
  }

 private:
  const std::shared_ptr<const client::Clock> clock_ = std::make_shared<client::SystemClock>();
  Socket socket_;
  Engine* engine_ = nullptr;
};

client::AttemptPtr attempt_on(const std::string& name) {
  auto attempt = std::make_shared<client::Attempt>();
  attempt->name = name;
  attempt->owner = "t";
  return attempt;
}

std::string hold_across_suspends(Engine& engine) {
  const auto first = attempt_on("suspended");
  engine.acquire(first);
  if (!first->hold || !first->hold->held()) return "not locked";
  const client::HoldState& hold = *first->hold;
  const auto left = hold.deadline() - engine.now();
  if (const std::string why = sleep_as_if_suspended(30s); !why.empty()) return kNotHere + why;
  if (!first->hold->held()) return "lost too early";
  if (hold.deadline() - engine.now() > left - 30s) return "what was slept did not count";
  if (const std::string why = sleep_as_if_suspended(61s); !why.empty()) return kNotHere + why;
  if (first->hold->held()) return "still believed";
  if (!hold.stop_token().stop_requested()) return "its stop_token goes on";
  engine.release(first->hold);
  const auto second = attempt_on("suspended");
  engine.acquire(second);
  if (!second->hold || second->hold->fence() <= hold.fence()) return "not locked again";
  return "known at once: " + hold.why_lost();
}

// The server did not sleep and still counts on the session: what the client believes is the client's own matter.
TEST(SuspendTest, AHoldIsLostTheMomentTheMachineIsAwakeAgain) {
  const ServerProcess server;
  const std::string said = in_a_child([&] {
    Options options;
    options.servers = {server.address()};
    options.ttl = 60s;
    Engine engine(options, std::make_unique<OneThread>());
    const std::string what = hold_across_suspends(engine);
    engine.stop();
    return what;
  });
  if (said.starts_with(kNotHere)) GTEST_SKIP() << said;
  EXPECT_EQ(said, "known at once: its deadline passed without contact");
}

}  // namespace
}  // namespace cleat::tests
