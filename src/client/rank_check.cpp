#include "client/rank_check.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace cleat {
namespace {

std::string described(const RankViolation::Lock& lock) {
  return "'" + std::string(lock.name) + "' (rank " + std::to_string(lock.rank.value) + ", declared at " +
         lock.rank.file + ":" + std::to_string(lock.rank.line) + ")";
}

}  // namespace

std::string RankViolation::message() const {
  return "lock " + described(locking) + " is waited for while " + described(holding) +
         " is held: take them in ascending order of rank, or all at once with std::scoped_lock";
}

namespace client {
namespace {

struct Held {
  std::weak_ptr<HoldState> hold;
  Rank rank;
  pid_t process;
};

thread_local std::vector<Held> held_here;

}  // namespace

void check_rank(const std::string& name, const Rank& rank, const OnViolation& on_violation) {
  std::shared_ptr<HoldState> first;
  Rank highest;
  for (const Held& held : held_here) {
    if (held.rank.value < rank.value || held.process != ::getpid()) continue;
    if (first != nullptr && held.rank.value <= highest.value) continue;
    auto hold = held.hold.lock();
    if (hold == nullptr || !hold->held()) continue;
    first = std::move(hold);
    highest = held.rank;
  }
  if (first == nullptr) return;
  const RankViolation violation{.locking = {.name = name, .rank = rank},
                                .holding = {.name = first->name(), .rank = highest}};
  if (on_violation) return on_violation(violation);
  std::fprintf(stderr, "cleat: %s\n", violation.message().c_str());
  std::abort();
}

void note_rank(const std::shared_ptr<HoldState>& hold, const Rank& rank) {
  std::erase_if(held_here, [](const Held& held) { return held.hold.expired(); });
  held_here.push_back({hold, rank, ::getpid()});
}

void forget_rank(const std::shared_ptr<HoldState>& hold) noexcept {
  std::erase_if(held_here, [&](const Held& held) { return held.hold.lock() == hold; });
}

}  // namespace client
}  // namespace cleat
