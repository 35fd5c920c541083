"""What a client was told, and what must therefore be so after a crash (used by the kill -9 and power-cut tests).

A Worker owns some names and one explicit session, and sends pipelines of changes. What was answered is kept as fact; what
was sent and not answered is unknown until it is asked again with the same REQ. Fences of all workers go into one Fences.
"""
import random
import threading

import wire

TTL_MS = 600_000
DATA_WORDS = ("red", "green", "blue", "white", "x" * 300)


class Fences:
    """Every fence ever granted, with the request that got it. A fence seen twice for two requests is a failure."""

    def __init__(self):
        self.granted = {}
        self.latest_of_name = {}
        self.lock = threading.Lock()

    def new(self, fence, name, request):
        with self.lock:
            before = self.granted.setdefault(fence, (name, request))
            assert before == (name, request), f"fence {fence} was granted to {before} and again to {(name, request)}"
            latest = self.latest_of_name.get(name, 0)
            assert fence >= latest, f"{name} was granted with fence {fence} after fence {latest}"
            self.latest_of_name[name] = fence


class Change:
    """One command that changes something, and how its answer changes what is known."""

    def __init__(self, kind, name, request, words, data=None):
        self.kind, self.name, self.request, self.words, self.data = kind, name, request, words, data


class Worker:
    def __init__(self, number, seed, fences, names=12, depth=6, data_words=DATA_WORDS):
        self.number = number
        self.fences = fences
        self.depth = depth
        self.data_words = data_words
        self.random = random.Random(f"{seed}/{number}")
        self.held = {f"w{number}/n{i}": None for i in range(names)}  # name -> [fence, data] or None
        self.tokens = {f"w{number}/t{i}": None for i in range(names // 3)}
        self.requests = 0
        self.session = None
        self.unanswered = []
        self.last_answered = []  # (change, answer) of the last whole pipeline
        self.answered = 0
        self.refused = 0  # with DISKFULL

    # -- one pipeline of changes ------------------------------------------------------------------------------------

    def next_request(self):
        self.requests += 1
        return f"r{self.number}-{self.requests}"

    def choose(self, name):
        request = self.next_request()
        hold = self.held[name]
        data = self.random.choice(self.data_words)
        if hold is None:
            return Change("lock", name, request, ("LOCK", name, "WAIT", "0", "DATA", data, "REQ", request), data)
        if self.random.random() < 0.4:
            return Change("put", name, request, ("PUT", name, "DATA", data, "REQ", request), data)
        return Change("unlock", name, request, ("UNLOCK", name, "FENCE", str(hold[0]), "REQ", request))

    def choose_token(self, name):
        token = f"token-{name}"
        if self.tokens[name] is None:
            # No REQ: a token is idempotent by itself while it holds.
            return Change("token", name, self.next_request(), ("LOCK", name, "TOKEN", token, "TTL", str(TTL_MS)))
        return Change("untoken", name, self.next_request(), ("UNLOCK", name, "TOKEN", token))

    def choose_all(self):
        names = self.random.sample(sorted(self.held), self.depth - 1)
        changes = [self.choose(name) for name in names]
        changes.append(self.choose_token(self.random.choice(sorted(self.tokens))))
        return changes

    def learn(self, change, answer):
        """Takes an answer as fact."""
        if isinstance(answer, wire.ErrorReply) and answer.code == "DISKFULL":
            # Not decided by the log: nothing happened, and the REQ may be asked again.
            assert change.kind in ("lock", "token", "put"), f"{change.words} was refused: {answer}"
            self.refused += 1
            return
        assert not isinstance(answer, Exception), f"{change.words} was refused: {answer}"
        if change.kind == "lock":
            assert isinstance(answer, int), f"{change.words} of a free name was answered {answer!r}"
            self.fences.new(answer, change.name, change.request)
            self.held[change.name] = [answer, change.data]
        elif change.kind == "put":
            self.held[change.name][1] = change.data
        elif change.kind == "unlock":
            assert answer == 0, f"{change.words} was answered {answer!r}"
            self.held[change.name] = None
        elif change.kind == "token":
            assert isinstance(answer, int), f"{change.words} of a free name was answered {answer!r}"
            self.fences.new(answer, change.name, change.request)
            self.tokens[change.name] = answer
        else:
            self.tokens[change.name] = None
        self.answered += 1

    def run(self, node, until):
        """Sends pipelines until the server dies or until() says stop."""
        try:
            connection = node.connect()
        except OSError:
            return
        with connection:
            try:
                self.attach(connection)
                while not until():
                    self.unanswered = self.choose_all()
                    connection.send_raw(b"".join(wire.encode(*change.words) for change in self.unanswered))
                    self.read_answers(connection)
            except (wire.Closed, OSError):
                return

    def read_answers(self, connection):
        answered = []
        while self.unanswered:
            answer = connection.reply_or_error()
            change = self.unanswered.pop(0)
            self.learn(change, answer)
            answered.append((change, answer))
            self.last_answered = answered

    def attach(self, connection):
        if self.session is None:
            opened = wire.as_map(connection.do("SESSION", "OPEN", "TTL", str(TTL_MS), "LABEL", f"worker {self.number}"))
            self.session = (opened["id"], opened["key"])
        else:
            connection.do("SESSION", "ATTACH", *self.session)

    # -- after the restart ------------------------------------------------------------------------------------------

    def check(self, node):
        """Every acknowledged change is there; repeats give the first answer; what was unknown is settled."""
        if self.session is None:
            return
        with node.connect() as connection:
            self.attach(connection)
            self.check_repeats(connection)
            self.settle(connection)
            self.check_state(connection)

    def check_repeats(self, connection):
        repeatable = [(c, a) for c, a in self.last_answered if c.kind in ("lock", "put", "unlock")
                      and not isinstance(a, Exception)]
        answers = connection.pipeline([change.words for change, _ in repeatable])
        for (change, first), again in zip(repeatable, answers):
            assert again == first, f"{change.words} was answered {first!r}, and after the restart {again!r}"

    def settle(self, connection):
        """Asks again what was never answered: the answer is now fact, and asked a third time it stays the same."""
        for change in self.unanswered:
            connection.send(*change.words)
            answer = connection.reply_or_error()
            if change.kind in ("lock", "put", "unlock") and not isinstance(answer, Exception):
                again = connection.do(*change.words)
                assert again == answer, f"{change.words}: {answer!r}, then {again!r}"
            self.learn(change, answer)
        self.unanswered = []

    def check_state(self, connection):
        names = sorted(self.held) + sorted(self.tokens)
        shown = connection.pipeline([("SHOW", name) for name in names])
        for name, answer in zip(names, shown):
            assert not isinstance(answer, Exception), f"SHOW {name}: {answer}"
            holders = [wire.as_map(holder) for holder in wire.as_map(answer)["holders"]]
            known = self.held.get(name) or ([self.tokens[name], None] if self.tokens.get(name) else None)
            if known is None:
                assert holders == [], f"{name} was released, yet is held: {holders}"
                continue
            assert len(holders) == 1, f"{name} was granted with fence {known[0]}, yet SHOW says {holders}"
            assert holders[0]["fence"] == known[0], f"{name}: fence {known[0]} was granted, SHOW says {holders[0]}"
            if known[1] is not None:
                assert holders[0]["data"] == known[1], f"{name}: data {known[1]!r} was acknowledged, SHOW says {holders[0]}"


class Load:
    """Runs workers in threads until stopped or until their server dies. A failure of one is raised by `stop`."""

    def __init__(self, node, workers):
        self.failures = []
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(node, worker)) for worker in workers]
        for thread in self.threads:
            thread.start()

    def run(self, node, worker):
        try:
            worker.run(node, self.ending.is_set)
        except BaseException as failure:
            self.failures.append(failure)

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), "a client hangs"
        if self.failures:
            raise self.failures[0]
