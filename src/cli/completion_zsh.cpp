#include "cli/completion.hpp"

namespace cleat::cli {
namespace {

// Between single quotes.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// In what _arguments and _describe split at colons and brackets.
std::string escaped_spec(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string action(const OptionText& option) {
  std::string words;
  for (const std::string& choice : option.choices) words += (words.empty() ? "" : " ") + choice;
  if (!words.empty()) return "(" + words + ")";
  const std::string& kind = option.names.empty() ? option.argument : option.value;
  return kind == "FILE" ? "_files" : kind == "DIR" ? "_files -/" : " ";
}

std::string specs(const CommandText& command) {
  std::string out;
  for (const OptionText& option : command.options) {
    if (option.names.empty()) {
      out += " \\\n    " +
             quoted(std::string(option.required ? ":" : "::") + escaped_spec(option.argument) + ":" + action(option));
    }
    for (const std::string& name : option.names) {
      std::string spec = name + (option.value.empty() || !name.starts_with("--") ? "" : "=");
      spec += "[" + escaped_spec(option.help) + "]";
      if (!option.value.empty()) spec += ":" + escaped_spec(option.value) + ":" + action(option);
      out += " \\\n    " + quoted(spec);
    }
  }
  return out;
}

std::string function_of(const std::string& command) {
  std::string out = "_cleat";
  for (const char c : command.empty() ? "" : " " + command) out += c == ' ' ? '_' : c;
  return out;
}

// One that has others below it: options, then a command, whose function completes the rest.
std::string group(const CommandText& command, const std::vector<CommandText>& all) {
  const std::string prefix = command.name.empty() ? "" : command.name + " ";
  std::string out = "  local curcontext=$curcontext state line\n  _arguments -C" + specs(command) +
                    " \\\n    '1:command:->command' '*::argument:->argument'\n  case $state in\n    command)\n" +
                    "      local -a commands=(\n";
  std::string calls;
  for (const CommandText& below : all) {
    for (const std::string& word : command.commands) {
      if (below.name != prefix + word) continue;
      out += "        " + quoted(word + ":" + escaped_spec(below.what)) + "\n";
      calls += "        " + word + ") " + function_of(below.name) + " ;;\n";
    }
  }
  return out + "      )\n      _describe command commands\n      ;;\n    argument)\n      case $line[1] in\n" + calls +
         "      esac\n      ;;\n  esac\n";
}

}  // namespace

std::string zsh_completion(const std::vector<CommandText>& commands) {
  std::string out = "#compdef cleat\n# Completion of cleat for zsh, as printed by: cleat completion zsh\n";
  for (const CommandText& command : commands) {
    out += "\n" + function_of(command.name) + "() {\n";
    if (!command.commands.empty()) {
      out += group(command, commands);
    } else if (command.name == "run") {
      out += "  _arguments -S" + specs(command) + " \\\n    '*:::command:_normal'\n";
    } else {
      out += "  _arguments" + specs(command) + "\n";
    }
    out += "}\n";
  }
  // Either sourced, or found by compinit as a file named _cleat.
  return out + "\nif [[ $funcstack[1] == _cleat ]]; then\n  _cleat \"$@\"\nelse\n  compdef _cleat cleat\nfi\n";
}

}  // namespace cleat::cli
