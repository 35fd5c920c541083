#include "server/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace cleat::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string error_of(std::vector<GivenSetting> given) {
  const auto config = make_config(given);
  return config.ok() ? "no error" : config.status().message();
}

class TomlFile {
 public:
  explicit TomlFile(const std::string& text) {
    char name[] = "/tmp/cleat_settings_XXXXXX";
    const int fd = mkstemp(name);
    EXPECT_GE(fd, 0);
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
    path_ = name;
  }
  ~TomlFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Settings, EveryDefaultIsAllowedAndReadsBack) {
  std::set<std::string_view> names;
  const Config defaults;
  for (const Setting& row : settings_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.help.empty() || row.help.ends_with('.')) << row.name;
    Config config;
    EXPECT_TRUE(set_value(row, shown_value(row, defaults), config).ok()) << row.name;
    EXPECT_EQ(shown_value(row, config), shown_value(row, defaults)) << row.name;
  }
}

TEST(Settings, EveryNumberRefusesWhatLiesOutsideItsRange) {
  for (const Setting& row : settings_table()) {
    if (!row.is_number()) continue;
    Config config;
    EXPECT_FALSE(set_value(row, std::to_string(row.min - 1), config).ok()) << row.name;
    EXPECT_FALSE(set_value(row, std::to_string(row.max + 1), config).ok()) << row.name;
    EXPECT_FALSE(set_value(row, "many", config).ok()) << row.name;
    EXPECT_FALSE(set_value(row, "", config).ok()) << row.name;
    EXPECT_FALSE(set_value(row, "99999999999999999999", config).ok()) << row.name;
    EXPECT_EQ(row.number(config), row.number(Config())) << row.name;
    EXPECT_TRUE(set_value(row, std::to_string(row.min), config).ok()) << row.name;
    EXPECT_TRUE(set_value(row, std::to_string(row.max), config).ok()) << row.name;
  }
}

TEST(Settings, NumbersCarryUnits) {
  Config config;
  EXPECT_TRUE(set_value(*find_setting("max-output-bytes"), "2MiB", config).ok());
  EXPECT_EQ(config.max_output_bytes, 2 << 20);
  EXPECT_EQ(shown_value(*find_setting("max-output-bytes"), config), "2MiB");
  EXPECT_TRUE(set_value(*find_setting("max-ttl-ms"), "2h", config).ok());
  EXPECT_EQ(config.limits.max_ttl_ms, 7'200'000);
  EXPECT_FALSE(set_value(*find_setting("max-ttl-ms"), "2MiB", config).ok());
  EXPECT_FALSE(set_value(*find_setting("max-connections"), "2KiB", config).ok());
  EXPECT_FALSE(set_value(*find_setting("max-output-bytes"), "99999999999999999GiB", config).ok());
}

TEST(Settings, LaterSourcesWin) {
  const std::vector<GivenSetting> given = {
      {"max-connections", "1", "file"}, {"max-connections", "2", "env"}, {"max-connections", "3", "flag"}};
  const auto config = make_config(given);
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->max_connections, 3);
}

TEST(Settings, BadValuesNameTheirPlace) {
  EXPECT_EQ(error_of({{"max-connections", "many", "--max-connections"}}),
            "--max-connections: \"many\" is not a whole number from 1 to 1000000");
  EXPECT_EQ(error_of({{"log-level", "loud", "CLEAT_LOG_LEVEL"}}),
            "CLEAT_LOG_LEVEL: \"loud\" is not one of debug|info|warning|error");
  EXPECT_EQ(error_of({{"insecure", "maybe", "--insecure"}}), "--insecure: \"maybe\" is not true or false");
  EXPECT_EQ(error_of({{"max-output-bytes", "1", "--max-output-bytes"}}),
            "--max-output-bytes: \"1\" is not a number of bytes (B, KiB, MiB or GiB may follow) from 16KiB to 1GiB");
  EXPECT_EQ(error_of({{"max-conections", "1", "--max-conections"}}),
            "--max-conections: no such setting; did you mean max-connections?");
  EXPECT_EQ(error_of({{"min-ttl-ms", "24h", "x"}, {"max-ttl-ms", "1h", "x"}}),
            "min-ttl-ms is above max-ttl-ms: swap or change them");
  for (const char* ttl : {"1s", "3h"}) {
    EXPECT_EQ(error_of({{"min-ttl-ms", "2s", "x"}, {"max-ttl-ms", "2h", "x"}, {"session-ttl-ms", ttl, "x"}}),
              "session-ttl-ms is not within min-ttl-ms and max-ttl-ms: change it, or them");
  }
  EXPECT_EQ(error_of({{"data", "", "--data"}}), "data: give the path of a directory");
}

