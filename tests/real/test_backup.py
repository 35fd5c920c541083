"""Backups of nodes that serve, restored into one and into three, twice, damaged; recovery when a majority is gone."""
import json
import subprocess
import threading

import pytest

import wire
from cluster import Cluster
from node import CLEAT, Node, wait_until


def offline(*arguments):
    return subprocess.run([str(CLEAT), "cluster", *map(str, arguments)], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)


def told(done):
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(done, *words, status=1):
    assert done.returncode == status, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    return done.stderr


def back_up(node, path, *options):
    return told(node.run("cluster", "backup", path, "--json", *options))


def lock(node, name, token="t", ttl=600_000):
    with node.connect() as connection:
        return connection.do("LOCK", name, "TTL", str(ttl), "TOKEN", token)


def holder_count(node, name):
    with node.connect() as connection:
        return wire.as_map(connection.do("SHOW", name))["holders_total"]


class Load:
    """Locks name after name by token until it is stopped; `granted` are those that were answered, in order."""

    def __init__(self, node):
        self.node, self.granted, self.stopping = node, [], threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        with self.node.connect() as connection:
            while not self.stopping.is_set():
                number = len(self.granted)
                self.granted.append(connection.do("LOCK", f"n{number:06}", "TTL", "600000", "TOKEN", "t"))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def test_a_backup_under_load_is_of_one_moment(make_node, tmp_path, started):
    node = make_node()
    with Load(node) as load:
        wait_until(lambda: len(load.granted) > 500, what="some locks")
        before = len(load.granted)
        backup = back_up(node, tmp_path / "b")
        after = len(load.granted)
    # Locks in their order, none missing: as many as there are fences. All that was answered before it was asked is there.
    assert backup["holds"] == backup["fence"] == backup["names"]
    assert before <= backup["holds"] <= after + 1
    assert backup == told(offline("backup", "--check", tmp_path / "b", "--json"))
    restored = told(offline("restore", tmp_path / "b", "--data", tmp_path / "new", "--json"))
    assert restored["holds"] == backup["holds"]
    new = Node(tmp_path / "new")
    started.append(new)
    new.start()
    assert holder_count(new, f"n{backup['holds'] - 1:06}") == 1
    assert holder_count(new, f"n{backup['holds']:06}") == 0
    assert lock(new, "another") > restored["fence"] > load.granted[-1]


def test_backups_that_are_refused(node, tmp_path):
    lock(node, "orders")
    first = tmp_path / "b"
    back_up(node, first)
    refused(node.run("cluster", "backup", first), "is there already", "--force")
    back_up(node, first, "--force")
    refused(node.run("cluster", "backup", tmp_path / "no" / "b"), "No such file")
    refused(offline("backup", "--check", tmp_path / "none"), "No such file")
    refused(offline("backup", "--check", node.log_path), "is no backup")
    refused(offline("backup", tmp_path / "c", "--server", "127.0.0.1:1"), "can't reach", status=69)
    assert sorted(p.name for p in tmp_path.iterdir() if not p.name.startswith("data")) == ["b"]
    whole = first.read_bytes()
    for damage in (whole[:-1], whole[:40], whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:], whole + b"x"):
        (tmp_path / "damaged").write_bytes(damage)
        refused(offline("backup", "--check", tmp_path / "damaged"), "damaged", "another backup")
        refused(offline("restore", tmp_path / "damaged", "--data", tmp_path / "new"), "damaged")
    (tmp_path / "newer").write_bytes(b"CLEATBA2" + whole[8:])
    refused(offline("restore", tmp_path / "newer", "--data", tmp_path / "new"), "or a newer one")
    refused(offline("restore", first, "--data", node.data), "is not empty", "mv ")
    assert not (tmp_path / "new").exists()
    with node.connect() as connection:
        for words, error in ((("READ", "0"), "ERR no backup was begun"), (("LOCAL",), None)):
            if error:
                with pytest.raises(wire.ErrorReply, match=error):
                    connection.do("MEMBERS", "BACKUP", *words)
            else:
                assert wire.as_map(connection.do("MEMBERS", "BACKUP", *words))["index"] > 0


