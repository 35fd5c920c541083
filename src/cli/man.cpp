#include "cli/man.hpp"

#include <algorithm>

#include "server/info.hpp"

namespace cleat::cli {
namespace {

constexpr ExitStatusText kExitStatuses[] = {
    {"0", "done, held, ready"},
    {"1",
     "refused, or the token held nothing; `status`: there but not ready; `cluster status`: no leader or no majority; "
     "`bench`: some pairs failed or were not sent in time; nothing could be written to standard output"},
    {"2", "wrong usage"},
    {"69",
     "no server there, no answer in time, no quorum; of `lock`, `unlock`, `renew`: and nothing was done; of `events`, "
     "`bench`: contact was lost and did not come back"},
    {"74",
     "`cluster add`, `promote`, `transfer`: not seen to be done in time, the same command goes on; `lock`, `unlock`, "
     "`renew`: whether it was done is not known, since contact was lost and did not come back in time"},
    {"75", "the lock was not acquired (`run -E N` makes it N)"},
    {"76", "what answers there is no Cleat server, or does not know the command"},
    {"77", "the password is missing or wrong"},
    {"126, 127", "`run`: the command can't be executed, can't be found"},
    {"128 + n", "`run`: signal n ended the command, or `run` itself while it waited"},
};

constexpr std::string_view kExamples = "Example", kExitStatus = "Exit status: ";

// A hyphen that stays one when it is copied; nothing that roff would take for a request.
std::string verbatim(std::string_view text) {
  std::string out;
  bool begins = true;
  for (const char c : text) {
    if (begins && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    begins = c == '\n';
  }
  return out;
}

// Running text, in which `words` are what one types.
std::string filled(std::string_view text) {
  std::string out;
  bool bold = false;
  for (const char c : verbatim(text)) {
    if (c != '`') {
      out += c;
    } else {
      bold = !bold;
      out += bold ? "\\fB" : "\\fR";
    }
  }
  return out;
}

std::string bold(std::string_view text) {
  return "\\fB" + verbatim(text) + "\\fR";
}
std::string italic(std::string_view text) {
  return "\\fI" + verbatim(text) + "\\fR";
}
std::string section(std::string_view title) {
  return ".SH " + std::string(title) + "\n";
}
std::string item(const std::string& tag, std::string_view text) {
  return ".TP\n" + tag + "\n" + filled(text) + "\n";
}

std::string page_name(const CommandText& command) {
  std::string out = command.name.empty() ? "cleat" : "cleat " + command.name;
  std::replace(out.begin(), out.end(), ' ', '-');
  return out;
}

std::string option_tag(const OptionText& option) {
  if (option.names.empty()) return italic(option.argument);
  std::string out;
  for (const std::string& name : option.names) out += (out.empty() ? "" : ", ") + bold(name);
  return option.value.empty() ? out : out + " " + italic(option.value);
}

std::string list(const char* title, const CommandText& command, bool arguments) {
  std::string out;
  for (const OptionText& option : command.options) {
    if (option.names.empty() != arguments) continue;
    const bool needed = option.required && !arguments;
    out += item(option_tag(option), option.help + (needed ? " (must be given)" : ""));
  }
  return out.empty() ? out : section(title) + out;
}

struct Footer {
  std::string description, examples, exit_status;
};

// The texts of help.hpp are paragraphs; two kinds of them have a section of their own.
Footer parts_of(std::string_view footer) {
  Footer out;
  while (!footer.empty()) {
    const size_t end = std::min(footer.find("\n\n"), footer.size());
    std::string_view paragraph = footer.substr(0, end);
    footer.remove_prefix(std::min(end + 2, footer.size()));
    if (paragraph.starts_with(kExamples)) {
      paragraph.remove_prefix(std::min(paragraph.find('\n') + 1, paragraph.size()));
      while (paragraph.ends_with('\n')) paragraph.remove_suffix(1);
      out.examples = ".EX\n" + verbatim(paragraph) + "\n.EE\n";
    } else if (paragraph.starts_with(kExitStatus)) {
      out.exit_status = ".PP\n" + filled(paragraph.substr(kExitStatus.size())) + "\n";
    } else {
      out.description += ".PP\n" + filled(paragraph) + "\n";
    }
  }
  return out;
}

std::string exit_status_section(const CommandText& command, const std::string& own) {
  if (command.name.empty()) {
    std::string out;
    for (const ExitStatusText& row : kExitStatuses) out += item(bold(row.status), row.meaning);
    return section("EXIT STATUS") + out;
  }
  const std::string all = ".PP\nThose that all commands have in common are listed in\n.BR cleat (1).\n";
  return section("EXIT STATUS") + own + all;
}

std::string environment_section(const CommandText& command) {
  const auto has = [&](const char* name) {
    return std::any_of(command.options.begin(), command.options.end(), [&](const OptionText& option) {
      return std::find(option.names.begin(), option.names.end(), name) != option.names.end();
    });
  };
  if (!has("--server")) return "";
  return section("ENVIRONMENT") + item(bold("CLEAT_SERVER"), "what --server says, where that is not given") +
         item(bold("CLEAT_PASSWORD_FILE"), "what --password-file says, where that is not given");
}

std::string see_also(const CommandText& command, const std::vector<CommandText>& all) {
  std::string out;
  for (const CommandText& other : all) {
    const bool above = command.name.starts_with(other.name) && other.name != command.name;
    const bool below = command.name.empty() || other.name.starts_with(command.name + " ");
    if (other.name == command.name || (!above && !below)) continue;
    out += (out.empty() ? "" : ",\n") + (".BR " + verbatim(page_name(other))) + " (1)";
  }
  return section("SEE ALSO") + out + "\n";
}

}  // namespace

std::span<const ExitStatusText> exit_statuses() {
  return kExitStatuses;
}

std::string man_file(const CommandText& command) {
  return page_name(command) + ".1";
}

std::string man_page(const CommandText& command, const std::vector<CommandText>& all) {
  const Footer footer = parts_of(command.footer);
  std::string out = ".\\\" Made from the declarations in src/cli; see src/cli/man_test.cpp.\n";
  std::string title = page_name(command);
  std::transform(title.begin(), title.end(), title.begin(), [](unsigned char c) { return std::toupper(c); });
  out +=
      ".TH \"" + verbatim(title) + "\" 1 \"\" \"Cleat " + std::string(server::kCleatVersion) + "\" Cleat\n.nh\n.ad l\n";
  std::string_view what = command.what;
  if (what.starts_with("Cleat: ")) what.remove_prefix(7);
  out += section("NAME") + verbatim(page_name(command)) + " \\- " + filled(what) + "\n";
  out += section("SYNOPSIS") + verbatim(command.usage) + "\n";
  if (!footer.description.empty()) out += section("DESCRIPTION") + footer.description;
  if (!command.commands.empty()) {
    out += section("COMMANDS");
    for (const CommandText& other : all) {
      const bool below = command.name.empty() ? other.name.find(' ') == std::string::npos && !other.name.empty()
                                              : other.name.starts_with(command.name + " ");
      if (below) out += item(bold(other.name), other.what);
    }
  }
  out += list("ARGUMENTS", command, true) + list("OPTIONS", command, false);
  out += exit_status_section(command, footer.exit_status) + environment_section(command);
  if (!footer.examples.empty()) out += section("EXAMPLES") + footer.examples;
  return out + see_also(command, all);
}

}  // namespace cleat::cli
