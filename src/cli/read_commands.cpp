// show, ls, history, sessions, status: one question (or one a page), a table or JSON.
#include <ctime>

#include "cli/commands.hpp"
#include "cli/duration.hpp"
#include "cli/escape.hpp"
#include "cli/exit_status.hpp"
#include "cli/json.hpp"
#include "cli/table.hpp"
#include "cli/talk.hpp"
#include "cli/wall_time.hpp"

namespace cleat::cli {
namespace {

using client::Reply;
using client::Words;

std::string number_or_empty(const Reply& map, std::string_view key) {
  const Reply* v = map.find(key);
  return v != nullptr && v->is_integer() ? std::to_string(v->integer) : std::string();
}

std::string span_or_empty(const Reply& map, std::string_view key) {
  const Reply* v = map.find(key);
  return v != nullptr && v->is_integer() ? rough_duration(milliseconds(v->integer)) : std::string();
}

std::string word_or_empty(const Reply& map, std::string_view key) {
  const std::string_view text = map.text_at(key);
  return text.empty() ? std::string() : one_word(text);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

// "session 7", and the owner within it; "token" for a hold without a session.
std::string who(const Reply& map) {
  const std::string session = number_or_empty(map, "session");
  const std::string owner = word_or_empty(map, "owner");
  const std::string base = session.empty() ? "token" : "session " + session;
  return owner.empty() ? base : base + "/" + owner;
}

const std::vector<Reply>& items_at(const Reply& map, std::string_view key) {
  static const std::vector<Reply> kNone;
  const Reply* v = map.find(key);
  return v != nullptr ? v->items : kNone;
}

// All pages of an answer with a cursor: `take` gets each. The exit status.
template <class Take>
int for_each_page(const Common& common, Words words, Take take) {
  Talk talk(common);
  const size_t plain = words.size();
  for (;;) {
    const auto page = talk.ask(words);
    if (!page.ok()) return failed(common, page.status());
    if (page->is_error()) return refused(common, *page);
    if (!page->is_map()) return failed(common, {base::Code::kCorrupt, words[0] + " was not answered with a map"});
    if (const int status = take(*page); status != kOk) return status;
    const std::string cursor(page->text_at("cursor"));
    if (cursor.empty()) return kOk;
    words.resize(plain);
    words.insert(words.end(), {"CURSOR", cursor});
  }
}

constexpr const char* kMayBeBehind = " of the asked member, which may be behind";

std::string show_text(const Reply& page) {
  std::string out;
  Table holders({"HOLDER", "MODE", "FENCE", "DEPTH", "HELD", "ENDS IN", "LABEL", "DATA"});
  for (const Reply& h : items_at(page, "holders")) {
    holders.add({who(h), lower(h.text_at("mode")), number_or_empty(h, "fence"), number_or_empty(h, "depth"),
                 span_or_empty(h, "held_ms"), span_or_empty(h, "ms_left"), word_or_empty(h, "label"),
                 word_or_empty(h, "data")});
  }
  Table waiters({"WAITER", "MODE", "PRIORITY", "WAITING", "GIVES UP IN", "LABEL"});
  for (const Reply& w : items_at(page, "waiters")) {
    waiters.add({who(w), lower(w.text_at("mode")), number_or_empty(w, "priority"), span_or_empty(w, "waiting_ms"),
                 span_or_empty(w, "ms_left"), word_or_empty(w, "label")});
  }
  Table delayed({"LOST BY", "MODE", "FENCE", "BLOCKS FOR", "LABEL"});
  for (const Reply& d : items_at(page, "delayed")) {
    delayed.add({who(d), lower(d.text_at("mode")), number_or_empty(d, "fence"), span_or_empty(d, "ms_left"),
                 word_or_empty(d, "label")});
  }
  for (const Table* table : {&holders, &waiters, &delayed}) {
    if (!table->empty()) out += table->text() + "\n";
  }
  return out;
}

std::string one_line(const Reply& value) {
  Json json;
  json.reply({}, value);
  return json.text() + "\n";
}

// Prints what was gathered, as {"revision":n,"<key>":[...]} or as the table.
int print_list(const Common& common, const char* key, int64_t revision, std::vector<Reply> rows, const Table& table) {
  if (!common.json) return print(common, table.text());
  Json json;
  json.open_object().field("revision", revision);
  json.reply(key, {.type = Reply::Type::kArray, .integer = 0, .text = {}, .items = std::move(rows)}).close_object();
  return print(common, json.text() + "\n");
}

}  // namespace

int execute(const Common& common, const ShowCommand& command) {
  bool first = true;
  Words words = {"SHOW", command.name};
  if (command.local) words.emplace_back("LOCAL");
  return for_each_page(common, words, [&](const Reply& page) {
    if (common.json) return print(common, one_line(page));
    std::string out;
    if (first) {
      out = one_word(command.name) + ": " + std::to_string(page.integer_at("holders_total")) + " holding, " +
            std::to_string(page.integer_at("waiters_total")) + " waiting, " +
            std::to_string(page.integer_at("delayed_total")) + " delayed, revision " +
            std::to_string(page.integer_at("revision")) + (command.local ? kMayBeBehind : "") + "\n";
    }
    first = false;
    const std::string tables = show_text(page);
    return print(common, out + (tables.empty() ? "" : "\n" + tables.substr(0, tables.size() - 1)));
  });
}

int execute(const Common& common, const LsCommand& command) {
  Words words = {"LOCKS", "COUNT", "1000"};
  if (!command.prefix.empty()) words.insert(words.end(), {"PREFIX", command.prefix});
  if (!command.state.empty()) words.insert(words.end(), {"STATE", command.state});
  if (command.local) words.emplace_back("LOCAL");
  Table table({"NAME", "MODE", "HOLDING", "WAITING", "DELAYED", "FENCE"});
  std::vector<Reply> rows;
  int64_t revision = 0;
  const int status = for_each_page(common, words, [&](const Reply& page) {
    revision = page.integer_at("revision");
    for (const Reply& l : items_at(page, "locks")) {
      if (common.json) rows.push_back(l);
      table.add({one_word(l.text_at("name")), lower(l.text_at("mode")), number_or_empty(l, "holders"),
                 number_or_empty(l, "waiters"), number_or_empty(l, "delayed"), number_or_empty(l, "fence")});
    }
    return kOk;
  });
  return status == kOk ? print_list(common, "locks", revision, std::move(rows), table) : status;
}

int execute(const Common& common, const HistoryCommand& command) {
  Talk talk(common);
  Words words = {"HISTORY", command.name, "COUNT", std::to_string(command.count)};
  if (command.local) words.emplace_back("LOCAL");
  const auto answer = talk.ask(words);
  if (!answer.ok()) return failed(common, answer.status());
  if (answer->is_error()) return refused(common, *answer);
  if (common.json) return print(common, one_line(*answer));
  Table table({"REVISION", "TIME", "EVENT", "MODE", "FENCE", "WHO", "WHY", "LABEL"});
  for (const Reply& h : answer->items) {
    table.add({number_or_empty(h, "revision"), wall_time(h.integer_at("time")), escaped(h.text_at("event")),
               lower(h.text_at("mode")), number_or_empty(h, "fence"), who(h), escaped(h.text_at("why")),
               word_or_empty(h, "label")});
  }
  return print(common, table.text());
}

namespace {

std::vector<std::string> session_row(const Reply& s) {
  return {number_or_empty(s, "id"),    escaped(s.text_at("kind")),    span_or_empty(s, "ttl"),
          number_or_empty(s, "holds"), number_or_empty(s, "waiters"), number_or_empty(s, "losses"),
          word_or_empty(s, "label")};
}

int show_session(const Common& common, const std::string& id, Table table) {
  Talk talk(common);
  const auto answer = talk.ask({"SESSION", "SHOW", id});
  if (!answer.ok()) return failed(common, answer.status());
  if (answer->is_error()) return refused(common, *answer);
  if (answer->is_nil()) {
    complain(common, "there is no session " + escaped(id) + " (any more)");
    return common.json ? (print(common, "null\n"), kRefused) : kRefused;
  }
  if (common.json) return print(common, one_line(*answer));
  table.add(session_row(*answer));
  std::string out = table.text();
  Table losses({"LOST", "FENCE", "WHY", "REVISION"});
  for (const Reply& l : items_at(*answer, "last_losses")) {
    losses.add({one_word(l.text_at("name")), number_or_empty(l, "fence"), escaped(l.text_at("why")),
                number_or_empty(l, "revision")});
  }
  if (!losses.empty()) out += "\n" + losses.text();
  return print(common, out);
}

}  // namespace

int execute(const Common& common, const SessionsCommand& command) {
  Table table({"ID", "KIND", "TTL", "HOLDS", "WAITING", "LOSSES", "LABEL"});
  if (!command.id.empty()) return show_session(common, command.id, table);
  std::vector<Reply> rows;
  int64_t revision = 0;
  const int status = for_each_page(common, {"SESSION", "LIST", "COUNT", "1000"}, [&](const Reply& page) {
    revision = page.integer_at("revision");
    for (const Reply& s : items_at(page, "sessions")) {
      if (common.json) rows.push_back(s);
      table.add(session_row(s));
    }
    return kOk;
  });
  return status == kOk ? print_list(common, "sessions", revision, std::move(rows), table) : status;
}

namespace {

// The value of `key:value` in an INFO text.
std::string info_value(std::string_view info, const std::string& key) {
  const std::string line = "\n" + key + ":";
  const size_t at = info.find(line);
  if (at == std::string_view::npos) return {};
  const size_t from = at + line.size();
  return std::string(info.substr(from, info.find_first_of("\r\n", from) - from));
}

}  // namespace

// Ready: it has a leader, and answers a question that needs one.
int execute(const Common& common, const StatusCommand&) {
  Talk talk(common);
  const auto probe = talk.ask({"LOCKS", "COUNT", "1"});
  if (!probe.ok()) return failed(common, probe.status());
  if (probe->text.starts_with("ERR unknown command")) return refused(common, *probe);
  const auto info = talk.ask({"INFO"});
  if (!info.ok()) return failed(common, info.status());
  if (info->is_error()) return refused(common, *info);
  const std::string text = "\n" + info->text;
  const bool full = info_value(text, "disk_full") == "1";
  const bool ready = !probe->is_error() && info_value(text, "loading") == "0" && !full;
  const std::string why = probe->is_error() ? probe->text
                          : full            ? "its disk is full, it takes no new locks"
                                            : "it is still loading";
  Table table({"SERVER", "STATE", "ROLE", "VERSION", "HOLDS", "WAITING", "SESSIONS"});
  table.add({talk.server(), ready ? "ready" : "not ready", escaped(info_value(text, "role")),
             escaped(info_value(text, "cleat_version")), escaped(info_value(text, "holds")),
             escaped(info_value(text, "waiters")), escaped(info_value(text, "sessions"))});
  Json json;
  json.open_object().bytes("server", talk.server()).field("ready", ready);
  for (const char* key : {"role", "cleat_version"}) json.bytes(key, info_value(text, key));
  for (const char* key :
       {"term", "applied", "names", "holds", "waiters", "sessions", "connected_clients", "uptime_in_seconds"}) {
    const std::string value = info_value(text, key);
    value.empty() ? json.null(key) : json.field(key, static_cast<int64_t>(std::strtoll(value.c_str(), nullptr, 10)));
  }
  json.close_object();
  const int printed = print(common, common.json ? json.text() + "\n" : table.text());
  if (!ready) complain(common, "not ready: " + escaped(why));
  return ready ? printed : kRefused;
}

}  // namespace cleat::cli
