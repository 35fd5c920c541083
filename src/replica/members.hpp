// Who belongs to the group, where, and as what. Part of the replicated state: it begins as the founding list, changes
// only by applied membership entries, and stands in each snapshot's header. Plain values.
//
// Encoding (docs/formats.md): version, next id, eraftpb.ConfState bytes, then one record a member.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.hpp"

namespace cleat::replica {

struct Member {
  uint32_t id = 0;  // never used again, also not for the same machine
  std::string name;
  std::string address;  // host:port where other members reach it
  bool operator==(const Member&) const = default;
};

// One wish for the membership. It travels as the context of the Raft entry that makes it true.
struct MemberChange {
  enum class Kind : uint8_t { kAddLearner = 1, kPromote = 2, kRemove = 3, kDemote = 4, kAddress = 5 };
  Kind kind = Kind::kAddLearner;
  Member member;  // kAddLearner: all of it; the leader chooses the id. kAddress: id and address; otherwise the id
  bool operator==(const MemberChange&) const = default;
};
std::string encode(const MemberChange&);
base::Result<MemberChange> decode_member_change(std::string_view);

class Members {
 public:
  Members() = default;
  explicit Members(std::vector<Member> founders);

  const std::vector<Member>& all() const { return members_; }  // by rising id
  const Member* find(uint32_t id) const;
  const Member* find(std::string_view name) const;
  uint32_t next_id() const { return next_id_; }
  // After the entry of this change was applied by the engine. Unknown members and repeats change nothing.
  void apply(const MemberChange&);

  std::string encode(std::string_view conf_state) const;
  // kCorrupt. `conf_state` gets the engine's part.
  static base::Result<Members> decode(std::string_view, std::string& conf_state);
  bool operator==(const Members&) const = default;

 private:
  std::vector<Member> members_;
  uint32_t next_id_ = 1;
};

}  // namespace cleat::replica
