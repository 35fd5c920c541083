"""Disks and clocks that ail. Slow and failing syncs and bent clocks are made by levers.c, which counts what it bends; full disks and
power cuts are real ones of ext4."""
import errno
import os

from fault import Fault


class SlowDisk(Fault):
    kind = "slow disk"
    seconds = (3.0, 6.0)

    @staticmethod
    def draw(chance):
        return {"ms": chance.choice([20, 100, 400])}

    def begin(self):
        self.before = self.levers.page.syncs_delayed
        self.levers.slow_syncs(self.ms)

    def end(self):
        self.levers.slow_syncs(0)

    def evidence(self):
        delayed = self.levers.page.syncs_delayed - self.before
        return f"{delayed} syncs took {self.ms} ms more" if delayed else None


class FailingDisk(Fault):
    """A sync fails (EIO): the member stops, and is started again when its disk is good."""

    kind = "failing disk"
    seconds = (1.0, 4.0)

    def begin(self):
        self.failing = self.target.process
        self.levers.fail_syncs()

    def end(self):
        self.levers.fail_syncs(False)
        if self.failing.poll() is not None:
            self.target.launch().wait_ready()

    def evidence(self):
        ended = self.failing.poll()
        return f"it stopped with status {ended}" if ended not in (None, 0) and self.levers.page.syncs_failed else None


class FullDisk(Fault):
    kind = "full disk"
    needs = frozenset({"disk"})
    seconds = (3.0, 6.0)

    def begin(self):
        self.disk = self.place.disks[self.target.name]
        self.disk.fill()

    def end(self):
        self.disk.make_room()

    def evidence(self):
        return "it says that its disk is full" if self.target.info().get("disk_full") == "1" else None


class PowerCut(Fault):
    """What was not synced is gone; ext4's own shutdown stops the file system before the process is killed."""

    kind = "power cut"
    needs = frozenset({"disk"})
    seconds = (0.1, 3.0)
    refused = 0

    def begin(self):
        for node in self.targets():
            self.cut(node)

    def end(self):
        for node in self.targets():
            mounted = self.place.disks[node.name]
            mounted.unmount()
            mounted.mount()
            node.launch()
        for node in self.targets():
            node.wait_ready()

    def targets(self):
        return [self.target]

    def cut(self, node):
        mounted = self.place.disks[node.name]
        mounted.cut_power()
        try:
            os.close(os.open(mounted.path / "probe", os.O_CREAT | os.O_WRONLY))
        except OSError as dead:
            self.refused += dead.errno == errno.EIO
        node.kill()

    def evidence(self):
        return f"{self.refused} file systems refused all" if self.refused == len(self.targets()) else None


class PowerCutOfAll(PowerCut):
    kind = "power cut of all"
    reach = "all"
    mixes = False

    def targets(self):
        return list(self.place.members.values())


class WallClock(Fault):
    """The time of day leaps at all members, of whom the leader writes it into the log for people. Nothing is decided by it."""

    kind = "time of day"
    reach = "all"

    @staticmethod
    def draw(chance):
        return {"shift_s": chance.choice([-3600, 3600, -400 * 86400, 400 * 86400, 2.5, -2.5])}

    def begin(self):
        self.before = self.times_read()
        self.shift(self.shift_s)

    def end(self):
        self.shift(0)

    def shift(self, seconds):
        for each in self.place.levers.values():
            each.shift_wall_clock(seconds)

    def times_read(self):
        return sum(each.page.wall_shifted for each in self.place.levers.values())

    def evidence(self):
        read = self.times_read() - self.before
        return f"a time {self.shift_s:+g} s off was read {read} times" if read else None


class ClockRate(Fault):
    """The clock that leases count by runs faster or slower, within the margin of 1%."""

    kind = "clock rate"
    seconds = (4.0, 10.0)

    @staticmethod
    def draw(chance):
        return {"ppm": chance.choice([-9000, 9000])}

    def begin(self):
        self.before = self.levers.page.rate_applied
        self.levers.set_clock_rate(self.ppm)

    def end(self):
        self.levers.set_clock_rate(0)

    def evidence(self):
        read = self.levers.page.rate_applied - self.before
        return f"it read a clock {self.ppm / 10000:+g}% off {read} times" if read else None


ALL = [SlowDisk, FailingDisk, FullDisk, PowerCut, PowerCutOfAll, WallClock, ClockRate]