def test_restored_twice(make_node, tmp_path, started):
    """Sessions and what they hold are gone, tokens' holds stay, and no number comes twice."""
    node = make_node()
    with node.connect() as connection:
        session = wire.as_map(connection.do("SESSION", "OPEN", "TTL", "60000"))
        connection.do("LOCK", "of session", "REQ", "r1")
        lock(node, "by token")
        backup = back_up(node, tmp_path / "b")
        assert (backup["holds"], backup["sessions"]) == (2, 1)
    node.stop()
    fences, incarnations = [backup["fence"]], [backup["incarnation"]]
    for data in ("first", "second"):
        made = told(offline("restore", tmp_path / "b", "--data", tmp_path / data, "--json"))
        new = Node(tmp_path / data)
        started.append(new)
        new.start()
        assert holder_count(new, "of session") == 0 and holder_count(new, "by token") == 1
        with new.connect(3) as connection:
            with pytest.raises(wire.ErrorReply, match="NOSESSION"):
                connection.do("SESSION", "ATTACH", str(session["id"]), session["key"])
            assert connection.do("SESSION", "KEEPALIVE", str(session["id"]), session["key"]) == [None]
            opened = wire.as_map(connection.do("SESSION", "OPEN"))
            assert opened["id"] > made["fence"]  # ids are numbered like fences: none of an older incarnation comes again
            assert wire.as_map(connection.do("EVENTS"))["incarnation"] == made["incarnation"]
            history = [wire.as_map(h) for h in connection.do("HISTORY", "of session")]
            assert (history[-1]["event"], history[-1]["why"]) == ("expired", "restored")
        fences += [lock(new, f"n{i}") for i in range(20)]
        incarnations.append(made["incarnation"])
        new.stop()
    assert fences == sorted(set(fences)) and incarnations == sorted(set(incarnations))


def test_clocks_and_fences(node, tmp_path):
    """A state of another time: refused unless the operator gives a number."""
    lock(node, "orders")
    back_up(node, tmp_path / "b")
    made = told(offline("restore", tmp_path / "b", "--data", tmp_path / "high", "--fence-above", str(2**51), "--json"))
    assert made["fence"] == 2**51
    with Node(tmp_path / "high") as high:
        assert lock(high, "x") == 2**51 + 1
        back_up(high, tmp_path / "b2")
    refused(offline("restore", tmp_path / "b2", "--data", tmp_path / "again"), "above what this machine's clock gives",
            "--fence-above N")
    assert not (tmp_path / "again").exists()
    again = told(offline("restore", tmp_path / "b2", "--data", tmp_path / "again", "--fence-above", str(2**51 + 5), "--json"))
    assert again["incarnation"] > made["incarnation"] and again["fence"] == 2**51 + 5


def restore(cluster, name, backup):
    return told(offline("restore", backup, "--data", cluster.folder / name, "--name", name, *cluster.founding, "--json"))


def test_three_from_one_backup(cluster, tmp_path):
    leader = cluster.leader()
    lock(leader, "orders")
    old_fence = lock(leader, "after")
    follower = next(n for n in cluster.alive() if n is not leader)
    backup = back_up(follower, tmp_path / "backup")
    assert backup["fence"] == old_fence  # what was answered elsewhere is in it
    late = lock(leader, "not in it")
    cluster.kill()
    for name in "ab":
        cluster.members[name].data.rename(tmp_path / f"old-{name}")
    numbers = [restore(cluster, name, tmp_path / "backup") for name in "ab"]
    # c is of the older incarnation: told on both ends, and waited for.
    for node in cluster.members.values():
        node.launch().wait_ready()
    a, b, c = (cluster.members[name] for name in "abc")
    wait_until(lambda: "still runs as a member of the older incarnation 1" in a.log(), what="a to say for whom it waits")
    wait_until(lambda: "was restored from a backup of this cluster" in c.log(), what="c to hear of it")
    c.kill()
    c.data.rename(tmp_path / "old-c")
    numbers.append(restore(cluster, "c", tmp_path / "backup"))
    wrong = offline("restore", tmp_path / "backup", "--data", tmp_path / "wrong", "--name", "x", *cluster.founding)
    refused(wrong, "is not in --cluster", status=2)
    c.launch().wait_ready()
    cluster.wait_ready()
    statuses = [json.loads(n.run("cluster", "status", "--json").stdout) for n in (a, b, c)]
    assert {s["cluster"] for s in statuses} == {backup["cluster"]}
    assert {s["incarnation"] for s in statuses} == {max(n["incarnation"] for n in numbers)}
    assert lock(c, "x") > max(n["fence"] for n in numbers) > late
    assert holder_count(b, "orders") == 1 and holder_count(a, "not in it") == 0
    # Restored once more, c is another directory: the others know it by its nonce.
    c.kill()
    c.data.rename(tmp_path / "second-c")
    restore(cluster, "c", tmp_path / "backup")
    c.launch()
    assert c.process.wait(timeout=30) == 1
    assert "cleat cluster remove c" in c.log()


