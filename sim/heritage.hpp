// What is left of a group, and founds the next one: a backup, or one member's disk (engine.md "Restore and recovery").
// The real parts make the new incarnation of it; what they made is compared with what was left.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lock/machine.hpp"
#include "server/restore.hpp"

namespace cleat::sim {

class Cluster;
class Server;

struct Heritage {
  server::Origin origin;
  std::vector<replica::Member> founders;                  // of the next group
  std::function<std::unique_ptr<lock::Machine>()> state;  // as it was left, made anew at each call
  int64_t now_us = 0;
  // The highest that anybody was given, also what is not in the state.
  uint64_t fence = 0, session = 0, revision = 0;
  struct Session {
    uint64_t id;
    std::string key;
  };
  std::vector<Session> sessions;  // that clients still know
};

// A backup file of the state that this member has; none: it has no snapshot of that entry, or of a later one, yet.
std::optional<std::string> make_backup(Server&, uint64_t index);

// What becomes of a group that is over: nothing of it may run any more. None: the world has failed.
std::optional<Heritage> restored_from(Cluster& over, const std::string& backup);
std::optional<Heritage> recovered_from(Cluster& over, Server& survivor);

// The first image of a member of the new group, as its directory gets it.
base::Status furnish(const Heritage&, uint32_t member, storage::FileSystem&, const std::string& dir);
// What a founder begins with. Null: it has no image that can be read.
std::unique_ptr<lock::Machine> first_state(storage::FileSystem&, const std::string& dir);
// What is wrong with it; empty: nothing.
std::string compare(const lock::Machine& left, const lock::Machine& begun, const Heritage&);

}  // namespace cleat::sim
