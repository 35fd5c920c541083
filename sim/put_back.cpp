#include "put_back.hpp"

#include <algorithm>

namespace cleat::sim {

void PutBack::turn() {
  c_.world.after(pace_.in(100'000, 900'000), [this] {
    look();
    turn();
  });
}

void PutBack::look() {
  if (waits_ && victim_->was_sent_away()) {
    changes_.replace(*victim_);
    victim_ = nullptr;
    waits_ = false;
  }
  if (over_ || waits_) return;
  victim_ == nullptr ? copy() : go_on();
}

void PutBack::copy() {
  if (!changes_.settled()) return;
  ++copies_;
  Rng dice = c_.world.dice(Stream::kFault, 1, copies_);
  Server& v = *c_.servers()[dice.below(c_.size())];
  if (!v.up() || !dice.chance(0.3) || !c_.world.happens(Stream::kFault, 1, copies_)) return;
  v.keep_copy();
  victim_ = &v;
}

void PutBack::go_on() {
  if (!victim_->up() || victim_->failing()) return;
  if (victim_->starts_since_copy() == 0) {
    if (!pace_.chance(0.2)) return;
    victim_->kill();
    return c_.restart_later(*victim_, pace_.in(5'000, 500'000));
  }
  if (!all_met() || !pace_.chance(0.3)) return;
  waits_ = true;
  victim_->put_copy_back();
}

bool PutBack::all_met() const {
  return std::all_of(c_.servers().begin(), c_.servers().end(),
                     [this](const Server* s) { return s == victim_ || s->has_met(*victim_); });
}

}  // namespace cleat::sim
