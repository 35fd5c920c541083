// Which locks with a rank the calling thread holds, through whichever Client.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "cleat/rank.hpp"
#include "client/hold_state.hpp"

namespace cleat::client {

using OnViolation = std::function<void(const RankViolation&)>;

// Before a thread waits for a lock. on_violation may throw; if it returns, the thread waits after all. Without one the
// process ends with a message.
void check_rank(const std::string& name, const Rank& rank, const OnViolation& on_violation);
// It has it now. What is lost, or of the parent of fork(2), does not count any more.
void note_rank(const std::shared_ptr<HoldState>& hold, const Rank& rank);
void forget_rank(const std::shared_ptr<HoldState>& hold) noexcept;

}  // namespace cleat::client
