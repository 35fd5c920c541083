// Proofs of leadership (Safe ReadIndex, engine.md rule 1) in numbered rounds. What needs a proof takes the number of
// the next round to begin; a confirmed round confirms all that came before it *began* (time.md session rule 2), and
// nothing that came later. A round whose answer was lost is not repeated: a new one with a new context begins.
#pragma once

#include <cstdint>
#include <deque>

#include "raft/group.hpp"

namespace cleat::replica {

class Proofs {
 public:
  // Rounds are numbered from here on.
  void begin(uint64_t first) { begun_ = proved_ = settled_ = first; }

  // For something that was just drained.
  uint64_t round_for_new() const;
  uint64_t next_round() const { return begun_ + 1; }

  void began(const raft::ReadContext&, int64_t mono_us);
  void confirmed(const raft::ReadContext&, uint64_t index);
  void drop();  // leadership is gone: what is under way will never be confirmed

  uint64_t begun_round() const { return begun_; }
  uint64_t proved_round() const { return proved_; }
  // The highest round that is confirmed and whose index is applied: all up to it may be answered.
  uint64_t settled_round(uint64_t applied);
  // A round is under way and not older than `patience_us`; otherwise another may begin.
  bool under_way(int64_t mono_us) const;

  static constexpr int64_t kPatienceUs = 500'000;

 private:
  struct Round {
    raft::ReadContext context;
    uint64_t number;
    int64_t begun_us;
  };
  struct Confirmed {
    uint64_t number, index;
  };
  std::deque<Round> rounds_;
  std::deque<Confirmed> confirmed_;
  uint64_t begun_ = 0, proved_ = 0, settled_ = 0;
};

}  // namespace cleat::replica
