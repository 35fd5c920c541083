"""Many clients at once: the driver of crowds, a client that notices when others are disturbed, and the table of what was seen."""
import json
import resource
import subprocess
import sys
import threading
import time

from nodes import ROOT

DRIVER = ROOT / "build" / "crowd_driver"
OWN_FILES = 200  # of a process beside its connections
MIB = 2**20


def most_connections(wanted):
    """Of one process: the limit of open files may be lower."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - OWN_FILES)


def allow_files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Crowd:
    """Clients of a crowd_driver; see its head for the options. Ends with the `with` block."""

    def __init__(self, ports, clients, *options):
        self.clients = clients
        command = [str(DRIVER), "--servers", ",".join(f"127.0.0.1:{port}" for port in ports), "--clients", str(clients), *map(str, options)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def look(self):
        self.say("look")
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"crowd_driver ended with {self.process.wait()}")
        return json.loads(line)

    def mark(self):
        self.say("mark")

    def all_served(self, seconds=120, meanwhile=lambda: None):
        """Waits until each was served on its connection; returns the seconds that took, or None."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            if self.look()["served"] == self.clients:
                return time.monotonic() - begin
            meanwhile()
            time.sleep(0.02)
        return None


class Bystander(threading.Thread):
    """Locks and unlocks a name of its own all the time, and remembers its slowest pair."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.node, self.slowest, self.pairs, self.failure = node, 0.0, 0, None
        self.ending = threading.Event()

    def run(self):
        try:
            wire = self.node.wire(60)
            while not self.ending.wait(0.002):
                begin = time.monotonic()
                fence = wire.ask("LOCK", "bystander")
                wire.ask("UNLOCK", "bystander", "FENCE", fence)
                self.slowest = max(self.slowest, time.monotonic() - begin)
                self.pairs += 1
        except (OSError, RuntimeError) as failure:
            self.failure = failure

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join(90)


class Report:
    """Lines of what was seen, each with what it is held to."""

    def __init__(self):
        self.rows, self.broken = [], []

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def add(self, part, what, seen, bound=None, good=True):
        self.rows.append(f"| {part} | {what} | {seen} | {bound or ''} | {'yes' if good else '**no**'} |")
        if not good:
            self.broken.append(f"{part}: {what}")
        self.say(f"{part}: {what}: {seen}" + (f" (held to {bound})" if bound else "") + ("" if good else "  BROKEN"))

    def most(self, part, what, seen, bound, unit, digits=0):
        self.add(part, what, f"{seen:,.{digits}f} {unit}", f"at most {bound:,.{digits}f}", seen <= bound)

    def none(self, part, what, seen):
        self.add(part, what, f"{seen:,}", "none", seen == 0)

    def bystander(self, part, one, bound=2.0):
        self.add(part, "slowest pair of a bystander", f"{one.slowest * 1000:,.0f} ms of {one.pairs:,} pairs" + (f", {one.failure!r}" if one.failure else ""),
                 f"{bound * 1000:,.0f} ms", one.failure is None and one.pairs > 0 and one.slowest <= bound)

    def longest_turn(self, part, node):
        """For how long a node looked at no client, since its start."""
        self.add(part, "longest turn of the node's loop; without the turn's own sync",
                 f"{node.info('longest_turn_us') / 1000:,.0f} ms; {node.info('longest_turn_unsynced_us') / 1000:,.0f} ms")

    def finish(self):
        """The table; whether all bounds held."""
        print("\n| part | what | seen | bound | good |\n|---|---|---|---|---|\n" + "\n".join(self.rows))
        print(f"\nVerdict: {'all bounds held' if not self.broken else 'broken: ' + '; '.join(self.broken)}.", flush=True)
        return not self.broken
