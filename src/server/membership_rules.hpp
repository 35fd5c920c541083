// What MEMBERS asks, held against the members as they are: what it comes to, or why it is refused, in words for the
// operator. Pure. The pump has the last word (replica::Replica::change_members); these rules speak first, since they
// can say which member to start or remove.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "replica/replica.hpp"
#include "resp/members_reply.hpp"
#include "resp/request.hpp"

namespace cleat::server {

// What a node knows of itself beside its replica.
struct ClusterFacts {
  std::string cluster;  // hex; empty: no member yet
  uint32_t incarnation = 0;
  uint32_t member = 1, boot = 0;
  std::string name;
  std::string client_address;  // its own
  std::string peer_address;    // its own, as it is to be; the table may be behind
  bool has_secret = false;
  std::string waiting;  // why it is no member yet; empty: it is one
  std::array<uint8_t, 16> cluster_id = {};
  std::map<uint32_t, std::string> troubles = {};  // why members are not reached
};

struct KnownMember {
  replica::Member member;
  bool voter = false, up = false;
  replica::PeerStatus peer;  // not of the own one
};

// What the replica tells at one moment.
struct MembersNow {
  replica::Members table;
  replica::Status status;
  std::vector<replica::PeerStatus> peers;
};

// All members by id, the own one among them.
std::vector<KnownMember> known_members(const MembersNow&, uint32_t own);

// MEMBERS STATUS.
resp::MembersReply members_status(const ClusterFacts&, const MembersNow&);

struct AnswerError {
  std::string line;
};
struct AnswerId {  // it is so already
  uint32_t id;
};
struct AskChange {
  replica::MemberChange change;
};
struct AskTransfer {
  replica::Member to;
};
using MembersPlan = std::variant<AnswerError, AnswerId, AskChange, AskTransfer>;

MembersPlan plan_members(const resp::MembersChange&, const ClusterFacts&, const MembersNow&);
// The error line for what the pump answered.
std::string change_error(const base::Status&);

}  // namespace cleat::server
