#include "faults.hpp"

#include <fmt/format.h>

namespace cleat::sim {

void Faults::next() {
  World& w = c_.world;
  w.after(w.rng.chance(0.3) ? w.rng.in(50'000, 300'000) : w.rng.in(300'000, 3'000'000), [this] {
    if (over_) return;
    one();
    next();
  });
}

// The leader is the most interesting.
Server& Faults::victim() {
  Server* leader = c_.leader();
  if (leader != nullptr && c_.world.rng.chance(0.5)) return *leader;
  return *c_.servers()[static_cast<size_t>(c_.world.rng.next() % c_.size())];
}

void Faults::one() {
  Rng& rng = c_.world.rng;
  const Plan& plan = c_.plan;
  Server& v = victim();
  if (plan.snapshots && rng.chance(0.3)) victim().snapshot();
  if (plan.crashes && rng.chance(0.3)) return rng.chance(0.2) ? crash_many(rng.chance(0.5)) : crash(v);
  if (plan.partitions && rng.chance(0.35)) return rng.chance(0.3) ? part_halves() : part(v);
  if (plan.stalls && rng.chance(0.3)) return stall(v);
  if (plan.transfers && rng.chance(0.3)) return transfer();
  disturb_disk(v);
  disturb_wires(v);
}

void Faults::crash(Server& v) {
  Rng& rng = c_.world.rng;
  if (!v.up()) return;
  if (rng.chance(0.4)) {
    v.fail_next_sync();  // the power goes in the middle of the next write
    c_.world.after(rng.in(200'000, 800'000), [&v] {
      if (v.up() && v.failing()) v.crash(false);
    });
  } else if (rng.chance(0.6)) {
    v.crash(false);
  } else {
    v.kill();
  }
  if (c_.plan.snapshots && rng.chance(0.4)) return leave_behind(v);
  c_.restart_later(v, rng.chance(0.3) ? rng.in(1'000, 30'000) : rng.in(5'000, 4'000'000));
}

// Away for so long that the others' logs no longer reach back to it.
void Faults::leave_behind(Server& v) {
  const int64_t away_us = c_.world.rng.in(2'500'000, 6'000'000);
  for (int64_t us = 700'000; us < away_us; us += 1'100'000)
    c_.world.after(us, [this, &v] {
      for (Server* s : c_.servers())
        if (s != &v) s->snapshot();
    });
  c_.restart_later(v, away_us);
}

// The power goes for several at the same moment. Those with the newest entries may be the last to come back.
void Faults::crash_many(bool all) {
  Rng& rng = c_.world.rng;
  c_.world.cover(all ? kAllDown : kMajorityDown);
  const size_t spared = all ? 0 : c_.size() - c_.size() / 2 - 1;
  const size_t first = static_cast<size_t>(rng.next() % c_.size());
  for (size_t i = 0; i < c_.size() - spared; ++i) {
    Server& s = *c_.servers()[(first + i) % c_.size()];
    if (s.up()) s.crash(false);
    c_.restart_later(s, rng.chance(0.3) ? rng.in(2'000'000, 6'000'000) : rng.in(5'000, 1'000'000));
  }
}

void Faults::stall(Server& v) {
  Rng& rng = c_.world.rng;
  if (!v.up()) return;
  const bool is_long = rng.chance(0.4);
  const int64_t us = is_long ? rng.in(1'000'000, 6'000'000) : rng.in(60'000, 900'000);
  c_.world.cover(is_long ? kLongStalls : kStalls);
  c_.world.say(fmt::format("node {} stalls for {} ms", v.member(), us / 1000));
  if (rng.chance(0.3))
    v.stall_in_turn(us);
  else
    v.stall(us);
}

void Faults::mend_later() {
  Rng& rng = c_.world.rng;
  c_.world.after(rng.chance(0.4) ? rng.in(50'000, 1'500'000) : rng.in(1'500'000, 5'000'000), [this] {
    c_.network.mend_all();
    for (Server* s : c_.servers()) s->unreachable(false);
    c_.world.say("the wires are mended");
  });
}

void Faults::part(Server& v) {
  Rng& rng = c_.world.rng;
  if (rng.chance(0.4)) {
    c_.world.cover(kOneWay);
    const bool in = rng.chance(0.5), quiet = rng.chance(0.5);
    c_.world.say(fmt::format("node {} {}", v.member(), in ? "hears nobody" : "is heard by nobody"));
    for (Server* s : c_.servers()) {
      if (s == &v) continue;
      in ? c_.network.cut(s->member(), v.member(), quiet) : c_.network.cut(v.member(), s->member(), quiet);
    }
  } else {
    c_.world.cover(kPartitions);
    const bool from_clients = rng.chance(0.4);
    c_.world.say(fmt::format("node {} is cut off{}", v.member(), from_clients ? ", from clients too" : ""));
    c_.network.cut_off(v.member(), true, true);
    v.unreachable(from_clients);
  }
  mend_later();
}

// Each member falls to one of two sides; or two of them lose sight of one another.
void Faults::part_halves() {
  Rng& rng = c_.world.rng;
  c_.world.cover(kPartitions);
  const uint64_t sides = rng.next();
  c_.world.say("the members are parted");
  for (Server* a : c_.servers())
    for (Server* b : c_.servers())
      if (a != b && ((sides >> a->member() ^ sides >> b->member()) & 1) != 0) c_.network.cut(a->member(), b->member());
  mend_later();
}

void Faults::disturb_wires(Server& v) {
  Rng& rng = c_.world.rng;
  for (Server* s : c_.servers()) {
    if (s == &v) continue;
    if (c_.plan.wire_breaks && rng.chance(0.4)) c_.network.break_wire(v.member(), s->member());
    if (c_.plan.slow_wires && rng.chance(0.4)) {
      c_.world.cover(kSlowWires);
      c_.network.slow(v.member(), s->member(), rng.in(1'000, 250'000));
      c_.world.after(rng.in(300'000, 3'000'000),
                     [this, from = v.member(), to = s->member()] { c_.network.slow(from, to, 0); });
    }
  }
}

void Faults::disturb_disk(Server& v) {
  Rng& rng = c_.world.rng;
  if (c_.plan.full_disks && rng.chance(0.3)) {
    v.fill_disk(rng.chance(0.5));
    c_.world.after(rng.in(100'000, 3'000'000), [&v] { v.empty_disk(); });
  }
  if (c_.plan.slow_disk && rng.chance(0.4)) v.slow_disk(rng.chance(0.6) ? rng.in(0, 60'000) : 0);
}

void Faults::transfer() {
  Server* leader = c_.leader();
  if (leader == nullptr) return;
  const uint32_t to = c_.servers()[static_cast<size_t>(c_.world.rng.next() % c_.size())]->member();
  if (to == leader->member() || !leader->replica().transfer(to).ok()) return;
  c_.world.cover(kTransfers);
  c_.world.say(fmt::format("node {} is asked to hand over to {}", leader->member(), to));
}

}  // namespace cleat::sim
