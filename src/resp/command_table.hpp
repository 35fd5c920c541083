// The command table: one row per command, from which come dispatch, arity, COMMAND and COMMAND DOCS, help and
// docs/commands.md. Options are rows of their own (option_table.hpp).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "resp/limits.hpp"
#include "resp/reply_writer.hpp"

namespace cleat::resp {

class Request;

// Bits of OptionRow::commands; only commands that take options or that others ask for by id.
enum class CommandId : uint8_t {
  kLock,
  kTryLock,
  kUnlock,
  kRenew,
  kPut,
  kCancel,
  kCheck,
  kShow,
  kLocks,
  kHistory,
  kEvents,
  kSessionOpen,
  kSessionAttach,
  kSessionList,
  kOther,
};

enum class Group : uint8_t { kLock, kSession, kRead, kEvents, kConnection, kServer, kCluster };
std::string_view group_name(Group);   // as COMMAND DOCS prints it
std::string_view group_title(Group);  // heading in docs/commands.md

enum Flag : uint32_t {
  kWrite = 1 << 0,
  kReadOnly = 1 << 1,
  kFast = 1 << 2,
  kBlocking = 1 << 3,
  kPubSub = 1 << 4,
  kAdmin = 1 << 5,
  kNoAuth = 1 << 6,      // allowed before AUTH
  kStale = 1 << 7,       // answered without a leader too
  kSubscribed = 1 << 8,  // allowed on a RESP2 connection that has subscriptions
  kEndsRun = 1 << 9,     // what is pipelined behind it is looked at after its answer only
  kContainer = 1 << 10,  // has subcommands: rows "name|sub"
};

// A positional argument, as COMMAND DOCS describes it.
struct ArgumentRow {
  std::string_view name;
  std::string_view type;  // as in Redis' docs: key, string, integer, pattern, pure-token, oneof, block
  bool optional = false;
  bool multiple = false;
  std::string_view token = {};              // word before the value
  std::span<const ArgumentRow> parts = {};  // of oneof and block
};

struct KeyPositions {
  int8_t first = 0, last = 0, step = 0;
};

struct ParseInput {
  std::span<const std::string_view> arguments;  // with the command's name (and subcommand) in front
  const Limits& limits;
  Protocol protocol;
};

struct CommandRow {
  std::string_view name;  // lower case; a subcommand is "session|open"
  CommandId id = CommandId::kOther;
  int arity = 1;  // as Redis: with the name; negative: at least
  uint32_t flags = 0;
  Group group = Group::kServer;
  KeyPositions keys = {};
  std::span<const ArgumentRow> arguments = {};
  std::string_view summary;
  std::string_view answer;     // what it answers, for help
  std::string_view help = {};  // more, for help; may be empty
  void (*parse)(const ParseInput&, Request&) = nullptr;
  std::string_view since = "0.1.0";
};

std::span<const CommandRow> command_rows();
// Nullptr when there is none; any case; "session|open" for subcommands.
const CommandRow* find_command(std::string_view name);
// Row that the arguments name: subcommand included. Nullptr: `error` has the line to answer. Arity is checked.
const CommandRow* resolve_command(std::span<const std::string_view> arguments, std::string& error);

// "SESSION OPEN"
std::string display_name(const CommandRow&);
// "LOCK name [mode] [WAIT ms] ..."
std::string usage(const CommandRow&);
// Lines of "X HELP" for a container.
std::span<const CommandRow> subcommands(const CommandRow& container);

// Commands and options of a coming version: known by name, so that the error can say so.
bool is_later_command(std::string_view name);

}  // namespace cleat::resp
