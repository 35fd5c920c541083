"""What a client did, one line of JSON at a time: before a request is sent, and when its answer is there (docs/proof.md)."""
import json
import os
import threading
import time


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class History:
    """A file that several threads, and one process after the other, append to."""

    def __init__(self, path, client):
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self.file).st_size
        if size and os.pread(self.file, 1, size - 1) != b"\n":
            os.write(self.file, b"\n")  # the process before was killed in the middle of a line
        self.common = {"client": client, "process": os.getpid()}
        self.lock = threading.Lock()
        self.operations = 0

    def write(self, line):
        os.write(self.file, json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def call(self, op, name, **fields):
        """Notes that an operation begins. The caller sends it after that."""
        with self.lock:
            self.operations += 1
            number = self.operations
        operation = Operation(self, {**self.common, "id": number, "op": op, "name": name, **fields, "call_ns": now_ns()})
        self.write({"phase": "call", **operation.fields})
        return operation

    def told_lost(self, name, fence, deadline_ns, why):
        """Notes that the service told of a loss."""
        at = now_ns()
        self.write({"phase": "return", **self.common, "op": "loss", "name": name, "fence": fence, "deadline_ns": deadline_ns, "why": why,
                    "call_ns": at, "return_ns": at, "result": "lost"})


class Operation:
    def __init__(self, history, fields):
        self.history, self.fields = history, fields

    def done(self, result, **more):
        self.history.write({"phase": "return", **self.fields, "return_ns": now_ns(), "result": result, **more})
        return result
