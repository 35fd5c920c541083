"""The servers under measurement: a durable Redis and a Cleat node, each in a folder of its own on the disk to be measured."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def wait_for(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise RuntimeError(f"{what}: not within {seconds} s")


class Wire:
    """One blocking RESP connection; send() takes words, several commands may be sent before receive()."""

    def __init__(self, port, timeout=None):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb", buffering=1 << 16)

    def send(self, *commands):
        out = []
        for words in commands:
            out.append(b"*%d\r\n" % len(words))
            for word in words:
                word = word if isinstance(word, bytes) else str(word).encode()
                out.append(b"$%d\r\n%s\r\n" % (len(word), word))
        self.socket.sendall(b"".join(out))

    def receive(self):
        line = self.file.readline()[:-2]
        if not line:
            raise ConnectionResetError("the server closed the connection")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind in b"+,":
            return rest.decode()
        if kind == b":":
            return int(rest)
        if kind in b"_":
            return None
        if kind in b"$=":
            if rest == b"-1":
                return None
            return self.file.read(int(rest) + 2)[:-2].decode()
        if kind in b"*~>":
            return [self.receive() for _ in range(int(rest))]
        if kind == b"%":
            return {self.receive(): self.receive() for _ in range(int(rest))}
        raise RuntimeError(f"unexpected reply {line!r}")

    def ask(self, *words):
        self.send(words)
        return self.receive()


class Server:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.process, self.port = None, None

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def wire(self, timeout=None):
        return Wire(self.port, timeout)

    def stop(self, kill=False):
        if self.process is not None:
            self.process.kill() if kill else self.process.terminate()
            self.process.wait()
            self.process = None

    def remove(self):
        self.stop(kill=True)
        shutil.rmtree(self.folder, ignore_errors=True)


class Redis(Server):
    name = "redis"

    def start(self):
        self.port = free_port()
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--appendonly", "yes",
             "--appendfsync", "always", "--save", ""], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("redis-server", self.answers)
        return self

    def answers(self):
        try:
            return self.wire().ask("PING") == "PONG"
        except OSError:
            return False


class Cleat(Server):
    name = "cleat"
    under = ()  # a command that runs it

    def start(self, *flags):
        log = self.folder / "log"
        with open(log, "wb") as out:
            self.process = subprocess.Popen([*self.under, str(ROOT / "build/cleat"), "serve", "--data", str(self.folder / "data"), "--listen",
                                             f"127.0.0.1:{self.port or 0}", *flags], stdout=out, stderr=subprocess.STDOUT)

        def listening():
            if self.process.poll() is not None:
                raise RuntimeError(f"cleat ended: {log.read_text()}")
            found = re.search(r"listening on 127\.0\.0\.1:(\d+)", log.read_text())
            return found and int(found.group(1))
        self.port = wait_for("cleat", listening, 300)
        return self

    def info(self, key):
        text = self.wire(30).ask("INFO")
        return int(re.search(rf"^{key}:(-?\d+)", text, re.M).group(1))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Member(Cleat):
    def __init__(self, folder, name, cluster):
        super().__init__(folder)
        self.name_ = name
        self.flags = ("--name", name, "--cluster", cluster)
        self.more = ()

    def launch(self, *more):
        """Does not wait: a member serves when the others are there."""
        self.more = more
        self.port = self.port or free_port()
        with open(self.folder / "log", "ab") as out:
            self.process = subprocess.Popen(
                [str(ROOT / "build/cleat"), "serve", "--data", str(self.folder / "data"), "--listen", f"127.0.0.1:{self.port}",
                 *self.flags, *more], stdout=out, stderr=subprocess.STDOUT)

    def start_again(self):
        self.launch(*self.more)

    def leads(self):
        try:
            return "role:leader" in self.wire(2).ask("INFO", "replication")  # it may be stopped
        except (OSError, RuntimeError):
            return False


class ThreeMembers:
    """Three members on loopback, each with a folder of its own."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in "abc"]
        cluster = ",".join(f"{name}={address}" for name, address in zip("abc", self.addresses))
        self.nodes = [Member(folder / name, name, cluster) for name in "abc"]

    def start(self, *flags):
        for node in self.nodes:
            node.launch(*flags)
        self.leader()
        return self

    def leader(self):
        return wait_for("a leader", lambda: next((n for n in self.nodes if n.process and n.leads()), None))

    def remove(self):
        for node in self.nodes:
            node.remove()
