"""Clients that keep a cluster busy while something happens to it: none of them may see a failed command, lose a hold, or get a
fence twice, and never are two inside at once. Each retries for up to ten seconds (retrying.py; the command line by itself)."""
import itertools
import os
import random
import subprocess
import threading

from ledger import Fences
from node import CLEAT
from retrying import Retrying

SEED = os.environ.get("CLEAT_TEST_SEED") or str(random.randrange(1 << 32))
TTL_MS = 120_000


class Inside:
    """Who believes to hold what: entered with the answer of LOCK, left before UNLOCK is sent."""

    def __init__(self):
        self.holders = {}
        self.lock = threading.Lock()

    def enter(self, name, who):
        with self.lock:
            assert name not in self.holders, f"{name} was granted to {who} while {self.holders[name]} holds it"
            self.holders[name] = who

    def leave(self, name):
        with self.lock:
            del self.holders[name]


class Worker(threading.Thread):
    """Takes and lets go names of its own, some of which it goes on holding, and names that all want."""

    SHARED = [f"shared/{i}" for i in range(3)]

    def __init__(self, number, cluster, fences, inside, ending):
        super().__init__(daemon=True)
        self.number, self.fences, self.inside, self.ending = number, fences, inside, ending
        self.random = random.Random(f"{SEED}/{number}")
        self.by_token = number % 2 == 0
        self.client = Retrying(cluster.addresses, f"{SEED}/{number}", None if self.by_token else TTL_MS)
        self.requests = (f"{number}-{n}" for n in itertools.count())
        self.held = {}  # name -> (fence, token)
        self.done = 0
        self.failure = None

    def run(self):
        try:
            while not self.ending.is_set():
                self.turn()
            self.check()
        except BaseException as failure:  # noqa: BLE001
            self.failure = failure
        self.client.close()

    def turn(self):
        name = self.random.choice([*self.SHARED, *(f"own/{self.number}/{i}" for i in range(8))])
        if name in self.held:
            return self.let_go(name)
        if self.take(name) and name in self.SHARED:
            self.let_go(name)

    def take(self, name):
        request = next(self.requests)
        identity = ("TOKEN", request, "TTL", TTL_MS) if self.by_token else ("REQ", request)
        fence, _ = self.client.do("LOCK", name, "WAIT", 1000, *identity)
        if fence is None:
            assert name in self.SHARED, f"{name} belongs to {self.number} alone, and was refused to it"
            return False
        self.fences.new(fence, name, request)
        self.inside.enter(name, f"{self.number} with fence {fence}")
        self.held[name] = (fence, request)
        self.done += 1
        return True

    def let_go(self, name):
        fence, token = self.held.pop(name)
        self.inside.leave(name)
        if self.by_token:
            answer, maybe_done = self.client.do("UNLOCK", name, "TOKEN", token)
            assert answer == 0 or (answer is None and maybe_done), f"UNLOCK {name} with fence {fence} was answered {answer}"
        else:
            answer, _ = self.client.do("UNLOCK", name, "FENCE", fence, "REQ", next(self.requests))
            assert answer == 0, f"UNLOCK {name} with fence {fence} was answered {answer}"
        self.done += 1

    def check(self):
        """What was acknowledged and not let go is held."""
        for name, (fence, _) in self.held.items():
            live, _ = self.client.do("CHECK", name, "FENCE", fence)
            assert live == 1, f"{name} was granted with fence {fence}, and is lost"


class Scripts(threading.Thread):
    """`cleat lock`, `renew` and `unlock` in turn; none may fail."""

    def __init__(self, environment, ending):
        super().__init__(daemon=True)
        self.environment, self.ending = environment, ending
        self.done = 0
        self.failure = None

    def run(self):
        try:
            for number in itertools.count():
                if self.ending.is_set():
                    return
                token = ("--token", f"s{number}")
                for command in (("lock", "script", "--ttl", "60s", "--wait", "10s"), ("renew", "script", "--ttl", "60s"),
                                ("unlock", "script")):
                    ran = subprocess.run([CLEAT, *command, *token, "--timeout", "10s"], capture_output=True, text=True,
                                         env=self.environment, stdin=subprocess.DEVNULL)
                    assert ran.returncode == 0, f"{command} ended with {ran.returncode}: {ran.stderr}"
                    self.done += 1
        except BaseException as failure:  # noqa: BLE001
            self.failure = failure


def start_run(environment):
    """`cleat run` of a command that lives until its input ends; returns the process once the command began."""
    process = subprocess.Popen([CLEAT, "run", "job", "--ttl", "10s", "--", "sh", "-c", "echo $CLEAT_FENCE; exec cat"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment)
    return process, int(process.stdout.readline())


def check_run(cluster, running, fence):
    """The command of `cleat run` lived through it all, with its lock, and ends as it should."""
    assert running.poll() is None, running.stderr.read()
    with cluster.leader().connect() as connection:
        assert connection.do("CHECK", "job", "FENCE", fence) == 1
    _, errors = running.communicate("", timeout=20)
    assert running.returncode == 0, errors
    with cluster.leader().connect() as connection:
        assert connection.do("CHECK", "job", "FENCE", fence) == 0, "it was not let go"
    assert "can't be kept" not in errors


def end_all(clients):
    """Waits for clients that were told to end; raises what one of them failed with."""
    for client in clients:
        client.join(60)
        assert not client.is_alive(), "a client hangs"
        if client.failure:
            raise client.failure


class Load:
    """Runs them from its beginning to finish(), which fails if one of them failed."""

    def __init__(self, cluster, workers=6):
        print(f"seed {SEED}: repeat with CLEAT_TEST_SEED={SEED} (the timing of processes differs from run to run)")
        self.cluster = cluster
        self.fences, self.ending = Fences(), threading.Event()
        inside = Inside()
        environment = dict(os.environ, CLEAT_SERVER=cluster.urls)
        self.running, self.fence = start_run(environment)
        self.workers = [Worker(number, cluster, self.fences, inside, self.ending) for number in range(workers)]
        self.clients = [*self.workers, Scripts(environment, self.ending)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.running.kill()

    @property
    def done(self):
        return sum(client.done for client in self.clients)

    @property
    def slowest(self):
        """Seconds that the slowest command took, its repetitions included."""
        return max(worker.client.slowest for worker in self.workers)

    def failed(self):
        return next((client.failure for client in self.clients if client.failure), None)

    def finish(self):
        self.ending.set()
        end_all(self.clients)
        check_run(self.cluster, self.running, self.fence)
        repeats = sum(worker.client.repeated for worker in self.workers)
        return (f"{self.done} changes, {len(self.fences.granted)} fences, {repeats} repeats, "
                f"slowest command {self.slowest:.2f} s")
