"""Part of bench/endurance: an hour of load on three members, of which one after the other is killed, stopped or restarted."""
import os
import random
import signal
import statistics
import threading
import time

from crowd import Crowd, most_connections
from long_runs import SLACK, bounded, held_to, sample
from nodes import ThreeMembers, Wire, wait_for

BUSY, NAMES = 500, 20  # clients that want names in turn, the names: mostly some of them wait
IDLE = 4_000  # clients that keep a session and a lock
BETWEEN_SECONDS = (10, 25)  # two faults
AWAY_SECONDS = (0.5, 8)  # a member
LONGEST_WAIT_SECONDS = 60  # for a lock of 5 ms behind some others, with all that happens meanwhile


class Faults(threading.Thread):
    """One at a time, from a seed; between two of them all members are there."""

    def __init__(self, members, seed, report):
        super().__init__(daemon=True)
        self.members, self.random, self.report = members, random.Random(seed), report
        self.ending, self.done, self.away, self.failure = threading.Event(), {}, None, None

    def run(self):
        try:
            while not self.ending.wait(self.random.uniform(*BETWEEN_SECONDS)):
                self.one()
        except BaseException as failure:  # noqa: BLE001
            self.failure = failure

    def one(self):
        what = self.random.choice(["kill", "stop", "restart"])
        leader = self.members.leader()
        node = leader if self.random.random() < 0.6 else self.random.choice([n for n in self.members.nodes if n is not leader])
        seconds = self.random.uniform(*AWAY_SECONDS)
        kind = {"kill": "killed with -9", "stop": "stopped", "restart": "restarted"}[what]
        kind += ": the leader" if node is leader else ": a follower"
        self.done[kind] = self.done.get(kind, 0) + 1
        self.away = node
        if what == "stop":
            node.process.send_signal(signal.SIGSTOP)
            self.ending.wait(seconds)
            node.process.send_signal(signal.SIGCONT)
        else:
            node.stop(kill=what == "kill")
            self.ending.wait(seconds if what == "kill" else 0)
            node.start_again()
        wait_for("all members to be there again", lambda: all(serves(n) for n in self.members.nodes))
        self.away = None

    def stop(self):
        self.ending.set()
        self.join(120)


def serves(node):
    try:
        return node.wire(2).ask("LOCKS", "COUNT", "1") is not None
    except (OSError, RuntimeError):
        return False


class QueueWatch(threading.Thread):
    """Looks at the queues of the shared names: nobody who came later may be before who came earlier. As no request is given up, those
    who left a queue since the last look were the first of it, and those who came are behind all that are left."""

    def __init__(self, members):
        super().__init__(daemon=True)
        self.members, self.ending = members, threading.Event()
        self.last, self.looks, self.waiters, self.wrong, self.failure = {}, 0, 0, [], None
        self.wire = None

    def run(self):
        try:
            while not self.ending.wait(0.02):
                self.look(f"shared/{self.looks % NAMES}")
        except BaseException as failure:  # noqa: BLE001
            self.failure = failure

    def ask(self, *words):
        """A read that needs the leader, of any member that answers; None: not now."""
        try:
            self.wire = self.wire or Wire(self.members.nodes[self.looks % 3].port, 3)
            return self.wire.ask(*words)
        except (OSError, RuntimeError):
            self.wire = None
            return None

    def look(self, name):
        self.looks += 1
        shown = self.ask("SHOW", name, "COUNT", "1000")
        if shown is None:
            return
        shown = dict(zip(shown[::2], shown[1::2]))
        waiters = [dict(zip(w[::2], w[1::2])) for w in shown["waiters"]]
        queue = [(w["session"], w["owner"]) for w in waiters]
        before = self.last.get(name, [])
        left = set(queue) & set(before)
        if queue[:len(left)] != before[len(before) - len(left):]:
            self.wrong.append((name, before, queue))
        self.last[name] = queue
        self.waiters += len(queue)

    def stop(self):
        self.ending.set()
        self.join(30)


def sample_of(node):
    """None while it is away. Of the descriptors only those that no client has: clients move from member to member."""
    try:
        found = sample(node)
        found["descriptors"] -= node.info("connected_clients")
        return found
    except (OSError, RuntimeError, AttributeError):
        return None


