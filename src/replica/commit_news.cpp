#include "replica/commit_news.hpp"

#include <algorithm>

#include "base/mutant.hpp"

namespace cleat::replica {

void CommitNews::told(uint32_t member, uint64_t index) {
  Peer& p = peers_[member];
  if (index <= p.told) return;
  p.told = index;
  p.late_us = 0;
}

void CommitNews::wanted(uint32_t member, uint64_t index) {
  Peer& p = peers_[member];
  p.wanted = std::max(p.wanted, index);
}

bool CommitNews::lacks(uint32_t member, uint64_t commit) {
  return peers_[member].told < commit;
}

uint64_t CommitNews::due(uint32_t member, uint64_t commit, uint64_t match, int64_t now_us) {
  Peer& p = peers_[member];
  const uint64_t known = base::mutant("commit_told_unmatched") ? commit : std::min(commit, match);
  if (known <= p.told) {
    p.late_us = 0;
    return 0;
  }
  if (p.late_us == 0) p.late_us = now_us + kLateUs;
  const bool waits = p.wanted > p.told && p.wanted <= known;
  return waits || p.late_us <= now_us ? known : 0;
}

std::optional<int64_t> CommitNews::next_wake_us() const {
  std::optional<int64_t> wake;
  for (const auto& [member, p] : peers_)
    if (p.late_us != 0) wake = wake ? std::min(*wake, p.late_us) : p.late_us;
  return wake;
}

}  // namespace cleat::replica
