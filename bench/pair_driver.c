// Load on a Redis or a Cleat over the Redis protocol, every reply checked, one thread.
//
//   pair_driver --port P [--target cleat|redis] [--connections N] [--pipeline P] [--seconds S] [--warmup S]
//       true pairs on names of each connection's own: take, then let go. Cleat: LOCK name TOKEN t TTL 60000 and UNLOCK
//       name TOKEN t; Redis: SET name t NX PX 60000 and the compare-and-delete script by EVAL. --pipeline: commands
//       sent at once; the next ones follow when all are answered.
//       --one-name: all connections want one name and wait for it in its queue (Cleat only), so that pairs/s are
//       hand-offs/s.
//   pair_driver --port P --fill COUNT [--token] ...      COUNT locks a connection, held; names of 32 bytes
//   pair_driver --port P --sessions COUNT ...            COUNT sessions opened a connection
//       --stay: then keeps the connections until standard input ends.
//   pair_driver --port P --ping ...                      round trips of PING alone
//
// Prints one line of JSON. Latency runs from the write of a batch to the reply, in microseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "histogram.h"

enum { kMaxPipeline = 1024, kOutBytes = 512 * kMaxPipeline, kInBytes = 1 << 17, kNamesEach = 64 };
typedef enum { kPairs, kFill, kSessions, kPing } mode;

static const char kScript[] =
    "if redis.call('get',KEYS[1])==ARGV[1] then return redis.call('del',KEYS[1]) else return 0 end";

typedef struct {
  int fd, index, lines;            // lines: of the reply under way
  uint64_t sent, answered, fence;  // commands; the last fence
  uint64_t batch_ns;
  size_t out_at, out_end, in_end;
  char* out;
  char* in;
} connection;

static struct {
  const char* host;
  int port, connections, pipeline;
  double seconds, warmup;
  bool redis, token, stay, one_name;
  mode what;
  uint64_t count;
} options = {"127.0.0.1", 0, 1, 1, 5, 1, false, false, false, false, kPairs, 0};

