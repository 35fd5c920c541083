"""The leader is killed with -9 or stopped under load, again and again: no acknowledged lock is lost, no fence repeats, nobody is inside
with another, and clients that retry for up to ten seconds see no failed command."""
import itertools
import os
import random
import subprocess
import threading
import time

import pytest

from ledger import Fences
from node import CLEAT, wait_until
from retrying import Retrying

KILLS = int(os.environ.get("CLEAT_TEST_FAILOVERS", "8"))
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


def fail_over(cluster, how, chance, pause):
    """Kills or stops the leader, waits for another, and brings the first one back. Returns how long there was none."""
    leader = wait_until(cluster.leader, 30, "a leader")
    if how == "killed":
        leader.kill()
    else:
        cluster.stop(leader)
    lost = time.monotonic()
    wait_until(cluster.leader, 10, "another leader")
    vacancy = time.monotonic() - lost
    if how == "killed":
        pause.wait(chance.uniform(0, 1.0))
        leader.launch().wait_ready()
    else:
        pause.wait(chance.choice((0.5, 6.0)))  # or longer than its clients wait for an answer
        cluster.resume(leader)
    cluster.wait_ready()
    pause.wait(chance.uniform(0.2, 1.0))
    return vacancy


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_leader_lost_under_load(cluster, how):
    print(f"seed {SEED}: repeat with CLEAT_TEST_SEED={SEED} (the timing of processes differs from run to run)")
    chance = random.Random(SEED)
    fences, inside, ending, pause = Fences(), Inside(), threading.Event(), threading.Event()
    environment = dict(os.environ, CLEAT_SERVER=cluster.urls)
    running, fence = start_run(environment)
    try:
        workers = [Worker(number, cluster, fences, inside, ending) for number in range(6)]
        clients = [*workers, Scripts(environment, ending)]
        for client in clients:
            client.start()
        vacancies = [fail_over(cluster, how, chance, pause) for _ in range(KILLS)]
        ending.set()
        for client in clients:
            client.join(60)
            assert not client.is_alive(), "a client hangs"
            if client.failure:
                raise client.failure
        check_run(cluster, running, fence)
    finally:
        ending.set()
        running.kill()
    done = sum(client.done for client in clients)
    print(f"{KILLS} leaders {how}, {done} changes, {len(fences.granted)} fences, "
          f"{sum(w.client.repeated for w in workers)} repeats, longest vacancy {max(vacancies):.2f} s, "
          f"slowest command {max(w.client.slowest for w in workers):.2f} s")
    assert done > KILLS * 50, f"only {done} changes were acknowledged"


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
