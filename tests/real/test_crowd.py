"""Many, slow and rude clients: memory stays bounded and nobody else is disturbed."""
import contextlib
import resource
import selectors
import socket
import threading
import time

import pytest

import wire
from node import CLEAT, Node, wait_until

MIB = 1 << 20


class Bystander:
    """A client that locks and unlocks all the time in the background, and remembers its slowest pair."""

    def __init__(self, node):
        self.node = node
        self.pairs = 0
        self.slowest = 0.0
        self.failure = None
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        try:
            with self.node.connect() as connection:
                while not self.ending.wait(0.002):
                    started = time.monotonic()
                    fence = connection.do("LOCK", "bystander")
                    assert connection.do("UNLOCK", "bystander", "FENCE", str(fence)) == 0
                    self.slowest = max(self.slowest, time.monotonic() - started)
                    self.pairs += 1
        except BaseException as failure:
            self.failure = failure

    def __enter__(self):
        self.thread.start()
        wait_until(lambda: self.pairs > 0 or self.failure, what="the bystander's first pair")
        return self

    def __exit__(self, kind, *_):
        self.ending.set()
        self.thread.join(timeout=30)
        if kind is None:
            self.check()

    def check(self, slowest=2.0):
        assert self.failure is None, f"the bystander was disturbed: {self.failure!r}"
        assert self.pairs > 3
        assert self.slowest < slowest, f"the bystander's slowest pair took {self.slowest:.2f} s"


def open_crowd(address, count, stack):
    """Opens connections, from several loopback addresses so that the ports suffice, and asks PING on each."""
    sockets = []
    for number in range(count):
        one = socket.socket()
        stack.callback(one.close)
        one.bind((f"127.0.0.{2 + number % 8}", 0))
        one.settimeout(30)
        one.connect(address)
        one.sendall(b"*1\r\n$4\r\nPING\r\n")
        sockets.append(one)
    for one in sockets:
        answer = one.recv(64)
        assert answer == b"+PONG\r\n", answer
    return sockets


def test_twenty_thousand_connections(make_node):
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The limit, less the few that this test and its bystander use; fewer where the system allows fewer open files.
    wanted = min(20_000 - 50, soft - 300)
    if wanted < 10_000:
        pytest.skip(f"only {soft} open files are allowed here; 20,300 are needed (ulimit -n)")
    node = make_node()
    before = node.rss_bytes()
    with Bystander(node), contextlib.ExitStack() as stack:
        sockets = open_crowd(node.address, wanted, stack)
        after = node.rss_bytes()
        # Every hundredth holds a lock; all are still served.
        for number, one in enumerate(sockets[::100]):
            one.sendall(wire.encode("LOCK", f"crowd/{number}"))
        for one in sockets[::100]:
            assert one.recv(64).startswith(b":")
        assert int(node.info()["holds"]) >= len(sockets[::100])
        print(f"{wanted} connections; memory {before / MIB:.0f} MiB before, {after / MIB:.0f} MiB with them")
        assert after - before < wanted * 16_384
    # All went without a word: their implicit sessions end, their locks are free.
    node.wait_info("holds", "0", seconds=60)


def test_too_few_open_files_are_told_at_the_start(tmp_path, started):
    limited = tmp_path / "limited"
    limited.write_text("#!/bin/sh\nulimit -n 500\n[ $(id -u) != 0 ] || without='setpriv --bounding-set=-sys_resource'\n"
                       f"exec $without {CLEAT} \"$@\"\n")
    limited.chmod(0o755)
    node = Node(tmp_path / "data")
    node.binary = limited
    started.append(node)
    node.start()
    assert "only 500 files may be open here: 372 connections will be served and not the 20000 of max-connections" in node.log()
    with contextlib.ExitStack() as stack:
        wait_until(lambda: open_exactly(node, 372, stack), what="room for 372 connections")
        with wire.Connection(node.address) as one:
            assert str(one.reply_or_error()).startswith("LIMIT ")


def test_all_clients_of_a_killed_leader_are_soon_served_by_others(cluster):
    """They come all at once, and each finds its session and its lock."""
    leader = cluster.leader()
    others = [node.address for node in cluster.members.values() if node is not leader]
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(leader.connect()) for _ in range(500)]
        opened = each(crowd, lambda n: ("SESSION", "OPEN", "TTL", "60000"))
        sessions = [(found["id"], found["key"]) for found in map(wire.as_map, opened)]
        fences = each(crowd, lambda n: ("LOCK", f"own/{n}"))
        leader.kill()
        again = [stack.enter_context(wire.Connection(others[n % 2])) for n in range(len(crowd))]
        began = time.monotonic()
        each(again, lambda n: ("SESSION", "ATTACH", *sessions[n], "TAKEOVER"))
        assert each(again, lambda n: ("CHECK", f"own/{n}", "FENCE", fences[n])) == [1] * len(crowd)
        print(f"{len(crowd)} clients were served again after {time.monotonic() - began:.2f} s")
        assert time.monotonic() - began < 10


