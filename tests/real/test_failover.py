"""The leader is killed with -9 or stopped under load, again and again: no acknowledged lock is lost, no fence repeats, nobody is inside
with another, and clients that retry for up to ten seconds see no failed command."""
import os
import random
import threading
import time

import pytest

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
