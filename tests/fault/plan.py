"""What will happen when, drawn up front from a seed: the same seed gives the same plan."""
import dataclasses
import random
WARM_UP_S = 5.0
QUIET_S = (1.5, 4.0)  # between two faults
TWO_AT_ONCE = 0.3


@dataclasses.dataclass
class Step:
    """One fault. Those with the same `at_s` begin together."""

    at_s: float
    seconds: float
    kind: str
    who: str
    choices: dict


def draw(seed, seconds, kinds, members, clients):
    """kinds: of faults. members, clients: their names."""
    chance = random.Random(f"plan {seed}")
    deck = dealt(chance, kinds)
    steps, at_s = [], WARM_UP_S
    while True:
        drawn = [next(deck)]
        others = [kind for kind in kinds if kind.mixes and kind is not drawn[0]]
        if drawn[0].mixes and others and chance.random() < TWO_AT_ONCE:
            drawn.append(chance.choice(others))
        made = [step(chance, at_s, kind, members, clients) for kind in drawn]
        lasts_s = max(each.seconds for each in made)
        if at_s + lasts_s > seconds and steps:
            return steps
        steps += made
        at_s += lasts_s + chance.uniform(*QUIET_S)


def dealt(chance, kinds):
    """All of them in some order, then all in another one, and so on: none is left out for long."""
    while True:
        yield from chance.sample(kinds, len(kinds))


def step(chance, at_s, kind, members, clients):
    if kind.reach == "client":
        who = chance.choice(clients)
    elif kind.reach == "leader":
        who = "leader"
    elif kind.reach == "all":
        who = "all"
    else:
        who = chance.choice(["leader", "leader", "follower", chance.choice(members)])
    return Step(round(at_s, 2), round(chance.uniform(*kind.seconds), 2), kind.kind, who, kind.draw(chance))
