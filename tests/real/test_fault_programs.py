"""The programs of the fault campaign (tests/fault) against a node, without its faults: what they note is found right, and one that
believes for too long is found out."""
import json
import pathlib
import signal
import subprocess
import sys

import pytest

from node import wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests" / "fault"))
import programs  # noqa: E402


@pytest.fixture(scope="module", autouse=True)
def built():
    try:
        programs.go()
    except programs.Missing as why:
        pytest.skip(str(why))
    programs.build(lambda text: None)


class Campaign:
    def __init__(self, node, folder, fences=True):
        self.node, self.folder, self.fences, self.running = node, folder, fences, {}
        (folder / "histories").mkdir()
        self.register = subprocess.Popen([*programs.register(fences), "--log", str(folder / "register.jsonl")], stdout=subprocess.PIPE, text=True)
        self.address = self.register.stdout.readline().split()[1]

    def start(self, language, *more):
        name = f"{language}-{len(self.running)}"
        command = [*programs.client(language), "--servers", "{}:{}".format(*self.node.address), "--register", self.address, "--client", name,
                   "--history", str(self.path(name)), "--seed", str(len(self.running)), "--think-ms", "5", *more]
        self.running[name] = subprocess.Popen(command)
        return name

    def path(self, name):
        return self.folder / "histories" / f"{name}.jsonl"

    def lines(self, name):
        text = self.path(name).read_bytes() if self.path(name).exists() else b""
        return [json.loads(line) for line in text[:text.rfind(b"\n") + 1].splitlines()]

    def wait_for(self, what, condition):
        wait_until(condition, 60, what)

    def returned(self, name, op, result):
        return sum(line["phase"] == "return" and (line["op"], line["result"]) == (op, result) for line in self.lines(name))

    def finish(self):
        for process in self.running.values():
            process.terminate()
        ended = [process.wait(20) for process in self.running.values()]
        assert set(ended) <= {0, -signal.SIGKILL}, ended
        return programs.check(self.folder, self.fences)

    def kill(self):
        for process in [self.register, *self.running.values()]:
            process.kill()
            process.wait()
        self.register.stdout.close()


@pytest.fixture
def campaign(node, tmp_path):
    made = Campaign(node, tmp_path)
    yield made
    made.kill()


def test_what_is_right_is_found_right(campaign):
    names = [campaign.start(language, "--names", "2") for language in ("cpp", "py", "go")]
    campaign.wait_for("15 writes of each", lambda: all(campaign.returned(name, "write", "ok") > 15 for name in names))
    verdict = campaign.finish()
    assert verdict["clean"], json.dumps(verdict, indent=1)
    assert set(verdict["clients"]) == set(names) and verdict["definite"] > 0.95 * verdict["operations"]
    assert verdict["acknowledged_updates"] > 45 and verdict["lost_updates"] == 0


def holds_now(lines):
    """It was granted something exclusively, and has not begun to let go."""
    held = set()
    for line in lines:
        if line["op"] == "lock" and line["phase"] == "return" and line["result"] == "ok" and line["mode"] == "X":
            held.add(line["fence"])
        if line["op"] == "unlock":
            held.discard(line["fence"])
    return bool(held)


def test_one_who_believes_for_too_long_is_found_out(campaign):
    """Its lock is granted to the other one in time, which it noted as too early."""
    common = ("--names", "1", "--threads", "1", "--ttl-ms", "500")
    wrong, other = campaign.start("py", *common, "--lengthen-ms", "60000"), campaign.start("go", *common)
    process = campaign.running[wrong]
    while True:  # stopped at a random point until that is one where it holds the lock
        campaign.wait_for("a grant", lambda: campaign.returned(wrong, "lock", "ok") > 0)
        process.send_signal(signal.SIGSTOP)
        campaign.wait_for("it to stop", lambda: "State:\tT" in pathlib.Path(f"/proc/{process.pid}/status").read_text())
        if holds_now(campaign.lines(wrong)):
            break
        noted = campaign.path(wrong).stat().st_size
        process.send_signal(signal.SIGCONT)
        campaign.wait_for("it to go on", lambda: campaign.path(wrong).stat().st_size > noted)
    process.kill()
    granted = campaign.returned(other, "lock", "ok")
    campaign.wait_for("a grant to the other", lambda: campaign.returned(other, "lock", "ok") > granted + 1)
    kinds = {violation["kind"] for violation in campaign.finish()["violations"]}
    assert {"exclusion", "not linearizable (lock)"} <= kinds, kinds
