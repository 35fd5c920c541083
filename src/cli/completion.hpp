// Scripts by which shells complete the words of a command line.
#pragma once

#include <string>
#include <vector>

#include "cli/grammar_text.hpp"

namespace cleat::cli {

std::string bash_completion(const std::vector<CommandText>& commands);
std::string zsh_completion(const std::vector<CommandText>& commands);

}  // namespace cleat::cli
