"""The campaign itself: starts place and clients, makes the faults of the plan, asks for progress after the last one, has the history
checked, writes the page of result. Runs inside the namespaces that `run` made."""
import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
import sys
import time
import traceback
import types

import clients as clients_module
import faults
import freezer
import page
import place as place_module
import plan
import programs
import watch
from cluster import digests
from fault import Scene
from node import wait_until

TICK_S = 0.1
SHOW_EVERY_S = 5.0
PROGRESS_S = 30.0  # within it after the last fault every client has a lock again
DRAINED_S = 15.0  # within it after the last client nothing is held: longer than a TTL


class Freezers:
    """Those in use; the name tells `run` which to remove if this process can't."""

    def __init__(self, owner):
        self.owner, self.numbers, self.used = owner, itertools.count(), set()

    def make(self):
        made = freezer.Freezer(f"{self.owner}-{next(self.numbers)}").__enter__()
        self.used.add(made)
        return made

    def remove(self, made):
        self.used.discard(made)
        made.__exit__()

    def remove_all(self):
        for made in list(self.used):
            self.remove(made)


class Events:
    """events.jsonl, and what the page tells of each fault."""

    def __init__(self, folder):
        self.file = open(folder / "events.jsonl", "w", encoding="ascii")
        self.all = []

    def note(self, kind, target, phase, detail=""):
        event = {"at_ns": time.monotonic_ns(), "kind": kind, "target": target, "phase": phase, "detail": detail}
        self.all.append(event)
        self.file.write(json.dumps(event) + "\n")
        self.file.flush()


@dataclasses.dataclass
class Made:
    """A fault that was made."""

    kind: str
    target: str
    begin_ns: int
    end_ns: int
    evidence: str  # empty: it did not take hold