TEST(Settings, ListeningElsewhereNeedsPasswordAndTheWord) {
  EXPECT_EQ(error_of({{"listen", "localhost:0", ""}}), "no error");
  EXPECT_EQ(error_of({{"listen", "[::1]:1", ""}}), "no error");
  EXPECT_EQ(error_of({{"listen", "0.0.0.0:7420", ""}}),
            "listen: 0.0.0.0:7420 can be reached from other machines, so clients must give a password: add "
            "--password-file FILE and --insecure, or listen on 127.0.0.1");
  EXPECT_EQ(error_of({{"listen", "0.0.0.0:7420", ""}, {"insecure", "true", ""}}),
            "listen: 0.0.0.0:7420 can be reached from other machines, so clients must give a password: add "
            "--password-file FILE and --insecure, or listen on 127.0.0.1");
  EXPECT_EQ(error_of({{"listen", "[::]:7420", ""}, {"password-file", "p", ""}}),
            "listen: [::]:7420 can be reached from other machines, and this version does not encrypt: say so with "
            "--insecure, or listen on 127.0.0.1 behind a tunnel");
  EXPECT_EQ(error_of({{"listen", "0.0.0.0:7420", ""}, {"password-file", "p", ""}, {"insecure", "true", ""}}),
            "no error");
  EXPECT_EQ(error_of({{"listen", "7420", ""}}), "listen: \"7420\" is not HOST:PORT: the port is missing");
  EXPECT_THAT(error_of({{"listen", "example.org:1", ""}}), HasSubstr("localhost or a numeric address"));
}

