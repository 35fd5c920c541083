// Preloaded into a server: its fdatasync and fsync do what the file $CLEAT_TEST_SYNCS says. "slow N": N ms more each;
// "fail": EIO. No file: as ever.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int faulty(void) {
  char text[32] = "";
  const char* path = getenv("CLEAT_TEST_SYNCS");
  const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  if (strncmp(text, "fail", 4) == 0) return 1;
  int ms = 0;
  if (sscanf(text, "slow %d", &ms) == 1) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&pause, &pause) != 0 && errno == EINTR) {
    }
  }
  return 0;
}

static int sync_by(const char* name, int fd) {
  if (faulty()) {
    errno = EIO;
    return -1;
  }
  return ((int (*)(int))dlsym(RTLD_NEXT, name))(fd);
}

int fdatasync(int fd) {
  return sync_by("fdatasync", fd);
}
int fsync(int fd) {
  return sync_by("fsync", fd);
}
