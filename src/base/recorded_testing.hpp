// Text scenarios: files that say what happens and, in lines that begin with two blanks, what was said to it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>

namespace cleat::base::testing {

// The text with what is said to it now: `tell` is given each line that is neither comment, blank nor what was said
// before, and answers with whole indented lines.
inline std::string replay(const std::string& text, const std::function<std::string(const std::string& line)>& tell) {
  std::istringstream in(text);
  std::string out;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("  ")) continue;
    out += line + "\n";
    if (!line.empty() && line[0] != '#') out += tell(line);
  }
  return out;
}

// Plays each .txt file of a folder and expects it to come out as it is; with CLEAT_RECORD set it is written anew.
// Returns how many there were.
inline int play_recorded(const std::string& folder, const std::function<std::string(const std::string& text)>& play) {
  int played = 0;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".txt") continue;
    SCOPED_TRACE(file.path().filename().string());
    std::ifstream in(file.path());
    const std::string recorded((std::istreambuf_iterator<char>(in)), {});
    const std::string said = play(recorded);
    if (std::getenv("CLEAT_RECORD"))
      std::ofstream(file.path()) << said;
    else
      EXPECT_EQ(said, recorded);
    ++played;
  }
  return played;
}

}  // namespace cleat::base::testing
