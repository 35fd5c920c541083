"""How clusters come to be, grow and shrink, with real processes: founding, joining, removal, emptied directories."""
import json
import os
import pathlib
import shutil
import socket

import pytest

import wire
from node import Node, wait_until


def free_ports(count):
    """Ports that nobody listened on a moment ago: members must know each other's before they start."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Cluster:
    def __init__(self, path, started, names="abc"):
        self.path, self.started = path, started
        self.peers = {name: f"127.0.0.1:{port}" for name, port in zip(names, free_ports(len(names)))}
        self.options = ["--cluster", ",".join(f"{n}={a}" for n, a in self.peers.items())]
        self.nodes = {}

    def start(self, name, *options):
        node = Node(self.path / name, "--name", name, *(options or self.options))
        self.started.append(node)
        self.nodes[name] = node
        return node.start()

    def found(self):
        for name in self.peers:
            self.start(name)
        self.wait_for_leader()
        return self

    def join(self, name):
        self.peers[name] = f"127.0.0.1:{free_ports(1)[0]}"
        first = next(iter(self.peers.values()))
        return self.start(name, "--join", first, "--peer-listen", self.peers[name])

    def status(self, name):
        with self.nodes[name].connect() as connection:
            status = wire.as_map(connection.do("MEMBERS", "STATUS"))
        status["members"] = {m["name"]: m for m in map(wire.as_map, status["members"])}
        return status

    def leader(self):
        return next((s["leader"] for s in map(self.status, self.running()) if s["leader"]), None)

    def wait_for_leader(self):
        def all_agree():
            leaders = {self.status(name)["leader"] for name in self.running()}
            return leaders.pop() if len(leaders) == 1 else None

        return wait_until(all_agree, what="one leader")

    def running(self):
        return [name for name, node in self.nodes.items() if node.process.poll() is None]

    def run(self, *arguments):
        return self.nodes[self.running()[0]].run("cluster", *arguments)


@pytest.fixture
def cluster(tmp_path, started):
    return Cluster(tmp_path, started)


def why_it_stopped(node):
    assert node.process.wait(timeout=30) == 1
    return node.log()


def test_they_wait_for_one_another_and_serve_meanwhile(cluster):
    a = cluster.start("a")
    with a.connect() as connection:
        error = connection.error("LOCK", "x", "WAIT", "0")
        assert error.startswith("NOQUORUM this node is waiting for b (")
        assert connection.do("PING") == "PONG"
        status = wire.as_map(connection.do("MEMBERS", "STATUS"))
        assert status["cluster"] is None and status["waiting"].startswith("this node is waiting for b (")
        assert connection.error("MEMBERS", "REMOVE", "b").startswith("NOQUORUM this node is waiting")
        asked = a.run("status")
        assert asked.returncode == 1 and "waiting for b" in asked.stderr
        assert a.run("cluster", "status").returncode == 1
        cluster.start("b")
        cluster.start("c")
        cluster.wait_for_leader()
        # The same connection goes on, on a member now.
        assert connection.do("LOCK", "x", "WAIT", "5000") == 1
    assert a.run("cluster", "status").returncode == 0
    ids = {cluster.status(name)["cluster"] for name in "abc"}
    assert len(ids) == 1


def test_a_lock_outlives_its_leader(cluster):
    cluster.found()
    leader = cluster.leader()
    with cluster.nodes[leader].connect() as connection:
        fence = connection.do("LOCK", "x", "TOKEN", "t", "TTL", "60000")
    cluster.nodes[leader].kill()
    cluster.wait_for_leader()
    with cluster.nodes[cluster.running()[0]].connect() as connection:
        assert connection.do("CHECK", "x", "FENCE", str(fence)) == 1
    # It comes back without being told again who it is.
    cluster.nodes[leader].options = []
    cluster.nodes[leader].start()
    cluster.wait_for_leader()
    assert cluster.status(leader)["name"] == leader


def test_one_joins_and_one_goes(cluster):
    cluster.found()
    cluster.join("d")
    added = cluster.run("add", f"d={cluster.peers['d']}", "--json")
    assert added.returncode == 0, added.stderr
    assert json.loads(added.stdout) == {"name": "d", "voter": True}
    again = cluster.run("add", f"d={cluster.peers['d']}")
    assert again.returncode == 0 and "d is a voter" in again.stdout
    status = cluster.status("a")
    assert status["members"]["d"]["id"] == 4 and status["members"]["d"]["voter"] == 1
    # The leader can be named: another leads first.
    gone = cluster.leader()
    removed = cluster.run("remove", gone)
    assert removed.returncode == 0, removed.stderr
    assert "this member was removed from the cluster" in why_it_stopped(cluster.nodes[gone])
    assert cluster.wait_for_leader() != gone
    assert gone not in cluster.status(cluster.running()[0])["members"]
    # Started again it is told again.
    cluster.nodes[gone].launch()
    assert "this member was removed from the cluster" in why_it_stopped(cluster.nodes[gone])


def test_the_lead_moves(cluster):
    cluster.found()
    old = cluster.leader()
    other = next(name for name in "abc" if name != old)
    moved = cluster.run("transfer", other)
    assert moved.returncode == 0 and moved.stdout == f"{other} leads\n", moved.stderr
    assert cluster.wait_for_leader() == other
    with cluster.nodes[old].connect() as connection:
        assert connection.error("MEMBERS", "TRANSFER").startswith(f"NOTLEADER {cluster.nodes[other].url} {other} leads")


def test_what_would_lose_the_majority_is_refused(cluster):
    cluster.found()
    leader = cluster.leader()
    down, up = [name for name in "abc" if name != leader]
    cluster.nodes[down].kill()
    wait_until(lambda: cluster.status(leader)["members"][down]["up"] == 0, what="the loss to be seen")
    refused = cluster.run("remove", up)
    assert refused.returncode == 1 and f"{up} is not removed" in refused.stderr and f"start {down} first" in refused.stderr
    assert cluster.run("remove", down).returncode == 0


def test_an_emptied_member_does_not_vote_twice(cluster):
    cluster.found()
    cluster.nodes["c"].kill()
    shutil.rmtree(cluster.nodes["c"].data)
    cluster.nodes["c"].launch()
    log = why_it_stopped(cluster.nodes["c"])
    assert "cleat cluster remove c" in log and f"cleat cluster add c={cluster.peers['c']}" in log
    # What it was told to do works.
    first = cluster.peers["a"]
    removed = cluster.run("remove", "c")
    assert removed.returncode == 0, removed.stderr
    shutil.rmtree(cluster.nodes["c"].data)
    cluster.start("c", "--join", first, "--peer-listen", cluster.peers["c"])
    added = cluster.run("add", f"c={cluster.peers['c']}")
    assert added.returncode == 0, added.stderr
    assert cluster.status("a")["members"]["c"]["id"] == 4


def test_a_node_alone_grows_without_losing_a_lock(cluster, tmp_path, started):
    alone = Node(tmp_path / "alone")
    started.append(alone)
    alone.start()
    with alone.connect() as connection:
        fence = connection.do("LOCK", "x", "TOKEN", "t", "TTL", "3600000")
        assert "--peer-listen" in connection.error("MEMBERS", "ADD", "x=127.0.0.1:1")
    assert alone.stop() == 0
    address = f"127.0.0.1:{free_ports(1)[0]}"
    alone.options = ["--peer-listen", address]
    alone.start()
    cluster.nodes, cluster.peers = {"node": alone}, {"node": address}
    for name in "xy":
        cluster.join(name)
        added = cluster.run("add", f"{name}={cluster.peers[name]}")
        assert added.returncode == 0, added.stderr
    alone.kill()
    cluster.wait_for_leader()
    with cluster.nodes["x"].connect() as connection:
        assert connection.do("CHECK", "x", "FENCE", str(fence)) == 1


def test_a_directory_put_back_from_a_copy_is_refused(cluster, tmp_path):
    cluster.found()
    c = cluster.nodes["c"]
    assert c.stop() == 0
    shutil.copytree(c.data, tmp_path / "copy")
    for _ in range(2):
        c.start()
        wait_until(lambda: cluster.status("a")["members"]["c"]["up"] == 1, what="c to be met")
        assert c.stop() == 0
        wait_until(lambda: cluster.status("a")["members"]["c"]["up"] == 0, what="its end to be seen")
    shutil.rmtree(c.data)
    shutil.copytree(tmp_path / "copy", c.data)
    c.launch()
    assert "member c was started 3 times before and now says 2" in why_it_stopped(c)


def test_another_secret_is_not_let_in(cluster, tmp_path):
    secrets = {}
    for name in "abc":
        secrets[name] = tmp_path / f"{name}.secret"
        secrets[name].write_text(("x" * 32 if name == "c" else "y" * 32) + "\n")
        os.chmod(secrets[name], 0o600)
        cluster.start(name, *cluster.options, "--cluster-secret-file", secrets[name])
    said = wait_until(lambda: "secret" in (cluster.status("a")["waiting"] or "") and cluster.status("a")["waiting"],
                      what="a word about the secret")
    assert "waiting for c" in said
    assert pathlib.Path(cluster.nodes["c"].data / "cluster").exists() is False
