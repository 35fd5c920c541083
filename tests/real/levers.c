// Preloaded into a server: levers that a test moves while it runs. The file $TEST_LEVERS is mapped; levers.py
// lays out the same fields and moves them. Syncs can be made slow or failing, the time of day shifted, the clock that
// log time counts by made faster or slower. What was bent is counted, so that the test can tell that its fault took
// hold.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// A clock that began to run at `ppm` more than the true one when that showed `since_ns`, and was ahead by `ahead_ns`
// then.
struct rate {
  int64_t since_ns, ahead_ns, ppm;
};

struct levers {
  _Atomic int64_t sync_delay_us, sync_fails, syncs_delayed, syncs_failed;
  _Atomic int64_t wall_shift_ns, wall_shifted;
  _Atomic int64_t rate_in_force, rate_applied;  // the first says which of the two rates holds; the other may be written
  struct rate rates[2];
};

static struct levers* levers;
static int (*true_clock)(clockid_t, struct timespec*);

__attribute__((constructor)) static void open_levers(void) {
  const char* path = getenv("TEST_LEVERS");
  const int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* mapped = mmap(NULL, sizeof *levers, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  true_clock = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
  if (mapped != MAP_FAILED) levers = mapped;
}

static int sync_by(const char* name, int fd) {
  if (levers && levers->sync_fails) {
    levers->syncs_failed++;
    errno = EIO;
    return -1;
  }
  const int64_t delay_us = levers ? levers->sync_delay_us : 0;
  if (delay_us > 0) {
    struct timespec pause = {delay_us / 1000000, delay_us % 1000000 * 1000};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
    levers->syncs_delayed++;
  }
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fdatasync(int fd) {
  return sync_by("fdatasync", fd);
}
int fsync(int fd) {
  return sync_by("fsync", fd);
}

static void add_ns(struct timespec* t, int64_t ns) {
  const int64_t sum = t->tv_nsec + ns % 1000000000;
  t->tv_sec += ns / 1000000000 + (sum < 0 ? -1 : sum / 1000000000);
  t->tv_nsec = (sum + 1000000000) % 1000000000;
}

int clock_gettime(clockid_t clock, struct timespec* t) {
  const int result = true_clock ? true_clock(clock, t) : (int)syscall(SYS_clock_gettime, clock, t);
  if (result != 0 || !levers) return result;
  if (clock == CLOCK_REALTIME && levers->wall_shift_ns != 0) {
    add_ns(t, levers->wall_shift_ns);
    levers->wall_shifted++;
  }
  if (clock == CLOCK_MONOTONIC_RAW) {
    const struct rate* rate = &levers->rates[levers->rate_in_force & 1];
    const int64_t now_ns = t->tv_sec * 1000000000LL + t->tv_nsec;
    add_ns(t, rate->ahead_ns + (now_ns - rate->since_ns) / 1000 * rate->ppm / 1000);
    if (rate->ppm != 0) levers->rate_applied++;
  }
  return result;
}
