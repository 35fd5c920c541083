"""Several real members on loopback, founded together or joined one by one, at addresses that stay theirs across restarts."""
import signal

import wire
from addresses import own_addresses
from node import Node, wait_until


class Cluster:
    """members: those made so far, by their names. peers: where each is dialed by the others."""

    def __init__(self, folder, *options, names="abc"):
        self.folder, self.options = folder, options
        self.members, self.stopped = {}, set()
        self.peers, self.listens = {}, {}
        for name in names:
            self.choose_addresses(name)
        self.founding = ("--cluster", ",".join(f"{name}={address}" for name, address in self.peers.items()))

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def choose_addresses(self, name):
        self.listens[name], self.peers[name] = own_addresses(2)

    def data_of(self, name):
        return self.folder / name

    def make(self, name, *options):
        """A member, not started yet; options beside those of all, in place of the founding list."""
        node = Node(self.data_of(name), "--name", name, *(options or self.founding), *self.options, listen=self.listens[name])
        self.members[name] = node
        return node

    def start(self):
        """Founds it: there is a leader, and every member answers a linearizable read."""
        for name in self.peers:
            self.make(name).launch()
        for node in self.members.values():
            node.wait_ready()
        return self.wait_ready()

    def start_one(self, name, *options):
        return self.make(name, *options).start()

    def start_joining(self, name):
        """A new member that waits to be added."""
        known = self.peers[self.a_member().name]
        if name not in self.peers:
            self.choose_addresses(name)
        return self.start_one(name, "--join", known, "--peer-listen", self.peers[name])

    def add(self, name):
        added = self.run("add", f"{name}={self.peers[name]}")
        assert added.returncode == 0, added.stderr
        return added

    def wait_ready(self):
        wait_until(lambda: self.leader() and all(map(answers, self.alive())), 30, "the cluster to be ready")
        return self

    def kill(self):
        for node in self.members.values():
            node.kill()

    def stop(self, node):
        """SIGSTOP: it keeps its connections and says nothing."""
        self.stopped.add(node)
        node.process.send_signal(signal.SIGSTOP)

    def resume(self, node):
        node.process.send_signal(signal.SIGCONT)
        self.stopped.discard(node)

    def alive(self):
        """Those that run, and are not stopped."""
        return [node for node in self.members.values()
                if node not in self.stopped and node.process and node.process.poll() is None]

    def leader(self):
        """The member that says it leads, or None."""
        for node in self.alive():
            try:
                if node.info().get("role") == "leader":
                    return node
            except (OSError, wire.Closed, wire.ErrorReply):
                pass
        return None

    def wait_one_leader(self):
        """Until all that are alive name the same one of them; returns it."""

        def agreed():
            alive = self.alive()
            leaders = {status(node)["leader"] for node in alive}
            return next((node for node in alive if leaders == {node.name}), None)

        return wait_until(agreed, 30, "one leader")

    def a_member(self):
        """One of those alive that the leader counts among the members: not one that still waits to be added."""
        leader = wait_until(self.leader, 30, "a leader")
        members = status(leader)["members"]
        return next(node for node in self.alive() if node.name in members)

    def run(self, *arguments):
        """`cleat cluster` against a member that is alive."""
        return self.a_member().run("cluster", *arguments)

    @property
    def addresses(self):
        return [node.address for node in self.members.values()]

    @property
    def urls(self):
        return ",".join(node.url for node in self.members.values())

    def logs(self):
        return "".join(f"--- log of {name}\n{node.log()[-6000:]}\n" for name, node in self.members.items() if node.process)


def status(node):
    """MEMBERS STATUS of that node; its members by name."""
    with node.connect() as connection:
        found = wire.as_map(connection.do("MEMBERS", "STATUS"))
    found["members"] = {m["name"]: m for m in map(wire.as_map, found["members"])}
    return found


def digests(cluster):
    """Of all members, once they have applied the same entry."""

    def same_entry():
        told = []
        for node in cluster.alive():
            with node.connect() as connection:
                lines = dict(line.split(":") for line in connection.do("INFO", "digest").split("\r\n") if ":" in line)
            told.append((lines["digest_applied"], lines["digest"]))
        return {digest for _, digest in told} if len({applied for applied, _ in told}) == 1 else None

    return wait_until(same_entry, 10, "all members to be equally far")


def answers(node):
    """Whether it answers a read that needs the leader."""
    try:
        with node.connect() as connection:
            connection.do("LOCKS", "COUNT", "1")
        return True
    except (OSError, wire.Closed, wire.ErrorReply):
        return False
