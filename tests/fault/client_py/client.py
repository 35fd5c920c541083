#!/usr/bin/env python3
"""A program of the campaign: its threads lock with redis-py as the recipe does, and change what the locks guard.

Each thread, until SIGTERM: takes a lock in one of the ways there are, reads the register under it, works, writes the value plus
one, lets go. Most stop when they may not believe any more to hold the lock; some go on, as programs do that look at no clock, and then
the register must refuse them.
"""
import argparse
import os
import random
import signal
import threading
import time

from history import History, now_ns
from register import Register
from service import Grant, Line, Service

EPOCH_NS = 30 * 10**9  # new names so often: what the checker must look at in one piece stays small
CROWD_EVERY_NS, CROWD_NS = 10 * 10**9, 10**9  # so often and for so long all want the same name, and stand in line
END_SECONDS = 13


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", required=True, help="HOST:PORT,...")
    parser.add_argument("--password-file")
    parser.add_argument("--register", required=True, help="HOST:PORT")
    parser.add_argument("--names", type=int, default=8)
    parser.add_argument("--client", required=True, help="what the history calls it")
    parser.add_argument("--history", required=True, help="a file to append to")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ttl-ms", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=3)
    parser.add_argument("--think-ms", type=int, default=80, help="mean pause between two locks")
    parser.add_argument("--lengthen-ms", type=int, default=0, help="believe for so much longer than is right: the checker must find it")
    return parser.parse_args()


class Worker:
    def __init__(self, options, number, history, stop):
        self.history, self.stop, self.names = history, stop, options.names
        self.think, self.ttl_ms = options.think_ms / 1000, options.ttl_ms
        self.random = random.Random(f"{options.seed} {number}")
        self.service = Service(history, options.servers.split(","), options.ttl_ms, stop.is_set, f"{options.client}-{os.getpid()}-{number}")
        self.register = Register(options.register)

    def run(self):
        while not self.stop.wait(self.random.expovariate(1 / self.think)):
            self.turn()
        self.service.close()
        self.register.close()

    def chance(self, share):
        return self.random.random() < share

    def turn(self):
        now = now_ns()
        crowd = now % CROWD_EVERY_NS < CROWD_NS
        index = 0 if crowd or self.chance(0.1) else self.random.randrange(self.names)
        name = f"n{index}-{now // EPOCH_NS}"
        if self.chance(0.3 if crowd else 0.05):
            self.service.show(name)
        mode = "S" if self.chance(0.2) else "X"
        wait_ms = 0 if self.chance(0.2) else self.random.randrange(100, 1500)
        again = self.chance(0.08)
        if self.chance(0.25):
            grant = self.service.lock_by_token(name, mode, wait_ms, again)
        else:
            max_hold_ms = self.random.randrange(500, 2 * self.ttl_ms) if self.chance(0.1) else 0
            grant = self.service.lock(name, mode, wait_ms, max_hold_ms, again)
        if grant is None:
            return
        self.hold(grant)
        if grant.told():
            self.history.told_lost(name, grant.fence, grant.deadline_ns(), grant.told())
        self.service.unlock(grant)

    def hold(self, grant):
        by_token = grant.words[0] == "TOKEN"
        overstays = by_token and self.chance(0.02)  # it renews nothing, looks at no clock, and takes too long
        careless = overstays or self.chance(0.15)
        before = self.read(grant)
        for _ in range(self.random.randrange(1, 3)):
            self.work(overstays)
            if self.chance(0.1):
                self.service.check(grant)
            if by_token and not overstays and self.chance(0.4):
                self.service.renew(grant)
            if before is None or not (careless or grant.believed()):
                return
            before = self.write(grant, *before) if grant.mode == "X" else self.read(grant)

    def work(self, overstays):
        kind = self.random.random()
        if kind < 0.005 or overstays:
            seconds = self.random.uniform(1.05, 2) * self.ttl_ms / 1000  # longer than any lease that is not renewed
        elif kind < 0.03:
            seconds = self.random.uniform(0, 0.5) * self.ttl_ms / 1000
        else:
            seconds = self.random.uniform(0, 0.015)
        self.stop.wait(seconds)

    def read(self, grant):
        """Value and version, or None."""
        operation = self.history.call("read", grant.name, fence=grant.fence, mode=grant.mode, deadline_ns=grant.deadline_ns())
        answer = self.register.ask("read", grant.name, grant.mode, grant.fence)
        if answer is None or answer[0] != "ok":
            operation.done("unknown" if answer is None else answer[0])
            return None
        value, version = int(answer[1]), int(answer[2])
        operation.done("ok", value=value, version=version)
        return value, version

    def write(self, grant, value, version):
        operation = self.history.call("write", grant.name, fence=grant.fence, value=value + 1, base=version, deadline_ns=grant.deadline_ns())
        answer = self.register.ask("write", grant.name, grant.fence, value + 1, version)
        if answer is None or answer[0] != "ok":
            operation.done("unknown" if answer is None else answer[0])
            return None
        operation.done("ok", version=int(answer[1]))
        return value + 1, int(answer[1])


def main():
    options = arguments()
    if options.password_file:
        with open(options.password_file) as file:
            Line.password = file.read().strip()
    Grant.lengthened = options.lengthen_ms / 1000
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    history = History(options.history, options.client)
    threads = [threading.Thread(target=Worker(options, number, history, stop).run, daemon=True) for number in range(options.threads)]
    for thread in threads:
        thread.start()
    while not stop.wait(1):
        if not all(thread.is_alive() for thread in threads):
            os._exit(1)  # its trace is on stderr
    end = time.monotonic() + END_SECONDS
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    os._exit(0)  # what has not ended stays open in the history: unknown


if __name__ == "__main__":
    main()
