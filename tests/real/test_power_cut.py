"""Names that a power cut may lose: a directory or file is on the disk only when its directory was synced too. Cuts come
right behind the moment at which each new name counts. (Needs root; says so where it must skip.)"""
import contextlib

import pytest

import disk
from ledger import Fences, Load, Worker
from node import wait_until

WHY_NOT = disk.why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


def with_journal(folder):
    return disk.Disk(folder, megabytes=500)


def without_journal(folder):
    """Nothing but fsync orders what it writes: with a journal a name comes along with any later sync."""
    return disk.Disk(folder, megabytes=500, journal=False)


@pytest.fixture(params=[with_journal, without_journal])
def mounted(request, tmp_path):
    with request.param(tmp_path) as made:
        yield made


@contextlib.contextmanager
def loaded(node, workers):
    load = Load(node, workers)
    try:
        yield
    finally:
        load.stop()


def cut_and_start_again(node, mounted):
    mounted.lose_power(node.process.pid)
    node.kill()
    mounted.unmount()
    mounted.restore_power()
    node.start()


def test_fresh_data_directory(mounted, start_on):
    node = start_on(mounted, data="new/deeper/data")
    with node.connect() as connection:
        fence = connection.do("LOCK", "first", "TOKEN", "t", "TTL", "600000")
    cut_and_start_again(node, mounted)
    with node.connect() as connection:
        assert connection.do("CHECK", "first", "FENCE", fence) == 1
        assert connection.do("LOCK", "second") > fence
    node.kill()


def test_new_snapshot(mounted, start_on):
    """The log before a snapshot is dropped as soon as the snapshot counts: it must be found under its name."""
    node = start_on(mounted, "--snapshot-log-bytes", str(1 << 20))
    workers = big_workers("snapshot")
    for _ in range(3):
        known = int(node.info()["snapshot_index"])
        with loaded(node, workers):
            told = wait_until(lambda: newer_snapshot(node, known), seconds=60, what="a snapshot")
            cut_and_start_again(node, mounted)
        assert int(node.info()["snapshot_index"]) >= told
        for worker in workers:
            worker.check(node)
    node.kill()


def newer_snapshot(node, known):
    index = int(node.info()["snapshot_index"])
    return index if index > known else None


def test_new_log_file(mounted, start_on):
    node = start_on(mounted)
    workers = big_workers("rotation")
    before = newest_log_file(node)
    with loaded(node, workers):
        wait_until(lambda: newest_log_file(node) > before, seconds=120, what="the log to begin a new file")
        answered = sum(worker.answered for worker in workers)
        wait_until(lambda: sum(worker.answered for worker in workers) > answered, what="an answer from the new file")
        cut_and_start_again(node, mounted)
    for worker in workers:
        worker.check(node)
    node.kill()


def big_workers(seed):
    fences = Fences()
    return [Worker(number, seed, fences, data_words=("a" * 4000, "b" * 4096)) for number in range(3)]


def newest_log_file(node):
    return max(path.name for path in (node.data / "log").glob("*.raftlog"))
