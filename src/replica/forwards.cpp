#include "replica/forwards.hpp"

#include <utility>

#include "base/check.hpp"
#include "lock/entry.hpp"

namespace cleat::replica {

void Forwards::enter(uint64_t term) {
  if (term == term_) return;
  batches_.clear();
  term_ = term;
  number_ = first_;
  bytes_ = 0;
}

const std::string& Forwards::add(uint64_t term, std::string_view runs, int64_t now_us) {
  enter(term);
  if (batches_.empty()) sent_us_ = now_us;
  ++number_;
  const uint64_t oldest = batches_.empty() ? number_ : batches_.front().number;
  batches_.push_back({number_, now_us, encode(Forward{term_, number_, oldest, runs})});
  bytes_ += batches_.back().message.size();
  return batches_.back().message;
}

void Forwards::give_up(Batch& batch) {
  if (std::exchange(batch.given_up, true)) return;
  Forward f;
  CLEAT_CHECK(decode(batch.message, f), "what was encoded here can be read");
  lock::EntryReader runs(f.runs);
  lock::EntryBuilder kept;
  base::ConnectionRef from;
  while (runs.next_run(from)) {
    kept.begin_run(from);
    for (lock::Command c; runs.next_command(c);)
      if (c.verb == lock::Verb::kConnectionClosed || c.verb == lock::Verb::kUndeliver) kept.add(c);
  }
  std::string message = encode(Forward{f.term, f.number, f.oldest, kept.finish(0, 0)});
  bytes_ -= batch.message.size() - message.size();
  batch.message = std::move(message);
}

void Forwards::seen(const ForwardSeen& s) {
  if (s.term != term_) return;
  for (; !batches_.empty() && batches_.front().number <= s.number; batches_.pop_front())
    bytes_ -= batches_.front().message.size();
}

}  // namespace cleat::replica
