#include "server/settings.hpp"

#include <fmt/format.h>

#include <charconv>

#include "net/address.hpp"
#include "server/cluster_settings.hpp"

namespace cleat::server {
namespace {

constexpr int64_t kMany = 1'000'000'000;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kDayMs = 24 * 3'600'000;

constexpr std::string_view kNode = "The node", kCluster = "The cluster", kLog = "Its log", kClients = "Connections",
                           kRequests = "Single requests", kLocks = "Locks and sessions", kDisk = "The disk";

Setting text(std::string_view name, std::string_view section, std::string Config::*member, std::string_view hint,
             std::string_view help) {
  return {name, section, member, help, Unit::kCount, 0, 0, {}, false, hint};
}
Setting choice(std::string_view name, std::string Config::*member, std::string_view choices, bool while_running,
               std::string_view help) {
  return {name, kLog, member, help, Unit::kCount, 0, 0, choices, while_running};
}
struct Range {
  int64_t min, max;
};
template <class Member>
Setting number(std::string_view name, std::string_view section, Member member, Unit unit, Range range,
               std::string_view help, bool while_running = false) {
  return {name, section, member, help, unit, range.min, range.max, {}, while_running};
}

constexpr Unit kCount = Unit::kCount, kBytes = Unit::kBytes, kMillis = Unit::kMillis;
constexpr Range kUpToMany = {1, kMany};

std::vector<Setting> node_rows() {
  return {
      text("data", kNode, &Config::data, "DIR", "Directory of all that must survive; made when it is not there"),
      text("listen", kNode, &Config::listen, "HOST:PORT",
           "Address for clients; other than loopback it needs password-file and insecure"),
      text("password-file", kNode, &Config::password_file, "FILE",
           "File whose first line is the password that clients must give (AUTH)"),
      {"insecure", kNode, &Config::insecure, "Says that passwords and locks may cross the network unencrypted"},
      choice("log-level", &Config::log_level, "debug|info|warning|error", true,
             "The least severe lines that are written"),
      choice("log-format", &Config::log_format, "text|json", false, "Lines for people, or one JSON object a line"),
  };
}

std::vector<Setting> cluster_rows() {
  return {
      text("name", kCluster, &Config::name, "NAME",
           "Name of this member, for people; the variable is CLEAT_MEMBER_NAME. A node alone is called node"),
      text("cluster", kCluster, &Config::cluster, "NAME=HOST:PORT,...",
           "The members that found a cluster together, this one among them, each with the address where the others "
           "reach it; the same list for each. Only read while the directory belongs to no cluster"),
      text("join", kCluster, &Config::join, "HOST:PORT,...",
           "Addresses of members of a cluster that this node waits to be added to (cleat cluster add); needs name and "
           "peer-listen. Only read while the directory belongs to no cluster"),
      text("peer-listen", kCluster, &Config::peer_listen, "HOST:PORT",
           "Address for the other members; by default the own one in cluster. A node alone that has one can be grown "
           "into a cluster"),
      text("cluster-secret-file", kCluster, &Config::cluster_secret_file, "FILE",
           "File whose first line is the secret that all members of the cluster know; needed beyond loopback"),
      number("heartbeat-ms", kCluster, &Config::heartbeat_ms, kMillis, {10, 5'000},
             "How often the leader tells the others that it lives; the same on all members, and above the round trip "
             "between them"),
      number(
          "election-heartbeats", kCluster, &Config::election_heartbeats, kCount, {5, 100},
          "Heartbeats without a leader after which a member, a random time of up to as many later, asks to be elected"),
      number("slow-sync-ms", kCluster, &Config::slow_sync_ms, kMillis, {1, 60'000},
             "A leader whose syncs last longer, four in a row, hands leadership over to another voter"),
  };
}

std::vector<Setting> client_rows() {
  constexpr bool kRunning = true;
  constexpr int64_t kGiB = 1 << 30;
  return {
      number("max-connections", kClients, &Config::max_connections, kCount, {1, 1'000'000},
             "Client connections at a time; one more is told so and closed"),
      number("max-pipeline", kClients, &Config::max_pipeline, kCount, {1, 1 << 20},
             "Unanswered commands of one connection at which the server stops reading from it"),
      number("max-pipeline-bytes", kClients, &Config::max_pipeline_bytes, kBytes, {16 << 10, kGiB},
             "Bytes of requests that one connection may send ahead of the answers before the server stops reading from "
             "it"),
      number("read-pause-bytes", kClients, &Config::read_pause_bytes, kBytes, {4 << 10, kGiB},
             "Unsent answers of one connection beyond which no more requests are read from it", kRunning),
      number("event-pause-bytes", kClients, &Config::event_pause_bytes, kBytes, {4 << 10, kGiB},
             "Unsent bytes of one connection beyond which its events are kept back; those that event-buffer no longer "
             "has are told as a gap",
             kRunning),
      number("max-output-bytes", kClients, &Config::max_output_bytes, kBytes, {16 << 10, kGiB},
             "Unsent answers of one connection; a reader that is slower is disconnected", kRunning),
      number("max-output-total-bytes", kClients, &Config::max_output_total_bytes, kBytes, {64 << 10, 64 * kGiB},
             "Unsent answers of all connections; beyond it the one with the most is disconnected", kRunning),
      number("max-input-total-bytes", kClients, &Config::max_input_total_bytes, kBytes, {64 << 10, 64 * kGiB},
             "Unfinished requests of all connections; beyond it the one that needs more is disconnected", kRunning),
      number("max-subscriptions", kClients, &Config::max_subscriptions, kCount, {1, 1'000'000},
             "Channels and patterns that one connection may subscribe to"),
      number("event-buffer", kClients, &Config::event_buffer, kCount, {16, 10'000'000},
             "Events kept for EVENTS FROM and for watchers that fall behind"),
  };
}

std::vector<Setting> request_rows() {  // of the protocol's own table
  std::vector<Setting> rows;
  for (const resp::LimitRow& limit : resp::limit_rows()) {
    const Unit unit = limit.name.ends_with("-bytes") ? kBytes : limit.name.ends_with("-ms") ? kMillis : kCount;
    const Range range = {static_cast<int64_t>(limit.min), static_cast<int64_t>(limit.max)};
    rows.push_back(number(limit.name, kRequests, limit.member, unit, range, limit.what));
  }
  return rows;
}

std::vector<Setting> lock_rows() {
  return {
      number("waiters-per-name", kLocks, &Config::waiters_per_name, kCount, kUpToMany, "Waiters in one name's queue"),
      number("holds-per-session", kLocks, &Config::holds_per_session, kCount, kUpToMany, "Holds of one session"),
      number("sessions", kLocks, &Config::sessions, kCount, kUpToMany, "Sessions, implicit ones included"),
      number("holds", kLocks, &Config::holds, kCount, kUpToMany, "Holds of the whole node"),
      number("waiters", kLocks, &Config::waiters, kCount, kUpToMany, "Waiters of the whole node"),
      number("req-results", kLocks, &Config::req_results, kCount, kUpToMany,
             "Results kept for repeated REQs on the whole node; the oldest go first"),
      number("req-results-per-session", kLocks, &Config::req_results_per_session, kCount, {1, 1'000'000},
             "Results kept for repeated REQs of one session"),
      number("losses-per-session", kLocks, &Config::losses_per_session, kCount, {1, 1'000'000},
             "Lost holds that SESSION SHOW can list"),
      number("history-entries", kLocks, &Config::history_entries, kCount, {0, kMany},
             "Changes kept for HISTORY on the whole node"),
      number("history-per-name", kLocks, &Config::history_per_name, kCount, {0, 1'000'000},
             "Changes kept for HISTORY of one name"),
      number("margin-ppm", kLocks, &Config::margin_ppm, kCount, {0, 500'000},
             "By how many millionths the fastest server clock may outrun the slowest client clock (10000 is 1%)"),
      number("ageing-ms", kLocks, &Config::ageing_ms, kMillis, {0, kDayMs},
             "How much earlier a request counts as arrived for each step of PRIORITY"),
      number("implicit-ttl-ms", kLocks, &Config::implicit_ttl_ms, kMillis, {5'000, kDayMs},
             "TTL of the session that a connection gets by itself"),
  };
}

std::vector<Setting> disk_rows() {
  constexpr int64_t kTiB = int64_t{1} << 40;
  return {
      number("min-free-bytes", kDisk, &Config::min_free_bytes, kBytes, {0, kTiB},
             "Free space below which new locks are refused with DISKFULL"),
      number("snapshot-log-bytes", kDisk, &Config::snapshot_log_bytes, kBytes, {kMiB, kTiB},
             "Log since the last snapshot at which the next one begins"),
      number("leaderless-wait-ms", kDisk, &Config::leaderless_wait_ms, kMillis, {0, 60'000},
             "How long a request is kept while there is no leader (a node that starts), before NOQUORUM"),
      number(
          "undecided-wait-ms", kDisk, &Config::undecided_wait_ms, kMillis, {100, 600'000},
          "How long a request that was taken may stay undecided (the log waits for room on its disk), before UNKNOWN"),
  };
}

std::vector<Setting> whole_table() {
  std::vector<Setting> rows;
  for (auto part : {node_rows, cluster_rows, client_rows, request_rows, lock_rows, disk_rows}) {
    for (const Setting& row : part()) rows.push_back(row);
  }
  return rows;
}

struct Suffix {
  std::string_view text;
  int64_t factor;
};
constexpr Suffix kByteSuffixes[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}};
constexpr Suffix kTimeSuffixes[] = {{"ms", 1}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}};

std::span<const Suffix> suffixes(Unit unit) {
  if (unit == Unit::kBytes) return kByteSuffixes;
  if (unit == Unit::kMillis) return kTimeSuffixes;
  return {};
}

bool parse_number(std::string_view text, Unit unit, int64_t& out) {
  int64_t factor = 1;
  for (const Suffix& s : suffixes(unit)) {
    if (text.size() > s.text.size() && text.ends_with(s.text)) {
      factor = s.factor;
      text.remove_suffix(s.text.size());
      break;
    }
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && !__builtin_mul_overflow(out, factor, &out);
}

std::string shown_number(int64_t value, Unit unit) {
  const Suffix* best = nullptr;  // the largest that divides it
  for (const Suffix& s : suffixes(unit)) {
    if (value != 0 && value % s.factor == 0 && (!best || s.factor > best->factor)) best = &s;
  }
  return best && best->factor > 1 ? fmt::format("{}{}", value / best->factor, best->text) : fmt::format("{}", value);
}

bool is_choice(std::string_view choices, std::string_view text) {
  while (!choices.empty()) {
    const auto bar = choices.find('|');
    if (choices.substr(0, bar) == text) return true;
    choices.remove_prefix(bar == std::string_view::npos ? choices.size() : bar + 1);
  }
  return false;
}

base::Status not_expected(const Setting& row, std::string_view text) {
  return {base::Code::kInvalid, fmt::format("\"{}\" is not {}", text, expected_value(row))};
}

}  // namespace

std::span<const Setting> settings_table() {
  static const std::vector<Setting> table = whole_table();
  return table;
}

int64_t Setting::number(const Config& config) const {
  if (auto* limit = std::get_if<uint64_t resp::Limits::*>(&member)) return static_cast<int64_t>(config.limits.**limit);
  return config.*std::get<int64_t Config::*>(member);
}

void Setting::set_number(Config& config, int64_t value) const {
  if (auto* limit = std::get_if<uint64_t resp::Limits::*>(&member)) {
    config.limits.** limit = static_cast<uint64_t>(value);
  } else {
    config.*std::get<int64_t Config::*>(member) = value;
  }
}

const Setting* find_setting(std::string_view name) {
  for (const Setting& row : settings_table())
    if (row.name == name) return &row;
  return nullptr;
}

std::string shown_value(const Setting& row, const Config& config) {
  if (auto* text = std::get_if<std::string Config::*>(&row.member)) return config.**text;
  if (auto* flag = std::get_if<bool Config::*>(&row.member)) return config.**flag ? "true" : "false";
  return shown_number(row.number(config), row.unit);
}

std::string expected_value(const Setting& row) {
  if (row.is_switch()) return "true or false";
  if (!row.choices.empty()) return fmt::format("one of {}", row.choices);
  if (!row.is_number()) return "a text";
  const char* what = row.unit == Unit::kBytes    ? "a number of bytes (B, KiB, MiB or GiB may follow)"
                     : row.unit == Unit::kMillis ? "a number of milliseconds (ms, s, m or h may follow)"
                                                 : "a whole number";
  return fmt::format("{} from {} to {}", what, shown_number(row.min, row.unit), shown_number(row.max, row.unit));
}

std::string value_hint(const Setting& row) {
  if (row.is_switch()) return "";
  if (!row.choices.empty()) return std::string(row.choices);
  if (!row.value_hint.empty()) return std::string(row.value_hint);
  return row.unit == Unit::kBytes ? "BYTES" : row.unit == Unit::kMillis ? "MS" : "N";
}

base::Status set_value(const Setting& row, std::string_view text, Config& config) {
  if (auto* member = std::get_if<std::string Config::*>(&row.member)) {
    if (!row.choices.empty() && !is_choice(row.choices, text)) return not_expected(row, text);
    config.** member = text;
    return {};
  }
  if (auto* member = std::get_if<bool Config::*>(&row.member)) {
    if (!is_choice("true|false|yes|no|1|0|on|off", text)) return not_expected(row, text);
    config.** member = is_choice("true|yes|1|on", text);
    return {};
  }
  int64_t value = 0;
  if (!parse_number(text, row.unit, value) || value < row.min || value > row.max) return not_expected(row, text);
  row.set_number(config, value);
  return {};
}

lock::Settings Config::lock_settings() const {
  lock::Settings s;
  s.margin_ppm = static_cast<uint32_t>(margin_ppm);
  s.ageing_ms = static_cast<uint32_t>(ageing_ms);
  s.implicit_ttl_ms = static_cast<uint32_t>(implicit_ttl_ms);
  s.waiters_per_name = static_cast<uint64_t>(waiters_per_name);
  s.holds_per_session = static_cast<uint64_t>(holds_per_session);
  s.sessions = static_cast<uint64_t>(sessions);
  s.holds = static_cast<uint64_t>(holds);
  s.waiters = static_cast<uint64_t>(waiters);
  s.req_results = static_cast<uint64_t>(req_results);
  s.req_results_per_session = static_cast<uint64_t>(req_results_per_session);
  s.losses_per_session = static_cast<uint64_t>(losses_per_session);
  s.history_entries = static_cast<uint64_t>(history_entries);
  s.history_per_name = static_cast<uint64_t>(history_per_name);
  return s;
}

base::Status check_config(const Config& config) {
  const auto fail = [](std::string line) { return base::Status(base::Code::kInvalid, std::move(line)); };
  const auto address = net::parse_address(config.listen);
  if (!address.ok()) return fail(fmt::format("listen: {}", address.status().message()));
  if (config.limits.min_ttl_ms > config.limits.max_ttl_ms)
    return fail("min-ttl-ms is above max-ttl-ms: swap or change them");
  if (config.limits.session_ttl_ms < config.limits.min_ttl_ms ||
      config.limits.session_ttl_ms > config.limits.max_ttl_ms)
    return fail("session-ttl-ms is not within min-ttl-ms and max-ttl-ms: change it, or them");
  if (config.data.empty()) return fail("data: give the path of a directory");
  if (config.max_output_bytes > config.max_output_total_bytes) {
    return fail("max-output-bytes (one connection) is above max-output-total-bytes (all of them): raise the second");
  }
  if (!net::is_loopback(*address)) {
    if (config.password_file.empty()) {
      return fail(
          fmt::format("listen: {} can be reached from other machines, so clients must give a password: add "
                      "--password-file FILE and --insecure, or listen on 127.0.0.1",
                      config.listen));
    }
    if (!config.insecure) {
      return fail(
          fmt::format("listen: {} can be reached from other machines, and this version does not encrypt: say so with "
                      "--insecure, or listen on 127.0.0.1 behind a tunnel",
                      config.listen));
    }
  }
  return cluster_settings(config).status();
}

}  // namespace cleat::server
