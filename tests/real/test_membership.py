"""How clusters come to be, grow and shrink, with real processes: founding, joining, removal, emptied directories."""
import json
import os
import shutil

import wire
from cluster import Cluster, status
from node import Node, wait_until


def why_it_stopped(node):
    assert node.process.wait(timeout=30) == 1
    return node.log()


def test_they_wait_for_one_another_and_serve_meanwhile(unfounded):
    a = unfounded.start_one("a")
    with a.connect() as connection:
        error = connection.error("LOCK", "x", "WAIT", "0")
        assert error.startswith("NOQUORUM this node is waiting for b (")
        assert connection.do("PING") == "PONG"
        waiting = wire.as_map(connection.do("MEMBERS", "STATUS"))
        assert waiting["cluster"] is None and waiting["waiting"].startswith("this node is waiting for b (")
        assert connection.error("MEMBERS", "REMOVE", "b").startswith("NOQUORUM this node is waiting")
        asked = a.run("status")
        assert asked.returncode == 1 and "waiting for b" in asked.stderr
        assert a.run("cluster", "status").returncode == 1
        unfounded.start_one("b")
        unfounded.start_one("c")
        unfounded.wait_one_leader()
        # The same connection goes on, on a member now.
        assert connection.do("LOCK", "x", "WAIT", "5000") == 1
    assert a.run("cluster", "status").returncode == 0
    assert len({status(node)["cluster"] for node in unfounded.alive()}) == 1


def test_a_lock_outlives_its_leader(cluster):
    leader = cluster.leader()
    with leader.connect() as connection:
        fence = connection.do("LOCK", "x", "TOKEN", "t", "TTL", "60000")
    leader.kill()
    with cluster.wait_one_leader().connect() as connection:
        assert connection.do("CHECK", "x", "FENCE", str(fence)) == 1
    # It comes back without being told again who it is.
    leader.options = []
    leader.start()
    cluster.wait_one_leader()
    assert status(leader)["name"] == leader.name


def test_one_joins_and_one_goes(cluster):
    cluster.start_joining("d")
    added = cluster.run("add", f"d={cluster.peers['d']}", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout) == {"name": "d", "voter": True}
    assert "d is a voter" in cluster.add("d").stdout
    d = status(cluster.members["a"])["members"]["d"]
    assert d["id"] == 4 and d["voter"] == 1
    # The leader can be named: another leads first.
    gone = cluster.leader()
    removed = cluster.run("remove", gone.name)
    assert removed.returncode == 0, removed.stderr
    assert "this member was removed from the cluster" in why_it_stopped(gone)
    left = cluster.wait_one_leader()
    assert left != gone and gone.name not in status(left)["members"]
    # Started again it is told again.
    gone.launch()
    assert "this member was removed from the cluster" in why_it_stopped(gone)


def test_the_lead_moves(cluster):
    old = cluster.wait_one_leader()
    other = next(node for node in cluster.alive() if node != old)
    moved = cluster.run("transfer", other.name)
    assert moved.returncode == 0 and moved.stdout == f"{other.name} leads\n", moved.stderr
    assert cluster.wait_one_leader() == other
    with old.connect() as connection:
        told = f"NOTLEADER {other.url} {other.name} leads"  # TRYAGAIN until members have told where they listen
        wait_until(lambda: connection.error("MEMBERS", "TRANSFER").startswith(told), what="the way to the leader")


def test_what_would_lose_the_majority_is_refused(cluster):
    leader = cluster.wait_one_leader()
    down, up = [node for node in cluster.alive() if node != leader]
    down.kill()
    wait_until(lambda: status(leader)["members"][down.name]["up"] == 0, what="the loss to be seen")
    refused = cluster.run("remove", up.name)
    assert refused.returncode == 1
    assert f"{up.name} is not removed" in refused.stderr and f"start {down.name} first" in refused.stderr
    assert cluster.run("remove", down.name).returncode == 0


