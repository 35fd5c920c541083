// Changes of the membership (engine.md rule 8), one at a time, on the leader: learners first, voters through a joint
// membership that this leader, or the next, leaves again.
#include <algorithm>

#include "replica/pump.hpp"

namespace cleat::replica {
namespace {

using base::Code;
using Kind = MemberChange::Kind;

constexpr int64_t kChangePatienceUs = 10'000'000;
constexpr uint64_t kCaughtUpEntries = 1000;

std::span<const std::byte> bytes_of(std::string_view s) {
  return std::as_bytes(std::span(s.data(), s.size()));
}

raft::MemberEdit edit_of(const MemberChange& c, const raft::MemberIds& ids) {
  using Edit = raft::MemberEdit::Kind;
  switch (c.kind) {
    case Kind::kAddLearner:
    case Kind::kDemote:
      return {Edit::kLearner, c.member.id};
    case Kind::kRemove:
      return {Edit::kRemove, c.member.id};
    case Kind::kPromote:
      return {Edit::kVoter, c.member.id};
    case Kind::kAddress:
      return {ids.is_voter(c.member.id) ? Edit::kVoter : Edit::kLearner, c.member.id};
  }
  return {};
}

}  // namespace

void Pump::change_members(uint64_t cookie, const MemberChange& change) {
  changes_.push_back({cookie, change, now_us_, false});
}

void Pump::turn_members() {
  const bool joint = !ids_.outgoing.empty();
  if (joint) leave_joint();
  if (changes_.empty()) return;
  AskedChange& asked = changes_.front();
  const auto answer = [&](const base::Status& s) {
    const uint64_t cookie = asked.cookie;
    changes_.pop_front();
    listener_.on_members_changed(cookie, s);
  };
  const bool late = now_us_ - asked.since_us > kChangePatienceUs;
  if (asked.proposed) {
    if (!joint && group_->status().applied >= asked.index) return answer({});
    if (late) answer({Code::kUnavailable, "the change is not decided yet: no majority answers"});
    return;
  }
  if (!joint) {
    if (asked.change.kind == Kind::kAddLearner) asked.change.member.id = members_.next_id();
    if (const base::Status s = judge(asked.change); !s.ok()) return answer(s);
    if (propose_change(asked)) return;
  }
  if (late) answer({Code::kBusy, "another change of the members is under way: try again when it is done"});
}

// Entered by this leader or found: it is left as soon as it is in force. One that goes by it lets another lead first.
void Pump::leave_joint() {
  const bool stays = std::binary_search(ids_.voters.begin(), ids_.voters.end(), options_.member);
  const uint32_t successor = stays ? 0 : best_successor();
  if (successor != 0) return group_->transfer(successor);
  (void)group_->propose_members(bytes_of(group_->make_change({}, {})));
}

bool Pump::propose_change(AskedChange& asked) {
  const raft::MemberEdit edit = edit_of(asked.change, ids_);
  const std::string change = group_->make_change(std::span(&edit, 1), bytes_of(encode(asked.change)));
  if (!group_->propose_members(bytes_of(change))) return false;
  asked.proposed = true;
  asked.index = group_->status().last;
  return true;
}

base::Status Pump::judge(const MemberChange& c) const {
  const Member* member = members_.find(c.member.id);
  if (c.kind == Kind::kAddLearner) {
    if (members_.find(std::string_view(c.member.name)) != nullptr)
      return {Code::kInvalid, "there is a member named " + c.member.name + " already"};
    return {};
  }
  if (member == nullptr) return {Code::kNotFound, "there is no such member"};
  const auto active = [&](uint64_t id) {
    if (id == options_.member) return true;
    const auto p = group_->progress(id);
    return p && p->active && peers_.is_up(static_cast<uint32_t>(id));
  };
  std::vector<uint64_t> voters = ids_.voters;
  switch (c.kind) {
    case Kind::kPromote: {
      if (ids_.is_voter(c.member.id)) return {Code::kInvalid, member->name + " votes already"};
      const auto p = group_->progress(c.member.id);
      if (!p || p->match == 0 || p->match + kCaughtUpEntries < group_->status().last || p->in_snapshot)
        return {Code::kBusy, member->name + " has not caught up yet: promote it later"};
      voters.push_back(c.member.id);
      break;
    }
    case Kind::kRemove:
    case Kind::kDemote:
      if (c.kind == Kind::kDemote && !ids_.is_voter(c.member.id))
        return {Code::kInvalid, member->name + " is a learner already"};
      if (!ids_.is_voter(c.member.id)) return {};
      std::erase(voters, c.member.id);
      if (voters.empty()) return {Code::kInvalid, member->name + " is the last voter: nobody would be left"};
      if (c.member.id == options_.member)
        return {Code::kBusy, member->name + " leads: transfer leadership to another member first"};
      break;
    default:
      return {};
  }
  const auto up = static_cast<size_t>(std::count_if(voters.begin(), voters.end(), active));
  const size_t needed = voters.size() / 2 + 1;
  if (up >= needed) return {};
  return {Code::kInvalid, "the quorum would be lost: of the " + std::to_string(voters.size()) +
                              " voters there would be, " + std::to_string(needed) + " must answer and " +
                              std::to_string(up) + " do; bring members back first"};
}

void Pump::fail_changes(const base::Status& s) {
  for (auto changes = std::exchange(changes_, {}); const AskedChange& c : changes)
    listener_.on_members_changed(c.cookie, s);
}

// The voter that is up and furthest, not short of room; 0: none.
uint32_t Pump::best_successor() const {
  uint32_t best = 0;
  uint64_t match = 0;
  for (const uint64_t id : ids_.voters) {
    const auto member = static_cast<uint32_t>(id);
    const PeerBook::Peer* peer = peers_.find(member);
    const auto p = group_->progress(id);
    if (member == options_.member || peer == nullptr || !peer->up || peer->disk_full || !p || !p->active) continue;
    if (best == 0 || p->match > match) best = member, match = p->match;
  }
  return best;
}

base::Status Pump::transfer(uint32_t member) {
  if (phase_ != Phase::kServing) return {Code::kUnavailable, "this member does not lead"};
  if (member == 0) member = best_successor();
  if (member == 0) return {Code::kInvalid, "no other voter is up to take over"};
  if (member == options_.member) return {Code::kInvalid, "it leads already"};
  if (!ids_.is_voter(member)) return {Code::kInvalid, "only a voter can lead: promote it first"};
  if (!peers_.is_up(member)) return {Code::kInvalid, "that member cannot be reached from the leader"};
  group_->transfer(member);
  return {};
}

}  // namespace cleat::replica
