// Manual pages, made from the same declarations as --help (docs/man holds them; man_test.cpp writes them).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/grammar_text.hpp"

namespace cleat::cli {

struct ExitStatusText {
  const char* status;
  const char* meaning;  // in the markup of docs/cli.md, where the same table stands
};
std::span<const ExitStatusText> exit_statuses();

std::string man_file(const CommandText& command);  // "cleat-cluster-add.1"
// The page in roff's man macros. `all`: describe().
std::string man_page(const CommandText& command, const std::vector<CommandText>& all);

}  // namespace cleat::cli
