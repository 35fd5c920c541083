#include "resp/members_reply.hpp"

namespace cleat::resp {
namespace {

void text_or_nil(ReplyWriter& w, std::string_view key, std::string_view text) {
  w.bulk(key);
  text.empty() ? w.nil() : w.bulk(text);
}

void number_or_nil(ReplyWriter& w, std::string_view key, bool known, uint64_t v) {
  w.bulk(key);
  known ? w.integer(static_cast<int64_t>(v)) : w.nil();
}

void write_member(ReplyWriter& w, const MemberLine& m) {
  w.map(16);
  w.field_integer("id", m.id);
  w.field("name", m.name);
  w.field("role", m.role);
  text_or_nil(w, "peer", m.peer);
  text_or_nil(w, "client", m.client);
  w.field_integer("up", m.up ? 1 : 0);
  number_or_nil(w, "match", m.match.has_value(), m.match.value_or(0));
  number_or_nil(w, "lag", m.lag.has_value(), m.lag.value_or(0));
  number_or_nil(w, "rtt_us", m.rtt_us >= 0, static_cast<uint64_t>(m.rtt_us));
  number_or_nil(w, "heard_ms", m.heard_ms >= 0, static_cast<uint64_t>(m.heard_ms));
  text_or_nil(w, "version", m.version);
  number_or_nil(w, "level", m.level > 0, m.level);
  number_or_nil(w, "boot", m.boot > 0, m.boot);
  number_or_nil(w, "snapshot", m.snapshot_percent >= 0, static_cast<uint64_t>(m.snapshot_percent));
  w.field_integer("voter", m.voter ? 1 : 0);
  text_or_nil(w, "trouble", m.trouble);
}

}  // namespace

void write_members(ReplyWriter& w, const MembersReply& r) {
  w.map(10);
  text_or_nil(w, "cluster", r.cluster);
  w.field_integer("incarnation", r.incarnation);
  w.field_integer("term", static_cast<int64_t>(r.term));
  text_or_nil(w, "leader", r.leader);
  w.field_integer("commit", static_cast<int64_t>(r.commit));
  w.field_integer("applied", static_cast<int64_t>(r.applied));
  w.bulk("members"), w.array(r.members.size());
  for (const MemberLine& m : r.members) write_member(w, m);
  text_or_nil(w, "name", r.name);
  text_or_nil(w, "waiting", r.waiting);
  number_or_nil(w, "level", r.level > 0, r.level);
}

}  // namespace cleat::resp
