"""redis-cli and redis-benchmark, as Debian ships them, against a node."""
import os
import pty
import re
import select
import subprocess
import time


def redis_cli(node, *words):
    return subprocess.run(["redis-cli", *node.for_redis, *map(str, words)], capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL).stdout


def test_one_command_a_call(node):
    """Each call is a connection of its own: a plain lock ends with it, a token's hold stays."""
    assert int(redis_cli(node, "LOCK", "orders", "WAIT", 0)) > 0
    fence = int(redis_cli(node, "LOCK", "orders", "TOKEN", "mine", "TTL", 30000, "WAIT", 5000))
    assert redis_cli(node, "LOCK", "orders", "TOKEN", "other", "TTL", 30000) == "\n"
    assert redis_cli(node, "CHECK", "orders", "FENCE", fence) == "1\n"
    assert "orders" in redis_cli(node, "LOCKS")
    assert redis_cli(node, "UNLOCK", "orders", "TOKEN", "mine", "FENCE", fence) == "0\n"
    assert redis_cli(node, "UNLOCK", "orders").startswith("NOTHELD ")


def test_commands_from_a_pipe_share_a_connection(node):
    finished = subprocess.run(["redis-cli", *node.for_redis], input="LOCK a\nLOCK b SHARED\nUNLOCK a\nLOCKS\n",
                              capture_output=True, text=True, timeout=30)
    lines = finished.stdout.splitlines()
    first, second, left = int(lines[0]), int(lines[1]), lines[2]
    assert second == first + 1 and left == "0"
    assert "b" in lines and "SHARED" in lines


def test_resp3_map(node):
    output = redis_cli(node, "-3", "SHOW", "orders")
    assert "holders_total" in output


class Terminal:
    """redis-cli as a person sees it: on a terminal it reads COMMAND DOCS first and shows hints."""

    def __init__(self, *command):
        self.pid, self.handle = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.execvp(command[0], command)
        self.seen = ""

    def until(self, pattern, seconds=15):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self.handle], [], [], max(0, end - time.monotonic()))
            assert ready, f"waited for {pattern!r}, saw {self.seen!r}"
            self.seen += os.read(self.handle, 65536).decode(errors="replace")

    def type(self, text):
        self.seen = ""
        os.write(self.handle, text.encode())

    def close(self):
        os.close(self.handle)
        os.waitpid(self.pid, 0)


def test_on_a_terminal(node):
    terminal = Terminal("redis-cli", *node.for_redis)
    try:
        terminal.until(r"> ")
        terminal.type("LOCK orders WAIT 0\r")
        terminal.until(r"\(integer\) \d+")
        terminal.type("UNLOCK elsewhere\r")
        terminal.until(r"\(error\) NOTHELD ")
        terminal.type("HELP LOCK\r")  # comes from COMMAND DOCS
        terminal.until(r"(?i)summary:")
        assert "LOCK" in terminal.seen
        terminal.type("HELLO 3\r")
        terminal.until(r"\"?cleat|7\.2\.0")
        terminal.type("SHOW orders\r")
        terminal.until(r"holders_total")
        terminal.type("QUIT\r")
    finally:
        terminal.close()


def test_benchmark_own_commands(node):
    """-e shows errors: there must be none. Keys of many names, with pipelines."""
    for command in (["LOCK", "key:__rand_int__", "TOKEN", "t", "TTL", "60000"], ["UNLOCK", "key:__rand_int__", "TOKEN", "t"]):
        finished = subprocess.run(["redis-benchmark", *node.for_redis, "-n", "20000", "-c", "50", "-P", "16", "-r", "5000",
                                   "-e", "--csv", *command], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert "Error" not in finished.stdout + finished.stderr, finished.stdout + finished.stderr
        rate = float(finished.stdout.splitlines()[-1].split('","')[1])
        assert rate > 1000
    info = node.info()
    assert int(info["acquired_at_once"]) >= 4000


def test_benchmark_ping(node):
    finished = subprocess.run(["redis-benchmark", *node.for_redis, "-n", "5000", "-c", "20", "-t", "ping", "--csv"],
                              capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert finished.returncode == 0 and "PING_MBULK" in finished.stdout, finished.stdout + finished.stderr
