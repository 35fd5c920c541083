"""Parts of bench/endurance: great numbers of connections, sessions, waiters and locks."""
import pathlib
import re
import subprocess
import time

from crowd import MIB, Bystander, Crowd, most_connections
from driver import DRIVER
from nodes import Cleat, ThreeMembers, wait_for

CONNECTIONS = 20_000
SESSIONS = 100_000
WAITERS = 10_000
LOCKS = [100, 10_000]  # connections, locks of each
SERVED_SECONDS = 30  # in which all of a crowd must be served after a storm


def dialogue(wires, commands, at_once=500):
    """Sends each wire its commands, so many at once, and returns the answers of each."""
    answers = [[] for _ in wires]
    for begin in range(0, max(map(len, commands)), at_once):
        for wire, own in zip(wires, commands):
            wire.send(*own[begin:begin + at_once])
        for wire, own, out in zip(wires, commands, answers):
            out += [wire.receive() for _ in own[begin:begin + at_once]]
    return answers


def storm_figures(report, part, crowd, took, peak, limit):
    seen = crowd.look()
    back = seen["back"]
    report.add(part, f"all {crowd.clients:,} served again, all at once after the kill", f"{took:.1f} s" if took else f"{seen['served']:,} only",
               f"{SERVED_SECONDS} s", took is not None and took <= SERVED_SECONDS)
    report.add(part, "without service, each client", f"p50 {back['p50_ms'] / 1000:.2f}, p99 {back['p99_ms'] / 1000:.2f}, longest {back['max_ms'] / 1000:.2f} s")
    report.most(part, "memory peak of a server", peak / MIB, limit / MIB, "MiB")
    for key, what in (("sessions_lost", "sessions lost"), ("holds_lost", "locks lost"), ("refused", "requests refused")):
        report.none(part, what, seen[key])
    if seen["refusal"]:
        report.say(f"{part}: refused: {seen['refusal']}")


def first_contact(report, part, crowd, server, before):
    took = crowd.all_served()
    seen = crowd.look()
    rss = server.rss_bytes()
    report.add(part, f"{seen['served']:,} clients with a session and a lock each, all at once", f"{took:.1f} s" if took else "not all",
               f"{SERVED_SECONDS} s", took is not None and took <= SERVED_SECONDS)
    report.most(part, "memory of each", (rss - before) / 1024 / crowd.clients, 16, "KiB", 1)
    return rss


def too_few_files(options, report):
    """A node that may open fewer files says so and serves fewer; one that has the right to raises its limit."""
    node = Cleat(options.dir / "few")
    node.under = ("prlimit", "--nofile=1000:1000")
    try:
        node.start()
        line = next((line for line in (node.folder / "log").read_text().splitlines() if "files may be open" in line), "")
        raised = int(re.search(r"Max open files +(\d+)", pathlib.Path(f"/proc/{node.process.pid}/limits").read_text())[1]) > CONNECTIONS
        report.add("connections", "a limit of 1,000 open files", line.partition("warning: ")[2] or "raised by the node", "told at the start, or raised",
                   bool(line) or raised)
    finally:
        node.remove()


def connections(options, report):
    """All at one node; then it is killed with -9 and started again, and all come back at once."""
    too_few_files(options, report)
    clients = most_connections(CONNECTIONS)
    node = Cleat(options.dir / "node").start()
    try:
        if clients < CONNECTIONS:
            report.add("connections", "of 20,000, as the limit of open files is here", f"{clients:,}")
        before = node.rss_bytes()
        with Crowd([node.port], clients, "--think-ms", 10_000) as crowd, Bystander(node) as one:
            rss = first_contact(report, "connections", crowd, node, before)
            time.sleep(5)
            one.ending.set()
            report.bystander("connections", one)
            report.longest_turn("connections", node)
            crowd.mark()
            peak = [0]
            node.stop(kill=True)
            begin = time.monotonic()
            node.start()
            crowd.all_served(meanwhile=lambda: peak.append(node.rss_bytes()))
            took = time.monotonic() - begin
            done = crowd.look()["served"] == clients
            storm_figures(report, "connections", crowd, took if done else None, max(peak), 1.5 * rss + 64 * MIB)
            report.longest_turn("connections", node)
    finally:
        node.remove()


