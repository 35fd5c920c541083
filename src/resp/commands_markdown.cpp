// docs/commands.md out of the command and option tables. A test holds the file to it.
#include "resp/command_examples.hpp"
#include "resp/command_reply.hpp"
#include "resp/option_table.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

constexpr std::string_view kHead = R"(# Commands

Made from the command table (`src/resp/command_rows.cpp`); `COMMAND DOCS` and `redis-cli` show the same. Names of
commands and options may be written in any case. Options come in any order behind the arguments; what each means and
may be stands [below](#options), and all of this at work in the [recipes](recipes/README.md). Modes: EXCLUSIVE (X, the
default), SHARED (S), UPDATE (U), INTENT-SHARED (IS), INTENT-EXCLUSIVE (IX), SHARED-INTENT-EXCLUSIVE (SIX).

Beside the errors that are listed, any command may meet ERR (not understood: the line says what) and, where a password
is set, NOAUTH. What each code means and what to do: [errors](wire.md#errors).

Examples are on a RESP3 connection of their own each: behind `>` what is sent, under it the answer, maps in braces, lists
in brackets; `...` is left out. Byte by byte: [wire.md](wire.md).

| group | commands |
|---|---|
)";

std::string bytes_or_range(const OptionRow& o) {
  const Limits defaults;
  if (o.kind == ValueKind::kNone) return "";
  const int64_t min = o.min_limit ? static_cast<int64_t>(defaults.*o.min_limit) : o.min;
  const int64_t max = o.max_limit ? static_cast<int64_t>(defaults.*o.max_limit) : o.max;
  if (max == INT64_MAX) return "from " + std::to_string(min);
  std::string text = std::to_string(min) + " to " + std::to_string(max);
  if (o.kind == ValueKind::kBytes) text += " bytes";
  if (o.max_limit) text += " (" + std::string(limit_setting(o.max_limit)) + ")";
  return text;
}

// Its lines, indented as a block of code.
std::string indented(std::string_view example) {
  std::string out;
  while (!example.empty()) {
    const size_t end = example.find('\n');
    if (end > 0) out += "    " + std::string(example.substr(0, end)) + "\n";
    example.remove_prefix(end + 1);
  }
  return out;
}

void append_command(const CommandRow& row, std::string& out) {
  if ((row.flags & kContainer) != 0 && row.parse == nullptr) return;
  out += "\n### " + display_name(row) + "\n\n    " + usage(row) + "\n\n" + std::string(row.summary);
  if (!row.help.empty()) out += " " + std::string(row.help);
  out += "\n\nAnswers: " + std::string(row.answer) + "\n";
  const CommandExample* example = find_example(row.name);
  if (example == nullptr) return;
  out += "\nErrors: " + std::string(example->errors) + ".\n\nExample:\n\n" + indented(example->example);
}

std::string anchor(const CommandRow& row) {
  std::string out;
  for (const char c : row.name) out += c == '|' ? '-' : c;
  return out;
}

void append_contents(std::span<const Group> groups, std::string& out) {
  for (const Group g : groups) {
    out += "| " + std::string(group_title(g)) + " |";
    for (const CommandRow& row : command_rows()) {
      if (row.group != g || ((row.flags & kContainer) != 0 && row.parse == nullptr)) continue;
      out += " [" + display_name(row) + "](#" + anchor(row) + ")";
    }
    out += " |\n";
  }
}

// In a table cell a bar would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

void append_options(std::string& out) {
  out += "\n## Options\n\n| option | value | of | what |\n|---|---|---|---|\n";
  for (const OptionRow& o : option_rows()) {
    if (o.later) continue;
    std::string of;
    for (const CommandRow& row : command_rows()) {
      if (row.id != CommandId::kOther && takes(o, row.id)) of += (of.empty() ? "" : ", ") + display_name(row);
    }
    std::string word(o.word);
    if (!o.value_name.empty()) word += " " + std::string(o.value_name);
    out += "| `" + cell(word) + "` | " + bytes_or_range(o) + " | " + of + " | " + cell(o.what) + " |\n";
  }
}

void append_limits(std::string& out) {
  const Limits defaults;
  out += "\n## Limits of this layer\n\n| setting | default | may be | what |\n|---|---|---|---|\n";
  for (const LimitRow& row : limit_rows()) {
    out += "| `" + std::string(row.name) + "` | " + std::to_string(defaults.*row.member) + " | " +
           std::to_string(row.min) + " to " + std::to_string(row.max) + " | " + std::string(row.what) + " |\n";
  }
}

}  // namespace

std::string commands_markdown() {
  static constexpr Group kGroups[] = {Group::kLock,       Group::kSession, Group::kRead,   Group::kEvents,
                                      Group::kConnection, Group::kServer,  Group::kCluster};
  std::string out(kHead);
  append_contents(kGroups, out);
  for (const Group g : kGroups) {
    out += "\n## " + std::string(group_title(g)) + "\n";
    for (const CommandRow& row : command_rows()) {
      if (row.group == g) append_command(row, out);
    }
  }
  append_options(out);
  append_limits(out);
  return out;
}

}  // namespace cleat::resp
