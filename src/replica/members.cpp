#include "replica/members.hpp"

#include <algorithm>

#include "base/bytes.hpp"

namespace cleat::replica {
namespace {

constexpr std::string_view kMagic = "M1";

void put(base::Writer& w, const Member& m) {
  w.varint(m.id);
  w.bytes(m.name);
  w.bytes(m.address);
}

Member take(base::Reader& r) {
  Member m;
  const uint64_t id = r.varint();
  if (id > UINT32_MAX) r.fail();
  m.id = static_cast<uint32_t>(id);
  m.name = r.bytes();
  m.address = r.bytes();
  return m;
}

}  // namespace

std::string encode(const MemberChange& change) {
  std::string out;
  base::Writer w(out);
  w.u8(static_cast<uint8_t>(change.kind));
  put(w, change.member);
  return out;
}

base::Result<MemberChange> decode_member_change(std::string_view bytes) {
  base::Reader r(bytes);
  MemberChange change;
  const uint8_t kind = r.u8();
  change.kind = static_cast<MemberChange::Kind>(kind);
  change.member = take(r);
  if (!r.ok() || !r.at_end() || kind < 1 || kind > 5 || change.member.id == 0)
    return base::Status(base::Code::kCorrupt, "a change of the membership cannot be read");
  return change;
}

Members::Members(std::vector<Member> founders) : members_(std::move(founders)) {
  std::sort(members_.begin(), members_.end(), [](const Member& a, const Member& b) { return a.id < b.id; });
  if (!members_.empty()) next_id_ = members_.back().id + 1;
}

const Member* Members::find(uint32_t id) const {
  const auto it = std::find_if(members_.begin(), members_.end(), [&](const Member& m) { return m.id == id; });
  return it == members_.end() ? nullptr : &*it;
}

const Member* Members::find(std::string_view name) const {
  const auto it = std::find_if(members_.begin(), members_.end(), [&](const Member& m) { return m.name == name; });
  return it == members_.end() ? nullptr : &*it;
}

void Members::apply(const MemberChange& change) {
  switch (change.kind) {
    case MemberChange::Kind::kAddLearner:
      if (change.member.id < next_id_) return;
      members_.push_back(change.member);
      next_id_ = change.member.id + 1;
      return;
    case MemberChange::Kind::kRemove:
      std::erase_if(members_, [&](const Member& m) { return m.id == change.member.id; });
      return;
    case MemberChange::Kind::kAddress:
      for (Member& m : members_)
        if (m.id == change.member.id) m.address = change.member.address;
      return;
    case MemberChange::Kind::kPromote:
    case MemberChange::Kind::kDemote:
      return;  // who votes stands in the engine's part
  }
}

std::string Members::encode(std::string_view conf_state) const {
  std::string out(kMagic);
  base::Writer w(out);
  w.varint(next_id_);
  w.bytes(conf_state);
  w.varint(members_.size());
  for (const Member& m : members_) put(w, m);
  return out;
}

base::Result<Members> Members::decode(std::string_view bytes, std::string& conf_state) {
  const base::Status bad(base::Code::kCorrupt, "the list of members cannot be read");
  if (!bytes.starts_with(kMagic)) return bad;
  base::Reader r(bytes.substr(kMagic.size()));
  Members out;
  const uint64_t next = r.varint();
  conf_state = r.bytes();
  for (uint64_t n = r.varint(); n > 0 && r.ok(); --n) {
    Member m = take(r);
    if (m.id == 0 || m.id >= next || (!out.members_.empty() && m.id <= out.members_.back().id)) return bad;
    out.members_.push_back(std::move(m));
  }
  if (!r.ok() || !r.at_end() || next == 0 || next > UINT32_MAX) return bad;
  out.next_id_ = static_cast<uint32_t>(next);
  return out;
}

}  // namespace cleat::replica