static histogram take, release;
static bool measuring = true;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char* what) {
  fprintf(stderr, "pair_driver: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void put_word(char** p, const char* word, size_t n) {
  *p += sprintf(*p, "$%zu\r\n", n);
  memcpy(*p, word, n);
  memcpy(*p + n, "\r\n", 2);
  *p += n + 2;
}

static void put_words(char** p, int n, const char* const* words) {
  *p += sprintf(*p, "*%d\r\n", n);
  for (int i = 0; i < n; ++i) put_word(p, words[i], strlen(words[i]));
}

static void put_command(connection* c, char** p) {
  char name[64], token[64];
  const uint64_t n = c->sent++;
  if (options.what == kPing) {
    put_words(p, 1, (const char* const[]){"PING"});
    return;
  }
  if (options.what == kSessions) {
    put_words(p, 4, (const char* const[]){"SESSION", "OPEN", "TTL", "86400000"});
    return;
  }
  if (options.what == kFill) {
    snprintf(name, sizeof name, "held/%08d/%018llu", c->index, (unsigned long long)n);  // 32 bytes
    snprintf(token, sizeof token, "t%d", c->index);
    put_words(p, options.token ? 6 : 2, (const char* const[]){"LOCK", name, "TOKEN", token, "TTL", "86400000"});
    return;
  }
  const unsigned long long pair = n / 2;
  if (options.one_name) {
    strcpy(name, "one");
  } else {
    snprintf(name, sizeof name, "pair/%d/%llu", c->index, pair % kNamesEach);
  }
  snprintf(token, sizeof token, "%d-%llu", c->index, pair);
  const bool taking = n % 2 == 0;
  if (options.redis && taking) {
    put_words(p, 6, (const char* const[]){"SET", name, token, "NX", "PX", "60000"});
  } else if (options.redis) {
    put_words(p, 5, (const char* const[]){"EVAL", kScript, "1", name, token});
  } else if (taking) {
    put_words(p, options.one_name ? 8 : 6,
              (const char* const[]){"LOCK", name, "TOKEN", token, "TTL", "60000", "WAIT", "60000"});
  } else {
    put_words(p, 4, (const char* const[]){"UNLOCK", name, "TOKEN", token});
  }
}

static void wrong(const connection* c, const char* line, size_t n) {
  fprintf(stderr, "pair_driver: wrong answer to command %llu of connection %d: %.*s\n", (unsigned long long)c->answered,
          c->index, (int)n, line);
  exit(1);
}

// A line of a reply is there. Returns false where it does not end the reply (SESSION OPEN answers a map).
static bool check_line(connection* c, const char* line, size_t n) {
  const bool taking = c->answered % 2 == 0;
  if (options.what == kSessions) {  // *6: id, key, ttl; the last line is ":86400000"
    if (c->lines++ == 0 && line[0] != '*') wrong(c, line, n);
    if (n != 9 || memcmp(line, ":86400000", 9) != 0) return false;
    c->lines = 0;
    return true;
  }
  bool good;
  if (options.what == kPing) {
    good = n == 5 && memcmp(line, "+PONG", 5) == 0;
  } else if (options.redis) {
    good = taking ? n == 3 && memcmp(line, "+OK", 3) == 0 : n == 2 && memcmp(line, ":1", 2) == 0;
  } else if (options.what == kFill || taking) {
    const uint64_t fence = n > 1 && line[0] == ':' ? strtoull(line + 1, NULL, 10) : 0;
    good = fence > c->fence;  // fences only rise
    c->fence = fence;
  } else {
    good = n == 2 && memcmp(line, ":0", 2) == 0;
  }
  if (!good) wrong(c, line, n);
  return true;
}

static void flush_out(connection* c, int epoll) {
  while (c->out_at < c->out_end) {
    const ssize_t n = write(c->fd, c->out + c->out_at, c->out_end - c->out_at);
    if (n < 0 && errno == EAGAIN) {
      struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.ptr = c};
      epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
      return;
    }
    if (n <= 0) die("write");
    c->out_at += (size_t)n;
  }
}

static void send_batch(connection* c, int epoll) {
  char* p = c->out;
  for (int i = 0; i < options.pipeline; ++i) {
    if (options.count != 0 && c->sent >= options.count) break;
    put_command(c, &p);
  }
  c->out_at = 0, c->out_end = (size_t)(p - c->out);
  c->batch_ns = now_ns();
  flush_out(c, epoll);
}

// Reads what is there; true when the whole batch is answered.
static bool receive(connection* c) {
  const ssize_t n = read(c->fd, c->in + c->in_end, kInBytes - c->in_end);
  if (n < 0 && errno == EAGAIN) return false;
  if (n == 0) errno = ECONNRESET;
  if (n <= 0) die("read");
  c->in_end += (size_t)n;
  const uint64_t now = now_ns();
  size_t at = 0;
  for (;;) {
    char* end = memchr(c->in + at, '\n', c->in_end - at);
    if (end == NULL) break;
    const size_t length = (size_t)(end - c->in) - at;
    const bool whole = check_line(c, c->in + at, length > 0 ? length - 1 : 0);
    at += length + 1;
    if (!whole) continue;
    const bool taking = options.what != kPairs || c->answered % 2 == 0;
    if (measuring) histogram_add(taking ? &take : &release, now - c->batch_ns);
    c->answered++;
  }
  memmove(c->in, c->in + at, c->in_end - at);
  c->in_end -= at;
  return c->answered == c->sent;
}

static void open_connection(connection* c, int epoll) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
  inet_pton(AF_INET, options.host, &address.sin_addr);
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr*)&address, sizeof address) != 0) die("connect");
  const int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->out = malloc(kOutBytes), c->in = malloc(kInBytes);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &e);
}