def test_a_restored_member_needs_its_own_settings(node, tmp_path, started):
    back_up(node, tmp_path / "b")
    listed = ("--cluster", "a=127.0.0.1:1,b=127.0.0.1:2")
    told(offline("restore", tmp_path / "b", "--data", tmp_path / "a", "--name", "a", *listed, "--json"))
    for options in ((), ("--name", "b", *listed), ("--name", "a", "--cluster", "a=127.0.0.1:1,c=127.0.0.1:2")):
        wrong = Node(tmp_path / "a", *options)
        started.append(wrong)
        assert wrong.launch().process.wait(timeout=30) == 2
        assert "start it with --name a --cluster a=127.0.0.1:1,b=127.0.0.1:2" in wrong.log()


def test_recovered_from_one_of_three(cluster, tmp_path):
    leader = cluster.leader()
    fence = lock(leader, "orders")
    survivor = next(n for n in cluster.alive() if n is not leader)
    wait_until(lambda: holder_count(survivor, "orders") == 1, what="the survivor to have it")
    others = [n for n in cluster.alive() if n is not survivor]
    for node in others:
        node.kill()
    refused(offline("recover", "--data", survivor.data), "--unsafe", "longest TTL")
    refused(offline("recover", "--unsafe", "--data", survivor.data), "in use by another process")
    rescue = told(survivor.run("cluster", "backup", tmp_path / "rescue", "--local", "--json", "--timeout", "5s"))
    assert rescue["holds"] == 1
    survivor.kill()
    refused(offline("recover", "--unsafe", "--data", tmp_path), "is not the data directory of a member")
    made = told(offline("recover", "--unsafe", "--data", survivor.data, "--json"))
    assert made["fence"] > fence and made["older_incarnation"] == 1 and made["holds"] == 1
    survivor.launch().wait_ready()
    wait_until(lambda: survivor.info()["role"] == "leader", what="it to lead alone")
    assert holder_count(survivor, "orders") == 1 and lock(survivor, "x") > made["fence"]
    # One of the lost comes back after all: of the older incarnation, and told so on both ends.
    stale = others[0]
    stale.launch().wait_ready()
    wait_until(lambda: "is of the older one (1), of which nothing is accepted" in stale.log(), what="it to be told")
    wait_until(lambda: f"{stale.name} is of the older one (1)" in survivor.log(), what="the survivor to say so, too")
    seen = stale.run("cluster", "status").stdout
    assert f"{survivor.name} is not reached" in seen and "cleat cluster add" in seen
    stale.kill()
    stale.data.rename(tmp_path / "stale")
    cluster.members = {survivor.name: survivor}
    cluster.peers = {survivor.name: cluster.peers[survivor.name], stale.name: cluster.peers[stale.name]}
    cluster.start_joining(stale.name)
    added = survivor.run("cluster", "add", f"{stale.name}={cluster.peers[stale.name]}")
    assert added.returncode == 0, added.stderr
    assert holder_count(cluster.members[stale.name], "orders") == 1


def test_a_recovery_that_ended_half_way_goes_on(node, tmp_path):
    fence = lock(node, "orders")
    node.stop()
    made = told(offline("recover", "--unsafe", "--data", node.data, "--json"))
    # As a crash leaves it: all is made, and one file is not in its place yet.
    (node.data / "recovered").mkdir()
    (node.data / "recovered" / "ready").touch()
    (node.data / "cluster").rename(node.data / "recovered" / "cluster")
    assert node.launch().process.wait(timeout=30) == 2
    assert "was recovered half-way: say `cleat cluster recover --unsafe" in node.log()
    again = told(offline("recover", "--unsafe", "--data", node.data, "--json"))
    assert again["incarnation"] == made["incarnation"]
    # Or all is in its place, and what it was made in is empty but still there.
    (node.data / "recovered").mkdir()
    assert told(offline("recover", "--unsafe", "--data", node.data, "--json"))["incarnation"] == made["incarnation"]
    node.start()
    assert holder_count(node, "orders") == 1 and lock(node, "x") > made["fence"] > fence
