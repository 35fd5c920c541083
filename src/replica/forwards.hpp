// Commands on their way to the leader. Each member numbers what it sends in one term; the leader of that term takes
// each number once and in order, so that what is sent again after a lost connection is not done twice. What a term did
// not take dies with it: whoever asked finds that out by Listener::on_term().
#pragma once

#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/mutant.hpp"
#include "replica/peer_messages.hpp"

namespace cleat::replica {

// What a member numbers towards others begins here, so that nothing that is said to, or came from, an earlier boot of
// it is taken for this one's.
constexpr int kBootShift = 40;
constexpr uint64_t first_number(uint32_t boot) {
  return uint64_t{boot} << kBootShift;
}
constexpr uint64_t boot_of_number(uint64_t number) {
  return number >> kBootShift;
}

// The side of the member that asks.
class Forwards {
 public:
  static constexpr int64_t kAgainUs = 300'000;     // unanswered for so long: sent again
  static constexpr size_t kMostBytes = 16u << 20;  // under way; beyond it nothing more is taken

  // What clients ask is not sent again once it was under way for `patience_us`: they will have been answered UNKNOWN,
  // asked elsewhere, and must not have it done behind their backs when a wire is mended. What ends their connections
  // is sent until it is taken.
  explicit Forwards(int64_t patience_us) : patience_us_(patience_us) {}
  void begin(uint32_t boot) { first_ = number_ = first_number(boot); }

  // The message to send. Another term than before drops what was under way.
  const std::string& add(uint64_t term, std::string_view runs, int64_t now_us);
  void seen(const ForwardSeen&);
  // All that is under way in this term, oldest first, if it is time (or `now_us` is not asked: a new connection).
  bool overdue(int64_t now_us) const { return !batches_.empty() && now_us - sent_us_ >= kAgainUs; }
  template <class Send>
  void again(uint64_t term, int64_t now_us, const Send& send) {
    enter(term);
    sent_us_ = now_us;
    if (base::mutant("forward_not_repeated")) return;
    for (Batch& b : batches_) {
      if (now_us - b.taken_us >= patience_us_) give_up(b);
      send(b.message);
    }
  }
  bool full() const { return bytes_ >= kMostBytes; }
  bool any() const { return !batches_.empty(); }

 private:
  struct Batch {
    uint64_t number;
    int64_t taken_us;
    std::string message;
    bool given_up = false;
  };
  void enter(uint64_t term);
  void give_up(Batch&);

  int64_t patience_us_;
  std::deque<Batch> batches_;
  uint64_t term_ = 0, number_ = 0, first_ = 0;
  size_t bytes_ = 0;
  int64_t sent_us_ = 0;
};

// The leader's side, for one term.
class Takings {
 public:
  void clear() { taken_.clear(); }
  // True: this is the next one of that member. False: it was taken already, or one before it is missing.
  bool take(uint32_t member, uint64_t number, uint64_t oldest) {
    uint64_t& last = taken_[member];
    if (oldest > last + 1 && oldest <= number) last = oldest - 1;
    if (base::mutant("forward_taken_twice") && number <= last) return true;
    if (number != last + 1) return false;
    last = number;
    return true;
  }
  uint64_t last(uint32_t member) const {
    const auto it = taken_.find(member);
    return it == taken_.end() ? 0 : it->second;
  }

 private:
  std::map<uint32_t, uint64_t> taken_;
};

}  // namespace cleat::replica