def test_three_shrink_to_one_that_goes_on(cluster):
    last = cluster.wait_one_leader()
    with last.connect() as connection:
        fence = connection.do("LOCK", "x", "TOKEN", "t", "TTL", "3600000")
        for gone in [node for node in cluster.alive() if node != last]:
            removed = cluster.run("remove", gone.name)
            assert removed.returncode == 0, removed.stderr
            assert "this member was removed from the cluster" in why_it_stopped(gone)
        assert list(status(last)["members"]) == [last.name]
        assert connection.do("CHECK", "x", "FENCE", fence) == 1
        assert connection.do("LOCK", "y") > fence


def test_an_emptied_member_does_not_vote_twice(cluster):
    c = cluster.members["c"]
    c.kill()
    shutil.rmtree(c.data)
    c.launch()
    log = why_it_stopped(c)
    assert "cleat cluster remove c" in log and f"cleat cluster add c={cluster.peers['c']}" in log
    # What it was told to do works.
    removed = cluster.run("remove", "c")
    assert removed.returncode == 0, removed.stderr
    shutil.rmtree(c.data)
    cluster.start_joining("c")
    cluster.add("c")
    assert status(cluster.members["a"])["members"]["c"]["id"] == 4


def test_a_node_alone_grows_without_losing_a_lock(tmp_path):
    cluster = Cluster(tmp_path, names=["node"])
    alone = Node(tmp_path / "node", listen=cluster.listens["node"])
    cluster.members["node"] = alone
    try:
        alone.start()
        with alone.connect() as connection:
            fence = connection.do("LOCK", "x", "TOKEN", "t", "TTL", "3600000")
            assert "--peer-listen" in connection.error("MEMBERS", "ADD", "x=127.0.0.1:1")
        assert alone.stop() == 0
        alone.options = ["--peer-listen", cluster.peers["node"]]
        alone.start()
        for name in "xy":
            cluster.start_joining(name)
            cluster.add(name)
        alone.kill()
        with cluster.wait_one_leader().connect() as connection:
            assert connection.do("CHECK", "x", "FENCE", str(fence)) == 1
    finally:
        cluster.kill()
        print(cluster.logs())


def test_a_directory_put_back_from_a_copy_is_refused(cluster, tmp_path):
    a, c = cluster.members["a"], cluster.members["c"]
    assert c.stop() == 0
    shutil.copytree(c.data, tmp_path / "copy")
    c.start()
    wait_until(lambda: status(a)["members"]["c"]["up"] == 1, what="c to be met")
    assert c.stop() == 0
    wait_until(lambda: status(a)["members"]["c"]["up"] == 0, what="its end to be seen")
    shutil.rmtree(c.data)
    shutil.copytree(tmp_path / "copy", c.data)
    for start in (2, 3, 4):  # it was started as often before, and does not get in by trying again
        c.launch()
        assert f"member c says that this is its start number {start} and does not know of its start number 2" in why_it_stopped(c)
    assert len(cluster.alive()) == 2, "who says so to c goes on"


def test_a_directory_put_back_to_an_image_of_its_last_start_is_refused(cluster, tmp_path):
    leader = cluster.leader()
    c = next(node for node in cluster.alive() if node is not leader)
    cluster.stop(c)
    shutil.copytree(c.data, tmp_path / "image")
    cluster.resume(c)
    with leader.connect() as connection:
        connection.do("LOCK", "x", "TOKEN", "t", "TTL", "60000")
    wait_until(lambda: status(leader)["members"][c.name]["lag"] == 0, what="the lock to be acknowledged")
    c.kill()
    shutil.rmtree(c.data)
    shutil.copytree(tmp_path / "image", c.data)
    c.launch()
    assert "and it had acknowledged entry" in why_it_stopped(c)
    assert len(cluster.alive()) == 2, "who says so to it goes on"


def test_another_secret_is_not_let_in(unfounded, tmp_path):
    for name in "abc":
        secret = tmp_path / f"{name}.secret"
        secret.write_text(("x" * 32 if name == "c" else "y" * 32) + "\n")
        os.chmod(secret, 0o600)
        unfounded.start_one(name, *unfounded.founding, "--cluster-secret-file", secret)
    a = unfounded.members["a"]
    said = wait_until(lambda: "secret" in (status(a)["waiting"] or "") and status(a)["waiting"], what="a word about the secret")
    assert "waiting for c" in said
    assert not (unfounded.members["c"].data / "cluster").exists()
