"""What the tests of the command line share: a node, commands against it, and a command that can be seen living."""
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "real"))
from addresses import own_host  # noqa: E402,F401
from node import CLEAT, Node, wait_for_ends  # noqa: E402
import wire  # noqa: E402

# Lives until it is killed; argv: folder, then any of
#   family   also as a child, and as a grandchild in a session of its own
#   deaf     ignores SIGTERM
#   tell     writes SIGTERM down, and ends by it
LIVING = r"""
import os, pathlib, signal, sys, time
place, wishes = pathlib.Path(sys.argv[1]), sys.argv[2:]
name = "child"
if "deaf" in wishes: signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "tell" in wishes:
    def told(*_):
        (place / "terms").write_text(str(time.monotonic()))
        os._exit(9)
    signal.signal(signal.SIGTERM, told)
if "family" in wishes:
    if os.fork() == 0:
        name = "grandchild"
        if os.fork() == 0:
            os.setsid()
            name = "stray"
if name != "child": signal.signal(signal.SIGTERM, signal.SIG_IGN)
(place / f"{name}.new").write_text(str(os.getpid()))
(place / f"{name}.new").rename(place / f"{name}.pid")
born = os.open(place / "born", os.O_WRONLY)
os.write(born, (name + "\n").encode())
os.close(born)
while True: signal.pause()
"""


WALL_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}"  # as tables and messages have it


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children_of(pid):
    return [int(c) for c in subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout.split()]


class Case(unittest.TestCase):
    """Each test has a folder, and a node if it asks for one; what it started is killed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cleat-cli-")
        self.addCleanup(folder.cleanup)
        self.place = pathlib.Path(folder.name)
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("CLEAT_")}

    def start_node(self, *options, asks_password=False):
        self.node = Node(self.place / "data", *options)
        self.addCleanup(self.node.kill)
        if asks_password:  # start() would PING
            self.node.launch().wait_ready()
        else:
            self.node.start()
        self.address = self.node.address
        self.environment["CLEAT_SERVER"] = self.node.url
        return self.node

    def cleat(self, *arguments, status=None, timeout=60, **more):
        """Runs a command to its end; checks its exit status if one is given."""
        done = subprocess.run([str(CLEAT), *map(str, arguments)], capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, env=self.environment, **more)
        if status is not None:
            self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def cleat_json(self, *arguments, status=0):
        return json.loads(self.cleat(*arguments, "--json", status=status).stdout)

    def start(self, *arguments, **more):
        """Starts a command; it is killed at the end, if it still runs."""
        process = subprocess.Popen([str(CLEAT), *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=self.environment, text=True, **more)

        def end():
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.addCleanup(end)
        return process

    def run_living(self, *options, wishes=(), names=("child",)):
        """`cleat run` of the living command; returns the wrapper once all of the family live."""
        born = self.pipe("born")
        wrapper = self.start("run", "it", *options, "--", sys.executable, "-c", LIVING, self.place, *wishes)
        lives = set()
        while not lives >= set(names):
            if not select.select([born], [], [], 30)[0]:
                raise AssertionError(f"waited 30 s for the command to live: {lives} of {names} do")
            lives |= set(os.read(born, 4096).decode().split())
        self.pids = [int((self.place / f"{n}.pid").read_text()) for n in names]
        for pid in self.pids:
            self.addCleanup(lambda p=pid: alive(p) and os.kill(p, signal.SIGKILL))
        self.ended = self.in_background(lambda: wait_for_ends(self.pids, 120) or time.monotonic())
        self.keeper = children_of(wrapper.pid)[0]
        return wrapper

    def pipe(self, name):
        """A named pipe that commands can tell something through."""
        path = self.place / name
        if not path.exists():
            os.mkfifo(path)
        end = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # both ways: so that it never is at its end
        self.addCleanup(os.close, end)
        return end

    def in_background(self, function):
        """Runs it in a thread; the result's callable waits for it and gives what it returned."""
        box = {}

        def work():
            try:
                box["value"] = function()
            except BaseException as error:  # noqa: BLE001
                box["error"] = error
        thread = threading.Thread(target=work, daemon=True)
        thread.start()

        def result(timeout=60):
            thread.join(timeout)
            self.assertFalse(thread.is_alive(), "it did not end")
            if "error" in box:
                raise box["error"]
            return box["value"]
        return result

    def rival(self):
        """Another client that wants the lock and gets it some day: returns (time, which of the family lived then)."""
        def take():
            while True:
                try:
                    with wire.Connection(self.address, timeout=70) as connection:
                        if connection.do("LOCK", "it", "TOKEN", "rival", "TTL", "60000", "WAIT", "60000") is not None:
                            now = time.monotonic()
                            return now, [pid for pid in self.pids if alive(pid)]
                except (OSError, wire.Closed, wire.ErrorReply):
                    self.node.listening.wait(20)
        result = self.in_background(take)
        self.node.wait_info("waiters", "1")
        return result

    def check_dead_before(self, rival):
        """All that the command started was dead when the rival was granted the lock."""
        granted, lived = rival()
        self.assertEqual(lived, [], "the command lived when another was granted its lock")
