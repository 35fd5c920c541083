#include "cli/options.hpp"

#include <algorithm>

#include "cli/exit_status.hpp"
#include "cli/grammar_text.hpp"
#include "cli/options_grammar.hpp"

namespace cleat::cli {
namespace {

// CLI11 knows nothing of what stands behind --.
std::string help_text(const CLI::App& app, const std::string& command) {
  std::string text = app.help();
  constexpr std::string_view kUsage = "[OPTIONS] NAME";
  const size_t at = text.find(kUsage);
  if (command == "run" && at != std::string::npos) text.insert(at + kUsage.size(), " -- COMMAND [ARGUMENT...]");
  return text;
}

std::vector<std::string> split_choices(const std::string& type) {
  if (type == "MODE") return {kModes.begin(), kModes.end()};
  std::vector<std::string> out;
  if (type.find('|') == std::string::npos) return out;
  for (const std::string& word : CLI::detail::split(type, '|')) out.push_back(word);
  return out;
}

OptionText text_of(const CLI::Option& option) {
  OptionText out;
  for (const std::string& name : option.get_snames()) out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) out.names.push_back("--" + name);
  if (out.names.empty()) out.argument = option.get_name(true);
  if (option.get_items_expected_max() > 0 && !out.names.empty()) out.value = option.get_type_name();
  out.choices = split_choices(option.get_type_name());
  out.help = option.get_description();
  out.required = option.get_required();
  return out;
}

// `name`: with those of its parents.
void describe_to(std::vector<CommandText>& out, const CLI::App& app, const std::string& name) {
  constexpr std::string_view kUsage = "Usage: ";
  const std::string help = help_text(app, name);
  const size_t at = help.find(kUsage) + kUsage.size();
  const std::string parents = name.empty() ? "" : "cleat " + name.substr(0, name.find(app.get_name()));
  CommandText text{.name = name,
                   .what = app.get_description(),
                   .usage = parents + help.substr(at, help.find('\n', at) - at),
                   .footer = app.get_footer(),
                   .options = {},
                   .commands = {}};
  for (const CLI::Option* option : app.get_options()) text.options.push_back(text_of(*option));
  const auto below = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : below) text.commands.push_back(sub->get_name());
  out.push_back(std::move(text));
  for (const CLI::App* sub : below) describe_to(out, *sub, (name.empty() ? "" : name + " ") + sub->get_name());
}

std::string see_help(const std::string& command) {
  return "See: cleat " + (command.empty() ? "" : command + " ") + "--help\n";
}

Parsed usage_error(const std::string& command, std::string message) {
  while (!message.empty() && message.back() == '\n') message.pop_back();
  const std::string who = command.empty() ? "cleat" : "cleat " + command;
  return {.invocation = {}, .out = {}, .err = who + ": " + message + "\n" + see_help(command), .exit_status = kUsage};
}

// `cleat --server H:P show x` is `cleat show --server H:P x`.
void move_behind_command(std::vector<std::string>& words) {
  size_t command = 0;
  while (command < words.size() && words[command].starts_with("--")) {
    const std::string& word = words[command];
    const std::string flag = word.substr(0, word.find('='));
    const bool has_value = flag == "--server" || flag == "--password-file" || flag == "--timeout";
    if (!has_value && flag != "--json") return;
    command += has_value && flag == word ? 2 : 1;
  }
  if (command < words.size())
    std::rotate(words.begin(), words.begin() + static_cast<long>(command),
                words.begin() + static_cast<long>(command) + 1);
}

// CLI11 says "--ttl: 1 required DURATION missing".
std::string without_value(const std::string& line) {
  constexpr std::string_view kRequired = ": 1 required ", kMissing = " missing";
  const size_t at = line.find(kRequired);
  if (at == std::string::npos || !line.ends_with(kMissing)) return line;
  const std::string flag = line.substr(0, at), type = line.substr(at + kRequired.size());
  return flag + ": its value is missing, as in: " + flag + " " + type.substr(0, type.size() - kMissing.size());
}

}  // namespace

std::vector<CommandText> describe() {
  const Environment nothing = [](const char*) -> const char* { return nullptr; };
  Grammar grammar(nothing);
  std::vector<CommandText> out;
  describe_to(out, grammar.app(), "");
  return out;
}

Parsed parse(std::vector<std::string> words, const Environment& environment) {
  Grammar grammar(environment);
  move_behind_command(words);
  std::string command = !words.empty() && grammar.knows(words[0]) ? words[0] : "";
  if (command == "cluster" && words.size() > 1 && !words[1].starts_with('-')) {
    if (!grammar.knows_cluster(words[1])) return usage_error(command, "there is no command 'cluster " + words[1] + "'");
    command += " " + words[1];
  }
  if (command.empty() && !words.empty() && !words[0].starts_with('-')) {
    return usage_error("", "there is no command '" + words[0] + "'");
  }
  // What stands behind -- belongs to the command that is run, whatever it looks like.
  std::vector<std::string> to_run;
  const auto dashes = std::find(words.begin(), words.end(), "--");
  if (command == "run" && dashes != words.end()) {
    to_run.assign(dashes + 1, words.end());
    words.erase(dashes, words.end());
  }
  try {
    std::reverse(words.begin(), words.end());  // the order that this overload wants
    grammar.app().parse(std::move(words));
  } catch (const CLI::CallForHelp&) {
    return {.invocation = {}, .out = help_text(grammar.app(), command), .err = {}, .exit_status = kOk};
  } catch (const CLI::CallForVersion& version) {
    return {.invocation = {}, .out = std::string(version.what()) + "\n", .err = {}, .exit_status = kOk};
  } catch (const CLI::ArgumentMismatch& error) {
    return usage_error(command, without_value(error.what()));
  } catch (const CLI::ParseError& error) {
    return usage_error(command, error.what());
  }
  if (auto* run = std::get_if<RunCommand>(&grammar.invocation().command)) {
    if (to_run.empty())
      return usage_error(command, "no command to run: write it behind --, as in: cleat run NAME -- COMMAND");
    run->command = std::move(to_run);
  }
  return {.invocation = grammar.invocation(), .out = {}, .err = {}, .exit_status = kOk};
}

}  // namespace cleat::cli
