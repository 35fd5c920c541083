// The real disk's bad days: a sync or write that fails stops the process and says why; a full one does not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "raft/hooks.hpp"
#include "raft/testing.hpp"

namespace {
std::atomic<bool> fail_sync{false}, fail_write{false};
}  // namespace

// These stand before the C library's, for the Rust archive too.
extern "C" int fdatasync(int fd) {
  if (fail_sync) return errno = EIO, -1;
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
extern "C" ssize_t pwrite64(int fd, const void* data, size_t n, off64_t offset) {
  if (fail_write) return errno = EIO, -1;
  return syscall(SYS_pwrite64, fd, data, n, offset);
}

namespace cleat::raft {
namespace {

using testing::Applied;
using testing::bytes;
using testing::drain;
using testing::one_voter;
using testing::TempDir;

void say(std::string_view why) {
  fprintf(stderr, "FATAL %.*s\n", static_cast<int>(why.size()), why.data());
}

struct Mount {
  explicit Mount(const std::string& where) : path(where), ok(mount("none", path.c_str(), "tmpfs", 0, "size=3m") == 0) {}
  ~Mount() {
    if (ok) umount(path.c_str());
  }
  std::string path;
  bool ok;
};

void persist_while(std::atomic<bool>& failing, const Options& o) {
  auto group = testing::open(o);
  drain(*group, nullptr);
  (void)group->propose(bytes("x"));
  failing = true;
  drain(*group, nullptr);
}

TEST(FailingDiskDeathTest, AFailedSyncStopsTheProcess) {
  TempDir dir("/dev/shm");
  EXPECT_DEATH(
      {
        set_hooks(nullptr, say);
        persist_while(fail_sync, one_voter(dir));
      },
      "FATAL syncing .*raftlog failed: Input/output error.*this process stops");
}

TEST(FailingDiskDeathTest, AFailedWriteStopsTheProcess) {
  TempDir dir("/dev/shm");
  EXPECT_DEATH(
      {
        set_hooks(nullptr, say);
        persist_while(fail_write, one_voter(dir));
      },
      "FATAL writing .*raftlog failed: Input/output error");
}

TEST(FailingDiskDeathTest, ABugInTheEngineSpeaksThroughTheHook) {
  TempDir dir("/dev/shm");
  EXPECT_DEATH(
      {
        set_hooks(nullptr, say);
        auto group = testing::open(one_voter(dir));
        group->applied(1000);
      },
      "FATAL internal error in the Raft engine: applied\\(1000\\) is out of range");
}

std::atomic<int> lines{0};
TEST(Hooks, LogLinesArrive) {
  TempDir dir("/dev/shm");
  set_hooks([](LogLevel, std::string_view line) { lines += line.find("became leader") != std::string_view::npos; },
            nullptr);
  testing::open(one_voter(dir));
  set_hooks(nullptr, nullptr);
  EXPECT_EQ(lines, 1);
}

TEST(FullDisk, RoomComesBackWithoutARestart) {
  TempDir dir("/dev/shm");
  const Mount small(dir.path());
  if (!small.ok) GTEST_SKIP() << "needs to mount: run as root";
  const std::string ballast = dir.path() + "/ballast";
  Applied applied;
  std::vector<std::string> expected;
  const Options o = one_voter(dir);
  {
    auto group = testing::open(o);
    drain(*group, &applied);
    std::ofstream(ballast) << std::string(4u << 20, 'b');  // as much as goes
    int refused = 0;
    for (int i = 0; i < 20; ++i) {
      expected.push_back(std::string(100'000, static_cast<char>('a' + i)));
      ASSERT_TRUE(group->propose(bytes(expected.back())));
      Ready ready = group->ready();
      Persisted p = group->persist(ready);
      for (int again = 0; p == Persisted::kNoSpace && again < 5; ++again, ++refused) p = group->persist(ready);
      if (p == Persisted::kNoSpace) {
        std::filesystem::resize_file(ballast, std::filesystem::file_size(ballast) - 120'000);
        p = group->persist(ready);
      }
      ASSERT_EQ(p, Persisted::kDone) << i;
      drain(*group, &applied);
    }
    EXPECT_GT(refused, 0);
  }
  EXPECT_EQ(applied.payloads(), expected);
  std::filesystem::remove(ballast);
  EXPECT_EQ(testing::reopen(o), expected);
}

TEST(FullDisk, AFreshDirectoryOnAFullDiskIsRefusedWithTheReason) {
  TempDir dir("/dev/shm");
  VirtualDisk disk;
  disk.set_capacity(100);
  auto group = Group::open(one_voter(dir, &disk));
  ASSERT_FALSE(group.ok());
  EXPECT_EQ(group.status().code(), base::Code::kNoSpace);
}

}  // namespace
}  // namespace cleat::raft
