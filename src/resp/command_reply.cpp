#include "resp/command_reply.hpp"

#include <vector>

#include "resp/errors.hpp"
#include "resp/option_table.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

bool is_subcommand(const CommandRow& row) {
  return row.name.find('|') != std::string_view::npos;
}

std::vector<const CommandRow*> top_rows() {
  std::vector<const CommandRow*> out;
  for (const CommandRow& row : command_rows()) {
    if (!is_subcommand(row)) out.push_back(&row);
  }
  return out;
}

std::vector<std::string_view> flag_words(const CommandRow& row) {
  constexpr std::pair<uint32_t, std::string_view> kWords[] = {
      {kWrite, "write"},   {kReadOnly, "readonly"}, {kFast, "fast"},      {kBlocking, "blocking"},
      {kPubSub, "pubsub"}, {kAdmin, "admin"},       {kNoAuth, "no_auth"}, {kStale, "stale"},
  };
  std::vector<std::string_view> out;
  for (const auto& [bit, word] : kWords) {
    if ((row.flags & bit) != 0) out.push_back(word);
  }
  return out;
}

std::vector<std::string_view> categories(const CommandRow& row) {
  std::vector<std::string_view> out;
  if ((row.flags & kWrite) != 0) out.push_back("@write");
  if ((row.flags & kReadOnly) != 0) out.push_back("@read");
  if ((row.flags & kPubSub) != 0) out.push_back("@pubsub");
  if ((row.flags & kBlocking) != 0) out.push_back("@blocking");
  if ((row.flags & kAdmin) != 0) out.insert(out.end(), {"@admin", "@dangerous"});
  if (row.group == Group::kConnection) out.push_back("@connection");
  out.push_back((row.flags & kFast) != 0 ? "@fast" : "@slow");
  return out;
}

void write_words(ReplyWriter& w, const std::vector<std::string_view>& words) {
  w.set(words.size());
  for (const std::string_view word : words) w.simple(word);
}

void write_key_specs(ReplyWriter& w, const CommandRow& row) {
  if (row.keys.first == 0) return w.array(0);
  w.array(1);
  w.map(3);
  w.bulk("flags"), write_words(w, {(row.flags & kWrite) != 0 ? "RW" : "RO", "access"});
  w.bulk("begin_search"), w.map(2);
  w.field("type", "index");
  w.bulk("spec"), w.map(1);
  w.field_integer("index", row.keys.first);
  w.bulk("find_keys"), w.map(2);
  w.field("type", "range");
  w.bulk("spec"), w.map(3);
  w.field_integer("lastkey", row.keys.last - row.keys.first);
  w.field_integer("keystep", row.keys.step);
  w.field_integer("limit", 0);
}

// One element of COMMAND and COMMAND INFO: the ten fields of Redis 7.
void write_info(ReplyWriter& w, const CommandRow& row) {
  const auto subs = (row.flags & kContainer) != 0 ? subcommands(row) : std::span<const CommandRow>{};
  w.array(10);
  w.bulk(row.name);
  w.integer(row.arity);
  write_words(w, flag_words(row));
  w.integer(row.keys.first);
  w.integer(row.keys.last);
  w.integer(row.keys.step);
  write_words(w, categories(row));
  w.array(0);  // tips
  write_key_specs(w, row);
  w.array(subs.size());
  for (const CommandRow& sub : subs) write_info(w, sub);
}

struct OwnedArgument {
  std::string_view name, type, token;
  bool optional, multiple;
  std::span<const ArgumentRow> parts;
};

std::vector<OwnedArgument> all_arguments(const CommandRow& row) {
  std::vector<OwnedArgument> out;
  for (const ArgumentRow& a : row.arguments) out.push_back({a.name, a.type, a.token, a.optional, a.multiple, a.parts});
  if (row.id == CommandId::kOther || row.id == CommandId::kCancel) return out;
  for (const OptionRow& o : option_rows()) {
    if (!takes(o, row.id) || o.later) continue;
    const bool required = (o.required & command_bit(row.id)) != 0;
    const std::string_view type = o.kind == ValueKind::kNone      ? "pure-token"
                                  : o.kind == ValueKind::kInteger ? "integer"
                                                                  : "string";
    out.push_back({o.kind == ValueKind::kNone ? o.word : o.value_name, type, o.word, !required, false, {}});
  }
  return out;
}

void write_arguments(ReplyWriter& w, const std::vector<OwnedArgument>& arguments);

void write_argument(ReplyWriter& w, const OwnedArgument& a) {
  const bool has_flags = a.optional || a.multiple;
  const bool is_key = a.type == "key";
  w.map(2 + (is_key ? 1 : 0) + (a.token.empty() ? 0 : 1) + (has_flags ? 1 : 0) + (a.parts.empty() ? 0 : 1));
  w.field("name", lower_copy(a.name));
  w.field("type", a.type);
  if (is_key) w.field_integer("key_spec_index", 0);
  if (!a.token.empty()) w.field("token", a.token);
  if (has_flags) {
    std::vector<std::string_view> flags;
    if (a.optional) flags.push_back("optional");
    if (a.multiple) flags.push_back("multiple");
    w.bulk("flags"), write_words(w, flags);
  }
  if (a.parts.empty()) return;
  std::vector<OwnedArgument> parts;
  for (const ArgumentRow& p : a.parts) parts.push_back({p.name, p.type, p.token, p.optional, p.multiple, p.parts});
  w.bulk("arguments"), write_arguments(w, parts);
}

