// The members that a client may connect to, which of them is next, and when: the addresses it was given and those it
// learned of. Pure: no sockets, no clock; times of boot_clock come in.
#pragma once

#include <span>
#include <vector>

#include "client/boot_clock.hpp"
#include "client/endpoint.hpp"
#include "client/random.hpp"
#include "client/reply.hpp"

namespace cleat::client {

struct BackOff {
  milliseconds least{50};       // before the second round
  milliseconds most{1'000};     // doubling stops here
  milliseconds settled{1'000};  // a connection that lasted so long was a good one: what failed before it is forgotten
};

// Each client goes through the members in an order of its own, so that they spread, also those of a member that died.
// Within a round the next one is tried almost at once; between rounds the pause doubles. Every pause is jittered.
class Members {
 public:
  static constexpr size_t kMostLearned = 64;

  // `given`: at least one; duplicates are dropped.
  Members(std::vector<Endpoint> given, Random random, BackOff back_off = {});

  const Endpoint& current() const { return list_[at_].endpoint; }
  // Not earlier than this it may be tried.
  TimePoint next_attempt() const { return next_attempt_; }
  size_t size() const { return list_.size(); }
  bool several() const { return list_.size() > 1; }

  // The current one is connected and answers as a member does.
  void reached(TimePoint now);
  // It could not be connected to, its connection was lost, or it has no quorum: the next one becomes current.
  void failed(TimePoint now);
  // Client addresses of all members, as one of them told: learned ones that are not among them are forgotten (the
  // current one when it is left), given ones never. At most kMostLearned are kept.
  void learn(std::span<const Endpoint> told);

 private:
  struct Entry {
    Endpoint endpoint;
    bool given;
    bool gone = false;
  };
  bool has(const Endpoint& endpoint) const;

  std::vector<Entry> list_;
  Random random_;
  BackOff back_off_;
  size_t at_ = 0;
  size_t failed_in_round_ = 0;
  int rounds_ = 0;
  bool reached_ = false;
  TimePoint reached_at_{};
  TimePoint next_attempt_{};  // long past: at once
};

// The client addresses in an answer to MEMBERS STATUS that one can connect to; none if it is an error or something
// else.
std::vector<Endpoint> client_addresses(const Reply& members_status);

}  // namespace cleat::client
