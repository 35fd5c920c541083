"""Machines on one wire, for members that lose each other: network namespaces joined by a bridge, all of it gone with this
process. Cuts drop packets without a word, as a dead switch does. Needs root."""
import contextlib
import ctypes
import json
import os
import subprocess
import threading

import wire
from cluster import Cluster
from node import Node

CLONE_NEWNET = 0x40000000
PEER_PORT = 7421  # the same on each machine: nobody else is there
CLIENT_PORT = 7420

TABLE = """
table ip cuts {
  chain cuts {
    type filter hook input priority 0
  }
}
"""

libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """Why there can be no such network here, or None."""
    if os.geteuid() != 0:
        return "needs root to make network namespaces"
    try:
        with Network("ab") as network:
            network.cut("a", "b")
    except FileNotFoundError as missing:
        return f"needs {missing.filename} (Debian: iproute2, nftables)"
    except (subprocess.CalledProcessError, OSError) as refused:
        text = getattr(refused, "stderr", None) or str(refused)
        return f"no network namespaces here: {text.strip().splitlines()[0]}"
    return None


def check(result):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def run(*command, **more):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, **more)


class Space:
    """A network namespace without a name. `with space:` puts this thread into it: sockets and processes that it makes
    there belong to it, and stay in it."""

    def __init__(self):
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            check(libc.unshare(CLONE_NEWNET))
            try:
                self.handle = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            finally:
                check(libc.setns(before, CLONE_NEWNET))
        finally:
            os.close(before)
        self.before = threading.local()
        with self:
            run("ip", "link", "set", "lo", "up")

    def __enter__(self):
        handle = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        check(libc.setns(self.handle, CLONE_NEWNET))
        self.before.__dict__.setdefault("handles", []).append(handle)
        return self

    def __exit__(self, *_):
        handle = self.before.handles.pop()
        check(libc.setns(handle, CLONE_NEWNET))
        os.close(handle)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.handle}"

    def close(self):
        os.close(self.handle)


class Network:
    """One Space a name, and one of the hub between them. `spaces`, `addresses`: by name."""

    def __init__(self, names):
        self.names = list(names)
        self.addresses = {name: f"10.99.0.{number}" for number, name in enumerate(self.names, 1)}
        self.spaces = {}
        self.open = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.hub = self.make_space()
            with self.hub:
                run("ip", "link", "add", "hub", "type", "bridge")
                run("ip", "link", "set", "hub", "up")
            for name in self.names:
                self.plug_in(name)
        except BaseException:
            self.open.close()
            raise
        return self

    def __exit__(self, *_):
        self.open.close()

    def make_space(self):
        space = Space()
        self.open.callback(space.close)
        return space

    def plug_in(self, name):
        space = self.spaces[name] = self.make_space()
        with self.hub:
            run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "wire", "netns", space.path)
            run("ip", "link", "set", f"to-{name}", "master", "hub", "up")
        with space:
            run("ip", "address", "add", f"{self.addresses[name]}/24", "dev", "wire")
            run("ip", "link", "set", "wire", "up")
            run("nft", "-f", "-", input=TABLE)

    def rules(self, name, text):
        with self.spaces[name]:
            run("nft", "-f", "-", input=text)

    def drop(self, receiver, matching, cuts="cuts", verdict="drop"):
        """Of what arrives there."""
        self.rules(receiver, f"add rule ip cuts {cuts} {matching} counter {verdict}")

    def cut(self, sender, receiver, cuts="cuts"):
        """What `sender` says does not reach `receiver` any more; the other direction stays."""
        self.drop(receiver, f"ip saddr {self.addresses[sender]}", cuts)

    def cut_both(self, one, other, cuts="cuts"):
        self.cut(one, other, cuts)
        self.cut(other, one, cuts)

    def cut_off(self, name, others, cuts="cuts"):
        for other in others:
            self.cut_both(name, other, cuts)

    def mute(self, sender, receiver, cuts="cuts"):
        """Half open: of what goes between two members only the connection that `sender` made is cut, by which it speaks.
        What `receiver` says arrives, and is acknowledged."""
        self.drop(receiver, f"ip saddr {self.addresses[sender]} tcp dport {PEER_PORT}", cuts)

    def mend(self, cuts="cuts"):
        for name in self.names:
            self.rules(name, f"flush chain ip cuts {cuts}")

    # Cuts of their own name are mended without those of others.

    def begin_cuts(self, cuts):
        for name in self.names:
            self.rules(name, f"add chain ip cuts {cuts} {{ type filter hook input priority 0; }}")

    def end_cuts(self, cuts):
        for name in self.names:
            self.rules(name, f"flush chain ip cuts {cuts}\ndelete chain ip cuts {cuts}")

    def packets_met(self, cuts):
        """How many packets met a rule of these cuts since it was laid."""
        met = 0
        for space in self.spaces.values():
            with space:
                listed = run("nft", "-j", "list", "chain", "ip", "cuts", cuts).stdout
            rules = [each["rule"]["expr"] for each in json.loads(listed)["nftables"] if "rule" in each]
            met += sum(part["counter"]["packets"] for rule in rules for part in rule if "counter" in part)
        return met


class Machine(Node):
    """A member with a namespace for itself. Its clients are on the same machine unless they say otherwise."""

    def __init__(self, space, password_file, *arguments, **more):
        super().__init__(*arguments, **more)
        self.space = space
        self.password_file = password_file

    def launch(self):
        with self.space:
            return super().launch()

    def connect(self, protocol=2, space=None, **options):
        with space or self.space:
            connection = wire.Connection(self.address, **options)
        connection.do("AUTH", self.password_file.read_text().strip())
        if protocol == 3:
            connection.do("HELLO", "3")
        return connection

    def run(self, *arguments, **options):
        with self.space:
            return super().run(*arguments, **options)

    def client_environment(self):
        return dict(super().client_environment(), CLEAT_PASSWORD_FILE=str(self.password_file))


class MachineCluster(Cluster):
    """A Cluster whose members are on machines of their own, with the secret and the password that this asks for. `outside`
    is the space of a machine without a member."""

    password = "open sesame, says the test"

    def __init__(self, folder, *options, names="abc"):
        self.network = Network([*names, "outside"])
        secret, self.password_file = folder / "secret", folder / "password"
        for file, text in ((secret, "the secret of these machines"), (self.password_file, self.password)):
            file.write_text(text + "\n")
            file.chmod(0o600)
        rules = ("--cluster-secret-file", secret, "--password-file", self.password_file, "--insecure")
        super().__init__(folder, *rules, *options, names=names)

    def __enter__(self):
        self.network.__enter__()
        return super().__enter__()

    def __exit__(self, *_):
        super().__exit__()
        self.network.__exit__()

    @property
    def outside(self):
        return self.network.spaces["outside"]

    def choose_addresses(self, name):
        address = self.network.addresses[name]
        self.listens[name], self.peers[name] = f"{address}:{CLIENT_PORT}", f"{address}:{PEER_PORT}"

    def make(self, name, *options):
        node = Machine(self.network.spaces[name], self.password_file, self.data_of(name), "--name", name,
                       *(options or self.founding), *self.options, listen=self.listens[name])
        node.name = name
        self.members[name] = node
        return node

    def others(self, node):
        return [other for other in self.members.values() if other is not node]
