#include "cli/man.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace cleat::cli {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kDocs = fs::path(CLEAT_SOURCE_DIR) / "docs";

std::string read(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Standard output and standard error of a command, and nothing if it succeeded without a word.
std::string run(const std::string& command) {
  std::FILE* pipe = popen((command + " 2>&1").c_str(), "r");  // NOLINT(cert-env33-c)
  std::string out;
  for (int c = 0; (c = std::fgetc(pipe)) != EOF;) out += static_cast<char>(c);
  const int status = pclose(pipe);
  return status == 0 || !out.empty() ? out : "exit status " + std::to_string(status);
}

TEST(Man, PagesInDocsAreThoseOfTheCommands) {
  const auto commands = describe();
  if (std::getenv("CLEAT_WRITE_DOCUMENTS")) {
    fs::remove_all(kDocs / "man");
    fs::create_directory(kDocs / "man");
    for (const CommandText& command : commands) {
      std::ofstream(kDocs / "man" / man_file(command)) << man_page(command, commands);
    }
  }
  size_t there = 0;
  for (const auto& entry : fs::directory_iterator(kDocs / "man")) there += entry.is_regular_file() ? 1 : 0;
  EXPECT_EQ(there, commands.size());
  for (const CommandText& command : commands) {
    EXPECT_EQ(read(kDocs / "man" / man_file(command)), man_page(command, commands))
        << man_file(command)
        << " is not what the commands are now; write it anew: CLEAT_WRITE_DOCUMENTS=1 build/cli_test "
           "--gtest_filter=Man.*";
  }
}

TEST(Man, RoffHasNoComplaint) {
  if (std::system("command -v groff >/dev/null") != 0) GTEST_SKIP() << "groff is not here: apt-get install groff";
  for (const auto& entry : fs::directory_iterator(kDocs / "man")) {
    EXPECT_EQ(run("groff -man -Tutf8 -ww -z '" + entry.path().string() + "'"), "");
  }
  EXPECT_THAT(read(kDocs / "man/cleat-cluster-add.1"), HasSubstr("\ncleat cluster add [OPTIONS] NAME=HOST:PORT\n"));
  const std::string shown = run("groff -man -Tascii -P-cbou '" + (kDocs / "man/cleat-run.1").string() + "'");
  EXPECT_THAT(shown, HasSubstr("cleat run [OPTIONS] NAME -- COMMAND [ARGUMENT...]"));
  EXPECT_THAT(shown, HasSubstr("-E, --not-acquired-status N"));
  EXPECT_THAT(shown, HasSubstr("sh -c 'psql -v fence=$CLEAT_FENCE -f write.sql'"));
}

TEST(Man, NothingOfAHelpTextIsLost) {
  for (const CommandText& command : describe()) {
    const std::string page = man_page(command, describe());
    EXPECT_THAT(page, HasSubstr(".SH SYNOPSIS\n"));
    EXPECT_THAT(page, HasSubstr(".SH EXIT STATUS\n"));
    const bool teaches = command.footer.find("Example") != std::string::npos;
    EXPECT_EQ(page.find(".SH EXAMPLES\n.EX\n") != std::string::npos, teaches) << command.name;
    EXPECT_THAT(page, HasSubstr("\\-\\-help"));
  }
}

TEST(Man, ExitStatusesAreThoseOfTheGuide) {
  const std::string guide = read(kDocs / "cli.md");
  for (const ExitStatusText& row : exit_statuses()) {
    EXPECT_THAT(guide, HasSubstr("\n| " + std::string(row.status) + " | " + row.meaning + " |\n"));
  }
}

}  // namespace
}  // namespace cleat::cli
