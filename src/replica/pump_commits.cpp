// How the others hear of what is committed (commit_news.hpp).
#include "base/mutant.hpp"
#include "replica/pump.hpp"

namespace cleat::replica {

void Pump::tell_commits() {
  if (phase_ == Phase::kFollowing) return;
  for (const auto& [member, peer] : peers_.all()) {
    if (!peer.up || !commits_.lacks(member, applied_)) continue;
    const auto progress = group_->progress(member);
    if (!progress) continue;
    const uint64_t index = commits_.due(member, applied_, progress->match, now_us_);
    if (index == 0) continue;
    options_.outbox->send(member, encode(Committed{term_, index}));
    commits_.told(member, index);
  }
}

void Pump::took(uint32_t member, const Committed& c) {
  const raft::Dropped dropped = group_->learn_commit(member, c.term, c.index);
  if (dropped == raft::Dropped::kCommitPastLog) complain_of_loss(member);
}

}  // namespace cleat::replica
