"""What operators do to a cluster while it is used, and what befalls all of it."""
import shutil
import subprocess

from cluster import status
from fault import Fault
from node import wait_until


class RestartOfAll(Fault):
    kind = "restart of all"
    reach = "all"
    mixes = False
    seconds = (0.1, 3.0)

    @staticmethod
    def draw(chance):
        return {"how": chance.choice(["kill", "stop"])}

    def begin(self):
        nodes = self.place.members.values()
        self.ended = [node.process for node in nodes]
        for node in nodes:
            node.kill() if self.how == "kill" else node.process.terminate()
        for process in self.ended:
            process.wait(20)

    def end(self):
        for node in self.place.members.values():
            node.launch()
        for node in self.place.members.values():
            node.wait_ready()

    def evidence(self):
        return f"{len(self.ended)} processes ended" if all(p.returncode is not None for p in self.ended) else None


class RollingRestart(Fault):
    """One after the other, each stopped with SIGTERM when all serve."""

    kind = "rolling restart"
    reach = "all"
    mixes = False
    seconds = (0.1, 0.1)
    restarted = 0

    def begin(self):
        for node in list(self.place.members.values()):
            assert node.stop() == 0, f"{node.name} did not stop as it should"
            node.launch().wait_ready()
            self.place.heal()
            self.restarted += 1

    def end(self):
        pass

    def evidence(self):
        return f"{self.restarted} members restarted" if self.restarted == len(self.place.members) else None


class Transfer(Fault):
    """The lead is moved by hand, and back."""

    kind = "leader transfer"
    reach = "leader"
    mixes = False
    seconds = (0.5, 2.0)
    moved = 0

    def begin(self):
        self.move()

    def end(self):
        self.move()

    def move(self):
        before = self.place.wait_one_leader()
        wait_until(lambda: self.place.run("transfer").returncode == 0, 20, "the leader to be transferred")
        self.moved += self.place.wait_one_leader() is not before

    def evidence(self):
        return f"{self.moved} times another member led" if self.moved else None


class Replace(Fault):
    """A member is lost with its disk, taken out of the cluster, and joins anew with nothing: as a new member of the old name."""

    kind = "member replaced"
    mixes = False
    seconds = (1.0, 4.0)
    now = None

    def begin(self):
        self.name = self.target.name
        self.was = self.id_now()
        self.target.kill()
        self.insist("remove", self.name)
        shutil.rmtree(self.target.data)

    def end(self):
        self.place.start_joining(self.name)
        self.insist("add", f"{self.name}={self.place.peers[self.name]}")
        self.now = self.id_now()

    def insist(self, *words):
        """Again while there is no leader, or when it takes long: an interrupted change goes on."""

        def done():
            try:
                return self.place.run(*words).returncode == 0
            except subprocess.TimeoutExpired:
                return False

        wait_until(done, 180, " ".join(words))

    def id_now(self):
        return status(self.place.wait_one_leader())["members"][self.name]["id"]

    def evidence(self):
        return f"member {self.was} became {self.now}" if self.now and self.now > self.was else None


ALL = [RestartOfAll, RollingRestart, Transfer, Replace]
