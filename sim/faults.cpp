#include "faults.hpp"

#include <fmt/format.h>

namespace cleat::sim {

void Faults::next() {
  World& w = c_.world;
  w.after(pace_.chance(0.3) ? pace_.in(50'000, 300'000) : pace_.in(800'000, 4'500'000), [this] {
    if (over_) return;
    ++count_;
    if (c_.world.may_happen(Stream::kFault, 0, count_)) {
      Rng dice = c_.world.dice(Stream::kFault, 0, count_);
      bool befell = false;
      for (int tries = 0; tries < 20 && !befell; ++tries) befell = one(dice);
      if (befell) c_.world.note(Stream::kFault, 0, count_);
      c_.world.cover(kFaults, befell);
    }
    next();
  });
}

// The leader is the most interesting.
Server& Faults::victim(Rng& dice) {
  Server* leader = c_.leader();
  if (leader != nullptr && dice.chance(0.5)) return *leader;
  return *c_.servers()[dice.below(c_.size())];
}

bool Faults::one(Rng& dice) {
  const Plan& plan = c_.plan;
  Server& v = victim(dice);
  if (plan.snapshots && dice.chance(0.3)) victim(dice).snapshot();
  if (plan.crashes && dice.chance(0.3)) return dice.chance(0.2) ? crash_many(dice, dice.chance(0.5)) : crash(dice, v);
  if (plan.partitions && dice.chance(0.35)) {
    if (dice.chance(0.2)) return part_halves(dice);
    if (dice.chance(0.2)) return part_raggedly(dice);
    return dice.chance(0.15) ? flap(dice, v) : part(dice, v);
  }
  if (plan.stalls && dice.chance(0.3)) return stall(dice, v);
  if (plan.transfers && dice.chance(0.3)) return transfer(dice);
  if (plan.drifts && dice.chance(0.2)) return drift(dice, v);
  const bool disk = disturb_disk(dice, v);
  return disturb_wires(dice, v) || disk;
}

bool Faults::crash(Rng& dice, Server& v) {
  if (!v.up()) return false;
  if (dice.chance(0.4)) {
    v.die_in_next_write(dice);
    c_.world.after(dice.in(200'000, 800'000), [&v] {
      if (v.up() && v.failing()) v.crash(false);
    });
  } else if (dice.chance(0.6)) {
    v.crash(false);
  } else {
    v.kill();
  }
  if (c_.plan.snapshots && dice.chance(0.4)) {
    leave_behind(dice, v);
    return true;
  }
  c_.restart_later(v, dice.chance(0.3) ? dice.in(1'000, 30'000) : dice.in(5'000, 4'000'000));
  return true;
}

// Away for so long that the others' logs no longer reach back to it.
void Faults::leave_behind(Rng& dice, Server& v) {
  const int64_t away_us = dice.in(2'500'000, 6'000'000);
  for (int64_t us = 700'000; us < away_us; us += 1'100'000)
    c_.world.after(us, [this, &v] {
      for (Server* s : c_.servers())
        if (s != &v) s->snapshot();
    });
  c_.restart_later(v, away_us);
}

// The power goes for several at the same moment. Those with the newest entries may be the last to come back.
bool Faults::crash_many(Rng& dice, bool all) {
  c_.world.cover(all ? kAllDown : kMajorityDown);
  const size_t spared = all ? 0 : c_.size() - c_.size() / 2 - 1;
  const size_t first = dice.below(c_.size());
  for (size_t i = 0; i < c_.size() - spared; ++i) {
    Server& s = *c_.servers()[(first + i) % c_.size()];
    if (s.up()) s.crash(false);
    c_.restart_later(s, dice.chance(0.3) ? dice.in(2'000'000, 6'000'000) : dice.in(5'000, 1'000'000));
  }
  return true;
}

bool Faults::stall(Rng& dice, Server& v) {
  if (!v.up()) return false;
  const bool is_long = dice.chance(0.4);
  const int64_t us = is_long ? dice.in(1'000'000, 6'000'000) : dice.in(60'000, 900'000);
  const bool in_turn = dice.chance(0.3);
  c_.world.cover(is_long ? kLongStalls : kStalls);
  c_.world.say(fmt::format("member {} stands still for {} ms{}", v.member(), us / 1000,
                           in_turn ? ", after its next look at the clock" : ""));
  in_turn ? v.stall_in_turn(us) : v.stall(us);
  return true;
}

void Faults::mend_later(Rng& dice) {
  c_.world.after(dice.chance(0.4) ? dice.in(50'000, 1'500'000) : dice.in(1'500'000, 5'000'000), [this] {
    c_.network.mend_all();
    for (Server* s : c_.servers()) s->unreachable(false);
    c_.world.say("all wires are mended");
  });
}

bool Faults::part(Rng& dice, Server& v) {
  if (dice.chance(0.4)) {
    c_.world.cover(kOneWay);
    const bool in = dice.chance(0.5), quiet = dice.chance(0.5);
    c_.world.say(fmt::format("member {} {}", v.member(), in ? "hears no other" : "is heard by no other"));
    for (Server* s : c_.servers()) {
      if (s == &v) continue;
      in ? c_.network.cut(s->member(), v.member(), quiet) : c_.network.cut(v.member(), s->member(), quiet);
    }
  } else {
    c_.world.cover(kPartitions);
    const bool from_clients = dice.chance(0.4);
    c_.world.say(fmt::format("member {} is cut off from the others{}", v.member(), from_clients ? " and clients" : ""));
    c_.network.cut_off(v.member(), true, true);
    v.unreachable(from_clients);
  }
  mend_later(dice);
  return true;
}

// Each member falls to one of two sides.
bool Faults::part_halves(Rng& dice) {
  c_.world.cover(kPartitions);
  const uint64_t sides = dice.next();
  c_.world.say("the members are parted in two");
  for (Server* a : c_.servers())
    for (Server* b : c_.servers())
      if (a != b && ((sides >> a->member() ^ sides >> b->member()) & 1) != 0) c_.network.cut(a->member(), b->member());
  mend_later(dice);
  return true;
}

// Any wire may be cut, each direction alone: bridges, rings, who hears but is not heard.
bool Faults::part_raggedly(Rng& dice) {
  c_.world.cover(kRagged);
  const double share = dice.chance(0.5) ? 0.3 : 0.6;
  std::string which;
  for (Server* a : c_.servers())
    for (Server* b : c_.servers())
      if (a != b && dice.chance(share)) {
        c_.network.cut(a->member(), b->member(), dice.chance(0.3));
        which += fmt::format(" {}->{}", a->member(), b->member());
      }
  c_.world.say("these wires are cut:" + which);
  mend_later(dice);
  return true;
}

// Cut off and back, again and again, never for long.
bool Faults::flap(Rng& dice, Server& v) {
  c_.world.cover(kFlapping);
  const int64_t period_us = dice.in(100'000, 900'000);
  const int times = static_cast<int>(dice.in(3, 6));
  c_.world.say(fmt::format("member {} is cut off and back {} times, each {} ms", v.member(), times, period_us / 1000));
  for (int i = 0; i < times; ++i) {
    c_.world.after(2 * i * period_us, [this, &v] {
      if (!over_) c_.network.cut_off(v.member(), true, true);
    });
    c_.world.after((2 * i + 1) * period_us, [this] { c_.network.mend_all(); });
  }
  return true;
}

bool Faults::disturb_wires(Rng& dice, Server& v) {
  bool any = false;
  for (Server* s : c_.servers()) {
    if (s == &v) continue;
    if (c_.plan.wire_breaks && dice.chance(0.4)) {
      any = true;
      c_.world.say(fmt::format("the connection from member {} to {} breaks", v.member(), s->member()));
      c_.network.break_wire(v.member(), s->member());
    }
    if (c_.plan.slow_wires && dice.chance(0.4)) {
      any = true;
      const int64_t us = dice.in(1'000, 250'000);
      c_.world.cover(kSlowWires);
      c_.world.say(fmt::format("what member {} sends to {} takes {} us longer", v.member(), s->member(), us));
      c_.network.slow(v.member(), s->member(), us);
      c_.world.after(dice.in(300'000, 3'000'000),
                     [this, from = v.member(), to = s->member()] { c_.network.slow(from, to, 0); });
    }
  }
  return any;
}

bool Faults::disturb_disk(Rng& dice, Server& v) {
  bool any = false;
  if (c_.plan.full_disks && dice.chance(0.3)) {
    any = true;
    v.fill_disk(dice.chance(0.5), dice.in(0, 3000));
    c_.world.after(dice.in(100'000, 3'000'000), [&v] { v.empty_disk(); });
  }
  if (c_.plan.slow_disk && dice.chance(0.4)) {
    any = true;
    v.slow_disk(dice.chance(0.6) ? dice.in(0, 60'000) : 0);
  }
  return any;
}

bool Faults::drift(Rng& dice, Server& v) {
  const double slowest = c_.plan.client_rate_min, fastest = c_.plan.server_rate;
  v.drift(dice.chance(0.4) ? fastest : slowest + (fastest - slowest) * static_cast<double>(dice.in(0, 100)) * 0.01);
  return true;
}

bool Faults::transfer(Rng& dice) {
  Server* leader = c_.leader();
  if (leader == nullptr) return false;
  const uint32_t to = c_.servers()[dice.below(c_.size())]->member();
  if (to == leader->member() || !leader->replica().transfer(to).ok()) return false;
  c_.world.cover(kTransfers);
  c_.world.say(fmt::format("member {} is asked to hand over to {}", leader->member(), to));
  return true;
}

}  // namespace cleat::sim
