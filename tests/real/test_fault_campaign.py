"""The campaign of faults (`make fault`) in short, and that nothing of it stays behind when it is killed."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import types

import pytest

import netns
from node import ROOT, wait_until

RUN = ROOT / "tests" / "fault" / "run"
sys.path.insert(0, str(RUN.parent))

import faults  # noqa: E402
import page  # noqa: E402
import plan  # noqa: E402
import programs  # noqa: E402


def why_not():
    """Why no campaign with all that belongs to it can be run here, or None."""
    try:
        programs.go()
    except programs.Missing as why:
        return str(why)
    return netns.why_not()


WHY_NOT = why_not()
can_be_run = pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT))
MEMBERS, CLIENTS = list("abc"), ["cpp-0", "py-0"]


def test_the_same_seed_draws_the_same_plan():
    drawn = [plan.draw(seed, 3600, faults.ALL, MEMBERS, CLIENTS) for seed in (5, 5, 6)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert {step.kind for step in drawn[0]} == set(faults.BY_KIND), "an hour has all kinds"
    assert all(step.at_s + step.seconds <= 3600 for step in drawn[0])
    together = [step for step in drawn[0] if sum(step.at_s == other.at_s for other in drawn[0]) > 1]
    assert together and all(faults.BY_KIND[step.kind].mixes for step in together)


def test_what_is_missing_is_told():
    missing = {"network": "needs root"}
    skipped = faults.skipped(missing)
    assert skipped["partition"] == "needs root" and "kill" not in skipped
    assert {kind.kind for kind in faults.chosen(None, missing)} == set(faults.BY_KIND) - set(skipped)
    with pytest.raises(SystemExit, match="No such fault: kil. There are: kill, "):
        faults.chosen("kil", {})


def campaign(**changed):
    """One in which all went well, but for what is changed."""
    made = types.SimpleNamespace(kind="kill", target="a", evidence="ended by signal 9")
    return types.SimpleNamespace(**{"wrong": [], "made": [made], "options": types.SimpleNamespace(fences=True), **changed})


GOOD = {"clean": True, "operations": 1000, "definite": 990, "violations": [], "lost_updates": 0}


@pytest.mark.parametrize("changed, verdict, told", [
    ({}, {}, None),
    ({"wrong": ["at the end: waited 15 s for all locks and queues to be empty"]}, {}, "at the end: waited"),
    ({"made": []}, {}, "no fault was made"),
    ({"made": [types.SimpleNamespace(kind="kill", target="a", evidence="")]}, {}, "kill at a did not take hold"),
    ({}, {"definite": 899}, "only 899 of 1000 operations have a definite result"),
    ({}, {"operations": 0, "definite": 0}, "only 0 of 0"),
    ({}, {"clean": False, "violations": [{"kind": "double grant", "name": "n0", "message": "at once"}]}, "double grant at n0: at once"),
    ({}, {"clean": False, "why": "a part took too long"}, "the history is not clean: a part took too long"),
    ({"options": types.SimpleNamespace(fences=False)}, {}, "the campaign is too gentle"),
    ({"options": types.SimpleNamespace(fences=False)}, {"lost_updates": 1}, None),
])
def test_what_makes_a_campaign_fail(changed, verdict, told):
    wrong = page.what_is_wrong(campaign(**changed), {**GOOD, **verdict})
    assert (told is None and wrong == []) or told in wrong[0], wrong


def start(folder, minutes, kinds):
    return subprocess.Popen([RUN, "--minutes", str(minutes), "--seed", "4", "--into", folder, "--kinds", ",".join(kinds)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@can_be_run
def test_a_short_campaign(tmp_path):
    running = start(tmp_path / "result", 0.25, ["kill", "half-open", "client pause"])
    told, _ = running.communicate(timeout=120)
    print(told)
    result = json.loads((tmp_path / "result" / "result.json").read_text())
    assert running.returncode == 0 and result["wrong"] == [] and result["operations"] > 500
    assert "Clean" in (tmp_path / "result" / "index.html").read_text()
    assert processes_of(tmp_path) == [] and str(tmp_path) not in pathlib.Path("/proc/mounts").read_text()


@can_be_run
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_nothing_stays_behind(tmp_path, ending):
    running = start(tmp_path / "result", 1, ["client freeze"])
    for line in running.stdout:
        if "every client got a lock" in line:
            break
    assert len(processes_of(tmp_path)) > 4
    running.send_signal(ending)
    running.wait(20)
    wait_until(lambda: not processes_of(tmp_path), 10, "all its processes to end")
    assert str(tmp_path) not in pathlib.Path("/proc/mounts").read_text()


def processes_of(folder):
    """Those with a word of this folder in their command line."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder) in path.read_bytes().decode(errors="replace") and int(path.parent.name) != os.getpid():
                found.append(path.parent.name)
        except OSError:  # it ended meanwhile
            pass
    return found
