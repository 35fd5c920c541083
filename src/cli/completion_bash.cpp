#include "cli/completion.hpp"

namespace cleat::cli {
namespace {

// What the commands don't change. Then a case each sets what the present word may be: $options, and $wanted ("file",
// "folder", "any", or the words there are, with a colon before).
constexpr const char* kBegin = R"(# Completion of cleat for bash, as printed by: cleat completion bash
_cleat() {
  local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' options='' wanted='' i word
  # bash gives --mode=shared as three words.
  if [[ $cur == = ]]; then
    cur=''
  elif [[ $before == = ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == -- ]]; then
      # What `run` runs is a command line of its own.
      [[ $command == run ]] || return 0
      if declare -F _command_offset >/dev/null; then
        _command_offset $((i + 1))
      elif ((i + 1 == COMP_CWORD)); then
        mapfile -t COMPREPLY < <(compgen -c -- "$cur")
      else
        compopt -o default
      fi
      return 0
    elif [[ -z $command ]]; then
      case $word in
        --server | --password-file | --timeout)
          ((i++))
          [[ ${COMP_WORDS[i]-} != = ]] || ((i++))
          while [[ ${COMP_WORDS[i + 1]-} == : ]]; do ((i += 2)); done # h:1 is three words, too
          ;;
        -*) ;;
        *) command=$word ;;
      esac
    elif [[ $groups == *" $command "* && $word != -* ]]; then
      command+=" $word"
    fi
  done
)";

constexpr const char* kEnd = R"(  case $wanted in
    file | folder)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -A "${wanted/folder/directory}" -- "$cur")
      ;;
    :*) mapfile -t COMPREPLY < <(compgen -W "${wanted#:}" -- "$cur") ;;
    any) ;;
    *) [[ $cur != -* ]] || mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur") ;;
  esac
}
complete -F _cleat cleat
)";

constexpr const char* kAny = "wanted=any";

std::string joined(const std::vector<std::string>& words, const char* between = " ") {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::string wanted(const OptionText& option) {
  if (!option.choices.empty()) return "wanted=':" + joined(option.choices) + "'";
  const std::string& kind = option.names.empty() ? option.argument : option.value;
  return kind == "FILE" ? "wanted=file" : kind == "DIR" ? "wanted=folder" : kAny;
}

std::string branch(const CommandText& command) {
  std::vector<std::string> names, any;
  std::string cases, argument;
  if (!command.commands.empty()) argument = "wanted=':" + joined(command.commands) + "'";
  for (const OptionText& option : command.options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
    if (option.names.empty()) {
      if (argument.empty()) argument = wanted(option);
    } else if (!option.value.empty() && wanted(option) == kAny) {
      any.insert(any.end(), option.names.begin(), option.names.end());
    } else if (!option.value.empty()) {
      cases += "        " + joined(option.names, " | ") + ") " + wanted(option) + " ;;\n";
    }
  }
  if (!any.empty()) cases += "        " + joined(any, " | ") + ") " + kAny + " ;;\n";
  std::string out = "    '" + command.name + "')\n      options='" + joined(names) + "'\n";
  if (!argument.empty()) out += "      [[ $cur == -* ]] || " + argument + "\n";
  if (!cases.empty()) out += "      case $before in\n" + cases + "      esac\n";
  return out + "      ;;\n";
}

}  // namespace

std::string bash_completion(const std::vector<CommandText>& commands) {
  std::string groups = " ", branches;
  for (const CommandText& command : commands) {
    if (!command.commands.empty() && !command.name.empty()) groups += command.name + " ";
    branches += branch(command);
  }
  std::string out = kBegin;
  out.insert(out.find("local ") + 6, "groups='" + groups + "' ");
  return out + "  case $command in\n" + branches + "  esac\n" + kEnd;
}

}  // namespace cleat::cli
