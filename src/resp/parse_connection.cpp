// Requests about the connection: what Redis libraries send when they connect.
#include "resp/parse_functions.hpp"
#include "resp/words.hpp"

namespace cleat::resp {
namespace {

// Redis' rule for client names and library names: printable ASCII without blanks.
bool plain_word(std::string_view s) {
  for (const char c : s) {
    if (c < '!' || c > '~') return false;
  }
  return true;
}

constexpr char kBadClientName[] = "ERR Client names cannot contain spaces, newlines or special characters.";
constexpr size_t kMaxClientName = 256;

bool check_client_name(std::string_view name, Request& out) {
  if (!plain_word(name)) return out.refuse(kBadClientName), false;
  if (name.size() > kMaxClientName)
    return out.refuse("ERR a client name has at most 256 bytes: use a shorter one"), false;
  return true;
}

}  // namespace

void parse_hello(const ParseInput& in, Request& out) {
  const Words a = in.arguments;
  Hello hello;
  if (a.size() > 1) {
    int64_t version = 0;
    if (!parse_integer(a[1], version)) return out.refuse("ERR Protocol version is not an integer or out of range");
    if (version != 2 && version != 3) return out.refuse("NOPROTO unsupported protocol version");
    hello.protocol = static_cast<Protocol>(version);
  }
  for (size_t i = 2; i < a.size();) {
    const size_t left = a.size() - i - 1;
    if (same_word(a[i], "AUTH") && left >= 2) {
      hello.has_auth = true, hello.user = a[i + 1], hello.password = a[i + 2];
      i += 3;
    } else if (same_word(a[i], "SETNAME") && left >= 1) {
      if (!check_client_name(a[i + 1], out)) return;
      hello.client_name = a[i + 1];
      i += 2;
    } else {
      return out.refuse("ERR Syntax error in HELLO option '" + printable(a[i], 32) + "'");
    }
  }
  out.body = hello;
}

void parse_auth(const ParseInput& in, Request& out) {
  const Words a = in.arguments;
  if (a.size() > 3) return out.refuse("ERR AUTH takes a password, or a user and a password: " + usage(*out.row));
  Auth auth;
  auth.password = a.back();
  if (a.size() == 3) auth.user = a[1];
  out.body = auth;
}

void parse_ping(const ParseInput& in, Request& out) {
  if (in.arguments.size() > 2) return out.refuse("ERR wrong number of arguments for 'ping' command");
  Ping ping;
  if (in.arguments.size() == 2) ping.message = in.arguments[1];
  out.body = ping;
}

void parse_echo(const ParseInput& in, Request& out) {
  out.body = Echo{in.arguments[1]};
}
void parse_quit(const ParseInput&, Request& out) {
  out.body = Quit{};
}
void parse_reset(const ParseInput&, Request& out) {
  out.body = Reset{};
}
void parse_time(const ParseInput&, Request& out) {
  out.body = TimeQuery{};
}

void parse_select(const ParseInput& in, Request& out) {
  int64_t index = 0;
  if (!parse_integer(in.arguments[1], index)) return out.refuse("ERR value is not an integer or out of range");
  if (index != 0) return out.refuse("ERR DB index is out of range");
  out.body = JustOk{};
}

void parse_client_id(const ParseInput&, Request& out) {
  out.body = ClientId{};
}
void parse_client_getname(const ParseInput&, Request& out) {
  out.body = ClientGetName{};
}
void parse_client_info(const ParseInput&, Request& out) {
  out.body = ClientInfoQuery{};
}

void parse_client_setname(const ParseInput& in, Request& out) {
  if (check_client_name(in.arguments[2], out)) out.body = ClientSetName{in.arguments[2]};
}

void parse_client_setinfo(const ParseInput& in, Request& out) {
  const std::string_view what = in.arguments[2], value = in.arguments[3];
  const bool version = same_word(what, "LIB-VER");
  if (!version && !same_word(what, "LIB-NAME"))
    return out.refuse("ERR Unrecognized option '" + printable(what, 32) + "'");
  if (!plain_word(value) || value.size() > kMaxClientName) {
    return out.refuse("ERR " + lower_copy(what) + " cannot contain spaces, newlines or special characters.");
  }
  out.body = ClientSetInfo{version, value};
}

void parse_client_list(const ParseInput& in, Request& out) {
  const Words a = in.arguments;
  ClientList list;
  if (a.size() == 4 && same_word(a[2], "TYPE")) {
    // All clients of a lock service are of Redis' type "normal".
    if (!same_word(a[3], "NORMAL")) return out.refuse("ERR Unknown client type '" + printable(a[3], 32) + "'");
  } else if (a.size() > 3 && same_word(a[2], "ID")) {
    for (const std::string_view word : a.subspan(3)) {
      int64_t id = 0;
      if (!parse_integer(word, id) || id <= 0) return out.refuse("ERR Invalid client ID");
      list.ids.push_back(static_cast<uint64_t>(id));
    }
  } else if (a.size() > 2) {
    return out.refuse("ERR syntax error: " + usage(*out.row));
  }
  out.body = std::move(list);
}

void parse_client_kill(const ParseInput& in, Request& out) {
  const Words a = in.arguments;
  ClientKill kill;
  if (a.size() == 3) {
    kill.old_form = true, kill.skip_me = false, kill.address = a[2];
    out.body = kill;
    return;
  }
  if (a.size() % 2 != 0) return out.refuse("ERR syntax error: " + usage(*out.row));
  for (size_t i = 2; i < a.size(); i += 2) {
    const std::string_view value = a[i + 1];
    int64_t id = 0;
    if (same_word(a[i], "ID")) {
      if (!parse_integer(value, id) || id <= 0) return out.refuse("ERR client-id should be greater than 0");
      kill.id = static_cast<uint64_t>(id);
    } else if (same_word(a[i], "ADDR")) {
      kill.address = value;
    } else if (same_word(a[i], "LADDR")) {
      kill.local_address = value;
    } else if (same_word(a[i], "SKIPME") && (same_word(value, "YES") || same_word(value, "NO"))) {
      kill.skip_me = same_word(value, "YES");
    } else {
      return out.refuse("ERR syntax error: " + usage(*out.row));
    }
  }
  out.body = kill;
}

void parse_help(const ParseInput& in, Request& out) {
  out.body = HelpQuery{find_command(in.arguments[0])};
}

void parse_command(const ParseInput& in, Request& out) {
  CommandQuery query;
  if (const size_t bar = out.row->name.find('|'); bar != std::string_view::npos) {
    query.subcommand = out.row->name.substr(bar + 1);
    query.arguments = in.arguments.subspan(2);
  }
  out.body = query;
}

void parse_config_get(const ParseInput& in, Request& out) {
  out.body = ConfigGet{in.arguments.subspan(2)};
}

void parse_config_set(const ParseInput& in, Request& out) {
  const Words pairs = in.arguments.subspan(2);
  if (pairs.size() % 2 != 0) return out.refuse("ERR wrong number of arguments for 'config|set' command");
  out.body = ConfigSet{pairs};
}

void parse_info(const ParseInput& in, Request& out) {
  out.body = InfoQuery{in.arguments.subspan(1)};
}

}  // namespace cleat::resp
