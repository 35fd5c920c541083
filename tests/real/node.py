"""Starts and stops a real `cleat serve` at an address of its own, with data in a folder of its own."""
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import threading
import time

import wire
from addresses import own_host

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CLEAT = pathlib.Path(os.environ.get("CLEAT_TEST_BINARY", ROOT / "build" / "cleat"))
# The same with the next feature level; see src/lock/level.hpp.
CLEAT_NEXT = CLEAT.with_name("cleat_next")
READY = re.compile(r"listening on (\S+):(\d+)")


def wait_until(condition, seconds=15.0, what="it to happen", wake=()):
    """For what tells nobody when it happens, such as a counter of INFO: looks until the condition holds and returns what it
    gave; looks again as soon as one of the files `wake` can be read. Fails after the time given."""
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        select.select(wake, [], [], 0.005)


def wait_for_ends(pids, seconds=15.0):
    """Waits until all these processes have ended, children or not."""
    end = time.monotonic() + seconds
    for pid in pids:
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            ended = select.select([watched], [], [], max(0.0, end - time.monotonic()))[0]
        finally:
            os.close(watched)
        if not ended:
            raise AssertionError(f"waited {seconds:g} s for the end of process {pid}")


class ReadySocket:
    """What the server takes for systemd: it is told READY=1."""

    def __init__(self):
        self.name = f"cleat-test-{os.getpid()}-{os.urandom(8).hex()}"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + self.name)

    def wait(self, process, seconds):
        """False: the process ended."""
        end = time.monotonic() + seconds
        watched = os.pidfd_open(process.pid)
        try:
            while True:
                readable = select.select([self.socket, watched], [], [], max(0.0, end - time.monotonic()))[0]
                if self.socket in readable and self.socket.recv(4096) == b"READY=1":
                    return True
                if watched in readable:
                    return False
                if not readable:
                    raise AssertionError(f"waited {seconds:g} s for the server to listen")
        finally:
            os.close(watched)
            self.socket.close()


class Node:
    """One server process. start() returns when it answers PING."""

    def __init__(self, data, *options, environment=None, listen=None):
        self.data = pathlib.Path(data)
        self.name = self.data.name
        self.options = [str(o) for o in options]
        self.binary = CLEAT
        # Variables of these tests are none of the server's settings.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEAT_TEST_")}
        self.environment = dict(kept, **(environment or {}))
        self.listen = listen or own_host() + ":0"
        self.log_path = self.data.parent / (self.data.name + ".log")
        self.process = None
        self.address = None
        self.listening = threading.Event()  # for those who come back after a kill() and start()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def launch(self):
        """Starts the process without waiting for it to be ready."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with open(self.log_path, "ab") as log:
            command = [str(self.binary), "serve", "--data", str(self.data), "--listen", self.listen, *self.options]
            self.ready_socket = ReadySocket()
            environment = dict(self.environment, NOTIFY_SOCKET="@" + self.ready_socket.name)
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.address = None
        return self

    def wait_ready(self, seconds=30.0):
        """After launch(): until it listens."""
        if not self.ready_socket.wait(self.process, seconds):
            raise AssertionError(f"the server stopped with status {self.process.wait()}:\n{self.log()}")
        found = READY.search(self.log())
        self.address = (found.group(1), int(found.group(2)))
        self.listen = self.url  # for restarts
        self.listening.set()
        return self

    def start(self, seconds=30.0):
        self.launch().wait_ready(seconds)
        with self.connect() as connection:
            assert connection.do("PING") == "PONG"
        return self

    def wait_info(self, key, condition, seconds=15.0):
        """Until INFO has a value of that key that fits: a text, or what says so of its number. Fails at once when the server ends."""
        fits = condition if callable(condition) else lambda value: value == condition
        watched = os.pidfd_open(self.process.pid)
        try:
            wait_until(lambda: fits(self.info_value(key, callable(condition))), seconds, f"INFO's {key}", wake=[watched])
        finally:
            os.close(watched)

    def info_value(self, key, as_number):
        value = self.info()[key]
        return int(value) if as_number else value

    def log(self):
        """What it has logged since the last start."""
        with open(self.log_path, "rb") as log:
            log.seek(self.log_start)
            return log.read().decode(errors="replace")

    @property
    def port(self):
        return self.address[1]

    @property
    def url(self):
        return f"{self.address[0]}:{self.address[1]}"

    @property
    def for_redis(self):
        """Where it is, as options of redis-cli and redis-benchmark."""
        return ["-h", self.address[0], "-p", str(self.port)]

    def connect(self, protocol=2, **options):
        connection = wire.Connection(self.address, **options)
        if protocol == 3:
            connection.do("HELLO", "3")
        return connection

    def info(self):
        with self.connect() as connection:
            lines = connection.do("INFO").split("\r\n")
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def rss_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def kill(self):
        """kill -9, if it still runs."""
        self.listening.clear()
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def stop(self, seconds=20):
        """SIGTERM; returns the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=seconds)

    def run(self, *arguments, **options):
        """Runs the command line against this node."""
        return subprocess.run([str(CLEAT), *map(str, arguments)], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, env=self.client_environment(), **options)

    def client_environment(self):
        return dict(os.environ, CLEAT_SERVER=self.url)
