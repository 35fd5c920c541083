#include "lost_disks.hpp"

#include <algorithm>

namespace cleat::sim {

void LostDisks::turn() {
  c_.world.after(pace_.in(100'000, 900'000), [this] {
    look();
    turn();
  });
}

void LostDisks::look() {
  if (victim_ != nullptr && victim_->is_lost()) {
    changes_.replace(*victim_);
    victim_ = nullptr;
    doing_ = Doing::kNothing;
  }
  if (doing_ == Doing::kRots && victim_->up()) doing_ = Doing::kNothing;
  if (doing_ == Doing::kPutBackWithinStart) judge();
  if (over_ || !changes_.settled()) return;
  if (doing_ == Doing::kNothing) return choose();
  if (doing_ == Doing::kCopied) put_back();
}

// One may be lost: all are up, and know that no change of the membership is under way. Before they do, a change needs
// the voters of before it, and those may be as few as two.
bool LostDisks::is_spare() const {
  Server* leader = c_.leader();
  return leader != nullptr && std::all_of(c_.servers().begin(), c_.servers().end(), [leader](Server* s) {
           return s->up() && !s->replica().status().joint && s->replica().members() == leader->replica().members();
         });
}

void LostDisks::choose() {
  victim_ = nullptr;
  if (!is_spare()) return;
  ++count_;
  Rng dice = c_.world.dice(Stream::kFault, 1, count_);
  Server& v = *c_.servers()[dice.below(c_.size())];
  if (v.failing() || !dice.chance(0.3) || !c_.world.happens(Stream::kFault, 1, count_)) return;
  const bool rots = c_.plan.rots && (!c_.plan.put_backs || dice.chance(0.5));
  if (rots && !v.rot()) return;
  if (!rots) v.keep_copy();
  within_start_ = dice.chance(0.5);
  victim_ = &v;
  doing_ = rots ? Doing::kRots : Doing::kCopied;
}

void LostDisks::put_back() {
  if (!victim_->up() || victim_->failing()) return;
  if (victim_->starts_since_copy() == 0) {
    if (within_start_) return put_back_within_start();
    if (!pace_.chance(0.2)) return;
    victim_->kill();
    return c_.restart_later(*victim_, pace_.in(5'000, 500'000));
  }
  if (!all_met() || !pace_.chance(0.3)) return;
  if (victim_->put_copy_back()) doing_ = Doing::kPutBack;
}

// It reaches that leader alone, and only as long as it leads: any other could let it in.
void LostDisks::put_back_within_start() {
  judge_ = c_.leader();
  if (judge_ == nullptr || judge_ == victim_) return;
  judged_term_ = judge_->replica().status().term;
  if (acknowledged() <= victim_->copied_last()) return;
  const auto meets = [this](uint32_t member) { return member == judge_->member() && judge_leads(); };
  if (victim_->put_copy_back(meets)) doing_ = Doing::kPutBackWithinStart;
}

void LostDisks::judge() {
  if (!judge_leads()) victim_->lose("is replaced: who could tell that its disk was put back leads no more");
}

bool LostDisks::judge_leads() const {
  return judge_->leads() && judge_->replica().status().term == judged_term_;
}

uint64_t LostDisks::acknowledged() const {
  for (const replica::PeerStatus& p : judge_->replica().peers())
    if (p.id == victim_->member()) return p.match;
  return 0;
}

bool LostDisks::all_met() const {
  return std::all_of(c_.servers().begin(), c_.servers().end(),
                     [this](const Server* s) { return s == victim_ || s->has_met(*victim_); });
}

}  // namespace cleat::sim
