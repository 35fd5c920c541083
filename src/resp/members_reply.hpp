// The answer of MEMBERS STATUS: the members as one of them sees them. docs/wire.md has its shape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "resp/reply_writer.hpp"

namespace cleat::resp {

struct MemberLine {
  uint32_t id = 0;
  std::string name;
  std::string_view role;  // leader, follower, candidate, learner, unknown
  bool voter = false;
  std::string peer;    // address for members
  std::string client;  // address for clients; empty: not known
  bool up = false;
  std::optional<uint64_t> match, lag;  // entries; only some members know them
  int64_t rtt_us = -1, heard_ms = -1;  // -1: not known
  std::string version;                 // empty: not known
  uint32_t level = 0, boot = 0;        // 0: not known
  int snapshot_percent = -1;           // -1: none under way
  std::string trouble = {};            // why it is not reached; empty: it is
};

struct MembersReply {
  std::string cluster;  // hex; empty: none yet
  uint32_t incarnation = 0;
  uint64_t term = 0;
  std::string leader;  // name; empty: none is known
  uint64_t commit = 0, applied = 0;
  std::string name;     // of the member that answers
  std::string waiting;  // why it is no member yet; empty: it is one
  uint32_t level = 0;   // feature level in force; 0: not known
  std::vector<MemberLine> members;
};

void write_members(ReplyWriter&, const MembersReply&);

}  // namespace cleat::resp
