#include "server/serve.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <time.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "net/listener.hpp"
#include "net/service_notify.hpp"
#include "server/cluster_node.hpp"
#include "server/cluster_settings.hpp"
#include "server/event_loop.hpp"
#include "server/info.hpp"
#include "server/logging.hpp"
#include "server/password.hpp"
#include "server/service.hpp"

namespace cleat::server {
namespace {

constexpr uint64_t kOwnFiles = 128;  // log, snapshots, listener, and what libraries open

class SystemClock final : public replica::Clock {
 public:
  int64_t mono_us() override { return microseconds(CLOCK_MONOTONIC_RAW); }
  int64_t wall_ms() override { return microseconds(CLOCK_REALTIME) / 1000; }

 private:
  static int64_t microseconds(clockid_t clock) {
    timespec t{};
    clock_gettime(clock, &t);
    return t.tv_sec * 1'000'000 + t.tv_nsec / 1000;
  }
};

int fail(int status, const std::string& line) {
  fmt::print(stderr, "cleat serve: {}\n", line);
  return status;
}

std::vector<std::string> environment_lines() {
  std::vector<std::string> lines;
  for (char** line = environ; line && *line; ++line) lines.emplace_back(*line);
  return lines;
}

// The three sources, the later after the earlier.
base::Result<Config> gather(const ServeOptions& options, std::vector<std::string>& unknown) {
  std::vector<GivenSetting> given;
  const char* named = std::getenv("CLEAT_CONFIG");
  const std::string file = !options.config_file.empty() ? options.config_file : named ? named : "";
  if (!file.empty()) {
    auto of_file = settings_of_file(file);
    if (!of_file.ok()) return of_file.status();
    given = *std::move(of_file);
  }
  const auto environment = environment_lines();
  for (auto& setting : settings_of_environment(environment, &unknown)) given.push_back(std::move(setting));
  for (const auto& setting : options.flags) given.push_back(setting);
  return make_config(given);
}

// Each connection needs a descriptor. With fewer allowed the node serves fewer, and says so.
void fit_connections(Config& config) {
  const uint64_t wanted = static_cast<uint64_t>(config.max_connections) + kOwnFiles;
  const uint64_t allowed = net::raise_file_limit(wanted);
  if (allowed >= wanted) return;
  const auto possible = static_cast<int64_t>(allowed > kOwnFiles + 16 ? allowed - kOwnFiles : 16);
  spdlog::warn(
      "only {} files may be open here: {} connections will be served and not the {} of max-connections (raise the "
      "limit: LimitNOFILE= in a systemd unit, ulimit -n in a shell)",
      allowed, possible, config.max_connections);
  config.max_connections = possible;
}

void greet(const Config& config, const net::Address& address) {
  spdlog::info("listening on {}, data in {}", address.text(), config.data);
  const std::string host = address.host == "127.0.0.1" ? "" : "-h " + address.host + " ";  // which is redis-cli's own
  spdlog::info("lock something: redis-cli {}-p {} LOCK orders WAIT 0   or: cleat run --server {} orders -- sleep 5",
               host, address.port, address.text());
}

struct Node {
  Config& config;
  std::string password, secret;
  net::Listener listener;
};

int run_node(Node& node, const net::ServiceNotify& notify) {
  SystemClock clock;
  std::optional<EventLoop> loop;
  Surroundings around;
  around.set_log_level = set_log_level;
  around.silent_ms = [](const Connection& c) { return net::silent_ms(c.fd); };
  around.close_socket = [&loop](Connection& c) { loop->close_socket(c); };
  around.send_touched = [&loop] {
    if (loop) loop->send_touched();  // while the log is replayed there is none
  };
  ClusterNode cluster(node.config, node.secret, clock);
  around.cluster_facts = [&cluster] { return cluster.facts(); };
  around.on_members = [&cluster](const replica::Members& members) { cluster.set_members(members); };
  around.on_unfit = [&cluster](const std::string& why) { cluster.stop(why); };
  Service service(node.config, node.password, clock, around);
  node.config.listen = node.listener.address().text();  // with the port really used
  if (const auto s = cluster.start(service); !s.ok())
    return fail(s.code() == base::Code::kInvalid ? 2 : 1, s.message());
  loop.emplace(service, node.listener, clock, notify);
  if (const auto s = cluster.connect(*loop); !s.ok())
    return fail(s.code() == base::Code::kInvalid ? 2 : 1, s.message());
  greet(node.config, node.listener.address());
  notify.tell("READY=1");
  loop->run();
  cluster.disconnect();
  loop.reset();
  const auto closed = cluster.close();
  if (!closed.ok()) return fail(1, closed.message());
  if (!cluster.trouble().empty()) return fail(1, cluster.trouble());
  spdlog::info("stopped; everything answered is on disk");
  return 0;
}

}  // namespace

int serve(const ServeOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);
  std::vector<std::string> unknown;
  auto config = gather(options, unknown);
  if (!config.ok()) return fail(2, config.status().message());
  start_logging(config->log_format, config->log_level);
  for (const std::string& variable : unknown) {
    spdlog::warn("{} is no setting of cleat serve and was not used (docs/configuration.md lists them)", variable);
  }
  std::string password;
  if (!config->password_file.empty()) {
    auto read = read_password(config->password_file);
    if (!read.ok()) return fail(2, read.status().message());
    password = *std::move(read);
  }
  std::string secret;
  if (!config->cluster_secret_file.empty()) {
    auto read = read_cluster_secret(config->cluster_secret_file);
    if (!read.ok()) return fail(2, read.status().message());
    secret = *std::move(read);
  }
  if (const std::string unwise = cluster_warning(*cluster_settings(*config)); !unwise.empty())
    spdlog::warn("{}", unwise);
  fit_connections(*config);
  auto listener = net::Listener::open(*net::parse_address(config->listen));
  if (!listener.ok()) return fail(1, listener.status().message());
  const net::ServiceNotify notify(std::getenv("NOTIFY_SOCKET"), std::getenv("WATCHDOG_USEC"));
  Node node = {*config, std::move(password), std::move(secret), *std::move(listener)};
  return run_node(node, notify);
}

}  // namespace cleat::server
