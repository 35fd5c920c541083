#include "replica/proofs.hpp"

#include <algorithm>

#include "base/mutant.hpp"

namespace cleat::replica {

uint64_t Proofs::round_for_new() const {
  return base::mutant("proof_before_receipt") ? begun_ : begun_ + 1;
}

void Proofs::began(const raft::ReadContext& context, int64_t mono_us) {
  rounds_.push_back({context, ++begun_, mono_us});
}

void Proofs::confirmed(const raft::ReadContext& context, uint64_t index) {
  auto it = std::find_if(rounds_.begin(), rounds_.end(), [&](const Round& r) { return r.context == context; });
  if (base::mutant("context_reused") && !rounds_.empty()) it = rounds_.end() - 1;
  if (it == rounds_.end()) return;  // of a term that is over
  proved_ = it->number;
  confirmed_.push_back({it->number, index});
  rounds_.erase(rounds_.begin(), it + 1);
}

void Proofs::drop() {
  rounds_.clear();
  confirmed_.clear();
  proved_ = settled_;  // what was confirmed and not yet applied here needs another proof
}

uint64_t Proofs::settled_round(uint64_t applied) {
  for (; !confirmed_.empty() && confirmed_.front().index <= applied; confirmed_.pop_front())
    settled_ = confirmed_.front().number;
  return settled_;
}

bool Proofs::under_way(int64_t mono_us) const {
  return !rounds_.empty() && mono_us - rounds_.back().begun_us < kPatienceUs;
}

}  // namespace cleat::replica
