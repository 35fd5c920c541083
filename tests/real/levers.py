"""Levers of one server's surroundings, moved while it runs: its syncs and its clocks. See levers.c, which is preloaded into it."""
import ctypes
import mmap
import os
import pathlib
import subprocess
import time

SOURCE = pathlib.Path(__file__).with_name("levers.c")


def build(folder):
    """The library to preload."""
    library = pathlib.Path(folder) / "levers.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE, "-ldl"], check=True)
    return library


class Rate(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("since_ns", "ahead_ns", "ppm")]


class Layout(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in
                ("sync_delay_us", "sync_fails", "syncs_delayed", "syncs_failed", "wall_shift_ns", "wall_shifted",
                 "rate_in_force", "rate_applied")] + [("rates", Rate * 2)]


class Levers:
    """`environment` goes to the server, and to each that follows it: what was set stays over its restarts."""

    def __init__(self, library, path):
        path = pathlib.Path(path)
        path.write_bytes(bytes(ctypes.sizeof(Layout)))
        handle = os.open(path, os.O_RDWR)
        try:
            self.page = Layout.from_buffer(mmap.mmap(handle, ctypes.sizeof(Layout)))
        finally:
            os.close(handle)
        self.environment = {"LD_PRELOAD": str(library), "TEST_LEVERS": str(path)}

    def slow_syncs(self, ms):
        """Each takes so much longer; 0: as ever."""
        self.page.sync_delay_us = int(ms * 1000)

    def fail_syncs(self, fails=True):
        self.page.sync_fails = int(fails)

    def shift_wall_clock(self, seconds):
        """The time of day, from the true one; 0: the true one."""
        self.page.wall_shift_ns = int(seconds * 1e9)

    def set_clock_rate(self, ppm):
        """CLOCK_MONOTONIC_RAW goes on from where it is, so many millionths faster than the true one."""
        page = self.page
        now_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        before = page.rates[page.rate_in_force & 1]
        ahead_ns = before.ahead_ns + (now_ns - before.since_ns) // 1000 * before.ppm // 1000
        page.rates[(page.rate_in_force + 1) & 1] = Rate(now_ns, ahead_ns, ppm)
        page.rate_in_force += 1
