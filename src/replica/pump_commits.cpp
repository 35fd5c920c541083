// How the others hear of what is committed (commit_news.hpp).
#include "replica/pump.hpp"

namespace cleat::replica {

void Pump::tell_commits() {
  if (phase_ == Phase::kFollowing) return;
  for (const auto& [member, peer] : peers_.all()) {
    if (!peer.up || !commits_.due(member, applied_, now_us_)) continue;
    options_.outbox->send(member, encode(Committed{term_, applied_, applied_term_}));
    commits_.told(member, applied_);
  }
}

// Refused: the entry is not here yet. The append that brings it, or a heartbeat, will tell.
void Pump::took(uint32_t member, const Committed& c) {
  group_->learn_commit(member, c.term, c.index, c.entry_term);
}

}  // namespace cleat::replica
