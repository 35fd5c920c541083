// A member that does not lead: its clients' commands, keep-alives and vouchers go to the leader. Its reads wait for the
// leader's proof, and are answered from its own state.
#include "replica/pump.hpp"

namespace cleat::replica {
namespace {
constexpr int64_t kAskAgainUs = 300'000;
}

void Pump::forward_turn() {
  if (alone()) return;
  if (!can_forward()) return;
  const auto send = [&](const std::string& message) { options_.outbox->send(leader_, message); };
  if (forwards_.overdue(now_us_)) {
    ++status_.forwards_again;
    forwards_.again(term_, now_us_, send);
  }
  if (!entry_.empty()) {
    send(forwards_.add(term_, entry_.finish(0, 0), now_us_));
    ++status_.forwards;
    entry_.clear();
  }
  ask_keep_alives();
}

void Pump::ask_keep_alives() {
  KeepAliveAsk ask{term_, {}};
  for (auto& [number, k] : asked_keep_alives_) {
    if (k.term == term_ && now_us_ - k.asked_us < kAskAgainUs) continue;
    k.term = term_;
    k.asked_us = now_us_;
    ask.items.push_back({number, k.session.value, k.epoch, k.key});
  }
  if (!ask.items.empty()) options_.outbox->send(leader_, encode(ask));
}

void Pump::send_vouches() {
  if (heard_.empty()) return;
  if (can_forward()) {
    Vouches vouches{term_, {}};
    for (const Heard& h : heard_) vouches.items.push_back({h.session.value, static_cast<uint64_t>(h.silent_ms)});
    options_.outbox->send(leader_, encode(vouches));
  }
  heard_.clear();
}

}  // namespace cleat::replica
