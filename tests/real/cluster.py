"""Several real members on loopback, founded together; ports are the system's choice and stay theirs across restarts."""
import signal
import socket

import wire
from node import Node, wait_until


def free_ports(count):
    """Ports that were free a moment ago; each differs from the others."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


class Cluster:
    """start() returns when there is a leader and every member answers a linearizable read."""

    def __init__(self, folder, *options, names="abc"):
        peers = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)))}
        founding = ",".join(f"{name}={address}" for name, address in peers.items())
        self.stopped = set()
        self.members = {name: Node(folder / name, "--name", name, "--cluster", founding, *options) for name in names}

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def start(self):
        for node in self.members.values():
            node.launch()
        for node in self.members.values():
            node.wait_ready()
            node.listen = node.url  # for restarts
        self.wait_ready()
        return self

    def restart(self, node):
        node.launch().wait_ready()

    def wait_ready(self):
        wait_until(lambda: self.leader() and all(map(answers, self.alive())), 30, "the cluster to be ready")

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

    @property
    def addresses(self):
        return [node.address for node in self.members.values()]

    @property
    def urls(self):
        return ",".join(node.url for node in self.members.values())

    def logs(self):
        return "".join(f"--- log of {name}\n{node.log()[-6000:]}\n" for name, node in self.members.items())


def answers(node):
    """Whether it answers a read that needs the leader."""
    try:
        with node.connect() as connection:
            connection.do("LOCKS", "COUNT", "1")
        return True
    except (OSError, wire.Closed, wire.ErrorReply):
        return False
