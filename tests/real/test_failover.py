"""The leader is killed with -9 or stopped under load, again and again: no acknowledged lock is lost, no fence repeats, nobody is inside
with another, and clients that retry for up to ten seconds see no failed command."""
import os
import random
import threading
import time

import pytest

import wire
from cluster import answers
from load import SEED, Load
from node import wait_until

KILLS = int(os.environ.get("CLEAT_TEST_FAILOVERS", "8"))


def fail_over(cluster, how, chance, pause):
    """Kills or stops the leader, waits for another, and brings the first one back. Returns how long there was none."""
    leader = wait_until(cluster.leader, 30, "a leader")
    if how == "killed":
        leader.kill()
    else:
        cluster.stop(leader)
    lost = time.monotonic()
    wait_until(cluster.leader, 10, "another leader")
    vacancy = time.monotonic() - lost
    if how == "killed":
        pause.wait(chance.uniform(0, 1.0))
        leader.launch().wait_ready()
    else:
        pause.wait(chance.choice((0.5, 6.0)))  # or longer than its clients wait for an answer
        cluster.resume(leader)
    cluster.wait_ready()
    pause.wait(chance.uniform(0.2, 1.0))
    return vacancy


@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_leader_lost_under_load(cluster, how):
    chance, pause = random.Random(SEED), threading.Event()
    with Load(cluster) as load:
        vacancies = [fail_over(cluster, how, chance, pause) for _ in range(KILLS)]
        print(f"{KILLS} leaders {how}, {load.finish()}, longest vacancy {max(vacancies):.2f} s")
    assert load.done > KILLS * 50, f"only {load.done} changes were acknowledged"


@pytest.mark.parametrize("whose", ["the leader", "a follower"])
def test_what_a_stopped_member_reads_late(cluster, whose):
    """Its clients gave up, asked elsewhere, let go, and went on by more than the results that are kept: nothing is done again."""
    leader = cluster.wait_one_leader()
    member = leader if whose == "the leader" else next(node for node in cluster.alive() if node is not leader)
    with member.connect() as token, member.connect() as session:
        opened = wire.as_map(session.do("SESSION", "OPEN", "TTL", "600000"))
        cluster.stop(member)
        lock_by_token = ("LOCK", "by token", "TOKEN", "t", "TTL", "600000")
        lock_by_session = ("LOCK", "by session", "REQ", "r")
        token.send(*lock_by_token)
        token.close()
        session.send(*lock_by_session)  # and the end of this connection does not get there
        with wait_until(cluster.leader, 10, "a leader").connect() as other:
            other.do("SESSION", "ATTACH", opened["id"], opened["key"], "TAKEOVER")
            for lock, unlock in ((lock_by_token, ("TOKEN", "t")), (lock_by_session, ("REQ", "u"))):
                assert other.do(*lock) > 0
                assert other.do("UNLOCK", lock[1], *unlock) == 0
            assert "NOTHELD" in str(other.pipeline([("UNLOCK", "nothing", "REQ", f"{n}") for n in range(300)])[-1])
            cluster.resume(member)
            with pytest.raises(wire.ErrorReply, match="NOSESSION.*taken over"):
                session.reply()
            wait_until(lambda: answers(member), what="the member to answer again")
            for lock in (lock_by_token, lock_by_session):
                assert wire.as_map(other.do("SHOW", lock[1]))["holders_total"] == 0
