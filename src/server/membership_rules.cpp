#include "server/membership_rules.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "net/address.hpp"
#include "resp/errors.hpp"
#include "resp/words.hpp"
#include "server/cluster_settings.hpp"
#include "server/info.hpp"

namespace cleat::server {
namespace {

using Kind = replica::MemberChange::Kind;
using Known = std::vector<KnownMember>;

AnswerError error(std::string line) {
  return {"ERR " + std::move(line)};
}

std::string names(const Known& members, bool (*which)(const KnownMember&)) {
  std::string out;
  for (const KnownMember& m : members) {
    if (which(m)) out += (out.empty() ? "" : ", ") + m.member.name;
  }
  return out;
}

const KnownMember* find(const Known& members, std::string_view name) {
  const auto it =
      std::find_if(members.begin(), members.end(), [&](const KnownMember& m) { return m.member.name == name; });
  return it == members.end() ? nullptr : &*it;
}

// Why these voters could not decide anything with those that are up; empty: they could.
std::string lost_quorum(const Known& voters) {
  const auto up = std::count_if(voters.begin(), voters.end(), [](const KnownMember& m) { return m.up; });
  if (static_cast<size_t>(up) * 2 > voters.size()) return {};
  return fmt::format("of the {} voters then ({}) only {} would be up, which is no majority: start {} first",
                     voters.size(), names(voters, [](const KnownMember&) { return true; }), up,
                     names(voters, [](const KnownMember& m) { return !m.up; }));
}

Known voters_of(Known members) {
  std::erase_if(members, [](const KnownMember& m) { return !m.voter; });
  return members;
}

MembersPlan plan_add(const resp::MembersChange& asked, const ClusterFacts& facts, const replica::Members& table,
                     const Known& members) {
  replica::Member fresh{table.next_id(), std::string(asked.name), std::string(asked.address)};
  const auto listed = parse_listed_member(fresh.name + "=" + fresh.address);
  if (!listed.ok()) return error(listed.status().message());
  for (const KnownMember& m : members) {
    if (m.member.name == fresh.name && m.member.address == fresh.address) return AnswerId{m.member.id};
    if (m.member.name == fresh.name) {
      return error(fmt::format("there is a member {} already, at {}: choose another name, or remove it first",
                               fresh.name, m.member.address));
    }
    if (m.member.address == fresh.address) {
      return error(fmt::format("{} is the address of member {} already", fresh.address, m.member.name));
    }
  }
  const replica::Member* own = table.find(facts.member);
  if (own && own->address.empty() && !facts.peer_address.empty()) {
    return AnswerError{fmt::format("TRYAGAIN {} is about to be known at {}", own->name, facts.peer_address)};
  }
  if (own && own->address.empty()) {
    return error(fmt::format(
        "the other members could not reach {}: it has no address for members. Restart it with --peer-listen "
        "HOST:PORT, then add {} again; no lock is lost",
        own->name, fresh.name));
  }
  if (!facts.has_secret && !net::is_loopback(*parse_member_address(fresh.address))) {
    return error(
        fmt::format("{} is beyond loopback and this cluster has no secret: restart its members with "
                    "--cluster-secret-file FILE first",
                    fresh.address));
  }
  return AskChange{{Kind::kAddLearner, std::move(fresh)}};
}

MembersPlan plan_remove(const KnownMember& gone, const ClusterFacts& facts, const Known& members) {
  if (members.size() == 1) return error(fmt::format("{} is the only member: to end it, stop it", gone.member.name));
  if (gone.member.id == facts.member) {
    return error(fmt::format("{} leads: let another member lead first (MEMBERS TRANSFER)", gone.member.name));
  }
  Known left = voters_of(members);
  std::erase_if(left, [&](const KnownMember& m) { return m.member.id == gone.member.id; });
  if (const std::string why = lost_quorum(left); gone.voter && !why.empty()) {
    return error(fmt::format("{} is not removed: {}", gone.member.name, why));
  }
  return AskChange{{Kind::kRemove, gone.member}};
}

MembersPlan plan_promote(const KnownMember& learner, const Known& members) {
  if (learner.voter) return AnswerId{learner.member.id};
  if (!learner.up) {
    return AnswerError{fmt::format("TRYAGAIN {} is not reached at {}: it can't have a vote before it has caught up",
                                   learner.member.name, learner.member.address)};
  }
  Known then = members;
  for (KnownMember& m : then) m.voter |= m.member.id == learner.member.id;
  if (const std::string why = lost_quorum(voters_of(then)); !why.empty()) {
    return error(fmt::format("{} gets no vote: {}", learner.member.name, why));
  }
  return AskChange{{Kind::kPromote, learner.member}};
}

MembersPlan plan_transfer(std::string_view name, const ClusterFacts& facts, const Known& members) {
  const KnownMember* best = nullptr;
  for (const KnownMember& m : members) {
    if (m.member.id == facts.member || !m.voter || !m.up) continue;
    if (name.empty() ? !best || m.peer.match > best->peer.match : m.member.name == name) best = &m;
  }
  if (best) return AskTransfer{best->member};
  if (name.empty()) return error("no other voter is up that could lead");
  const KnownMember* asked = find(members, name);
  if (asked->member.id == facts.member) return AnswerId{asked->member.id};
  return error(fmt::format("{} can't lead: it {}", name, asked->voter ? "is not up" : "is a learner"));
}

std::string not_leader(const Known& members, const replica::Status& status) {
  const auto leader =
      std::find_if(members.begin(), members.end(), [&](const KnownMember& m) { return m.member.id == status.leader; });
  if (leader == members.end()) return std::string(resp::kNoQuorumError);
  if (leader->peer.client_address.empty()) {
    return fmt::format("TRYAGAIN {} leads, and where it listens for clients is not known here yet",
                       leader->member.name);
  }
  return fmt::format("NOTLEADER {} {} leads: ask it", leader->peer.client_address, leader->member.name);
}

resp::MemberLine line_of(const KnownMember& m, const ClusterFacts& facts, const replica::Status& status) {
  const bool own = m.member.id == facts.member;
  resp::MemberLine line;
  line.id = m.member.id;
  line.name = m.member.name;
  line.voter = m.voter;
  line.peer = m.member.address;
  line.up = m.up;
  const bool leads = own ? status.leads : status.leader == m.member.id;
  line.role = leads ? "leader" : !m.voter ? "learner" : m.up ? "follower" : "unknown";
  if (own) {
    line.client = facts.client_address;
    line.version = kCleatVersion;
    line.boot = facts.boot;
    line.level = status.known_level;
    line.match = status.commit;
    line.lag = 0;
    return line;
  }
  if (const auto trouble = facts.troubles.find(m.member.id); trouble != facts.troubles.end()) {
    line.trouble = trouble->second;
  }
  line.client = m.peer.client_address;
  line.version = m.peer.version;
  if (status.leads) {
    line.match = m.peer.match;
  } else if (m.peer.applied > 0) {
    line.match = m.peer.applied;
  }
  if (line.match) line.lag = status.commit > *line.match ? status.commit - *line.match : 0;
  line.rtt_us = m.peer.round_trip_us;
  line.heard_ms = m.peer.heard_us_ago < 0 ? -1 : m.peer.heard_us_ago / 1000;
  line.level = m.peer.level;
  line.boot = m.peer.boot;
  line.snapshot_percent = m.peer.snapshot_percent;
  return line;
}

}  // namespace

Known known_members(const MembersNow& now, uint32_t own) {
  Known out;
  for (const replica::Member& m : now.table.all()) {
    KnownMember known{m, m.id == own && now.status.voter, m.id == own, {}};
    for (const replica::PeerStatus& p : now.peers) {
      if (p.id != m.id || m.id == own) continue;
      known.voter = p.voter;
      known.up = p.up;
      known.peer = p;
    }
    out.push_back(std::move(known));
  }
  return out;
}

resp::MembersReply members_status(const ClusterFacts& facts, const MembersNow& now) {
  resp::MembersReply out;
  out.cluster = facts.cluster;
  out.incarnation = facts.incarnation;
  out.term = now.status.term;
  out.commit = now.status.commit;
  out.applied = now.status.applied;
  out.name = facts.name;
  out.waiting = facts.waiting;
  if (facts.waiting.empty()) out.level = now.status.level;
  for (const KnownMember& m : known_members(now, facts.member)) {
    out.members.push_back(line_of(m, facts, now.status));
    if (out.members.back().role == "leader") out.leader = m.member.name;
  }
  return out;
}

MembersPlan plan_members(const resp::MembersChange& asked, const ClusterFacts& facts, const MembersNow& now) {
  using Asked = resp::MembersChange::Kind;
  const Known members = known_members(now, facts.member);
  if (!facts.waiting.empty()) return AnswerError{"NOQUORUM " + facts.waiting};
  if (!now.status.leads) return AnswerError{not_leader(members, now.status)};
  if (asked.kind == Asked::kAdd) return plan_add(asked, facts, now.table, members);
  const KnownMember* named = find(members, asked.name);
  if (!named && !(asked.kind == Asked::kTransfer && asked.name.empty())) {
    return error(fmt::format("there is no member '{}': there are {}", resp::printable(asked.name, 64),
                             names(members, [](const KnownMember&) { return true; })));
  }
  if (asked.kind == Asked::kTransfer) return plan_transfer(asked.name, facts, members);
  return asked.kind == Asked::kRemove ? plan_remove(*named, facts, members) : plan_promote(*named, members);
}

std::string change_error(const base::Status& status) {
  switch (status.code()) {
    case base::Code::kBusy:
      return "TRYAGAIN " + status.message();
    case base::Code::kUnavailable:
      return "UNKNOWN " + status.message() + ": look with MEMBERS STATUS whether it was done";
    default:
      return "ERR " + status.message();
  }
}

}  // namespace cleat::server
