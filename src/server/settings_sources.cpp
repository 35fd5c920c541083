// Settings of the environment, and a configuration of what all sources gave (settings_file.cpp reads the file).
#include <fmt/format.h>

#include <algorithm>

#include "server/settings.hpp"

namespace cleat::server {
namespace {

base::Status invalid(std::string line) {
  return {base::Code::kInvalid, std::move(line)};
}

// The nearest name, for "did you mean": the one with the longest common beginning, if that is any help.
std::string suggestion(std::string_view name) {
  std::string_view best;
  size_t best_length = 2;
  for (const Setting& row : settings_table()) {
    const auto ends = std::mismatch(name.begin(), name.end(), row.name.begin(), row.name.end());
    const auto length = static_cast<size_t>(ends.first - name.begin());
    if (length > best_length) best = row.name, best_length = length;
  }
  return best.empty() ? "docs/configuration.md lists them" : fmt::format("did you mean {}?", best);
}

// Variables of `cleat run` and the other client commands, which a server started below them inherits.
constexpr std::string_view kOfClients[] = {"CLEAT_NAME",     "CLEAT_FENCE",         "CLEAT_SESSION", "CLEAT_SERVER",
                                           "CLEAT_TOKEN",    "CLEAT_PASSWORD_FILE", "CLEAT_CONFIG",  "CLEAT_ADDRESS",
                                           "CLEAT_PASSWORD", "CLEAT_OWNER"};

std::string variable_of(std::string_view setting) {
  if (setting == "name") return "CLEAT_MEMBER_NAME";  // CLEAT_NAME is the lock's within `cleat run`
  std::string name = "CLEAT_";
  for (const char c : setting) name += c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

}  // namespace

std::vector<GivenSetting> settings_of_environment(std::span<const std::string> environment,
                                                  std::vector<std::string>* unknown) {
  std::vector<GivenSetting> given;
  for (const std::string& line : environment) {
    if (!line.starts_with("CLEAT_")) continue;
    const auto equals = line.find('=');
    const std::string variable = line.substr(0, equals);
    const auto rows = settings_table();
    const auto row =
        std::find_if(rows.begin(), rows.end(), [&](const Setting& s) { return variable_of(s.name) == variable; });
    if (row != rows.end()) {
      given.push_back({std::string(row->name), equals == std::string::npos ? "" : line.substr(equals + 1), variable});
    } else if (unknown && std::find(std::begin(kOfClients), std::end(kOfClients), variable) == std::end(kOfClients)) {
      unknown->push_back(variable);
    }
  }
  return given;
}

base::Result<Config> make_config(std::span<const GivenSetting> given) {
  Config config;
  for (const GivenSetting& g : given) {
    const Setting* row = find_setting(g.name);
    if (!row) return invalid(fmt::format("{}: no such setting; {}", g.origin, suggestion(g.name)));
    if (auto status = set_value(*row, g.value, config); !status.ok()) {
      return invalid(fmt::format("{}: {}", g.origin, status.message()));
    }
  }
  if (auto status = check_config(config); !status.ok()) return status;
  return config;
}

}  // namespace cleat::server