// Until `until_ns`, or until every connection has its count. Ends with nothing in flight.
static void drive(connection* all, int epoll, uint64_t until_ns) {
  struct epoll_event events[256];
  int open = options.connections;
  for (int i = 0; i < options.connections; ++i) send_batch(&all[i], epoll);
  while (open > 0) {
    const int n = epoll_wait(epoll, events, 256, -1);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    const bool late = now_ns() >= until_ns;
    for (int i = 0; i < n; ++i) {
      connection* c = events[i].data.ptr;
      if ((events[i].events & EPOLLOUT) != 0) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &e);
        flush_out(c, epoll);
      }
      if ((events[i].events & EPOLLIN) == 0 || !receive(c)) continue;
      const bool done = options.count != 0 ? c->sent >= options.count : late && c->sent % 2 == 0;
      done ? (void)--open : send_batch(c, epoll);
    }
  }
}

static void print_latency(const char* name, const histogram* h) {
  printf(",\"%s\":{\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"count\":%llu}", name,
         (double)histogram_quantile(h, 0.5) / 1e3, (double)histogram_quantile(h, 0.99) / 1e3,
         (double)histogram_quantile(h, 0.999) / 1e3, (double)h->max / 1e3, (unsigned long long)h->count);
}

static void read_options(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const char* a = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(a, "--token") == 0)
      options.token = true;
    else if (strcmp(a, "--stay") == 0)
      options.stay = true;
    else if (strcmp(a, "--one-name") == 0)
      options.one_name = true;
    else if (strcmp(a, "--ping") == 0)
      options.what = kPing;
    else {
      ++i;
      if (strcmp(a, "--host") == 0)
        options.host = value;
      else if (strcmp(a, "--port") == 0)
        options.port = atoi(value);
      else if (strcmp(a, "--connections") == 0)
        options.connections = atoi(value);
      else if (strcmp(a, "--pipeline") == 0)
        options.pipeline = atoi(value);
      else if (strcmp(a, "--seconds") == 0)
        options.seconds = atof(value);
      else if (strcmp(a, "--warmup") == 0)
        options.warmup = atof(value);
      else if (strcmp(a, "--target") == 0)
        options.redis = strcmp(value, "redis") == 0;
      else if (strcmp(a, "--fill") == 0)
        options.what = kFill, options.count = strtoull(value, NULL, 10);
      else if (strcmp(a, "--sessions") == 0)
        options.what = kSessions, options.count = strtoull(value, NULL, 10);
      else {
        fprintf(stderr, "pair_driver: unknown option %s; see the head of pair_driver.c\n", a);
        exit(2);
      }
    }
  }
  if (options.port <= 0 || options.connections < 1 || options.pipeline < 1 || options.pipeline > kMaxPipeline) {
    fprintf(stderr, "pair_driver: give --port, --connections from 1, --pipeline 1 to %d\n", kMaxPipeline);
    exit(2);
  }
}

int main(int argc, char** argv) {
  read_options(argc, argv);
  const int epoll = epoll_create1(0);
  connection* all = calloc((size_t)options.connections, sizeof *all);
  for (int i = 0; i < options.connections; ++i) all[i].index = i, open_connection(&all[i], epoll);
  if (options.count == 0 && options.warmup > 0) {
    measuring = false;
    drive(all, epoll, now_ns() + (uint64_t)(options.warmup * 1e9));
    measuring = true;
  }
  const uint64_t start = now_ns();
  drive(all, epoll, start + (uint64_t)(options.seconds * 1e9));
  const double seconds = (double)(now_ns() - start) / 1e9;
  const uint64_t commands = take.count + release.count;
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  printf(
      "{\"connections\":%d,\"pipeline\":%d,\"seconds\":%.3f,\"commands\":%llu,\"commands_per_s\":%.0f,\"pairs_per_s\":%"
      ".0f",
      options.connections, options.pipeline, seconds, (unsigned long long)commands, (double)commands / seconds,
      (double)release.count / seconds);
  print_latency("take", &take);
  if (release.count > 0) print_latency("release", &release);
  printf(",\"driver_cpu_s\":%.2f}\n", (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                                          (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
  fflush(stdout);
  if (options.stay) {
    while (getchar() != EOF) {
    }
  }
  return 0;
}
