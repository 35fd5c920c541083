"""Processes that are killed, or stand still for longer than the TTL: members and clients."""
import pathlib
import signal

from fault import Fault


class Kill(Fault):
    kind = "kill"
    seconds = (0.2, 5.0)

    def begin(self):
        self.killed = self.target.process
        self.target.kill()

    def end(self):
        self.target.launch().wait_ready()

    def evidence(self):
        return "ended by signal 9" if self.killed.returncode == -signal.SIGKILL else None


class Pause(Fault):
    """SIGSTOP: its connections stay, and it says nothing."""

    kind = "pause"

    def begin(self):
        self.place.stop(self.target)

    def end(self):
        self.place.resume(self.target)

    def evidence(self):
        state = pathlib.Path(f"/proc/{self.target.process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return "stopped" if state == "T" else None


class Freeze(Fault):
    """As a machine that is moved, or a debugger: it does not even learn of it."""

    kind = "freeze"
    needs = frozenset({"freezer"})

    def begin(self):
        self.place.stopped.add(self.target)
        self.freezer = self.scene.freezers.make()
        self.freezer.freeze(self.target.process.pid)

    def end(self):
        self.scene.freezers.remove(self.freezer)
        self.freezer = None
        self.place.stopped.discard(self.target)

    def evidence(self):
        return "frozen" if self.freezer and self.freezer.frozen() else None


class KillClient(Kill):
    kind = "client kill"
    reach = "client"


class PauseClient(Pause):
    kind = "client pause"
    reach = "client"


class FreezeClient(Freeze):
    kind = "client freeze"
    reach = "client"


ALL = [Kill, Pause, Freeze, KillClient, PauseClient, FreezeClient]
