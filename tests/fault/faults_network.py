"""Members that lose each other, or their clients: packets dropped at their machines, counted by the rule that drops them."""
import itertools

import slow_wire
from fault import Fault

NUMBERS = itertools.count(1)


class NetworkFault(Fault):
    """lay() sets the rules."""

    needs = frozenset({"network"})
    verb = "dropped"

    def begin(self):
        self.cuts = f"fault{next(NUMBERS)}"
        self.met = 0
        self.network.begin_cuts(self.cuts)
        self.lay()

    def end(self):
        self.count()
        self.network.end_cuts(self.cuts)
        self.cuts = None

    def evidence(self):
        self.count()
        return f"{self.met} packets {self.verb}" if self.met else None

    def count(self):
        if self.cuts:
            self.met = max(self.met, self.network.packets_met(self.cuts))

    @property
    def network(self):
        return self.place.network

    @property
    def others(self):
        return [node.name for node in self.place.others(self.target)]


class Partition(NetworkFault):
    """A member that nobody reaches."""

    kind = "partition"

    def lay(self):
        self.network.cut_off(self.target.name, [*self.others, "outside"], self.cuts)


class Isolated(NetworkFault):
    """A leader that reaches no member, while its clients reach it."""

    kind = "leader isolated"
    reach = "leader"

    def lay(self):
        self.network.cut_off(self.target.name, self.others, self.cuts)


class OneWay(NetworkFault):
    """unheard: nothing of what it sends arrives. deaf: nothing arrives at it."""

    kind = "one-way partition"

    @staticmethod
    def draw(chance):
        return {"how": chance.choice(["unheard", "deaf"])}

    def lay(self):
        for other in [*self.others, "outside"]:
            pair = (self.target.name, other) if self.how == "unheard" else (other, self.target.name)
            self.network.cut(*pair, self.cuts)


class HalfOpen(NetworkFault):
    """It hears the others, and what it says by connections of its own is lost."""

    kind = "half-open"

    def lay(self):
        for other in self.others:
            self.network.mute(self.target.name, other, self.cuts)


class Flapping(NetworkFault):
    """Wires that come and go."""

    kind = "flapping"

    @staticmethod
    def draw(chance):
        return {"periods_s": [round(chance.uniform(0.05, 0.8), 2) for _ in range(8)], "both": chance.random() < 0.5}

    def begin(self):
        self.turns = itertools.accumulate(itertools.cycle(self.periods_s))
        self.next_turn_s, self.down, self.before = next(self.turns), True, 0
        super().begin()

    def lay(self):
        for other in self.others:
            (self.network.cut_both if self.both else self.network.cut)(self.target.name, other, self.cuts)

    def tick(self, elapsed_s):
        if elapsed_s < self.next_turn_s:
            return
        self.next_turn_s = next(self.turns)
        self.down = not self.down
        if self.down:
            self.lay()
        else:
            self.count()
            self.before = self.met  # a rule that is laid anew counts from 0
            self.network.mend(self.cuts)

    def count(self):
        if self.cuts and self.down:
            self.met = max(self.met, self.before + self.network.packets_met(self.cuts))


class Loss(NetworkFault):
    kind = "packet loss"

    @staticmethod
    def draw(chance):
        return {"percent": chance.choice([2, 10, 30])}

    def lay(self):
        chosen = f"numgen random mod 100 < {self.percent}"
        self.network.drop(self.target.name, f'iifname "wire" {chosen}', self.cuts)
        for other in [*self.others, "outside"]:
            self.network.drop(other, f"ip saddr {self.network.addresses[self.target.name]} {chosen}", self.cuts)


class Reset(NetworkFault):
    """All its connections break at once, and none can be made."""

    kind = "connections reset"
    seconds = (0.2, 1.5)
    verb = "answered by a reset"

    def lay(self):
        self.network.drop(self.target.name, 'iifname "wire" meta l4proto tcp', self.cuts, verdict="reject with tcp reset")


class Delay(Fault):
    """What it sends and gets comes late, and not always in order."""

    kind = "packet delay"
    needs = frozenset({"network"})

    @staticmethod
    def draw(chance):
        return {"ms": chance.choice([5, 20, 80]), "jitter_ms": chance.choice([0, 10, 40])}

    def begin(self):
        self.wire = slow_wire.SlowWire(self.place.network, self.target.name, self.ms, self.jitter_ms).plug_in()

    def end(self):
        self.wire.unplug()

    def evidence(self):
        late = f"{self.ms} to {self.ms + self.jitter_ms}" if self.jitter_ms else self.ms
        return f"{self.wire.delayed} packets came {late} ms late" if self.wire.delayed else None


ALL = [Partition, Isolated, OneWay, HalfOpen, Flapping, Loss, Reset, Delay]
