"""What a fault is."""
import collections

# Where a campaign takes place (place.py), who locks there (clients.py), and what is frozen (freezer.py).
Scene = collections.namedtuple("Scene", "place clients freezers")


class Fault:
    """One fault at one target: a member, a client, or all members. From begin() to end(); tick() is called several times a second
    between them. evidence(): words that tell that it took hold, or None while nothing does; also asked after end()."""

    kind = ""
    reach = "member"  # or "leader", "client", "all"
    seconds = (2.5, 6.0)  # how long it lasts
    needs = frozenset()  # of "network", "disk", "freezer"
    mixes = True  # with another one at the same time

    def __init__(self, scene, target, choices):
        self.scene, self.place, self.target = scene, scene.place, target
        for name, value in choices.items():
            setattr(self, name, value)

    @staticmethod
    def draw(chance):
        """What else is chosen up front; becomes attributes."""
        return {}

    def begin(self):
        raise NotImplementedError

    def tick(self, elapsed_s):
        pass

    def end(self):
        raise NotImplementedError

    def evidence(self):
        raise NotImplementedError

    @property
    def levers(self):
        return self.place.levers[self.target.name]