def storm(options, report):
    """All at the leader of three members, which is killed: the other two get them all at once, while they elect."""
    clients = most_connections(CONNECTIONS)
    members = ThreeMembers(options.dir / "cluster").start()
    try:
        leader = members.leader()
        others = [n for n in members.nodes if n is not leader]
        before = leader.rss_bytes()
        with Crowd([n.port for n in (leader, *others)], clients, "--think-ms", 10_000, "--together", 1) as crowd:
            rss = first_contact(report, "storm", crowd, leader, before)
            crowd.mark()
            leader.stop(kill=True)
            begin, peak = time.monotonic(), [0]
            crowd.all_served(meanwhile=lambda: peak.append(max(n.rss_bytes() for n in others)))
            took = time.monotonic() - begin
            done = crowd.look()["served"] == clients
            storm_figures(report, "storm", crowd, took if done else None, max(peak), 1.5 * rss + 64 * MIB)
    finally:
        members.remove()


class Keeper:
    """Many sessions over a few connections to one member, kept alive in batches."""

    def __init__(self, node, sessions, connections=100, ttl_ms=30_000):
        self.wires = [node.wire(60) for _ in range(connections)]
        opened = dialogue(self.wires, [[("SESSION", "OPEN", "TTL", ttl_ms)] * (sessions // connections) for _ in self.wires])
        found = [[dict(zip(reply[::2], reply[1::2])) for reply in replies] for replies in opened]
        words = [[word for s in own for word in (s["id"], s["key"])] for own in found]
        self.commands = [[("SESSION", "KEEPALIVE", *own[i:i + 1000]) for i in range(0, len(own), 1000)] for own in words]

    def keep_alive(self):
        """How many were dead."""
        answers = dialogue(self.wires, self.commands)
        return sum(answer is None for replies in answers for batch in replies for answer in batch)


def sessions(options, report):
    """Kept alive at a follower while the leader is killed; then not any more, and all end within their time."""
    members = ThreeMembers(options.dir / "cluster").start("--min-ttl-ms", "500")
    try:
        leader = members.leader()
        follower, third = [n for n in members.nodes if n is not leader]
        before = follower.rss_bytes()
        begin = time.monotonic()
        keeper = Keeper(follower, SESSIONS)
        report.add("sessions", f"{SESSIONS:,} opened at a follower", f"{time.monotonic() - begin:.1f} s")
        report.most("sessions", "memory of each", (follower.rss_bytes() - before) / SESSIONS, 1024, "bytes")
        dead = keeper.keep_alive()
        leader.stop(kill=True)
        wait_for("another leader", lambda: follower.leads() or third.leads())
        leader.start_again()
        for _ in range(3):  # a client sends one every TTL / 3
            turn = time.monotonic()
            dead += keeper.keep_alive()
            time.sleep(max(0, 10 - (time.monotonic() - turn)))
        dead += keeper.keep_alive()
        report.none("sessions", "ended while they were kept alive through a leader's death", dead)
        begin = time.monotonic()
        with Bystander(follower) as one:
            wait_for("the sessions to end", lambda: follower.info("sessions") < 200, 120)  # the connections' own are left
            took = time.monotonic() - begin
        report.add("sessions", "all ended after the last keep-alive (TTL 30 s)", f"{took:.1f} s", "30 to 45 s", 29 <= took <= 45)
        report.bystander("sessions", one)
        report.longest_turn("sessions", follower)
    finally:
        members.remove()


def queue_up(wires, name, count):
    """Waiters one after the other, over all wires in turn: the order of their arrival is known."""
    for n in range(count):
        answer = wires[n % len(wires)].ask("LOCK", name, "OWNER", f"o{n}", "REQ", f"q{n}", "ASYNC")
        if answer != "QUEUED":
            raise RuntimeError(f"waiter {n} was answered {answer}")


def hand_over(wires, turns, between, last):
    """Grants as they come, each let go at once; returns how many came out of order and the last fence."""
    wrong = 0
    for n in turns:
        wire = wires[n % len(wires)]
        push = wire.receive()
        if isinstance(push, int):  # the answer to the UNLOCK before
            push = wire.receive()
        fence = push[4]["fence"]
        wrong += push[1:4] != ["granted", "one", f"q{n}"] or fence <= last
        last = fence
        between(n)
        wire.send(("UNLOCK", "one", "OWNER", f"o{n}"))
    return wrong, last


def waiters(options, report):
    """All wait for one name at a follower, get it in the order they came, and the leader is killed half-way."""
    members = ThreeMembers(options.dir / "cluster").start()
    try:
        leader = members.leader()
        follower = next(n for n in members.nodes if n is not leader)
        wires = [follower.wire(60) for _ in range(100)]
        for wire in wires:
            wire.ask("HELLO", 3)
        before, begin = follower.rss_bytes(), time.monotonic()
        holder = follower.wire(60)
        fence = holder.ask("LOCK", "one")
        queue_up(wires, "one", WAITERS)
        report.add("waiters", f"{follower.info('waiters'):,} wait for one name, one after the other", f"{time.monotonic() - begin:.1f} s")
        report.most("waiters", "memory grown by", (follower.rss_bytes() - before) / MIB, WAITERS * 4096 / MIB, "MiB", 1)

        def kill_half_way(n):
            if n == WAITERS // 2:
                leader.stop(kill=True)
        begin = time.monotonic()
        holder.ask("UNLOCK", "one", "FENCE", fence)
        wrong, _ = hand_over(wires, range(WAITERS), kill_half_way, fence)
        report.none("waiters", f"granted out of order, of {WAITERS:,}, the leader killed half-way", wrong)
        report.add("waiters", "all had their turn", f"{time.monotonic() - begin:.1f} s")
        wait_for("an empty queue", lambda: follower.info("waiters") == 0)
    finally:
        members.remove()


def fill(node):
    """The driver keeps its connections, and so its locks, until it is let go."""
    process = subprocess.Popen([str(DRIVER), "--port", str(node.port), "--connections", str(LOCKS[0]), "--fill", str(LOCKS[1]), "--pipeline", "500",
                                "--stay"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if not process.stdout.readline():
        raise RuntimeError(f"the driver ended with {process.wait()}")
    return process


def locks(options, report):
    """Held by connections of a follower while the leader is killed; then the connections go, and all end at once."""
    members, count = ThreeMembers(options.dir / "cluster").start(), LOCKS[0] * LOCKS[1]
    filler = None
    try:
        leader = members.leader()
        follower, third = [n for n in members.nodes if n is not leader]
        before, begin = third.rss_bytes(), time.monotonic()
        filler = fill(follower)
        report.add("locks", f"{follower.info('holds'):,} taken at a follower", f"{time.monotonic() - begin:.1f} s")
        report.most("locks", "memory of each at another member", (third.rss_bytes() - before) / count, 512, "bytes")
        leader.stop(kill=True)
        begin = time.monotonic()
        wait_for("another leader", lambda: follower.leads() or third.leads())
        report.add("locks", "leader killed: until another leads", f"{time.monotonic() - begin:.2f} s")
        begin = time.monotonic()
        leader.start_again()
        wait_for("the killed member", lambda: caught_up(leader, follower), 120)
        report.add("locks", "the killed member is back with all of them", f"{time.monotonic() - begin:.1f} s")
        report.add("locks", "held after it, at each member", ", ".join(f"{n.info('holds'):,}" for n in members.nodes), f"{count:,}",
                   all(n.info("holds") == count for n in members.nodes))
        with Bystander(third) as one:
            wait_for("the bystander", lambda: one.pairs > 0 or one.failure)
            filler.stdin.close()
            begin = time.monotonic()
            wait_for("the locks to end", lambda: third.info("holds") <= 1, 120)
            took = time.monotonic() - begin
        report.most("locks", "all ended after their connections went", took, 30, "s", 1)
        report.bystander("locks", one)
        report.longest_turn("locks", third)
    finally:
        if filler:
            filler.kill()
            filler.wait()
        members.remove()


def caught_up(member, other):
    try:
        return member.info("applied") >= other.info("applied")
    except OSError:
        return False
