// MEMBERS and its subcommands. arguments[0] is "members", arguments[1] the subcommand. What a name and an address must
// look like is the server's to say.
#include "resp/parse_functions.hpp"
#include "resp/words.hpp"

namespace cleat::resp {

void parse_members_status(const ParseInput&, Request& out) {
  out.body = MembersStatus{};
}

void parse_members_add(const ParseInput& in, Request& out) {
  const std::string_view member = in.arguments[2];
  const size_t equals = member.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == member.size()) {
    return out.refuse("ERR '" + printable(member, 64) + "' is not name=host:port, as in MEMBERS ADD d=10.0.0.4:7421");
  }
  out.body = MembersChange{MembersChange::Kind::kAdd, member.substr(0, equals), member.substr(equals + 1)};
}

void parse_members_change(const ParseInput& in, Request& out) {
  using Kind = MembersChange::Kind;
  const std::string_view word = in.arguments[1];
  const Kind kind = same_word(word, "remove")    ? Kind::kRemove
                    : same_word(word, "promote") ? Kind::kPromote
                                                 : Kind::kTransfer;
  if (in.arguments.size() > 3) return out.refuse("ERR too many arguments: " + usage(*out.row));
  out.body = MembersChange{kind, in.arguments.size() > 2 ? in.arguments[2] : std::string_view(), {}};
}

void parse_members_backup(const ParseInput& in, Request& out) {
  MembersBackup backup;
  const size_t n = in.arguments.size();
  const std::string_view form = n > 2 ? in.arguments[2] : std::string_view();
  int64_t offset = 0;
  if (same_word(form, "read") && n == 4 && parse_integer(in.arguments[3], offset) && offset >= 0) {
    backup.offset = static_cast<uint64_t>(offset);
  } else if (same_word(form, "local") && n == 3) {
    backup.local = true;
  } else if (n != 2) {
    return out.refuse("ERR this is asked as " + usage(*out.row) + ", the offset a whole number");
  }
  out.body = backup;
}

}  // namespace cleat::resp
