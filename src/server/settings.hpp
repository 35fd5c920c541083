// The settings of a node. One table as data: flags, CLEAT_* variables, TOML keys, CONFIG GET|SET and
// docs/configuration.md are made from it. The later source wins: file, environment, flags.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.hpp"
#include "lock/settings.hpp"
#include "resp/limits.hpp"

namespace cleat::server {

// Values as the node uses them. Bytes and milliseconds are plain numbers.
struct Config {
  std::string data = "./cleat-data";
  std::string listen = "127.0.0.1:7420";
  std::string password_file;
  bool insecure = false;

  std::string name;
  std::string cluster;
  std::string join;
  std::string peer_listen;
  std::string cluster_secret_file;
  int64_t heartbeat_ms = 50, election_heartbeats = 10, slow_sync_ms = 250;

  std::string log_level = "info";
  std::string log_format = "text";

  int64_t max_connections = 20'000;
  int64_t max_pipeline = 1'024;
  int64_t max_pipeline_bytes = 1 << 20;
  int64_t read_pause_bytes = 1 << 20;
  int64_t event_pause_bytes = 512 << 10;
  int64_t max_output_bytes = 8 << 20;
  int64_t max_output_total_bytes = 256 << 20;
  int64_t max_input_total_bytes = 256 << 20;
  int64_t max_subscriptions = 1'024;
  int64_t event_buffer = 100'000;

  resp::Limits limits;  // of single requests

  int64_t waiters_per_name = 10'000;
  int64_t holds_per_session = 10'000;
  int64_t sessions = 1'000'000;
  int64_t holds = 10'000'000;
  int64_t waiters = 1'000'000;
  int64_t req_results = 1'000'000;
  int64_t req_results_per_session = 256;
  int64_t losses_per_session = 64;
  int64_t history_entries = 100'000;
  int64_t history_per_name = 64;
  int64_t margin_ppm = 10'000;
  int64_t ageing_ms = 10'000;
  int64_t implicit_ttl_ms = 10'000;

  int64_t min_free_bytes = 256 << 20;
  int64_t snapshot_log_bytes = 64 << 20;
  int64_t leaderless_wait_ms = 2'000;
  int64_t undecided_wait_ms = 5'000;

  lock::Settings lock_settings() const;
};

enum class Unit : uint8_t { kCount, kBytes, kMillis };

// One row. `member` tells where the value lives and of which kind it is.
struct Setting {
  // Flag --log-level, variable CLEAT_LOG_LEVEL, TOML key and CONFIG name log-level. Only `name` has another variable,
  // CLEAT_MEMBER_NAME: `cleat run` gives CLEAT_NAME to what it starts.
  std::string_view name;
  std::string_view section;  // of the documentation
  std::variant<std::string Config::*, bool Config::*, int64_t Config::*, uint64_t resp::Limits::*> member;
  std::string_view help;  // a sentence without its full stop
  Unit unit = Unit::kCount;
  int64_t min = 0, max = 0;          // numbers
  std::string_view choices = {};     // texts with a fixed set: "a|b|c"
  bool while_running = false;        // CONFIG SET may change it
  std::string_view value_hint = {};  // of a text, for help: "DIR"

  bool is_switch() const { return std::holds_alternative<bool Config::*>(member); }
  bool is_number() const { return member.index() >= 2; }
  int64_t number(const Config&) const;
  void set_number(Config&, int64_t) const;
};

std::span<const Setting> settings_table();
const Setting* find_setting(std::string_view name);

// "8MiB", "10s", "20000", "true", a text: as it is written in files and shown by CONFIG GET.
std::string shown_value(const Setting&, const Config&);
// What a value must look like: "a whole number from 1 to 1000000", "text|json".
std::string expected_value(const Setting&);
// For help and documents: "N", "BYTES", "MS", "DIR", "text|json"; empty for a switch.
std::string value_hint(const Setting&);
// kInvalid: says what was expected. Numbers may carry a unit: B KiB MiB GiB, ms s m h.
base::Status set_value(const Setting&, std::string_view text, Config&);

struct GivenSetting {
  std::string name;
  std::string value;
  std::string origin;  // for messages: "--connections", "cleat.toml:12: connections"
};

// The three sources. kInvalid: one line that names the place and the key and says what to do. Whether a key is a
// setting is for make_config to say.
base::Result<std::vector<GivenSetting>> settings_of_file(const std::string& path);
// `environment`: lines NAME=value. Variables that only clients know (CLEAT_SERVER, ...) are skipped; other unknown
// CLEAT_* ones are put into `unknown`.
std::vector<GivenSetting> settings_of_environment(std::span<const std::string> environment,
                                                  std::vector<std::string>* unknown);
// In the given order, later ones win; then the rules between settings (who may listen where).
base::Result<Config> make_config(std::span<const GivenSetting>);
// The rules between settings alone.
base::Status check_config(const Config&);

// docs/configuration.md, whole.
std::string settings_document();

}  // namespace cleat::server
