"""Three etcd members beside three of Cleat: the server and its Go client are built from the modules that bench/etcd/go.mod names."""
import json
import os
import statistics
import subprocess
import urllib.error
import urllib.request

from driver import driver, median
from nodes import ROOT, Server, ThreeMembers, free_port, wait_for

BUILT = ROOT / "build" / "bench-etcd"


def build():
    """Needs Go 1.26 or newer."""
    environment = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-mod=readonly")
    for name, package in (("etcd", "go.etcd.io/etcd/server/v3"), ("load", ".")):
        subprocess.run(["go", "build", "-o", str(BUILT / name), package], cwd=ROOT / "bench" / "etcd", env=environment, check=True)


class Member(Server):
    def __init__(self, folder, name, peers):
        super().__init__(folder)
        self.port, self.peers, self.name = free_port(), peers, name

    def launch(self):
        client, peer = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{self.peers[self.name]}"
        cluster = ",".join(f"{n}=http://127.0.0.1:{p}" for n, p in self.peers.items())
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen(
                [str(BUILT / "etcd"), "--name", self.name, "--data-dir", str(self.folder / "data"), "--listen-client-urls", client,
                 "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", cluster, "--log-level", "warn"], stdout=log, stderr=subprocess.STDOUT)

    def leads(self):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/v3/maintenance/status", data=b"{}")
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                status = json.load(answer)
        except (OSError, urllib.error.URLError):
            return False
        return status.get("leader") == status["header"]["member_id"]


class Etcd:
    def __init__(self, folder):
        peers = {name: free_port() for name in "abc"}
        self.nodes = [Member(folder / name, name, peers) for name in peers]

    def start(self):
        for node in self.nodes:
            node.launch()
        self.leader = wait_for("etcd's leader", lambda: next((n for n in self.nodes if n.leads()), None))
        return self

    def load(self, connections, seconds, *more):
        command = [str(BUILT / "load"), "-endpoints", f"127.0.0.1:{self.leader.port}", "-connections", str(connections), "-seconds",
                   str(seconds), *more]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    def remove(self):
        for node in self.nodes:
            node.remove()


def etcd(options):
    """Its Mutex, as its own Go client has it, beside LOCK and UNLOCK by token, both asked of their leaders."""
    build()
    members, peer = ThreeMembers(options.dir / "cluster").start(), Etcd(options.dir / "etcd").start()
    try:
        print("\n| what | etcd | Cleat | ratio (lowest to highest) | etcd p50 / p99 us | Cleat p50 / p99 us |\n|---|---|---|---|---|---|")
        for what, connections, theirs, ours in (("pairs/s, 1 client", 1, (), ()), ("pairs/s, 50 clients", 50, (), ()),
                                                ("hand-offs/s of one name, 50 waiters", 50, ("-one-name",), ("--one-name",))):
            rounds = {"etcd": [], "cleat": []}
            for _ in range(options.rounds):
                rounds["etcd"].append(peer.load(connections, options.seconds, *theirs))
                rounds["cleat"].append(driver(members.leader(), "--connections", connections, "--pipeline", 1, "--seconds", options.seconds,
                                              "--warmup", 0.5, *ours))
            ratios = [c["pairs_per_s"] / e["pairs_per_s"] for e, c in zip(rounds["etcd"], rounds["cleat"])]
            rates = " | ".join(f"{median(rounds[n], 'pairs_per_s'):,.0f}" for n in rounds)
            times = " | ".join(f"{median(rounds[n], 'take', 'p50_us'):,.0f} / {median(rounds[n], 'take', 'p99_us'):,.0f}" for n in rounds)
            print(f"| {what} | {rates} | {statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}) | {times} |", flush=True)
    finally:
        peer.remove(), members.remove()