def each(crowd, command):
    """Sends the command of each number on its connection, all before the first answer is read."""
    for number, one in enumerate(crowd):
        one.send(*command(number))
    return [one.reply() for one in crowd]


def test_one_connection_too_many_is_told_why(make_node):
    node = make_node("--max-connections", 20)
    node.wait_info("connected_clients", "1")
    with contextlib.ExitStack() as stack:
        wait_until(lambda: open_exactly(node, 20, stack), what="room for 20 connections")
        one = stack.enter_context(wire.Connection(node.address))
        refusal = one.reply_or_error()
        assert str(refusal).startswith("LIMIT "), refusal
        assert one.closed_by_server()
    wait_until(lambda: answers(node), what="room again once the others are gone")


def answers(node):
    try:
        with node.connect() as one:
            return one.do("PING") == "PONG"
    except (wire.ErrorReply, wire.Closed, ConnectionError):
        return False


def open_exactly(node, count, stack):
    """The connection that INFO was asked on may still be closing: then one of these is refused, and all are closed."""
    with contextlib.ExitStack() as attempt:
        try:
            open_crowd(node.address, count, attempt)
        except AssertionError:
            return False
        stack.push(attempt.pop_all())
    return True


def test_ten_thousand_waiters_on_one_name(make_node):
    node = make_node()
    waiters, lines = 10_000, 20
    before = node.rss_bytes()
    with Bystander(node), node.connect() as holder, contextlib.ExitStack() as stack:
        held = holder.do("LOCK", "one")
        queues = [stack.enter_context(node.connect(protocol=3, timeout=60)) for _ in range(lines)]
        for number, queue in enumerate(queues):
            commands = [("LOCK", "one", "OWNER", f"o{i}", "REQ", f"q{i}", "ASYNC") for i in range(waiters // lines)]
            for start in range(0, len(commands), 500):
                assert set(queue.pipeline(commands[start:start + 500])) == {"QUEUED"}
        assert node.info()["waiters"] == str(waiters)
        after = node.rss_bytes()
        print(f"{waiters} waiters; memory {before / MIB:.0f} MiB before, {after / MIB:.0f} MiB with them")
        assert after - before < waiters * 4096
        refusal = holder.error("LOCK", "one", "OWNER", "late", "WAIT", "1000")
        assert refusal.startswith("LIMIT "), refusal
        # Hand it on a thousand times: each release wakes exactly the next in line.
        assert holder.do("UNLOCK", "one", "FENCE", str(held)) == 0
        last = held
        for turn in range(1000):
            queue = queues[0 if turn < 500 else 1]
            push = queue.push()
            assert push[1:4] == ["granted", "one", f"q{turn % 500}"], push
            assert push[4]["fence"] > last
            last = push[4]["fence"]
            assert queue.do("UNLOCK", "one", "OWNER", f"o{turn % 500}") == 0
        assert node.info()["waiters"] == str(waiters - 1001)
    node.wait_info("waiters", "0", seconds=60)


def test_slow_reader_of_replies(make_node):
    """Asks for far more than it reads. The server stops reading from it, and keeps little for it."""
    node = make_node()
    before = node.rss_bytes()
    word = b"x" * 60_000
    with Bystander(node), contextlib.ExitStack() as stack:
        crowd = []
        for _ in range(20):
            slow = stack.enter_context(wire.Connection(node.address, receive_buffer=8192))
            slow.socket.setblocking(False)
            crowd.append(slow)
        sent = push_until_stuck(crowd, wire.encode(b"ECHO", word), seconds=5)
        grown = node.rss_bytes() - before
        print(f"{sent / MIB:.0f} MiB of requests taken from 20 slow readers, memory grew by {grown / MIB:.0f} MiB")
        assert grown < 20 * 12 * MIB


def test_who_has_the_most_unread_answers_is_cut_off_and_the_log_says_so(make_node):
    node = make_node("--max-output-total-bytes", "8MiB")
    with Bystander(node), contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(wire.Connection(node.address, receive_buffer=8192)) for _ in range(20)]
        for slow in crowd:
            slow.socket.setblocking(False)
        push_until_stuck(crowd, wire.encode(b"ECHO", b"x" * 60_000), seconds=2)
        closed = int(node.info()["slow_connections_closed"])
        assert 0 < closed < len(crowd)
        assert node.log().count("it has the most of all unsent answers, which passed max-output-total-bytes") == closed


def push_until_stuck(crowd, data, seconds):
    """Writes to all that take more, until the time is over or nobody takes anything; returns the bytes taken."""
    selector = selectors.DefaultSelector()
    rest = {}
    for one in crowd:
        selector.register(one.socket, selectors.EVENT_WRITE)
        rest[one.socket] = b""
    taken = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end and selector.get_map():
        ready = selector.select(timeout=0.5)
        if not ready:
            break
        for key, _ in ready:
            try:
                pending = rest[key.fileobj] or data
                done = key.fileobj.send(pending)
                rest[key.fileobj] = pending[done:]
                taken += done
            except BlockingIOError:
                continue
            except OSError:  # the server let go of it
                selector.unregister(key.fileobj)
    return taken


def test_slow_reader_of_events(make_node):
    """Subscribes to all events and reads none: it gets a gap or is let go of; memory stays bounded."""
    node = make_node()
    before = node.rss_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(10):
            slow = stack.enter_context(wire.Connection(node.address, receive_buffer=4096))
            slow.do("HELLO", "3")
            slow.do("EVENTS")
        with Bystander(node), node.connect() as busy:
            data = "d" * 4000
            for _ in range(60):
                pairs = [c for n in range(100) for c in (("LOCK", f"e/{n}", "DATA", data), ("UNLOCK", f"e/{n}"))]
                busy.pipeline(pairs)
        grown = node.rss_bytes() - before
        print(f"memory grew by {grown / MIB:.0f} MiB")
        assert grown < 200 * MIB


RUDE = {
    "a bulk string larger than a frame may be": b"*2\r\n$4\r\nECHO\r\n$10000000\r\n" + b"x" * 300_000,
    "more arguments than allowed": b"*1000000\r\n$4\r\nPING\r\n",
    "a count that is no number": b"*two\r\n",
    "a length that overflows": b"*1\r\n$99999999999999999999\r\nPING\r\n",
    "a negative length": b"*1\r\n$-7\r\nPING\r\n",
    "a bulk string without its end": b"*1\r\n$4\r\nPINGxx\r\n",
    "an array in an array": b"*1\r\n*1\r\n$4\r\nPING\r\n",
    "an endless line": b"x" * 400_000,
    "noise": b"*" + bytes(range(128, 256)) * 64 + b"\r\n*\r\n$\r\n",
    "HTTP": b"POST / HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.fixture(scope="module")
def shared_node(tmp_path_factory):
    with Node(tmp_path_factory.mktemp("rude") / "data") as node:
        yield node


@pytest.mark.parametrize("name", RUDE)
def test_malformed_frame_closes_that_connection_only(shared_node, name):
    node = shared_node
    with node.connect() as holder, node.connect() as rude:
        fence = holder.do("LOCK", "kept")
        # What came whole before the bad frame is done and answered.
        rude.send("ECHO", "before")
        assert rude.reply() == "before"
        with contextlib.suppress(OSError):
            rude.send_raw(RUDE[name])
        try:
            refusal = str(rude.reply_or_error())
        except (wire.Closed, ConnectionResetError):
            refusal = None  # closed before the error could be read: the rest of the frame was still on its way
        if refusal is not None:
            assert refusal.startswith("ERR Protocol error"), refusal
            assert rude.closed_by_server()
        assert holder.do("CHECK", "kept", "FENCE", str(fence)) == 1
        assert holder.do("UNLOCK", "kept") == 0


def test_half_a_frame_holds_nobody_up_and_does_nothing(shared_node):
    node = shared_node
    whole = wire.encode("LOCK", "half", "WAIT", "0", "DATA", "d" * 3000)
    with node.connect() as other:
        for cut in (1, 3, 9, 20, len(whole) - 2, len(whole) - 1):
            with node.connect() as half:
                half.send_raw(whole[:cut])
                assert other.do("PING") == "PONG"
        assert wire.as_map(other.do("SHOW", "half"))["holders"] == []


def test_a_frame_in_many_small_pieces_is_one_frame(shared_node):
    with shared_node.connect() as one:
        for byte in wire.encode("LOCK", "pieces", "WAIT", "0"):
            one.send_raw(bytes([byte]))
        assert one.reply() > 0
