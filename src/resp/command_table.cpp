#include "resp/command_table.hpp"

#include <array>

#include "resp/errors.hpp"
#include "resp/option_table.hpp"
#include "resp/request.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

constexpr size_t kSlots = 256;       // a power of two, several times the rows
constexpr size_t kLongestName = 32;  // longer than any command's name

constexpr std::string_view kLater[] = {"convert", "lockall", "unlockall", "setlimit", "revoke"};

// FNV-1a over the name, letters in lower case (what else 0x20 brings together is told apart by same_word).
uint32_t name_hash(std::string_view name) {
  uint32_t h = 2166136261u;
  for (const char c : name) h = (h ^ static_cast<uint8_t>(c | 0x20)) * 16777619u;
  return h ^ h >> 15;
}

// Open addressing; built once, at the first use.
struct Index {
  std::array<const CommandRow*, kSlots> slots{};
  Index() {
    for (const CommandRow& row : command_rows()) {
      size_t i = name_hash(row.name) % kSlots;
      while (slots[i] != nullptr) i = (i + 1) % kSlots;
      slots[i] = &row;
    }
  }
};

void append_argument(const ArgumentRow& a, std::string& out) {
  std::string text;
  if (!a.token.empty()) text += a.token;
  if (a.type == "oneof" || a.type == "block") {
    if (!text.empty()) text += ' ';
    bool first = true;
    for (const ArgumentRow& part : a.parts) {
      if (!first) text += a.type == "oneof" ? "|" : " ";
      append_argument(part, text);
      first = false;
    }
  } else if (a.type != "pure-token") {
    if (!text.empty()) text += ' ';
    text += a.name;
  }
  if (a.multiple) text += a.optional ? " ..." : " [" + text + " ...]";
  out += a.optional ? "[" + text + "]" : text;
}

}  // namespace

std::string_view group_name(Group g) {
  constexpr std::string_view kNames[] = {"lock", "session", "read", "events", "connection", "server", "cluster"};
  return kNames[static_cast<size_t>(g)];
}

std::string_view group_title(Group g) {
  constexpr std::string_view kTitles[] = {"Locks",       "Sessions",   "Looking at locks", "Events",
                                          "Connections", "The server", "The cluster"};
  return kTitles[static_cast<size_t>(g)];
}

const CommandRow* find_command(std::string_view name) {
  static const Index index;
  if (name.empty() || name.size() > kLongestName) return nullptr;
  for (size_t i = name_hash(name) % kSlots; index.slots[i] != nullptr; i = (i + 1) % kSlots) {
    if (same_word(index.slots[i]->name, name)) return index.slots[i];
  }
  return nullptr;
}

bool is_later_command(std::string_view name) {
  for (const std::string_view later : kLater) {
    if (same_word(later, name)) return true;
  }
  return false;
}

const CommandRow* resolve_command(std::span<const std::string_view> arguments, std::string& error) {
  const std::string_view name = arguments[0];
  const CommandRow* row = find_command(name);
  if (row == nullptr || name.find('|') != std::string_view::npos) {
    error = is_later_command(name) ? later_command_error(name) : unknown_command_error(arguments);
    return nullptr;
  }
  if ((row->flags & kContainer) != 0 && arguments.size() > 1) {
    std::string full(row->name);
    full += '|';
    full += arguments[1];
    const CommandRow* const container = row;
    row = find_command(full);
    if (row == nullptr) {
      error = unknown_subcommand_error(*container, arguments[1]);
      return nullptr;
    }
  }
  const auto given = static_cast<int>(arguments.size());
  const bool fits = row->arity >= 0 ? given == row->arity : given >= -row->arity;
  if (!fits) {
    error = arity_error(*row);
    return nullptr;
  }
  return row;
}

std::string display_name(const CommandRow& row) {
  std::string name = upper_copy(row.name);
  if (const size_t bar = name.find('|'); bar != std::string::npos) name[bar] = ' ';
  return name;
}

std::string usage(const CommandRow& row) {
  std::string out = display_name(row);
  for (const ArgumentRow& a : row.arguments) {
    out += ' ';
    append_argument(a, out);
  }
  if (row.id == CommandId::kOther || row.id == CommandId::kCancel) return out;
  for (const OptionRow& option : option_rows()) {
    if (!takes(option, row.id) || option.later) continue;
    std::string text(option.word);
    if (option.kind != ValueKind::kNone) text += " " + std::string(option.value_name);
    const bool required = (option.required & command_bit(row.id)) != 0;
    out += required ? " " + text : " [" + text + "]";
  }
  return out;
}

std::span<const CommandRow> subcommands(const CommandRow& container) {
  const auto rows = command_rows();
  const size_t first = static_cast<size_t>(&container - rows.data()) + 1;
  size_t end = first;
  while (end < rows.size() && rows[end].name.size() > container.name.size() &&
         rows[end].name.starts_with(container.name) && rows[end].name[container.name.size()] == '|') {
    ++end;
  }
  return rows.subspan(first, end - first);
}

void parse_request(const ParseInput& input, Request& out) {
  std::string error;
  out.row = resolve_command(input.arguments, error);
  if (out.row == nullptr) return out.refuse(std::move(error));
  if (out.row->parse == nullptr) return out.refuse(arity_error(*out.row));
  out.row->parse(input, out);
}

}  // namespace cleat::resp
