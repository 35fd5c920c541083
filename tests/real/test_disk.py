"""A real disk that is full, that fails a sync, that loses its power. (Needs root; says so where it must skip.)"""
import threading

import pytest

import disk
from ledger import Fences, Load, Worker
from node import wait_until
from test_kill import load_until_killed
from wire import Closed, ErrorReply

WHY_NOT = disk.why_not()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))


def test_full_disk_refuses_new_locks_and_recovers(tmp_path, start_on):
    with disk.Disk(tmp_path, megabytes=700) as mounted:
        node = start_on(mounted)
        with node.connect() as holder, node.connect() as other:
            held = holder.do("LOCK", "held")
            short = holder.do("LOCK", "short", "TTL", "2000")
            mounted.fill(leave_bytes=200 << 20)
            refusal = wait_until(lambda: refused_as_full(other), what="DISKFULL")
            assert refusal.startswith("DISKFULL "), refusal
            # What makes room or only lets go goes on.
            assert holder.do("UNLOCK", "held", "FENCE", held) == 0
            wait_until(lambda: other.do("CHECK", "short", "FENCE", short) == 0, what="the hold's TTL to end on a full disk")
            assert refused_as_full(other)
            mounted.make_room()
            wait_until(lambda: not refused_as_full(other), what="new locks after room was made")
            assert node.process.poll() is None, "it must recover without a restart"
        node.kill()


def refused_as_full(connection):
    """The refusal's text, or None if the lock was granted (and is then given back)."""
    try:
        connection.do("LOCK", "probe", "WAIT", "0")
    except ErrorReply as refused:
        assert refused.code == "DISKFULL", refused
        return str(refused)
    assert connection.do("UNLOCK", "probe") == 0
    return None


def test_log_that_meets_a_full_disk_waits_for_room(tmp_path, start_on):
    """With not a byte left nothing is answered, nothing is lost, and room brings it back without a restart."""
    with disk.Disk(tmp_path, megabytes=500) as mounted:
        node = start_on(mounted, *without_free_space_watch(), "--undecided-wait-ms", "10m")
        fences = Fences()
        # Much data, since the log has room of its own set aside that must be used up first.
        workers = [Worker(number, "full", fences, data_words=("a" * 4000, "b" * 4096)) for number in range(3)]
        mounted.fill()
        load = Load(node, workers)
        wait_until(lambda: nothing_is_answered(node, workers), seconds=60, what="the log to meet the full disk")
        before = sum(worker.answered for worker in workers)
        mounted.make_room()
        wait_until(lambda: sum(worker.answered for worker in workers) > before + 100, what="answers after room was made")
        load.stop()
        assert node.process.poll() is None
        node.kill()
        node.start()
        for worker in workers:
            worker.check(node)
        node.kill()


def test_what_waits_for_room_is_answered_unknown_in_time(tmp_path, start_on):
    with disk.Disk(tmp_path, megabytes=500) as mounted:
        node = start_on(mounted, *without_free_space_watch(), "--undecided-wait-ms", "500", "--max-data-bytes", "60000")
        with node.connect() as holder, node.connect() as other:
            holder.do("SESSION", "OPEN", "TTL", "600000")
            fence = holder.do("LOCK", "big")
            mounted.fill()
            request = fill_log(holder)
            assert holder.error("UNLOCK", "big", "REQ", "u").startswith("UNKNOWN ")
            assert other.error("SHOW", "big").startswith("UNKNOWN ")
            assert other.error("LOCK", "other", "WAIT", "0").startswith("DISKFULL ")
            mounted.make_room()
            wait_until(lambda: "there is room for the log again" in node.log(), what="room for the log")
            # No second answer comes; a repetition gets the first outcome.
            assert holder.do("PUT", "big", "DATA", "d" * 60000, "REQ", request) == "OK"
            assert holder.do("UNLOCK", "big", "REQ", "u") == 0
            assert other.do("CHECK", "big", "FENCE", fence) == 0
            assert int(node.info()["answered_unknown"]) >= 3
        node.kill()


def fill_log(holder):
    """PUTs until one is not decided, since the log has no room; returns its REQ. The log has room of its own set aside first."""
    for number in range(10000):
        try:
            holder.do("PUT", "big", "DATA", "d" * 60000, "REQ", number)
        except ErrorReply as refused:
            assert refused.code == "UNKNOWN", refused
            return number
    raise AssertionError("600 MB were written to a disk that has no room for them")


