// SESSION and its subcommands. arguments[0] is "session", arguments[1] the subcommand.
#include "resp/cursor.hpp"
#include "resp/option_table.hpp"
#include "resp/parse_functions.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

bool parse_session_id(std::string_view word, base::SessionId& out, Request& request) {
  int64_t id = 0;
  if (!parse_integer(word, id) || id <= 0) {
    request.refuse("ERR '" + printable(word, 32) + "' is no session id: give the id that SESSION OPEN answered");
    return false;
  }
  out = base::SessionId{static_cast<uint64_t>(id)};
  return true;
}

}  // namespace

void parse_session_open(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 2, error)) return out.refuse(std::move(error));
  lock::Command& c = out.body.emplace<Change>().command;
  c.verb = lock::Verb::kOpenSession;
  c.ttl_ms = o.number_or(Option::kTtl, static_cast<int64_t>(in.limits.session_ttl_ms));
  c.label = o.text_or(Option::kLabel, {});
}

void parse_session_attach(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  base::SessionId id;
  if (!parse_session_id(in.arguments[2], id, out)) return;
  if (!o.parse(in, *out.row, 4, error)) return out.refuse(std::move(error));
  lock::Command& c = out.body.emplace<Change>().command;
  c.verb = lock::Verb::kAttachSession;
  c.session = id;
  c.key = in.arguments[3];
  c.takeover = o.has(Option::kTakeover);
}

void parse_session_keepalive(const ParseInput& in, Request& out) {
  const Words pairs = in.arguments.subspan(2);
  if (pairs.size() % 2 != 0) return out.refuse("ERR SESSION KEEPALIVE takes pairs: " + usage(*out.row));
  if (pairs.size() / 2 > in.limits.keepalive_pairs) {
    return out.refuse("LIMIT " + std::to_string(pairs.size() / 2) + " sessions in one KEEPALIVE, more than " +
                      std::to_string(in.limits.keepalive_pairs) + " (max-keepalive-pairs): send several");
  }
  KeepAlive body;
  body.pairs.resize(pairs.size() / 2);
  for (size_t i = 0; i < body.pairs.size(); ++i) {
    if (!parse_session_id(pairs[2 * i], body.pairs[i].id, out)) return;
    body.pairs[i].key = pairs[2 * i + 1];
  }
  out.body = std::move(body);
}

void parse_session_close(const ParseInput&, Request& out) {
  out.body.emplace<Change>().command.verb = lock::Verb::kCloseSession;
}

void parse_session_show(const ParseInput& in, Request& out) {
  SessionShow body;
  if (in.arguments.size() > 3) return out.refuse("ERR SESSION SHOW takes one id: " + usage(*out.row));
  if (in.arguments.size() == 3 && !parse_session_id(in.arguments[2], body.id, out)) return;
  out.body = body;
}

void parse_session_list(const ParseInput& in, Request& out) {
  Options o;
  std::string error;
  if (!o.parse(in, *out.row, 2, error)) return out.refuse(std::move(error));
  SessionList body;
  body.count = static_cast<uint32_t>(o.number_or(Option::kCount, body.count));
  uint64_t after = 0;
  if (o.has(Option::kCursor) && !decode_number_cursor(o.text(Option::kCursor), after)) {
    return out.refuse(cursor_error(o.text(Option::kCursor)));
  }
  body.after = base::SessionId{after};
  out.body = body;
}

}  // namespace cleat::resp