def watch(members, seconds, crowds, faults, samples, report):
    begin = last = time.monotonic()
    while (passed := time.monotonic() - begin) < seconds:
        time.sleep(max(min(seconds / 120, 30), 0.5))
        for node in members.nodes:
            if node is not faults.away and (found := sample_of(node)):
                samples[node.name_].append(found)
        if time.monotonic() - last >= 60:
            last = time.monotonic()
            busy = crowds[0].look()
            report.say(f"hour: minute {passed / 60:.0f} of {seconds / 60:.0f}: {busy['grants']:,} grants, longest wait {busy['wait']['max_ms'] / 1000:.2f} s, "
                       f"{sum(faults.done.values())} faults, {busy['breaks']} connections broken, load average {os.getloadavg()[0]:.1f}")


def members_stay_bounded(report, samples):
    for name, own in samples.items():
        third = len(own) // 3
        for what in SLACK:
            highest = ", ".join(f"{max(s[what] for s in part):,.0f}" for part in (own[:third], own[third:2 * third], own[2 * third:]))
            label = "descriptors beside clients" if what == "descriptors" else what
            report.add("hour", f"{name}: {label}: first; highest of each third", f"{own[0][what]:,.0f}; {highest}",
                       held_to(what), bounded(own, what))


def clients_were_served(report, busy, idle, queues):
    report.add("hour", "grants of shared names", f"{busy['grants']:,}", "some", busy["grants"] > 0)
    report.most("hour", "longest wait for a lock", busy["wait"]["max_ms"] / 1000, LONGEST_WAIT_SECONDS, "s", 2)
    report.add("hour", "waits for a lock", f"p50 {busy['wait']['p50_ms']:.0f} ms, p99 {busy['wait']['p99_ms']:.0f} ms")
    report.most("hour", "longest that a client was without service", max(c["back"]["max_ms"] for c in (busy, idle)) / 1000, LONGEST_WAIT_SECONDS, "s", 2)
    report.add("hour", "grants of a client: fewest, most", f"{busy['fewest_grants']:,}, {busy['most_grants']:,}", "fewest at least half of most",
               2 * busy["fewest_grants"] >= busy["most_grants"])
    for key, what in (("timed_out", "waits given up after 120 s"), ("sessions_lost", "sessions lost"), ("holds_lost", "locks lost"),
                      ("broken", "two inside, or an old fence"), ("refused", "requests refused")):
        report.none("hour", what, busy[key] + idle[key])
    for refusal in filter(None, (busy["refusal"], idle["refusal"])):
        report.say(f"hour: refused: {refusal}")
    report.add("hour", "looks at a queue; waiters seen in it, mean", f"{queues.looks:,}; {queues.waiters / max(1, queues.looks):.1f}")
    report.none("hour", "queues whose order changed", len(queues.wrong))


def hour(options, report):
    members, seconds = ThreeMembers(options.dir / "cluster").start(), options.minutes * 60
    samples = {node.name_: [] for node in members.nodes}
    ports = [n.port for n in members.nodes]
    faults, queues = Faults(members, options.seed, report), QueueWatch(members)
    try:
        with Crowd(ports, BUSY, "--names", NAMES, "--think-ms", 150, "--hold-ms", 5, "--patience-ms", 3000) as first, \
                Crowd(ports, most_connections(IDLE), "--think-ms", 15_000, "--patience-ms", 3000) as second:
            if first.all_served() is None or second.all_served() is None:
                raise RuntimeError("not all clients were served at the start")
            first.mark(), second.mark(), faults.start(), queues.start()
            watch(members, seconds, (first, second), faults, samples, report)
            faults.stop(), queues.stop()
            report.add("hour", "faults", "; ".join(f"{kind} {n}" for kind, n in sorted(faults.done.items())), "some", bool(faults.done))
            clients_were_served(report, first.look(), second.look(), queues)
            for thread in (faults, queues):
                if thread.failure:
                    report.add("hour", f"{type(thread).__name__} went on to the end", repr(thread.failure), "yes", False)
        members_stay_bounded(report, samples)
        commits = statistics.median(n.info("commit") for n in members.nodes)
        report.add("hour", "entries in the log at the end", f"{commits:,.0f}")
    finally:
        faults.ending.set()
        members.remove()
