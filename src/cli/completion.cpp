#include "cli/completion.hpp"

#include <cstdio>

#include "cli/commands.hpp"
#include "cli/talk.hpp"

namespace cleat::cli {

int execute(const Common& common, const CompletionCommand& command) {
  const std::vector<CommandText> commands = describe();
  return print(common, command.shell == "zsh" ? zsh_completion(commands) : bash_completion(commands));
}

}  // namespace cleat::cli