def test_starts_on_a_full_disk(tmp_path, start_on):
    """With not a byte left it comes up, tells what it holds, takes no new lock, and lets go."""
    with disk.Disk(tmp_path, megabytes=700) as mounted:
        node = start_on(mounted)
        with node.connect() as holder:
            fence = holder.do("LOCK", "held", "TOKEN", "t", "TTL", "600000")
        for stop in (node.kill, node.stop, node.kill):
            stop()
            mounted.fill()
            node.start()
            with node.connect() as other:
                wait_until(lambda: refused_as_full(other), what="DISKFULL")
                assert other.do("CHECK", "held", "FENCE", fence) == 1
        with node.connect() as other:
            assert other.do("UNLOCK", "held", "TOKEN", "t") == 0
            mounted.make_room()
            wait_until(lambda: not refused_as_full(other), what="new locks after room was made")
        node.kill()


def test_uses_all_that_the_log_set_aside(tmp_path, start_on):
    """A disk that the log's own files fill: each of them is used before nothing is answered."""
    with disk.Disk(tmp_path, megabytes=60) as mounted:
        mounted.fill(leave_bytes=42 << 20)
        node = start_on(mounted, *without_free_space_watch())
        fences = Fences()
        workers = [Worker(number, "aside", fences, data_words=("a" * 4000, "b" * 4096)) for number in range(3)]
        load = Load(node, workers)
        wait_until(lambda: nothing_is_answered(node, workers), seconds=120, what="the log to meet the full disk")
        assert not [file for file in set_aside(mounted) if file.stat().st_size == 16 << 20]
        node.kill()
        load.stop()
        mounted.make_room()
        node.start()
        for worker in workers:
            worker.check(node)
        node.kill()


def set_aside(mounted):
    return list((mounted.path / "data" / "log").glob("*.reserved"))


def test_starts_without_a_byte_for_the_log(tmp_path, start_on):
    """It waits for room instead of giving up, and counts each start all the same."""
    with disk.Disk(tmp_path, megabytes=60) as mounted:
        node = start_on(mounted, *without_free_space_watch())
        met_it = 0
        for boot in range(2, 12):
            node.stop()
            for file in set_aside(mounted):
                file.unlink()
            mounted.fill()
            node.start()
            assert node.info()["boot"] == str(boot)
            met_it += "the disk is full: nothing is answered" in node.log()
        assert met_it > 3
        mounted.make_room()
        with node.connect() as connection:
            assert connection.do("LOCK", "after", "WAIT", "0") > 0
        node.kill()


def without_free_space_watch():
    return ("--min-free-bytes", "0")


def nothing_is_answered(node, workers):
    assert node.process.poll() is None, node.log()
    before = sum(worker.answered for worker in workers)
    try:
        wait_until(lambda: sum(worker.answered for worker in workers) > before, seconds=1.5)
    except AssertionError:
        return True
    return False


def test_failed_sync_stops_the_process(tmp_path, start_on):
    """The trap: after a failed fsync the next one succeeds though the pages are gone. So the process must not go on."""
    with disk.SmallBacking(tmp_path, megabytes=400) as backing, disk.Disk(tmp_path, 900, backing.path) as mounted:
        node = start_on(mounted)
        fences = Fences()
        workers = [Worker(number, "eio", fences) for number in range(3)]
        for worker in workers:
            worker.run(node, lambda: worker.answered > 300)
        backing.exhaust()
        write_until_it_stops(node)
        status = node.process.wait(timeout=20)
        assert status != 0
        assert "sync" in node.log().lower() or "input/output error" in node.log().lower(), node.log()
        mounted.unmount()
        backing.make_room()
        mounted.mount()
        node.start()
        for worker in workers:
            worker.check(node)
        node.kill()


def write_until_it_stops(node):
    """Sends big changes: blocks already written can be written again, so it takes some before the disk needs a new one."""
    try:
        with node.connect() as connection:
            fence = connection.do("LOCK", "big")
            for number in range(4000):
                data = (str(number) + "x" * 4096)[:4096]
                connection.pipeline([("PUT", "big", "DATA", data, "FENCE", str(fence))] * 16)
    except (Closed, OSError):
        return
    raise AssertionError("256 MiB were written and synced to a disk that has no room for them")


@pytest.mark.parametrize("round_number", range(5))
def test_power_cut(tmp_path, start_on, round_number):
    with disk.Disk(tmp_path, megabytes=500) as mounted:
        node = start_on(mounted)
        fences = Fences()
        workers = [Worker(number, f"cut {round_number}", fences) for number in range(4)]
        for cut_after in (0.05, 0.4, 0.8):
            cutting = threading.Timer(cut_after, mounted.cut_power)
            cutting.start()
            load_until_killed(node, workers, cut_after + 0.2)
            cutting.join()
            mounted.unmount()
            mounted.mount()
            node.start()
            for worker in workers:
                worker.check(node)
        assert sum(worker.answered for worker in workers) > 100
        node.kill()
