// What docs/commands.md shows of a command beside its row: the errors that it can meet, and an example.
#pragma once

#include <string_view>

namespace cleat::resp {

struct CommandExample {
  std::string_view command;  // as CommandRow::name
  std::string_view errors;   // beside ERR and NOAUTH, which any command may meet
  std::string_view example;  // behind an empty line: "> COMMAND" and its answer in turn, in the page's notation
};

// nullptr: it has none (the HELP subcommands).
const CommandExample* find_example(std::string_view command);

}  // namespace cleat::resp
