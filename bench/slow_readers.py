"""Part of bench/endurance: clients that send and never read."""
import selectors
import socket
import time

from crowd import MIB, Bystander
from nodes import Cleat, wait_for

READERS = 500  # of each kind
SECONDS = 15
LIMIT_MIB = 256 + 256 + 128  # max-output-total-bytes, max-input-total-bytes, and the rest of the node


def connect(node, first):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    one.connect(("127.0.0.1", node.port))
    one.sendall(first)
    one.setblocking(False)
    return one


class Stuffers:
    """Write to the node whatever it takes, and read nothing."""

    def __init__(self, sockets, data):
        self.selector, self.data = selectors.DefaultSelector(), data
        self.rest = dict.fromkeys(sockets, b"")
        for one in sockets:
            self.selector.register(one, selectors.EVENT_WRITE)
        self.sent = self.cut_off = 0

    def stuff(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.selector.get_map():
            for key, _ in self.selector.select(0.1):
                self.send(key.fileobj)

    def send(self, one):
        pending = self.rest[one] or self.data
        try:
            done = one.send(pending)
        except BlockingIOError:
            return
        except OSError:  # the node let go of it
            self.selector.unregister(one)
            self.cut_off += 1
            return
        self.rest[one] = pending[done:]
        self.sent += done


def slow(options, report):
    """Half of them ask for 60 KB again and again, the others watch all events; none of them reads."""
    node = Cleat(options.dir / "node").start()
    sockets = []
    try:
        before = node.rss_bytes()
        askers = [connect(node, b"") for _ in range(READERS)]
        watchers = [connect(node, b"HELLO 3\r\nEVENTS\r\n") for _ in range(READERS)]
        sockets = askers + watchers
        stuffers = Stuffers(askers, b"*2\r\n$4\r\nECHO\r\n$60000\r\n" + b"x" * 60000 + b"\r\n")
        busy, data, peak, end = node.wire(60), "d" * 4000, 0, time.monotonic() + SECONDS
        with Bystander(node) as one:
            while time.monotonic() < end:
                stuffers.stuff(0.1)
                pairs = [c for n in range(100) for c in (("LOCK", f"e/{n}", "DATA", data), ("UNLOCK", f"e/{n}"))]
                busy.send(*pairs)
                for _ in pairs:
                    busy.receive()
                peak = max(peak, node.rss_bytes())
        lines = (node.folder / "log").read_text().count("is closed: ")
        report.add("slow", f"{READERS} askers and {READERS} watchers that never read, {SECONDS} s", f"{stuffers.sent / MIB:,.0f} MiB taken from them")
        report.most("slow", "memory peak above an empty node", (peak - before) / MIB, LIMIT_MIB, "MiB")
        report.bystander("slow", one)
        report.longest_turn("slow", node)
        closed = node.info("slow_connections_closed")
        report.add("slow", "cut off, and told in the log", f"{closed:,}, {lines:,} lines", "some, one line each", closed > 0 and closed == lines)
        for one_socket in sockets:
            one_socket.close()
        wait_for("the slow readers to go", lambda: node.info("connected_clients") < 10)
        report.add("slow", "memory after they went, above an empty node", f"{(node.rss_bytes() - before) / MIB:,.0f} MiB")
    finally:
        for one_socket in sockets:
            one_socket.close()
        node.remove()
