"""kill -9 under load, a hundred times: what was acknowledged is there, no fence repeats, REQ gives the first answer."""
import os
import random
import threading
import time

from ledger import Fences, Load, Worker

KILLS = int(os.environ.get("CLEAT_TEST_KILLS", "100"))
SEED = os.environ.get("CLEAT_TEST_SEED") or str(random.randrange(1 << 32))


def load_until_killed(node, workers, seconds):
    load = Load(node, workers)
    load.ending.wait(seconds)
    node.kill()
    load.stop()


def test_killed_under_load(make_node):
    print(f"seed {SEED}: repeat with CLEAT_TEST_SEED={SEED} (the timing of processes differs from run to run)")
    chance = random.Random(SEED)
    node = make_node()
    fences = Fences()
    workers = [Worker(number, SEED, fences) for number in range(6)]
    slowest_restart = 0.0
    pause = threading.Event()
    for _ in range(KILLS):
        load_until_killed(node, workers, chance.uniform(0.02, 0.5))
        if chance.random() < 0.1:  # and sometimes while it starts
            node.launch()
            pause.wait(chance.uniform(0, 0.03))
            node.kill()
        started = time.monotonic()
        node.start()
        slowest_restart = max(slowest_restart, time.monotonic() - started)
        for worker in workers:
            worker.check(node)
    answered = sum(worker.answered for worker in workers)
    print(f"{KILLS} kills, {answered} acknowledged changes, {len(fences.granted)} fences, slowest restart {slowest_restart:.2f} s")
    # The test is empty if the load never got going.
    assert answered > KILLS * 50, f"only {answered} changes were acknowledged in {KILLS} rounds"
