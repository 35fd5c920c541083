"""What is seen while the campaign runs: who leads, as each member says, and what the clients' histories tell."""
import array
import contextlib
import json
import threading
import time

import wire

SAMPLE_S = 0.2
ANSWER_S = 0.5  # who takes longer is silent


class Leaders:
    """Asks each member on a thread of its own; writes leaders.jsonl: a line for each change."""

    def __init__(self, place):
        self.place = place
        self.file = open(place.place / "leaders.jsonl", "w", encoding="ascii")
        self.lock, self.ending = threading.Lock(), threading.Event()
        self.changes = []  # of {"at_ns", "member", "term", "role"}
        self.latest = {}
        self.threads = [threading.Thread(target=self.watch, args=(name,), daemon=True) for name in place.peers]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()
        self.file.close()

    def watch(self, name):
        connection = None
        while not self.ending.wait(SAMPLE_S):
            try:
                connection = connection or self.place.members[name].connect(timeout=ANSWER_S)
                told = dict(line.split(":", 1) for line in connection.do("INFO", "replication").split("\r\n") if ":" in line)
                self.note(name, told["role"], int(told["term"]))
            except (OSError, wire.Closed, wire.ErrorReply, TypeError):  # TypeError: it has no address while it starts
                if connection:
                    connection.close()
                connection = None
                self.note(name, "silent", None)

    def note(self, name, role, term):
        with self.lock:
            if self.latest.get(name) == (role, term):
                return
            self.latest[name] = (role, term)
            change = {"at_ns": time.monotonic_ns(), "member": name, "term": term, "role": role}
            self.changes.append(change)
            self.file.write(json.dumps(change) + "\n")
            self.file.flush()

    def leader(self):
        """Of the highest term that a member claims to lead; None: nobody does."""
        with self.lock:
            leading = [(term, name) for name, (role, term) in self.latest.items() if role == "leader"]
        return max(leading)[1] if leading else None

    def fail_overs(self):
        """How often another member began to lead than the one before."""
        with self.lock:
            leads = sorted({(c["term"], c["member"]) for c in self.changes if c["role"] == "leader"})
        return sum(one[1] != other[1] for one, other in zip(leads, leads[1:]))


class Operations:
    """Those that returned, as columns: when, how long, which client, which operation, with what result."""

    def __init__(self, folder):
        self.folder = folder
        self.ends_ns, self.took_ns = array.array("q"), array.array("q")
        self.clients, self.kinds, self.results = array.array("H"), array.array("H"), array.array("H")
        self.words, self.numbers = [], {}
        self.read_to = {}
        self.last_lock_ns = {}  # of each client the end of its last granted lock

    def __len__(self):
        return len(self.ends_ns)

    def number(self, word):
        if word not in self.numbers:
            self.numbers[word] = len(self.words)
            self.words.append(word)
        return self.numbers[word]

    def read(self):
        """What was written since the last time."""
        for path in self.folder.glob("*.jsonl"):
            with open(path, "rb") as file:
                file.seek(self.read_to.get(path, 0))
                data = file.read()
            whole = data.rfind(b"\n") + 1
            self.read_to[path] = self.read_to.get(path, 0) + whole
            for line in data[:whole].splitlines():
                if b'"return"' in line:
                    with contextlib.suppress(ValueError):  # cut by a kill
                        self.add(json.loads(line))

    def add(self, line):
        if line.get("phase") != "return" or line["op"] == "loss" or line.get("return_ns") is None:
            return
        self.ends_ns.append(line["return_ns"])
        self.took_ns.append(line["return_ns"] - line["call_ns"])
        for column, word in ((self.clients, line["client"]), (self.kinds, line["op"]), (self.results, line["result"])):
            column.append(self.number(word))
        if line["op"] == "lock" and line["result"] == "ok":
            self.last_lock_ns[line["client"]] = max(line["return_ns"], self.last_lock_ns.get(line["client"], 0))

    def count(self, kind, result):
        wanted = self.numbers.get(kind), self.numbers.get(result)
        return sum(pair == wanted for pair in zip(self.kinds, self.results))
