#include "minimise.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace cleat::sim {
namespace {

// A child that stops itself still tells what had happened in it: written by the handler of the signal.
int told_to = -1;

void put(const void* data, size_t size) {
  for (const char* at = static_cast<const char*>(data); size > 0;) {
    const ssize_t n = write(told_to, at, size);
    if (n <= 0) return;
    at += n;
    size -= static_cast<size_t>(n);
  }
}

void put(const std::string& text) {
  const uint64_t size = text.size();
  put(&size, sizeof size);
  put(text.data(), size);
}

template <class Items>
void put_all(const Items& items) {
  const uint64_t count = items.size();
  put(&count, sizeof count);
  for (const auto& item : items) {
    if constexpr (requires { item.size(); })
      put(item);
    else
      put(&item, sizeof item);
  }
}

void on_stop(int) {
  const World* world = World::present();
  if (world == nullptr) _exit(1);
  std::vector<int64_t> loads_us = World::past_loads_us;
  loads_us.push_back(world->now_us + kAfterFailureUs);
  put_all(world->happened);
  put_all(loads_us);
  put(std::string(kStopped));
  put(std::string("the process stopped itself: a CHECK, or a crash; it says why on stderr"));
  put_all(world->story);
  _exit(1);
}

// Reads what is told; an empty string when nothing more comes.
class Told {
 public:
  explicit Told(int from) {
    char block[65536];
    for (ssize_t n = 0; (n = read(from, block, sizeof block)) > 0;) all_.append(block, static_cast<size_t>(n));
  }
  bool get(void* data, size_t size) {
    if (all_.size() - at_ < size) return false;
    std::memcpy(data, all_.data() + at_, size);
    at_ += size;
    return true;
  }
  bool get(std::string& text) {
    uint64_t size = 0;
    if (!get(&size, sizeof size) || all_.size() - at_ < size) return false;
    text.assign(all_, at_, size);
    at_ += size;
    return true;
  }
  template <class Item>
  bool get_all(std::vector<Item>& items) {
    uint64_t count = 0;
    if (!get(&count, sizeof count)) return false;
    for (Item item{}; count > 0; --count, items.push_back(item)) {
      if constexpr (requires { item.size(); }) {
        if (!get(item)) return false;
      } else {
        if (!get(&item, sizeof item)) return false;
      }
    }
    return true;
  }

 private:
  std::string all_;
  size_t at_ = 0;
};

void tell(const RunResult& r) {
  put_all(r.kept.parts);
  put_all(r.kept.loads_us);
  put(r.checker);
  put(r.failure);
  put_all(r.story);
}

// Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002: chunks are left out, ever smaller
// ones. Here one kind of part after the other, those first of which there are most: what clients do. Whole clients and
// faults come last, since a run without one is often another run altogether.
class Minimiser {
 public:
  Minimiser(const RunOptions& options, const RunResult& failed, double seconds)
      : options_(options),
        checker_(failed.checker),
        end_(Clock::now() + std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000))) {
    options_.telling = Telling::kNothing;
    out_.kept = failed.kept;
    out_.parts_before = out_.kept.parts.size();
  }

  Minimised run() {
    bool less = true;
    while (less && in_time()) {
      less = false;
      for (int kind = static_cast<int>(kLastPart); kind >= 0; --kind) less |= reduce(static_cast<Stream>(kind));
    }
    out_.whole = in_time();
    return std::move(out_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool in_time() const { return Clock::now() < end_; }

  bool reduce(Stream kind) {
    std::vector<Part> parts;
    for (const Part p : out_.kept.parts)
      if (stream_of(p) == kind) parts.push_back(p);
    std::sort(parts.begin(), parts.end());
    const size_t before = parts.size();
    for (size_t chunk = parts.size(); chunk >= 1 && in_time(); chunk /= 2)
      for (size_t at = 0; at < parts.size() && in_time();) {
        const auto from = parts.begin() + static_cast<ptrdiff_t>(at);
        const auto to = parts.begin() + static_cast<ptrdiff_t>(std::min(parts.size(), at + chunk));
        if (fails_without({from, to}))
          std::erase_if(parts, [&](Part p) { return out_.kept.parts.count(p) == 0; });
        else
          at += chunk;
      }
    return parts.size() < before;
  }

  // Of what is kept, only what then really happened is kept from now on.
  bool fails_without(const std::vector<Part>& parts) {
    Kept less = out_.kept;
    for (const Part p : parts) less.parts.erase(p);
    options_.kept = &less;
    ++out_.runs;
    RunResult r = run_apart(options_);
    if (r.checker == kStopped && checker_ != kStopped) ++out_.stops;
    if (r.checker != checker_) return false;
    less.parts = std::move(r.kept.parts);
    out_.kept = std::move(less);
    return true;
  }

  RunOptions options_;
  const std::string checker_;
  const Clock::time_point end_;
  Minimised out_;
};

}  // namespace

RunResult run_apart(const RunOptions& options) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  const pid_t child = fork();
  if (child < 0) std::abort();
  if (child == 0) {
    told_to = ends[1];
    if (options.telling == Telling::kNothing) {
      const int nowhere = open("/dev/null", O_WRONLY);
      if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
    }
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) std::signal(signal, on_stop);
    tell(run(options));
    _exit(0);
  }
  close(ends[1]);
  Told told(ends[0]);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  RunResult out;
  out.seed = options.seed;
  std::vector<Part> parts;
  if (!told.get_all(parts) || !told.get_all(out.kept.loads_us) || !told.get(out.checker) || !told.get(out.failure)) {
    out.checker = kStopped;
    out.failure = "the process stopped itself and left nothing";
  }
  told.get_all(out.story);
  out.kept.parts.insert(parts.begin(), parts.end());
  return out;
}

Minimised minimise(const RunOptions& options, const RunResult& failed, double seconds) {
  return Minimiser(options, failed, seconds).run();
}

PartCount count_parts(const Kept& kept) {
  PartCount out;
  for (const Part p : kept.parts) {
    if (stream_of(p) == Stream::kClientTurn)
      ++out.turns;
    else if (stream_of(p) == Stream::kClientLife)
      ++out.clients;
    else
      ++out.faults;
  }
  return out;
}

}  // namespace cleat::sim
