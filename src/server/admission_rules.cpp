#include "server/admission_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/mutant.hpp"
#include "replica/level_watch.hpp"
#include "server/cluster_settings.hpp"

namespace cleat::server {
namespace {

using base::Status;
using net::PeerEnd;
using net::PeerHello;

Status refuse(std::string line) {
  return {base::Code::kInvalid, std::move(line)};
}

bool has_place(const PeerHello& hello) {
  return !is_none(hello.cluster);
}

// Rules that hold whatever this node is.
Status check_shape(const OwnPlace& own, std::string_view dialed, const PeerHello& theirs) {
  if (has_place(theirs) != (theirs.member != 0)) return refuse("a member has both a cluster and an id, or neither");
  if (!member_name_error(theirs.name).empty()) return refuse("it gives a name that no member can have");
  if (theirs.name == own.name) {
    return refuse(fmt::format("both ends are called {}: two nodes have the same name, or one dials itself", own.name));
  }
  if (!dialed.empty() && theirs.name != dialed) {
    return refuse(fmt::format("{} answers where {} is expected: their addresses are mixed up", theirs.name, dialed));
  }
  return {};
}

Status admit_founding(const OwnPlace& own, const PeerHello& theirs) {
  const auto& list = *own.founders;
  if (std::any_of(list.begin(), list.end(), [&](const auto& m) { return m.name == theirs.name; })) return {};
  return refuse(fmt::format("{} waits for the members of its --cluster, {}, and {} is not one of them", own.name,
                            list_text(list), theirs.name));
}

// A joiner hears members only, and two that join have nothing to say to each other.
Status admit_joining(const OwnPlace& own, const PeerHello& theirs) {
  if (has_place(theirs)) return {};
  return refuse(fmt::format("{} waits to be added to a cluster itself and can't help {}: name a running member",
                            own.name, theirs.name));
}

// Who has no place yet is talked to if the table has a place for it: it will be told what to do.
Status admit_outsider(const OwnPlace& own, const PeerHello& theirs) {
  if (own.members->find(theirs.name)) return {};
  return refuse(
      fmt::format("cluster {} has no member {}: run `cleat cluster add {}=HOST:PORT` against one of its "
                  "members, with the address where they reach {}",
                  cluster_text(own.cluster), theirs.name, theirs.name, theirs.name));
}

// A line for the other end: which of the two is the older, and what is to be done with that one. It is not made to stop
// by this: whoever restores a copy elsewhere with a wrong list must not end the cluster that serves.
std::string other_incarnation(const OwnPlace& own, const PeerHello& theirs) {
  const std::string begun = fmt::format(
      "the cluster began a new incarnation ({}: a backup was restored, or it was "
      "recovered)",
      std::max(own.incarnation, theirs.incarnation));
  const bool own_is_older = own.incarnation < theirs.incarnation;
  const std::string& old = own_is_older ? own.name : theirs.name;
  if (own_is_older) {
    return fmt::format("{}, and {} is of the older one ({}): stop {}, empty its directory and let it join anew", begun,
                       old, own.incarnation, old);
  }
  const bool known = own.members->find(old) != nullptr;
  return fmt::format(
      "{}, and {} is of the older one ({}), of which nothing is accepted: stop it, empty its directory, {}start it "
      "with "
      "--join in place of --cluster, and run `cleat cluster add {}=HOST:PORT`",
      begun, old, theirs.incarnation, known ? fmt::format("run `cleat cluster remove {}`, ", old) : "", old);
}

Status refuse_old(const OwnPlace& own, const PeerHello& theirs) {
  return refuse(theirs.name + ": " + replica::too_old_error(own.level, theirs.level));
}

Status check_cluster(const OwnPlace& own, const PeerHello& theirs) {
  if (theirs.cluster != own.cluster) {
    return refuse(
        fmt::format("{} is a member of cluster {} and {} of cluster {}: two clusters use one address, see their "
                    "--cluster and peer addresses",
                    theirs.name, cluster_text(theirs.cluster), own.name, cluster_text(own.cluster)));
  }
  if (theirs.incarnation != own.incarnation && !base::mutant("older_incarnation_admitted")) {
    return refuse(other_incarnation(own, theirs));
  }
  if (theirs.member == own.member) {
    return refuse(fmt::format("{} and {} both are member {}: a data directory was copied; stop one of them", own.name,
                              theirs.name, own.member));
  }
  return {};
}

// Its disk is not the one that was met before if it lacks the start that was met. Each start of a disk is in its list,
// which reaches back so far that nobody misses them all; beyond it, and of builds without a list, the count must do.
bool was_put_back(const SeenStart& seen, const PeerHello& theirs) {
  if (theirs.boot < seen.boot) return true;
  if (base::mutant("start_ids_ignored")) return false;
  const uint32_t ago = theirs.boot - seen.boot;
  if (ago >= theirs.starts.size() || theirs.starts[ago] == 0 || seen.id == 0) return false;
  return theirs.starts[ago] != seen.id;
}

// A start that this leader has not met found less on its disk than the one before acknowledged to it. An entry that was
// acknowledged in a term can go only by a later one's leader, whom the member has met then.
bool has_forgotten(const OwnPlace& own, const SeenStart& seen, const PeerHello& theirs) {
  if (own.match == 0 || theirs.found_next == 0 || seen_start(seen, theirs) == seen) return false;
  if (base::mutant("match_ignored")) return false;
  return theirs.found_term < own.term || (theirs.found_term == own.term && theirs.found_next <= own.match);
}

Status refuse_put_back(const PeerHello& theirs, std::string_view says) {
  return refuse(
      fmt::format("member {} says {}: {} and has forgotten what it promised. Remove it (cleat cluster remove {}), "
                  "empty its directory and let it join anew",
                  theirs.name, says, kPutBackRefusal, theirs.name));
}

Status check_member(const OwnPlace& own, const PeerHello& theirs) {
  const replica::Member* known = own.members->find(theirs.member);
  if (!known && own.table_is_old) return {};
  if (!known && theirs.member < own.members->next_id()) {
    return refuse(
        fmt::format("{}: {} (id {}). To let this machine take part again, empty its directory, start it "
                    "with --join and run `cleat cluster add {}=HOST:PORT`",
                    kRemovedRefusal, theirs.name, theirs.member, theirs.name));
  }
  if (!known) {
    return refuse(fmt::format("{} does not know member {} ({}) yet; it will when it has caught up", own.name,
                              theirs.member, theirs.name));
  }
  if (known->name != theirs.name) {
    return refuse(fmt::format("member {} is called {} and not {}", theirs.member, known->name, theirs.name));
  }
  const auto met = own.boots->find(theirs.member);
  if (met == own.boots->end() || base::mutant("put_back_let_in")) return {};
  const SeenStart& seen = met->second;
  if (was_put_back(seen, theirs)) {
    return refuse_put_back(
        theirs,
        fmt::format("that this is its start number {} and does not know of its start number {}, which was met here",
                    theirs.boot, seen.boot));
  }
  if (has_forgotten(own, seen, theirs)) {
    return refuse_put_back(theirs, fmt::format("that its log ended with entry {} of term {} or before when it started, "
                                               "and it had acknowledged entry {} in term {}",
                                               theirs.found_next - 1, theirs.found_term, own.match, own.term));
  }
  return {};
}

}  // namespace

void know_match(const replica::Replica& replica, uint32_t member, OwnPlace& own) {
  own.term = replica.status().term;
  for (const replica::PeerStatus& peer : replica.peers())
    if (peer.id == member) own.match = peer.match + (base::mutant("match_overrated") ? 1 : 0);
}

SeenStart seen_start(const SeenStart& before, const PeerHello& theirs) {
  if (theirs.boot < before.boot) return before;
  return {theirs.boot, theirs.starts.empty() ? 0 : theirs.starts.front()};
}

Status admit(const OwnPlace& own, PeerEnd end, std::string_view dialed, const PeerHello& theirs) {
  if (Status s = check_shape(own, dialed, theirs); !s.ok()) return s;
  if (own.kind == OwnPlace::Kind::kFounding) return admit_founding(own, theirs);
  if (own.kind == OwnPlace::Kind::kJoining) return admit_joining(own, theirs);
  if (!has_place(theirs)) return theirs.level < own.level ? refuse_old(own, theirs) : admit_outsider(own, theirs);
  if (Status s = check_cluster(own, theirs); !s.ok()) return s;
  if (end == PeerEnd::kAccepted && theirs.to_member != 0 && theirs.to_member != own.member) {
    return refuse(fmt::format("it wants member {} and this is member {} ({}): an address is wrong or was taken over",
                              theirs.to_member, own.member, own.name));
  }
  if (Status s = check_member(own, theirs); !s.ok()) return s;
  return theirs.level < own.level ? refuse_old(own, theirs) : Status();
}

}  // namespace cleat::server
