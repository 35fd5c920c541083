"""A wire on which packets take long, for kernels without netem: a process carries each frame between a machine and the hub, late.
`python3 slow_wire.py PORT PORT MS JITTER_MS COUNTER` is that process."""
import contextlib
import heapq
import itertools
import mmap
import os
import pathlib
import random
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time

import netns

ETH_P_ALL = 3
PACKET_IGNORE_OUTGOING = 23
PACKET_VNET_HDR = 15  # with each frame what the card was to do with it: checksums, and cutting it to the wire's size
SOL_PACKET = 263


class SlowWire:
    """Of one machine. plug_in() and unplug() lose what is on the way, as a hand at the plug does."""

    def __init__(self, network, name, ms, jitter_ms):
        self.network, self.name, self.ms, self.jitter_ms = network, name, ms, jitter_ms
        self.port, self.near, self.far = f"to-{name}", f"slow-{name}", f"hub-{name}"
        self.counter = tempfile.NamedTemporaryFile()
        self.counter.write(bytes(8))
        self.counter.flush()

    def plug_in(self):
        with self.network.hub:
            netns.run("ip", "link", "add", self.near, "type", "veth", "peer", "name", self.far)
            for link in (self.near, self.far):
                netns.run("ip", "link", "set", link, "up")
            netns.run("ip", "link", "set", self.port, "nomaster")
            netns.run("ip", "link", "set", self.far, "master", "hub")
            self.carrier = subprocess.Popen([sys.executable, __file__, self.port, self.near, str(self.ms), str(self.jitter_ms),
                                             self.counter.name], stdin=subprocess.DEVNULL)
        return self

    def unplug(self):
        self.carrier.kill()
        self.carrier.wait()
        with self.network.hub:
            netns.run("ip", "link", "set", self.port, "master", "hub")
            netns.run("ip", "link", "delete", self.near)

    @property
    def delayed(self):
        """Frames that came late so far."""
        return struct.unpack("q", pathlib.Path(self.counter.name).read_bytes())[0]


def open_port(name):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    opened.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    opened.bind((name, ETH_P_ALL))
    opened.setblocking(False)
    return opened


def carry(ports, delay_s, jitter_s, count):
    other = {ports[0]: ports[1], ports[1]: ports[0]}
    waiting, number, done = [], itertools.count(), 0
    while True:
        until = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for port in select.select(ports, [], [], until)[0]:
            due = time.monotonic() + delay_s + random.uniform(0, jitter_s)
            heapq.heappush(waiting, (due, next(number), other[port], port.recv(1 << 17)))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, frame = heapq.heappop(waiting)
            with contextlib.suppress(OSError):  # no room, or a frame that this wire does not take: lost
                to.send(frame)
            done += 1
        count[:] = struct.pack("q", done)


def main():
    one, other, ms, jitter_ms, counter = sys.argv[1:]
    handle = os.open(counter, os.O_RDWR)
    carry([open_port(one), open_port(other)], int(ms) / 1000, int(jitter_ms) / 1000, mmap.mmap(handle, 8))


if __name__ == "__main__":
    main()
