#include "changes.hpp"

#include <fmt/format.h>

namespace cleat::sim {

using Wish = replica::MemberChange::Kind;

namespace {
constexpr uint32_t kMostIds = 60;
}

void Changes::begin() {
  turn();
}

void Changes::turn() {
  c_.world.after(pace_.in(100'000, 500'000), [this] {
    ++turns_;
    Server* leader = c_.leader();
    if (leader != nullptr) look(*leader);
    turn();
  });
}

void Changes::look(Server& leader) {
  if (joiner_ != nullptr) return go_on_joining(leader);
  if (leaver_ != nullptr) return go_on_leaving(leader);
  if (wants_joiner_) return join();
  Rng dice = c_.world.dice(Stream::kChange, 0, turns_);
  if (over_ || !c_.plan.changes || !dice.chance(0.15) || !c_.world.happens(Stream::kChange, 0, turns_)) return;
  if (c_.next_id() >= kMostIds) return;
  if (c_.size() <= static_cast<size_t>(c_.plan.members)) return join();
  leaver_ = c_.servers()[dice.below(c_.size())];
  c_.world.say(fmt::format("member {} is to leave", leaver_->member()));
}

void Changes::join() {
  wants_joiner_ = false;
  joiner_ = &c_.add_joiner();
  promoted_ = false;
  c_.world.say(fmt::format("member {} is to join", joiner_->member()));
}

void Changes::ask(Server& leader, Wish kind, const Server& about) {
  replica::MemberChange change;
  change.kind = kind;
  change.member = {about.member(), fmt::format("m{}", about.member()), fmt::format("host{}:1", about.member())};
  leader.replica().change_members(++cookie_, change);
  leader.wake();
}

void Changes::go_on_joining(Server& leader) {
  const uint32_t id = joiner_->member();
  if (leader.replica().members().find(id) == nullptr) return ask(leader, Wish::kAddLearner, *joiner_);
  for (const replica::PeerStatus& p : leader.replica().peers())
    if (p.id == id && p.voter) promoted_ = true;
  if (leader.member() == id) promoted_ = true;
  if (!promoted_) return ask(leader, Wish::kPromote, *joiner_);
  c_.world.cover(kJoins);
  joiner_ = nullptr;
}

// A leader hands over before it leaves.
void Changes::go_on_leaving(Server& leader) {
  if (leader.replica().members().find(leaver_->member()) == nullptr) {
    c_.retire(*leaver_);
    leaver_ = nullptr;
    return;
  }
  if (leaver_ == &leader) {
    (void)leader.replica().transfer(0);
    return leader.wake();
  }
  ask(leader, Wish::kRemove, *leaver_);
}

}  // namespace cleat::sim
