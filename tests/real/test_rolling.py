"""All members are restarted one after the other, as an operator does it, under load: with the same version, and with one that knows the
next feature level. Nobody sees a failed command, no hold is lost, and the new rules hold for all members from one entry on."""
import os
import time

from cluster import digests, status
from load import Load
from node import CLEAT, CLEAT_NEXT, wait_until

ROUNDS = int(os.environ.get("CLEAT_TEST_ROLLS", "1"))


def restart(cluster, node, binary=CLEAT):
    """Stops it with SIGTERM and starts it again; returns when it has all that the others have."""
    leads = cluster.leader() is node
    began = time.monotonic()
    assert node.stop() == 0, node.log()
    stopped = time.monotonic() - began
    if leads:
        assert wait_until(cluster.leader, 1, "that another member leads at once") is not node
    node.binary = binary
    node.launch().wait_ready()
    cluster.wait_ready()
    wait_until(lambda: lag(cluster, node) is not None and lag(cluster, node) < 100, 10, "it to catch up")
    return stopped


def lag(cluster, node):
    leader = cluster.leader()
    return status(leader)["members"][node.name]["lag"] if leader else None


def test_rolling_restart_under_load(cluster):
    with Load(cluster) as load:
        stops = [restart(cluster, node) for _ in range(ROUNDS) for node in cluster.members.values()]
        told = load.finish()
    print(f"{len(stops)} restarts, longest stop {max(stops):.2f} s; {told}")
    assert load.slowest < 5
    assert load.done > len(stops) * 50, f"only {load.done} changes were acknowledged"
    assert len(digests(cluster)) == 1


def kinds(node, name):
    with node.connect() as connection:
        return [dict(zip(entry[::2], entry[1::2]))["event"] for entry in connection.do("HISTORY", name)]


def check_old_rules(cluster):
    """Of two new members and an old one: nobody takes what the old one would not understand."""
    told = [status(node) for node in cluster.members.values()]
    assert {s["level"] for s in told} == {1}
    assert sorted(m["level"] for m in told[0]["members"].values()) == [1, 2, 2]
    with cluster.members["a"].connect() as connection:
        assert connection.do("LOCK", "before", "TOKEN", "t", "TTL", "600000")
        connection.do("RENEW", "before", "TOKEN", "t", "TTL", "600000")
        refused = connection.error("RENEW", "before", "TOKEN", "t", "TTL", "600000", "DATA", "d")
        assert refused.startswith("ERR RENEW in this form needs feature level 2 and the cluster is at 1"), refused
    assert kinds(cluster.members["b"], "before") == ["granted"]


def check_new_rules(cluster):
    for node in cluster.members.values():
        node.wait_info("feature_level", "2")
    with cluster.members["b"].connect() as connection:
        assert connection.do("RENEW", "before", "TOKEN", "t", "TTL", "600000", "DATA", "d") > 590_000
    for node in cluster.members.values():
        assert kinds(node, "before") == ["granted", "data"]


def refused_start(node):
    node.binary = CLEAT
    node.launch()
    assert node.process.wait(timeout=10) != 0
    return node.log()


def check_no_way_back(cluster):
    """The old version is sent away, with words that tell what to do, and does no harm."""
    c = cluster.members["c"]
    assert c.stop() == 0
    assert "all members have moved to feature level 2, and this one knows 1 at most" in refused_start(c)
    cluster.choose_addresses("d")
    joins = cluster.make("d", "--join", cluster.peers["a"], "--peer-listen", cluster.peers["d"])
    with cluster.leader().connect() as connection:
        assert connection.do("MEMBERS", "ADD", f"d={cluster.peers['d']}") == 4
    assert "this cleat is too old for its cluster" in refused_start(joins)
    for node in (c, joins):
        node.binary = CLEAT_NEXT
        node.start()
    wait_until(lambda: lag(cluster, joins) == 0, 10, "the newcomer to catch up")


def test_rolling_upgrade_under_load(cluster):
    a, b, c = cluster.members.values()
    with Load(cluster) as load:
        restart(cluster, a, CLEAT_NEXT)
        restart(cluster, b, CLEAT_NEXT)
        check_old_rules(cluster)
        restart(cluster, c, CLEAT_NEXT)
        check_new_rules(cluster)
        print(load.finish())
    assert load.slowest < 5
    check_no_way_back(cluster)
    assert len(digests(cluster)) == 1
    with c.connect() as connection:
        assert connection.do("RENEW", "before", "TOKEN", "t", "TTL", "600000") > 590_000
    for node in cluster.members.values():
        assert kinds(node, "before") == ["granted", "data", "data"]
