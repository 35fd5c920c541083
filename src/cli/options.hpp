// What a command line asks for, as plain data. parse() is the only place that knows how it was written.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "client/endpoint.hpp"
#include "server/cluster_identity.hpp"
#include "server/serve.hpp"

namespace cleat::cli {

using std::chrono::milliseconds;

struct Common {
  std::string command;  // "lock": for messages
  std::vector<client::Endpoint> servers{client::Endpoint{}};
  std::string password_file;
  milliseconds timeout{5'000};  // to reach the server, and for each answer beyond the wait that was asked for
  bool json = false;
};

// What `run` and `lock` ask of the lock.
struct LockRequest {
  std::string name;
  std::string mode = "EXCLUSIVE";
  std::optional<milliseconds> wait;  // none: for ever
  milliseconds ttl{10'000};
  std::optional<int> priority;
  std::optional<std::string> data;
  std::optional<milliseconds> max_hold;
  std::optional<milliseconds> delay;
};

enum class OnLoss { kTerm, kKill, kIgnore };

struct RunCommand {
  LockRequest lock;
  OnLoss on_loss = OnLoss::kTerm;
  int not_acquired = 75;
  std::vector<std::string> command;
};
struct LockCommand {
  LockRequest lock;
  std::string token;  // empty: make one up
};
struct UnlockCommand {
  std::string name, token;
};
struct RenewCommand {
  std::string name, token;
  milliseconds ttl{0};
};
struct ShowCommand {
  std::string name;
  bool local = false;
};
struct LsCommand {
  std::string prefix;
  std::string state;  // held, waited, delayed; empty: all
  bool local = false;
};
struct HistoryCommand {
  std::string name;
  int64_t count = 20;
  bool local = false;
};
struct EventsCommand {
  std::string prefix;
  std::optional<int64_t> from;
  milliseconds reconnect_for{60'000};  // how long it tries to come back before it ends
};
struct SessionsCommand {
  std::string id;  // empty: all
};
struct StatusCommand {};
struct BenchCommand {
  int64_t connections = 50;
  int64_t pipeline = 1;         // pairs under way on each connection
  std::optional<int64_t> rate;  // pairs a second of all together: open loop; none: closed loop
  int64_t contend = 0;          // names that all want; 0: one of its own for each
  milliseconds duration{10'000};
  milliseconds warm_up{1'000};
  milliseconds progress{1'000};  // how often to tell; 0: never
  bool progress_asked = false;   // --progress was given
  std::string prefix;            // of names; empty: a random one
};
struct CompletionCommand {
  std::string shell;  // bash, zsh
};
struct ClusterCommand {
  enum class Kind { kStatus, kAdd, kRemove, kPromote, kTransfer };
  Kind kind = Kind::kStatus;
  std::string name;     // kTransfer: may be empty
  std::string address;  // kAdd
  bool learner = false, watch = false;
  milliseconds every{1'000};   // kStatus, with watch
  milliseconds wait{600'000};  // kAdd, kPromote: for the member to catch up
};

struct BackupCommand {
  std::string file;
  bool check = false;  // only looks at the file
  bool local = false, force = false;
  milliseconds wait{600'000};  // for the image to be written
};

struct RestoreCommand {
  std::string file, data, name;
  std::vector<server::ListedMember> members;  // --cluster; empty: this one is alone
  uint64_t fence_above = 0;
};
struct RecoverCommand {
  std::string data;
  bool unsafe = false;
  uint64_t fence_above = 0;
};

using Command = std::variant<server::ServeOptions, RunCommand, LockCommand, UnlockCommand, RenewCommand, ShowCommand,
                             LsCommand, HistoryCommand, EventsCommand, SessionsCommand, StatusCommand, ClusterCommand,
                             BackupCommand, RestoreCommand, RecoverCommand, BenchCommand, CompletionCommand>;

struct Invocation {
  Common common;
  Command command;
};

struct Parsed {
  std::optional<Invocation> invocation;  // none: print `out` and `err`, exit
  std::string out, err;
  int exit_status = 0;
};

// `words`: the arguments behind the program's name. `environment`: value of a variable, or null.
Parsed parse(std::vector<std::string> words, const std::function<const char*(const char*)>& environment);

}  // namespace cleat::cli