TEST(Settings, FileNamesLineAndKey) {
  const TomlFile good("# comment\ndata = \"/x\"\nmax-connections = 50_000\ninsecure = false\n");
  const auto given = settings_of_file(good.path());
  ASSERT_TRUE(given.ok()) << given.status().message();
  const auto config = make_config(*given);
  ASSERT_TRUE(config.ok()) << config.status().message();
  EXPECT_EQ(config->data, "/x");
  EXPECT_EQ(config->max_connections, 50'000);

  const TomlFile bad("data = \"/x\"\n\nmax-connections = \"many\"\n");
  const auto of_bad = settings_of_file(bad.path());
  ASSERT_TRUE(of_bad.ok());
  EXPECT_EQ(error_of(*of_bad), bad.path() + ":3: max-connections: \"many\" is not a whole number from 1 to 1000000");

  const TomlFile unknown("data = \"/x\"\nlog_level = \"info\"\n");
  EXPECT_EQ(error_of(*settings_of_file(unknown.path())),
            unknown.path() + ":2: log_level: no such setting; did you mean log-level?");
  EXPECT_EQ(settings_of_file("/nonexistent/cleat.toml").status().message(),
            "/nonexistent/cleat.toml cannot be read: No such file or directory");
  EXPECT_EQ(settings_of_file("/tmp").status().message(), "/tmp cannot be read: Is a directory");
}

std::string value_in_file(const std::string& line) {
  const TomlFile file(line);
  const auto given = settings_of_file(file.path());
  if (!given.ok()) return given.status().message().substr(file.path().size());
  return given->size() == 1 ? given->front().value : "not one value";
}

TEST(Settings, FileHasTextsWholeNumbersAndFlags) {
  EXPECT_EQ(value_in_file("data = \"/x\""), "/x");
  EXPECT_EQ(value_in_file("\xef\xbb\xbf# K\xc3\xb6ln\r\n\t\"data\"\t=\t\"\xc3\xb6\" # \"\r\n \n"), "\xc3\xb6");
  EXPECT_EQ(value_in_file(R"(data = "\"\\\t#\u00f6\u20AC\U0001F512" # a comment)"),
            "\"\\\t#\xc3\xb6\xe2\x82\xac\xf0\x9f\x94\x92");
  EXPECT_EQ(value_in_file(R"('data' = 'C:\"x"#')"), R"(C:\"x"#)");
  EXPECT_EQ(value_in_file("data = ''"), "");
  EXPECT_EQ(value_in_file("data=+1_000#1"), "1000");
  EXPECT_EQ(value_in_file("data = -0"), "-0");
  EXPECT_EQ(value_in_file("data = true"), "true");
}

TEST(Settings, FileOfAnyBytesIsRefusedWithTheReason) {
  const std::string needed = ":1: data: a text in quotes, a whole number or true/false is needed here";
  for (const char* value : {"", "# 1", "[1]", "{}", "1.5", "1__0", "_1", "1_", "007", "+", "0x10", "yes", "1\"x\"",
                            "16MiB", "5------- 4   1-", "2026-11-21", "nan", "\xd1\xb1"})
    EXPECT_EQ(value_in_file(std::string("data = ") + value), needed);
  EXPECT_EQ(value_in_file("data = 1 2"), ":1: data: only a comment (# ...) can follow a value");
  EXPECT_EQ(value_in_file("data = '1' '"), ":1: data: only a comment (# ...) can follow a value");
  EXPECT_EQ(value_in_file("\n [ >\n"), ":2: settings stand in no table");
  for (const char* line : {"data", "data 1", "= 1", "\xc3\xb6 = 1", "'' = 1"})
    EXPECT_EQ(value_in_file(line), ":1: KEY = VALUE is needed here");
  for (const char* line : {"data = \"x\n", "data = 'x\n", "data = \"x\\\"\n"})
    EXPECT_EQ(value_in_file(line), ":1: data: a quote begins here and does not end on this line");
  EXPECT_EQ(value_in_file("data = '''\n'''\n"), ":1: data: a value has one line, in single or double quotes");
  for (const char* text :
       {R"("\x")", R"("\u00f")", R"("\u+123")", R"("\u0000")", R"("\ud800")", R"("\U00110000")", R"("\)"})
    EXPECT_THAT(value_in_file(std::string("data = ") + text), HasSubstr(":1: data: an escape in double quotes is"));
  for (const std::string& line : {std::string("data = '\0'", 10), std::string("\x7f"), std::string("# \r#")})
    EXPECT_EQ(value_in_file(line), ":1: this line has a control character");
  EXPECT_EQ(value_in_file("data = 1\n\ndata = 2\n"), ":3: data: stands in line 1, too");
}

TEST(Settings, EnvironmentReportsUnknownVariables) {
  const std::vector<std::string> environment = {"HOME=/root", "CLEAT_LOG_LEVEL=debug", "CLEAT_MAX_CONECTIONS=1",
                                                "CLEAT_FENCE=7"};
  std::vector<std::string> unknown;
  const auto given = settings_of_environment(environment, &unknown);
  ASSERT_EQ(given.size(), 1u);
  EXPECT_EQ(given[0].name, "log-level");
  EXPECT_EQ(given[0].value, "debug");
  EXPECT_THAT(unknown, ElementsAre("CLEAT_MAX_CONECTIONS"));
}

TEST(Settings, TheDocumentIsThatOfTheTable) {
  const std::string path = CLEAT_SOURCE_DIR "/docs/configuration.md";
  if (std::getenv("CLEAT_WRITE_DOCUMENTS")) std::ofstream(path) << settings_document();
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), settings_document())
      << "write it anew: CLEAT_WRITE_DOCUMENTS=1 build/server_test --gtest_filter=Settings.*";
}

}  // namespace
}  // namespace cleat::server
