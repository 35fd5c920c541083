"""node-redis and ioredis, as their users use them: native commands, pipelines, pools with TOKEN, subscriptions, pushes."""
import json
import os
import subprocess

import pytest

from node import ROOT

REAL = ROOT / "build" / "real" / "node"
SCRIPTS = ROOT / "tests" / "real" / "js"


def run_script(node, script, protocol):
    command = [str(REAL / "node"), str(SCRIPTS / script), node.address[0], str(node.port), str(protocol)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, CLEAT_NODE_MODULES=str(REAL)))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.parametrize("script", ["node_redis.mjs", "io_redis.mjs"])
@pytest.mark.parametrize("protocol", [2, 3])
def test_client(node, script, protocol):
    seen = run_script(node, script, protocol)
    assert "clientError" not in seen and "poolError" not in seen, seen
    assert seen["refused"] is None
    assert seen["unlocked"] == 0
    assert seen["laterFence"] > seen["fence"] > 0
    assert seen["error"].startswith("NOTHELD")
    assert len(set(seen["pipeline"])) == 100 and seen["pipeline"] == sorted(seen["pipeline"])
    if "automatic" in seen:
        assert len(set(seen["automatic"])) == 50
    assert len(set(seen["turns"])) == 50 and seen["turns"] == sorted(seen["turns"])
    assert seen["event"]["channel"] == "cleat:watched"
    assert seen["event"]["fence"] == seen["event"]["watchedFence"]
    if protocol == 3:
        assert seen["queued"] == "QUEUED"
        assert seen["echoesInOrder"]
        assert seen["granted"] == 0
    assert seen["ping"] == "PONG"
