// Where settings come from: a TOML file, the environment, flags.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

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

std::string file_place(const std::string& path, const toml::source_region& source) {
  return fmt::format("{}:{}", path, source.begin.line);
}

base::Result<std::string> text_of(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  return invalid("a text, a whole number or true/false is needed here");
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

bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-+.=:,[] \t\r").find(c) != std::string_view::npos;
}

// Quotes must begin where a word may, and end, and outside of them and of comments there is only what keys, numbers and
// lists are made of. Empty: so it is.
std::string_view wrong_with_words(std::string_view line) {
  constexpr std::string_view kBare = "text other than numbers, true and false must stand in quotes";
  char quote = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == '\\' && quote == '"') ++i;
      if (c == quote) quote = 0;
    } else if (c == '#') {
      return {};
    } else if (c == '"' || c == '\'') {
      if (i > 0 && std::string_view(" \t=,[.").find(line[i - 1]) == std::string_view::npos) return kBare;
      quote = c;
    } else if (!is_bare(c)) {
      return kBare;
    }
  }
  return quote == 0 ? std::string_view() : "a quote begins here and does not end on this line";
}

bool begins_table(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t");
  return first != std::string_view::npos && line[first] == '[';
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < ' ' && c != '\t' && c != '\r';
}

// toml++ 3.3 has undefined behaviour, or ends the process, when certain characters stand where a key or white space may
// be. So only what settings need reaches it.
base::Status check_text(const std::string& path, const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (number == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    if (std::any_of(line.begin(), line.end(), is_control))
      return invalid(fmt::format("{}:{}: this line has a control character", path, number));
    if (line.find("\"\"\"") != std::string::npos || line.find("'''") != std::string::npos)
      return invalid(fmt::format("{}:{}: a value has one line, in single or double quotes", path, number));
    if (begins_table(line)) return invalid(fmt::format("{}:{}: settings stand in no table", path, number));
    if (const auto wrong = wrong_with_words(line); !wrong.empty())
      return invalid(fmt::format("{}:{}: {}", path, number, wrong));
  }
  return {};
}

// All at once, so that what was checked is what is parsed. A folder can be opened, but not read.
base::Result<std::string> text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text, line;
  while (std::getline(file, line)) text += line + '\n';
  if (!file.eof()) return invalid(fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  return text;
}

}  // namespace

base::Result<std::vector<GivenSetting>> settings_of_file(const std::string& path) {
  const auto contents = text_of_file(path);
  if (!contents.ok()) return contents.status();
  if (const auto s = check_text(path, *contents); !s.ok()) return s;
  std::vector<GivenSetting> given;
  try {
    const toml::table table = toml::parse(*contents, path);
    for (const auto& [key, node] : table) {
      const std::string place = fmt::format("{}: {}", file_place(path, node.source()), key.str());
      auto text = text_of(node);
      if (!find_setting(key.str()))
        return invalid(fmt::format("{}: no such setting; {}", place, suggestion(key.str())));
      if (!text.ok()) return invalid(fmt::format("{}: {}", place, text.status().message()));
      given.push_back({std::string(key.str()), *std::move(text), place});
    }
  } catch (const toml::parse_error& error) {
    return invalid(fmt::format("{}: {}", file_place(path, error.source()), error.description()));
  }
  return given;
}

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
