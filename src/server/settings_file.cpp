// The settings file: the part of TOML 1.0 (https://toml.io/en/v1.0.0) that settings need. A line is empty, a comment,
// or KEY = VALUE, where the value is a text in quotes, a whole number, true or false. Why no library:
// docs/dependencies.md.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>

#include "server/settings.hpp"

namespace cleat::server {
namespace {

using Text = base::Result<std::string>;

base::Status invalid(std::string line) {
  return {base::Code::kInvalid, std::move(line)};
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// With the dot of dotted keys, which no setting has, so that the message names such a key whole.
bool is_of_key(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '-' || c == '.';
}

bool is_control(char c) {
  return (static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f';
}

void append_utf8(uint32_t point, std::string& out) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  const int behind = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr uint32_t kFirst[] = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(kFirst[behind] | point >> (6 * behind));
  for (int i = behind - 1; i >= 0; --i) out += static_cast<char>(0x80 | ((point >> (6 * i)) & 0x3F));
}

// What stands in a line, read from its front. An error says what is wrong at that place.
class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) { skip_blanks(); }

  bool at_end() const { return rest_.empty() || rest_.front() == '#'; }

  Text key() {
    if (rest_.front() == '[') return invalid("settings stand in no table");
    auto name = rest_.front() == '"' || rest_.front() == '\'' ? quoted() : Text(taken_while(is_of_key));
    if (!name.ok()) return name;
    skip_blanks();
    if (name->empty() || !rest_.starts_with('=')) return invalid("KEY = VALUE is needed here");
    rest_.remove_prefix(1);
    skip_blanks();
    return name;
  }

  Text value() {
    const bool is_text = rest_.starts_with('"') || rest_.starts_with('\'');
    auto value = is_text ? quoted() : bare();
    if (!value.ok()) return value;
    skip_blanks();
    if (!at_end()) return invalid("only a comment (# ...) can follow a value");
    return value;
  }

 private:
  void skip_blanks() { rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t"), rest_.size())); }

  template <class Test>
  std::string taken_while(Test test) {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), test);
    std::string taken(rest_.begin(), end);
    rest_.remove_prefix(taken.size());
    return taken;
  }

  Text bare() {
    constexpr const char* kNeeded = "a text in quotes, a whole number or true/false is needed here";
    const std::string word = taken_while([](char c) { return c != ' ' && c != '\t' && c != '#'; });
    if (word == "true" || word == "false") return word;
    const std::string_view digits = std::string_view(word).substr(word.starts_with('+') || word.starts_with('-'));
    // Underscores stand between digits, and a number has no zeros in front.
    if (digits.empty() || digits.find("__") != std::string_view::npos || !is_digit(digits.back()) ||
        !std::all_of(digits.begin(), digits.end(), [](char c) { return is_digit(c) || c == '_'; }) ||
        digits.front() == '_' || (digits.front() == '0' && digits.size() > 1)) {
      return invalid(kNeeded);
    }
    std::string number = word.starts_with('-') ? "-" : "";
    std::copy_if(digits.begin(), digits.end(), std::back_inserter(number), is_digit);
    return number;
  }

  // In single quotes a text is as it stands; in double ones a backslash begins an escape.
  Text quoted() {
    const char quote = rest_.front();
    if (rest_.starts_with(std::string(3, quote))) return invalid("a value has one line, in single or double quotes");
    rest_.remove_prefix(1);
    std::string text;
    while (!rest_.empty()) {
      const char c = rest_.front();
      rest_.remove_prefix(1);
      if (c == quote) return text;
      if (c != '\\' || quote == '\'') {
        text += c;
      } else if (const auto s = escape(text); !s.ok()) {
        return s;
      }
    }
    return invalid("a quote begins here and does not end on this line");
  }

  base::Status escape(std::string& text) {
    constexpr std::string_view kLetters = "btnfr\"\\", kMeanings = "\b\t\n\f\r\"\\";
    const char letter = rest_.empty() ? '\0' : rest_.front();
    if (const size_t at = kLetters.find(letter); at != std::string_view::npos) {
      text += kMeanings[at];
      rest_.remove_prefix(1);
      return {};
    }
    const size_t length = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
    uint32_t point = 0;
    const std::string_view hex = rest_.substr(std::min<size_t>(1, rest_.size()), length);
    const auto end = std::from_chars(hex.data(), hex.data() + hex.size(), point, 16).ptr;
    const bool is_scalar = point != 0 && point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
    if (length == 0 || hex.size() != length || end != hex.data() + length || !is_scalar)
      return invalid(
          R"(an escape in double quotes is \" \\ \t \n \r \b \f \uXXXX or \UXXXXXXXX; 'in single quotes' is none)");
    append_utf8(point, text);
    rest_.remove_prefix(1 + length);
    return {};
  }

  std::string_view rest_;
};

}  // namespace

base::Result<std::vector<GivenSetting>> settings_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<GivenSetting> given;
  std::map<std::string, int> lines;  // by key
  std::string text;
  for (int number = 1; std::getline(file, text); ++number) {
    if (number == 1 && text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
    if (text.ends_with('\r')) text.pop_back();
    const std::string place = fmt::format("{}:{}: ", path, number);
    if (std::any_of(text.begin(), text.end(), is_control)) return invalid(place + "this line has a control character");
    Line line(text);
    if (line.at_end()) continue;
    auto key = line.key();
    if (!key.ok()) return invalid(place + key.status().message());
    auto value = line.value();
    if (!value.ok()) return invalid(fmt::format("{}{}: {}", place, *key, value.status().message()));
    if (const auto [first, is_new] = lines.emplace(*key, number); !is_new)
      return invalid(fmt::format("{}{}: stands in line {}, too", place, *key, first->second));
    given.push_back({*key, *std::move(value), place + *key});
  }
  // A folder can be opened, but not read.
  if (!file.eof()) return invalid(fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  return given;
}

}  // namespace cleat::server
