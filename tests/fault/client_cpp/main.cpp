// A program of the campaign: its threads lock with the C++ library, and change what the locks guard. What it does, and
// its options, are those of client_py/client.py.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

#include "grants.hpp"
#include "history.hpp"
#include "register.hpp"

namespace cleat::campaign {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kEpochNs = 30'000'000'000;                                 // new names so often, in all clients alike
constexpr int64_t kCrowdEveryNs = 10'000'000'000, kCrowdNs = 1'000'000'000;  // then all want the same name
constexpr unsigned kEndSeconds = 13;

struct Settings {
  Options options;
  std::string registers, client;
  uint64_t names = 8, seed = 0, threads = 3;
  milliseconds think{80};
};

class Worker {
 public:
  Worker(const Settings& settings, uint64_t number, Client& client, History& history, std::stop_token over)
      : settings_(settings),
        client_(client),
        history_(history),
        register_(settings.registers),
        random_(settings.seed * 1'000 + number),
        over_(std::move(over)) {}

  void run() {
    const auto mean = static_cast<double>(settings_.think.count());
    while (!over_.stop_requested()) {
      const double thought = std::exponential_distribution<double>(1 / mean)(random_);
      pause(milliseconds(static_cast<int64_t>(std::min(thought, 1'000.0))));
      turn();
    }
  }

 private:
  void turn() {
    const int64_t now = monotonic_ns();
    const bool crowd = now % kCrowdEveryNs < kCrowdNs;
    const uint64_t index = crowd || chance(random_, 0.1) ? 0 : below(random_, settings_.names);
    Wish wish{.name = fmt::format("n{}-{}", index, now / kEpochNs), .shared = chance(random_, 0.2)};
    if (!chance(random_, 0.2)) wish.wait = between(milliseconds(100), milliseconds(1'500));
    if (chance(random_, 0.1)) wish.options.max_hold = between(milliseconds(500), 2 * settings_.options.ttl);
    const auto taken = take(client_, settings_.options, wish, history_, random_);
    if (!taken) return;
    hold(*taken);
    taken->let_go();
  }

  milliseconds between(milliseconds least, milliseconds most) {
    return least + milliseconds(below(random_, static_cast<uint64_t>((most - least).count())));
  }

  // Most stop when they may not believe any more to hold it; some go on, and then the register must refuse them.
  void hold(Taken& taken) {
    const bool overstays = taken.by_token() && chance(random_, 0.02);  // renews nothing, looks at no clock, is too slow
    const bool careless = overstays || chance(random_, 0.15);
    bool known = read(taken);
    for (uint64_t steps = 1 + below(random_, 2); steps > 0; --steps) {
      work(overstays);
      if (!overstays && chance(random_, 0.4)) taken.renew();
      if (!known || !(careless || taken.believed())) return;
      known = taken.shared() ? read(taken) : write(taken);
    }
  }

  void work(bool overstays) {
    const double kind = std::uniform_real_distribution<double>(0, 1)(random_);
    const milliseconds ttl = settings_.options.ttl;
    milliseconds time(below(random_, 15));
    if (kind < 0.005 || overstays) {
      time = between(ttl * 21 / 20, 2 * ttl);  // longer than any lease that is not renewed
    } else if (kind < 0.03) {
      time = between(milliseconds(0), ttl / 2);
    }
    pause(time);
  }

  void pause(milliseconds time) {
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any nobody;
    nobody.wait_for(lock, over_, time, [] { return false; });
  }

  bool read(Taken& taken) {
    Operation operation = history_.call("read", taken.name(), taken.about());
    const auto answer =
        register_.ask(fmt::format("read {} {} {}", taken.name(), taken.shared() ? "S" : "X", taken.fence()));
    std::istringstream words(answer.value_or("unknown"));
    std::string result;
    words >> result;
    if (result != "ok") return operation.done(result.c_str()), false;
    words >> value_ >> version_;
    operation.done("ok", Fields().set("value", value_).set("version", version_));
    return true;
  }

  bool write(Taken& taken) {
    const int64_t base = version_;
    ++value_;
    Operation operation = history_.call("write", taken.name(), taken.about().set("value", value_).set("base", base));
    const auto answer = register_.ask(fmt::format("write {} {} {} {}", taken.name(), taken.fence(), value_, base));
    std::istringstream words(answer.value_or("unknown"));
    std::string result;
    words >> result;
    if (result != "ok") return operation.done(result.c_str()), false;
    words >> version_;
    operation.done("ok", Fields().set("version", version_));
    return true;
  }

  const Settings& settings_;
  Client& client_;
  History& history_;
  Register register_;
  Random random_;
  std::stop_token over_;             // the program is to end
  int64_t value_ = 0, version_ = 0;  // as last read or written
};

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) parts.push_back(part);
  return parts;
}

Settings settings_of(std::map<std::string, std::string>& given) {
  Settings settings;
  settings.options.servers = split(given.at("--servers"));
  settings.options.ttl = milliseconds(std::stol(given.emplace("--ttl-ms", "2000").first->second));
  settings.options.connect_timeout = std::chrono::seconds(3);
  settings.client = settings.options.label = given.at("--client");
  settings.registers = given.at("--register");
  if (given.contains("--password-file")) {
    std::ifstream file(given.at("--password-file"));
    std::getline(file, settings.options.password);
  }
  const auto number = [&given](const char* option, uint64_t& into) {
    if (given.contains(option)) into = std::stoull(given.at(option));
  };
  uint64_t think_ms = 80;
  number("--names", settings.names);
  number("--seed", settings.seed);
  number("--threads", settings.threads);
  number("--think-ms", think_ms);
  settings.think = milliseconds(think_ms);
  return settings;
}

void run(const Settings& settings, const std::string& path) {
  // Before there are threads, so that none of them is asked.
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigaddset(&ends, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  ::signal(SIGALRM, [](int) { ::_exit(0); });

  History history(path, settings.client);
  Client client(settings.options);
  std::stop_source over;
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < settings.threads; ++number) {
    threads.emplace_back([&, number] { Worker(settings, number, client, history, over.get_token()).run(); });
  }
  int signal = 0;
  ::sigwait(&ends, &signal);
  over.request_stop();
  ::alarm(kEndSeconds);  // what has not ended by then stays open in the history: unknown
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace cleat::campaign

int main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  for (const char* needed : {"--servers", "--register", "--client", "--history"}) {
    if (given.contains(needed)) continue;
    std::fprintf(stderr, "%s is missing\n", needed);
    return 64;
  }
  cleat::campaign::run(cleat::campaign::settings_of(given), given.at("--history"));
  return 0;
}
