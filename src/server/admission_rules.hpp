// Which connections between nodes are let in: one pure rule book, asked on both ends once the other has proven what it
// says of itself. What is refused is told to the other end in words, and some refusals are an answer that it waits for.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.hpp"
#include "net/peers.hpp"
#include "replica/replica.hpp"
#include "server/cluster_identity.hpp"
#include "server/founding.hpp"

namespace cleat::server {

// What this node is now.
struct OwnPlace {
  enum class Kind { kFounding, kJoining, kMember };
  Kind kind = Kind::kMember;
  std::string name;
  net::ClusterId cluster{};
  uint32_t incarnation = 0, member = 0;
  const std::vector<ListedMember>* founders = nullptr;  // kFounding: --cluster
  const replica::Members* members = nullptr;            // kMember: the table in force
  // kMember: the table does not come from the group yet (one that joins waits for its first snapshot): who is not in it
  // is let in.
  bool table_is_old = false;
  const SeenBoots* boots = nullptr;  // kMember: the latest start that was seen of each
  uint64_t term = 0, match = 0;      // Raft's term; of its leader: the last entry that the other end acknowledged in it
  uint32_t level = 0;                // kMember: the group's feature level, as far as it is known here
};

// Begins the refusal that a removed member gets: it stops.
inline constexpr std::string_view kRemovedRefusal = "this member was removed from the cluster";

// Is part of the refusal that a directory gets which was put back to an earlier state: it stops, too.
inline constexpr std::string_view kPutBackRefusal = "its disk was put back to an earlier state";

// Fills in the term, and what its leader knows of `member`.
void know_match(const replica::Replica&, uint32_t member, OwnPlace&);

// Of one that was let in: what to remember of its starts, from what was remembered.
SeenStart seen_start(const SeenStart& before, const net::PeerHello& theirs);

// `dialed`: on the dialing end, the name that stands at the address it dialed; empty if it knows none (--join).
// Ok: let in. Else a line for the operator of the *other* end.
base::Status admit(const OwnPlace&, net::PeerEnd, std::string_view dialed, const net::PeerHello& theirs);

}  // namespace cleat::server
