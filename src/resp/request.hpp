// A request that was read: which row of the command table and what it asks, checked as far as that needs no state.
// Views point into the arguments it was parsed from and live as long as they do.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lock/command.hpp"
#include "lock/views.hpp"
#include "resp/command_table.hpp"

namespace cleat::resp {

using Words = std::span<const std::string_view>;

struct Refusal {
  std::string line;  // the error to answer; nothing else happens
};
// Goes into the log. Still to be filled in by the server: seq; by, session and epoch (unless by a token or ATTACH); key
// of OPEN.
struct Change {
  lock::Command command;
  bool full = false;
};

struct Hello {
  std::optional<Protocol> protocol;
  bool has_auth = false;
  std::string_view user, password;
  std::optional<std::string_view> client_name;
};
struct Auth {
  std::string_view user = "default", password;
};
struct Ping {
  std::optional<std::string_view> message;
};
struct Echo {
  std::string_view message;
};
struct Quit {};
struct Reset {};
struct JustOk {};  // SELECT 0
struct TimeQuery {};

struct ClientId {};
struct ClientGetName {};
struct ClientInfoQuery {};
struct ClientSetName {
  std::string_view name;
};
struct ClientSetInfo {
  bool version = false;  // lib-ver, else lib-name
  std::string_view value;
};
struct ClientList {
  std::vector<uint64_t> ids;  // empty: all
};
struct ClientKill {
  bool old_form = false;  // CLIENT KILL addr: OK, or an error when there is none; else the number killed
  std::optional<uint64_t> id;
  std::string_view address, local_address;  // empty: any
  bool skip_me = true;
};

struct CommandQuery {           // COMMAND and its subcommands: write_command_reply()
  std::string_view subcommand;  // empty: all rows
  Words arguments;              // behind the subcommand
};
struct HelpQuery {
  const CommandRow* container = nullptr;
};
struct ConfigGet {
  Words patterns;
};
struct ConfigSet {
  Words pairs;
};
struct InfoQuery {
  Words sections;  // empty: all
};

struct Subscribe {
  bool pattern = false;
  Words channels;
};
struct Unsubscribe {
  bool pattern = false;
  Words channels;  // empty: all
};
struct EventsFrom {
  std::string_view prefix;
  std::optional<base::Revision> from;
};
struct NoEvents {};

struct SessionKey {
  base::SessionId id;
  std::string_view key;
};
struct KeepAlive {
  std::vector<SessionKey> pairs;  // empty: the connection's own session, answered by one pair and not a list
};
struct SessionShow {
  base::SessionId id;  // none: the connection's own
};
struct SessionList {
  base::SessionId after;
  uint32_t count = 100;
};
struct Check {
  std::string_view name;
  base::Fence fence;
};
struct Show {
  std::string_view name;
  lock::Page page;
  bool local = false;
};
struct Locks {
  std::string_view prefix;
  lock::LockState state = lock::LockState::kAny;
  lock::Cursor cursor;
  uint32_t count = 100;
  bool local = false;
};
struct History {
  std::string_view name;
  uint32_t count = 0;
  bool local = false;
};

struct MembersStatus {};
struct MembersChange {
  enum class Kind : uint8_t { kAdd, kRemove, kPromote, kTransfer };
  Kind kind = Kind::kAdd;
  std::string_view name;     // kTransfer: may be empty, any voter that can lead
  std::string_view address;  // kAdd
};

// The image is asked for with the first form and read, by the same connection, with the second.
struct MembersBackup {
  bool local = false;              // of what the asked member has, without asking the leader
  std::optional<uint64_t> offset;  // READ: the piece that begins there
};

using RequestBody =
    std::variant<Refusal, Change, Hello, Auth, Ping, Echo, Quit, Reset, JustOk, TimeQuery, ClientId, ClientGetName,
                 ClientInfoQuery, ClientSetName, ClientSetInfo, ClientList, ClientKill, CommandQuery, HelpQuery,
                 ConfigGet, ConfigSet, InfoQuery, Subscribe, Unsubscribe, EventsFrom, NoEvents, KeepAlive, SessionShow,
                 SessionList, Check, Show, Locks, History, MembersStatus, MembersChange, MembersBackup>;

class Request {
 public:
  const CommandRow* row = nullptr;  // nullptr: no such command (body is a Refusal)
  RequestBody body;

  bool refused() const { return std::holds_alternative<Refusal>(body); }
  void refuse(std::string line) { body = Refusal{std::move(line)}; }
};

// Reads one request; `out` may be used again for the next. `input.arguments` is not empty.
void parse_request(const ParseInput& input, Request& out);

}  // namespace cleat::resp
