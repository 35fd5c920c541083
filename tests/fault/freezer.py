"""Processes that stand still all at once, their threads included: a cgroup (version 2) for each. Needs root, or a cgroup of one's own."""
import contextlib
import pathlib


def parent():
    """The cgroup of this process, as a folder; None where there is no version 2."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, mounted, kind, *_ = line.split()
        if kind == "cgroup2":
            own = next(line for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::"))
            return pathlib.Path(mounted) / own[3:].strip().lstrip("/")
    return None


def why_not():
    """Why nothing can be frozen here, or None."""
    if parent() is None:
        return "no cgroup file system of version 2 is mounted here"
    try:
        with Freezer("probe"):
            return None
    except OSError as refused:
        return f"no cgroup can be made here: {refused}"


class Freezer:
    """For one process at a time."""

    PREFIX = "cleat-fault-"

    def __init__(self, name):
        self.path = parent() / f"{self.PREFIX}{name}"

    def __enter__(self):
        self.path.mkdir()
        return self

    def __exit__(self, *_):
        remove(self.path)

    def freeze(self, pid):
        (self.path / "cgroup.procs").write_text(str(pid))
        (self.path / "cgroup.freeze").write_text("1")

    def frozen(self):
        return "frozen 1" in (self.path / "cgroup.events").read_text()


def remove(path):
    """Lets all in it go on, outside of it."""
    (path / "cgroup.freeze").write_text("0")
    for pid in (path / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            (path.parent / "cgroup.procs").write_text(pid)
    path.rmdir()


def remove_all(owner):
    """Those that this owner left behind: the part of their names before the last dash."""
    if parent() is not None:
        for path in parent().glob(f"{Freezer.PREFIX}{owner}-*"):
            remove(path)