void write_arguments(ReplyWriter& w, const std::vector<OwnedArgument>& arguments) {
  w.array(arguments.size());
  for (const OwnedArgument& a : arguments) write_argument(w, a);
}

// One pair of COMMAND DOCS. redis-cli aborts when summary, since or group is no string or arguments no list of maps.
void write_docs(ReplyWriter& w, const CommandRow& row) {
  const auto arguments = all_arguments(row);
  const auto subs = (row.flags & kContainer) != 0 ? subcommands(row) : std::span<const CommandRow>{};
  w.bulk(row.name);
  w.map(3 + (arguments.empty() ? 0 : 1) + (subs.empty() ? 0 : 1));
  w.field("summary", row.summary);
  w.field("since", row.since);
  w.field("group", group_name(row.group));
  if (!arguments.empty()) w.bulk("arguments"), write_arguments(w, arguments);
  if (subs.empty()) return;
  w.bulk("subcommands"), w.map(subs.size());
  for (const CommandRow& sub : subs) write_docs(w, sub);
}

void write_docs_query(ReplyWriter& w, Words names) {
  std::vector<const CommandRow*> rows;
  if (names.empty()) rows = top_rows();
  for (const std::string_view name : names) {
    if (const CommandRow* row = find_command(name)) rows.push_back(row);
  }
  w.map(rows.size());
  for (const CommandRow* row : rows) write_docs(w, *row);
}

void write_info_query(ReplyWriter& w, Words names) {
  if (names.empty()) {
    const auto rows = top_rows();
    w.array(rows.size());
    for (const CommandRow* row : rows) write_info(w, *row);
    return;
  }
  w.array(names.size());
  for (const std::string_view name : names) {
    const CommandRow* row = find_command(name);
    row != nullptr ? write_info(w, *row) : w.nil();
  }
}

void write_getkeys(ReplyWriter& w, Words command) {
  std::string ignored;
  const CommandRow* row = find_command(command[0]);
  if (row == nullptr) return w.error("ERR Invalid command specified");
  if (row->keys.first == 0) return w.error("ERR The command has no key arguments");
  if (resolve_command(command, ignored) == nullptr) {
    return w.error("ERR Invalid number of arguments specified for command");
  }
  w.array(1);
  w.bulk(command[static_cast<size_t>(row->keys.first)]);
}

void write_list(ReplyWriter& w, Words filter) {
  if (!filter.empty() && (filter.size() != 3 || !same_word(filter[0], "FILTERBY"))) {
    return w.error("ERR syntax error");
  }
  std::vector<std::string_view> names;
  for (const CommandRow& row : command_rows()) {
    bool wanted = filter.empty();
    if (!wanted && same_word(filter[1], "PATTERN")) wanted = glob_match(lower_copy(filter[2]), row.name);
    if (!wanted && same_word(filter[1], "ACLCAT")) {
      for (const std::string_view category : categories(row)) wanted |= same_word(category.substr(1), filter[2]);
    }
    if (filter.empty() && is_subcommand(row)) wanted = false;
    if (wanted) names.push_back(row.name);
  }
  if (!filter.empty() && !same_word(filter[1], "PATTERN") && !same_word(filter[1], "ACLCAT") &&
      !same_word(filter[1], "MODULE")) {
    return w.error("ERR syntax error");
  }
  w.array(names.size());
  for (const std::string_view name : names) w.bulk(name);
}

}  // namespace

void write_command_query(ReplyWriter& w, const CommandQuery& query) {
  if (query.subcommand.empty()) return write_info_query(w, {});
  if (query.subcommand == "info") return write_info_query(w, query.arguments);
  if (query.subcommand == "docs") return write_docs_query(w, query.arguments);
  if (query.subcommand == "getkeys") return write_getkeys(w, query.arguments);
  if (query.subcommand == "list") return write_list(w, query.arguments);
  w.integer(static_cast<int64_t>(top_rows().size()));
}

void write_help(ReplyWriter& w, const HelpQuery& query) {
  const auto subs = subcommands(*query.container);
  const std::string title = display_name(*query.container);
  w.array(1 + 2 * subs.size());
  w.simple(title + " <subcommand> [<arg> [value] ...]. Subcommands are:");
  for (const CommandRow& sub : subs) {
    w.simple(usage(sub).substr(title.size() + 1));
    w.simple("    " + std::string(sub.summary) + " Answers: " + std::string(sub.answer));
  }
}

}  // namespace cleat::resp
