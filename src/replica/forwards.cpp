#include "replica/forwards.hpp"

namespace cleat::replica {

void Forwards::enter(uint64_t term) {
  if (term == term_) return;
  batches_.clear();
  term_ = term;
  number_ = 0;
  bytes_ = 0;
}

const std::string& Forwards::add(uint64_t term, std::string_view runs, int64_t now_us) {
  enter(term);
  if (batches_.empty()) sent_us_ = now_us;
  ++number_;
  const uint64_t oldest = batches_.empty() ? number_ : batches_.front().number;
  batches_.push_back({number_, encode(Forward{term_, number_, oldest, runs})});
  bytes_ += batches_.back().message.size();
  return batches_.back().message;
}

void Forwards::seen(const ForwardSeen& s) {
  if (s.term != term_) return;
  for (; !batches_.empty() && batches_.front().number <= s.number; batches_.pop_front())
    bytes_ -= batches_.front().message.size();
}

}  // namespace cleat::replica
