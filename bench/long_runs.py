"""The parts of bench/cluster that need a large state or much time: a member that joins under load, and an hour of load."""
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

from driver import driver, driver_process, finish
from nodes import ROOT, Member, ThreeMembers, free_port, wait_for

LOCKS = [100, 10_000]  # connections, locks of each: a million
JOIN_SECONDS = 300  # the most that a member may take to join


class Joiner(Member):
    def __init__(self, folder, name, member):
        super().__init__(folder, name, "")
        self.address = f"127.0.0.1:{free_port()}"
        self.flags = ("--name", name, "--join", member, "--peer-listen", self.address)

    def add(self, leader):
        """From the command that adds it until it has all that the leader had when it asked, and a vote."""
        begin = time.monotonic()
        subprocess.run([str(ROOT / "build/cleat"), "cluster", "add", f"{self.name_}={self.address}", "--server",
                        f"127.0.0.1:{leader.port}"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        commit = leader.info("commit")
        wait_for("the new member", lambda: self.info("applied") >= commit, JOIN_SECONDS)
        return time.monotonic() - begin


def slowest_ms(result):
    return max(result[kind]["max_us"] for kind in ("take", "release")) / 1000


def join(options):
    """A million locks are held; 50 connections go on with pairs while a fourth member joins by a snapshot, and while none does."""
    members = ThreeMembers(options.dir / "cluster").start()
    load = ["--connections", 50, "--seconds", max(options.seconds, 5), "--warmup", 0]
    plain, joined, times = [], [], []
    try:
        leader = members.leader()
        driver(leader, "--connections", LOCKS[0], "--fill", LOCKS[1], "--pipeline", 500, "--token")
        for n in range(options.rounds):
            plain.append(driver(leader, *load))
            newcomer = Joiner(options.dir / "cluster" / f"new{n}", f"new{n}", members.addresses[members.nodes.index(leader)])
            newcomer.launch()
            joining = threading.Thread(target=lambda: times.append(newcomer.add(leader)))
            joining.start()
            while joining.is_alive():
                joined.append(driver(leader, *load))
            joining.join()
            assert newcomer.info("snapshots_installed") > 0, "it came without a snapshot"
            subprocess.run([str(ROOT / "build/cleat"), "cluster", "remove", newcomer.name_, "--server", f"127.0.0.1:{leader.port}"],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            newcomer.remove()
    finally:
        members.remove()

    def line(rounds):
        worst = [slowest_ms(r) for r in rounds]
        return (f"slowest request {statistics.median(worst):.1f} ms (rounds {min(worst):.1f} to {max(worst):.1f}), p99 "
                f"{statistics.median(r['take']['p99_us'] for r in rounds) / 1000:.2f} ms, "
                f"{statistics.median(r['pairs_per_s'] for r in rounds):,.0f} pairs/s")
    print(f"\nA million locks, 50 connections: {line(plain)}. The same while a fourth member joined by a snapshot, which took "
          f"{statistics.median(times):.1f} s: {line(joined)}.", flush=True)


def folder_bytes(folder):
    total = 0
    for path in pathlib.Path(folder).rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # an old file of the log
            pass
    return total


def sample(node):
    return {"RSS MiB": node.rss_bytes() / 2**20, "data MiB": folder_bytes(node.folder / "data") / 2**20,
            "log MiB": node.info("log_bytes") / 2**20, "descriptors": len(os.listdir(f"/proc/{node.process.pid}/fd"))}


SLACK = {"RSS MiB": 16, "data MiB": 64, "log MiB": 16, "descriptors": 8}
# The log goes up and down with snapshots, so its thirds tell nothing. It has what came since the snapshot before the last: at most twice
# snapshot-log-bytes, and what comes while a snapshot is written.
MOST_LOG_MIB = 2 * 64 + SLACK["log MiB"]


def held_to(what):
    return f"at most {MOST_LOG_MIB} at any time" if what == "log MiB" else f"the last at most the middle one + 10% + {SLACK[what]}"


def bounded(samples, what):
    """What still grows shows in the last third of the time against the middle one."""
    if what == "log MiB":
        return max(s[what] for s in samples) <= MOST_LOG_MIB
    third = len(samples) // 3
    middle = max(s[what] for s in samples[third:2 * third])
    return max(s[what] for s in samples[2 * third:]) <= middle * 1.1 + SLACK[what]


def hour(options):
    """Pairs of 50 connections at the leader and 10 waiters of one name at a follower, for --minutes."""
    members = ThreeMembers(options.dir / "cluster").start()
    seconds, samples = options.minutes * 60, {node.name_: [] for node in members.nodes}
    loads = []
    try:
        leader = members.leader()
        follower = next(n for n in members.nodes if n is not leader)
        loads = [driver_process(leader, "--connections", 50, "--seconds", seconds, "--warmup", 0),
                 driver_process(follower, "--connections", 10, "--one-name", "--seconds", seconds, "--warmup", 0)]
        begin = time.monotonic()
        while time.monotonic() - begin < seconds - seconds / 60:
            time.sleep(max(seconds / 60, 0.5))
            for node in members.nodes:
                samples[node.name_].append(sample(node))
        results = [finish(load) for load in loads]
        snapshots = leader.info("snapshot_index")
    finally:
        for load in loads:
            load.kill()
        members.remove()
    print(f"\n{options.minutes:g} minutes of load: {results[0]['commands'] / 2:,.0f} pairs at the leader and {results[1]['commands'] / 2:,.0f} "
          f"hand-offs at a follower; the last snapshot is of entry {snapshots:,}.\n\n| member | " + " | ".join(
              f"{what}: first, highest of each third" for what in SLACK) + " | bounded |\n|---|" + "---|" * (len(SLACK) + 1))
    good = True
    for node in members.nodes:
        own = samples[node.name_]
        third = len(own) // 3
        cells = [", ".join(f"{v:,.0f}" for v in (own[0][what], *(max(s[what] for s in own[i * third:(i + 1) * third or None])
                                                                 for i in range(3)))) for what in SLACK]
        verdict = [what for what in SLACK if not bounded(own, what)]
        good = good and not verdict
        role = " (leader)" if node is leader else ""
        print(f"| {node.name_}{role} | " + " | ".join(cells) + f" | {'yes' if not verdict else 'no: ' + ', '.join(verdict)} |", flush=True)
    if not good:
        sys.exit("something still grew in the last third of the time")
