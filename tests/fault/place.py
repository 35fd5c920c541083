"""Where the campaign takes place: members on machines and disks of their own, with levers at their syncs and clocks, and a machine
without a member for those who lock. What it makes it removes."""
import contextlib
import pathlib
import subprocess

import disk
import freezer
import levers
import netns
from cluster import Cluster, answers
from node import wait_until

DISK_MEGABYTES = 600
# Snapshots come often, so that members that were away get them; the clients' TTL of 2 s is a short one.
OPTIONS = ("--snapshot-log-bytes", "4MiB", "--min-free-bytes", "64MiB")


class Equipped:
    """What a Cluster gets here beside its members. `disks`: by name of the member, empty where none can be mounted."""

    def __init__(self, folder, members, with_disks):
        self.place = pathlib.Path(folder)
        self.logs_folder = self.place / "logs"
        self.with_disks = with_disks
        self.disks, self.levers = {}, {}
        self.open = contextlib.ExitStack()
        made = self.place / "members"
        for each in (made, self.logs_folder):
            each.mkdir(parents=True)
        super().__init__(made, *OPTIONS, names="abcdefg"[:members])

    def __enter__(self):
        with self.open:  # all is undone if the cluster does not come up
            self.library = levers.build(self.folder)
            if self.with_disks:
                for name in self.peers:
                    (self.folder / f"disk-{name}").mkdir()
                    self.disks[name] = self.open.enter_context(disk.Disk(self.folder / f"disk-{name}", DISK_MEGABYTES))
            self.open.callback(self.kill)
            super().__enter__()
            self.open = self.open.pop_all()
        return self

    def __exit__(self, *error):
        with self.open:
            super().__exit__(*error)

    def data_of(self, name):
        return (self.disks[name].path if name in self.disks else self.folder) / f"data-{name}"

    def make(self, name, *options):
        node = super().make(name, *options)
        node.name = name
        node.log_path = self.logs_folder / f"member-{name}.log"
        if name not in self.levers:
            self.levers[name] = levers.Levers(self.library, self.folder / f"{name}.levers")
        node.environment.update(self.levers[name].environment)
        return node

    def others(self, node):
        return [other for other in self.members.values() if other is not node]

    def heal(self, seconds=60):
        """Until all members serve again."""
        wait_until(lambda: self.leader() and all(map(answers, self.members.values())), seconds, "all members to serve again")

    def pick(self, who, busy):
        """The member meant by `who` (its name, or "leader", or "follower"), or another one if that is busy."""
        leader = self.leader()
        free = [node for node in self.members.values() if node not in busy]
        wanted = [node for node in free if who == node.name or (who == "leader") == (node is leader) and len(who) > 1]
        return (wanted or free)[0]


class Machines(Equipped, netns.MachineCluster):
    """With a machine for each member, and one outside for the clients."""


class Loopback(Equipped, Cluster):
    """Where there may be no network namespaces: all on this machine, and no fault of the network."""

    network = password_file = None
    outside = contextlib.nullcontext()


def make(folder, members):
    """The place, to be entered; and what of it can't be had here, with the reason."""
    missing = {}
    for what, why in (("network", netns.why_not()), ("disk", disk.why_not()), ("freezer", freezer.why_not())):
        if why:
            missing[what] = why
    if "network" not in missing:
        return Machines(folder, members, "disk" not in missing), missing
    subprocess.run(["ip", "link", "set", "lo", "up"], capture_output=True)  # where it is down nobody else is
    return Loopback(folder, members, "disk" not in missing), missing