class Campaign:
    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        self.place, self.missing = place_module.make(folder, options.members)
        self.kinds = faults.chosen(options.kinds, self.missing)
        self.clients = clients_module.Clients(self.place, options.seed, options.fences)
        self.freezers = Freezers(options.owner)
        self.events = Events(folder)
        self.operations = watch.Operations(folder / "histories")
        self.made, self.wrong = [], []
        self.fault_now, self.doing = "", "at the start"
        self.begin_ns = self.calm_ns = self.end_ns = time.monotonic_ns()
        self.shown_s = 0.0

    def run(self):
        """Everything up to the end of the last client; what went wrong is in `wrong`."""
        say("starting the members and the clients")
        with contextlib.ExitStack() as undo:
            undo.enter_context(self.place)
            undo.callback(self.clients.kill)
            undo.callback(self.freezers.remove_all)
            self.clients.start(list(self.place.peers))
            if not self.clients.all:
                raise SystemExit(f"no client can run here: {self.clients.missing}")
            self.leaders = undo.enter_context(watch.Leaders(self.place))
            self.begin_ns = time.monotonic_ns()
            steps = plan.draw(self.options.seed, self.options.seconds, self.kinds, list(self.place.peers), list(self.clients.all))
            (self.folder / "plan.json").write_text(json.dumps([dataclasses.asdict(step) for step in steps], indent=1) + "\n")
            try:
                self.wait_for_locks("at the start")
                self.make_all(steps)
                self.calm_ns = time.monotonic_ns()
                self.wait_for_locks("after the last fault")
                self.end()
            except Exception as failed:  # noqa: BLE001
                (self.place.logs_folder / "campaign.log").write_text(traceback.format_exc())
                self.wrong.append(f"{self.doing}: {failed or failed!r}")
            self.end_ns = time.monotonic_ns()
            self.operations.read()

    def make_all(self, steps):
        begin = time.monotonic()
        for at_s, together in itertools.groupby(steps, key=lambda step: step.at_s):
            if time.monotonic() - begin > self.options.seconds:
                break  # the faults before took longer than planned
            self.watch_until(begin + at_s)
            self.make(list(together))
            self.place.heal()

    def make(self, steps):
        """These at the same time; each ends when its time is over."""
        running, busy = [], []
        self.fault_now = self.doing = " and ".join(step.kind for step in steps)
        began = time.monotonic()
        try:
            for step in steps:
                target = self.target(step, busy)
                busy.append(target)
                fault = faults.BY_KIND[step.kind](Scene(self.place, self.clients, self.freezers), target, step.choices)
                name = getattr(target, "name", "all")
                self.events.note(step.kind, name, "begin", json.dumps(step.choices) if step.choices else "")
                running.append((step, fault, Made(step.kind, name, time.monotonic_ns(), 0, "")))
                fault.begin()
            for step, fault, made in sorted(running, key=lambda each: each[0].seconds):
                while time.monotonic() - began < step.seconds:
                    for _, each, its in running:
                        if not its.end_ns:
                            each.tick(time.monotonic() - began)
                            its.evidence = each.evidence() or its.evidence
                    self.show()
                    self.clients.watch(TICK_S)
                self.end_one(fault, made)
        finally:
            for _, fault, made in running:
                if not made.end_ns:
                    with contextlib.suppress(Exception):
                        self.end_one(fault, made)
            self.fault_now = ""

    def end_one(self, fault, made):
        made.evidence = fault.evidence() or made.evidence
        made.end_ns = time.monotonic_ns()
        fault.end()
        made.end_ns = time.monotonic_ns()
        made.evidence = fault.evidence() or made.evidence
        self.made.append(made)
        self.events.note(made.kind, made.target, "end", made.evidence or "it did not take hold")

    def target(self, step, busy):
        if step.who == "all":
            return None
        if step.who in self.clients.all:
            free = [client for client in self.clients.all.values() if client not in busy]
            return next((client for client in free if client.name == step.who), free[0])
        return self.place.pick(step.who, busy)

    def watch_until(self, until):
        while time.monotonic() < until:
            self.show()
            self.clients.watch(TICK_S)

    def show(self):
        if time.monotonic() - self.shown_s < SHOW_EVERY_S:
            return
        self.shown_s = time.monotonic()
        self.operations.read()
        elapsed_s = (time.monotonic_ns() - self.begin_ns) / 1e9
        say(f"{elapsed_s:6.0f} s  {len(self.operations):8} operations  leader {self.leaders.leader() or '-'}  "
            f"{len(self.made):4} faults{'  now: ' + self.fault_now if self.fault_now else ''}")

    def wait_for_locks(self, when):
        since_ns = time.monotonic_ns()

        def all_have():
            if self.clients.failed():
                raise AssertionError(self.clients.failed())
            self.show()
            self.operations.read()
            return all(self.operations.last_lock_ns.get(name, 0) > since_ns for name in self.clients.all)

        wait_until(all_have, PROGRESS_S, f"a lock for each client {when}")
        say(f"every client got a lock {when}, within {(time.monotonic_ns() - since_ns) / 1e9:.1f} s")

    def end(self):
        self.doing = "at the end"
        late = self.clients.finish()
        if late:
            self.wrong.append(f"did not end as they should: {', '.join(late)}")
        wait_until(self.drained, DRAINED_S, "all locks and queues to be empty")
        if len(digests(self.place)) != 1:
            self.wrong.append("the members' states differ at the same entry")

    def drained(self):
        told = self.place.wait_one_leader().info()
        return int(told["holds"]) == 0 and int(told["waiters"]) == 0


def say(text):
    print(text, flush=True)


def verdict_of(campaign):
    """What the checker says; a checker that fails is a wrong result."""
    say("checking the history")
    try:
        return programs.check(campaign.folder, campaign.options.fences)
    except Exception as failed:  # noqa: BLE001
        return {"clean": False, "why": f"the checker failed: {failed!r}", "operations": 0, "definite": 0}


def main(options):
    folder = pathlib.Path(options.folder)
    try:
        programs.go()
    except programs.Missing as why:
        raise SystemExit(f"The checker {why}. Put such a go on PATH.") from None
    programs.build(say)
    campaign = Campaign(folder, options)
    campaign.run()
    result = page.write(campaign, verdict_of(campaign))
    for line in result.wrong:
        say(f"WRONG: {line}")
    say(f"{'clean' if not result.wrong else 'NOT CLEAN'}: {os.path.relpath(folder / 'index.html')}")
    return 1 if result.wrong else 0


if __name__ == "__main__":
    sys.exit(main(types.SimpleNamespace(**json.loads(sys.argv[1]))))
