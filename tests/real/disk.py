"""Real disks that fail: ext4 in a file, loop-mounted. Needs root; what it makes it takes away again."""
import errno
import fcntl
import os
import pathlib
import signal
import struct
import subprocess
import tempfile

EXT4_IOC_SHUTDOWN = 0x8004587D
SHUTDOWN_NO_LOG_FLUSH = 2  # as a power cut: what was not synced is gone


def why_not():
    """Why there can be no such disk here, or None."""
    if os.geteuid() != 0:
        return "needs root to mount a disk"
    with tempfile.TemporaryDirectory() as folder:
        try:
            with Disk(pathlib.Path(folder), megabytes=16):
                return None
        except (subprocess.CalledProcessError, FileNotFoundError, OSError) as refused:
            text = getattr(refused, "stderr", None) or str(refused)
            return f"no loop-mounted disk here: {text.strip().splitlines()[-1]}"


def run(*command):
    subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def let_go(path):
    try:
        run("umount", path)
    except subprocess.CalledProcessError:
        run("umount", "-l", path)


class Disk:
    """An ext4 file system in an image, mounted at `.path`. `image_folder` is where the image lies (a small tmpfs makes a
    disk whose writes fail when the tmpfs is full)."""

    def __init__(self, folder, megabytes, image_folder=None, journal=True):
        self.folder = folder
        self.path = folder / "mounted"
        self.image = (image_folder or folder) / "disk.ext4"
        self.megabytes = megabytes
        self.journal = journal
        self.mounted = False

    def __enter__(self):
        self.path.mkdir(exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(self.megabytes << 20)
        # Inode tables are written at once, so that no later background write meets a full backing store.
        features = "has_journal" if self.journal else "^has_journal"
        run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", features, "-E", "lazy_itable_init=0,lazy_journal_init=0", self.image)
        self.mount()
        return self

    def __exit__(self, *_):
        if self.mounted:
            let_go(self.path)
            self.mounted = False

    def mount(self):
        run("mount", "-o", "loop", self.image, self.path)
        self.mounted = True

    def unmount(self):
        """Fails while a process has a file open there (a lazy unmount would keep the file system as it is)."""
        run("umount", self.path)
        self.mounted = False

    def cut_power(self):
        """Stops the file system at once; nothing that was not synced is written any more."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, EXT4_IOC_SHUTDOWN, struct.pack("I", SHUTDOWN_NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def lose_power(self, pid):
        """What a power cut would leave while the process runs, with a journal or without; restore_power() after the
        unmount. Without one the kernel would still write what it has when the disk goes: so the image is kept as it is
        now, which is what was written so far."""
        if self.journal:
            return self.cut_power()
        os.kill(pid, signal.SIGSTOP)
        run("cp", "--sparse=always", self.image, self.at_the_cut())

    def restore_power(self):
        if not self.journal:
            os.replace(self.at_the_cut(), self.image)
            # 1: it repaired what a cut leaves behind.
            checked = subprocess.run(["e2fsck", "-f", "-y", self.image], capture_output=True, text=True)
            assert checked.returncode in (0, 1), checked.stdout
        self.mount()

    def at_the_cut(self):
        return self.image.with_suffix(".cut")

    def free_bytes(self):
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def fill(self, leave_bytes=0, name="filler"):
        """Takes room until only so much is left (0: until nothing can be written)."""
        with open(self.path / name, "ab") as filler:
            take = self.free_bytes() - leave_bytes
            if take > 0:
                try:
                    os.posix_fallocate(filler.fileno(), filler.tell(), take)
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise
            if leave_bytes == 0:
                chunk = b"x" * 4096
                try:
                    while True:
                        os.write(filler.fileno(), chunk)
                except OSError as full:
                    if full.errno != errno.ENOSPC:
                        raise

    def make_room(self, name="filler"):
        """For good: a power cut does not bring back what filled it."""
        (self.path / name).unlink()
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class SmallBacking:
    """A tmpfs of fixed size, to lay an image on that is larger than it: when it is full, the disk's writes fail (EIO)."""

    def __init__(self, folder, megabytes):
        self.path = folder / "backing"
        self.megabytes = megabytes

    def __enter__(self):
        self.path.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={self.megabytes}m", "tmpfs", self.path)
        return self

    def __exit__(self, *_):
        let_go(self.path)

    def exhaust(self):
        """Takes all room that is left, so that the disk upon it gets no new block any more."""
        with open(self.path / "ballast", "wb") as ballast:
            try:
                while True:
                    ballast.write(b"x" * 65536)
                    ballast.flush()
            except OSError as full:
                if full.errno != errno.ENOSPC:
                    raise

    def make_room(self):
        (self.path / "ballast").unlink()
