"""The service as a worker of the campaign sees it: the recipe's session (docs/recipes/python.md), and holds by token. Each
request is one operation of the history, however often it must be said."""
import uuid

import cleat_session
import redis
from cleat_session import Lost, boot_clock
from history import now_ns

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.5  # above every WAIT
# The service knows the hold no more, and says so.
NOT_HELD = ("NOTHELD", "EXPIRED", "REVOKED", "STALE", "NOSESSION")
# Nothing was done, and nothing is wrong with the request.
REFUSALS = ("NOSESSION", "LIMIT", "DISKFULL")


def as_monotonic(deadline):
    """A time of the boot clock in nanoseconds of CLOCK_MONOTONIC, which all histories count in. Read in this order, a
    pause between the two makes it too early, never too late."""
    here = now_ns()
    return here + int((deadline - boot_clock()) * 1e9)


class Line(cleat_session.Line):
    """The recipe's, with a password, shorter time-outs, and it knows whether something was said twice."""

    password = None

    def __init__(self, servers, timeout, greeting=None):
        super().__init__(servers, min(timeout, ANSWER_SECONDS), greeting)
        self.once = True  # the latest request was said once

    def connect(self):
        host, port = self.servers[0].rsplit(":", 1)
        client = redis.Redis(host=host, port=int(port), protocol=3, decode_responses=True, single_connection_client=True,
                             password=self.password, socket_timeout=self.timeout,
                             socket_connect_timeout=min(self.timeout, CONNECT_SECONDS), retry=None)
        if self.greeting:
            client.execute_command(*self.greeting)
        self.client = client

    def ask(self, *command, until):
        self.once = True

        def until_noted():  # asked whenever a try was in vain
            self.once = False
            return until()
        return super().ask(*command, until=until_noted)


cleat_session.Line = Line


def code(error):
    return str(error).split(" ", 1)[0]


def ended(session):
    """How the service told that the session is over, or None."""
    return session.over if session.over and session.over.startswith(("the session ended", "NOSESSION")) else None


class Grant:
    """A hold, by the session or by a token."""

    lengthened = 0.0  # seconds by which this program is wrong on purpose

    def __init__(self, name, mode, fence, ask, words, deadline, told):
        self.name, self.mode, self.fence = name, mode, fence
        self.ask, self.words = ask, words  # how its holder is named in a request
        self.counted, self.told = deadline, told  # functions: boot clock; why it is lost, as far as the service told

    def deadline(self):
        return self.counted() + self.lengthened

    def deadline_ns(self):
        return as_monotonic(self.deadline())

    def believed(self):
        return self.told() is None and boot_clock() < self.deadline()


class Service:
    """One thread's. `over()`: the campaign ends, ask nothing twice any more."""

    def __init__(self, history, servers, ttl_ms, over, label):
        self.history, self.servers, self.ttl_ms, self.over, self.label = history, servers, ttl_ms, over, label
        self.session = None
        self.line = Line(servers, ANSWER_SECONDS)  # without a session: tokens, looking
        self.requests = 0

    def close(self):
        if self.session is not None:
            self.session.close()
            self.session = None
        self.line.close()

    def patience(self, seconds):
        end = boot_clock() + seconds
        return lambda: 0 if self.over() else end

    # ---- by a session

    def ready_session(self):
        """None: not now."""
        if self.session is not None and (self.session.over or boot_clock() > self.session.deadline):
            self.session.close()
            self.session = None
        if self.session is None:
            try:
                self.session = cleat_session.Session(self.servers, self.ttl_ms, self.label)
            except (Lost, redis.RedisError):
                pass
        return self.session

    def lock(self, name, mode, wait_ms, max_hold_ms, again):
        """The grant, or None. again: says it a second time, with the same REQ."""
        session = self.ready_session()
        if session is None:
            return None
        self.requests += 1
        owner = f"{self.label}-{self.requests}"
        command = ["LOCK", name, mode, "WAIT", wait_ms, "OWNER", owner, "FULL", "REQ", f"l{self.requests}"]
        if max_hold_ms:
            command += ["MAXHOLD", max_hold_ms]
        known = {"mode": mode, "wait_ms": wait_ms, "owner": owner, "req": f"{session.id}/l{self.requests}"}
        operation = self.history.call("lock", name, **known)
        sent = boot_clock()
        until = lambda: 0 if self.over() else session.deadline  # noqa: E731
        answer = self.decided(operation, lambda: session.line.ask(*command, until=until))
        if answer is None:
            return None
        end = sent + (answer["waited_ms"] + max_hold_ms) / 1000 if max_hold_ms else float("inf")
        fence = answer["fence"]
        grant = Grant(name, mode, fence, session.line.ask, ["OWNER", owner], lambda: min(session.deadline, end),
                      lambda: ended(session) or session.ended.get(fence))
        operation.done("ok", fence=fence, deadline_ns=grant.deadline_ns(), waited_ms=answer["waited_ms"])
        if again:
            repetition = self.history.call("lock", name, **known, again=True)
            answer = self.decided(repetition, lambda: session.line.ask(*command, until=until))
            if answer is not None:
                repetition.done("ok", fence=answer["fence"], deadline_ns=grant.deadline_ns())
        return grant

    # ---- by a token

    def lock_by_token(self, name, mode, wait_ms, again):
        token = uuid.uuid4().hex
        command = ("LOCK", name, mode, "TOKEN", token, "TTL", self.ttl_ms, "WAIT", wait_ms, "FULL")
        known = {"mode": mode, "wait_ms": wait_ms, "token": token}
        operation = self.history.call("lock", name, **known)
        sent = boot_clock()
        answer = self.decided(operation, lambda: self.line.ask(*command, until=self.patience(8)))
        if answer is None:
            self.forget(name, token)
            return None
        waited = answer["waited_ms"] if self.line.once else 0
        end = [sent + (waited + self.ttl_ms) / 1000]
        grant = Grant(name, mode, answer["fence"], self.line.ask, ["TOKEN", token], lambda: end[0], lambda: None)
        grant.end = end
        operation.done("ok", fence=grant.fence, deadline_ns=grant.deadline_ns(), waited_ms=answer["waited_ms"])
        if again and grant.believed():
            self.join(command, known, grant)
        return grant

    def join(self, command, known, grant):
        """The same token again joins its hold and moves its end; if that has ended meanwhile, it is a new one."""
        operation = self.history.call("lock", grant.name, **known)
        sent = boot_clock()
        answer = self.decided(operation, lambda: self.line.ask(*command, until=self.patience(8)))
        if answer is None:
            return
        if answer["fence"] != grant.fence:
            grant.fence, grant.end[0] = answer["fence"], sent
        grant.end[0] = max(grant.end[0], sent + self.ttl_ms / 1000)
        operation.done("ok", fence=grant.fence, deadline_ns=grant.deadline_ns())

    def forget(self, name, token):
        """It may have been granted in silence. Nothing was believed, so nothing is noted."""
        try:
            self.line.ask("UNLOCK", name, "TOKEN", token, until=lambda: 0)
        except (Lost, redis.RedisError):
            pass  # its TTL ends it

    def renew(self, grant):
        operation = self.history.call("renew", grant.name, fence=grant.fence, deadline_ns=grant.deadline_ns())
        sent = boot_clock()
        try:
            left = grant.ask("RENEW", grant.name, "TTL", self.ttl_ms, *grant.words, "FENCE", grant.fence, until=self.patience(4))
        except (Lost, redis.RedisError) as error:
            return operation.done(self.end_told(error))
        if left is None:
            return operation.done("lost")
        grant.end[0] = max(grant.end[0], sent + self.ttl_ms / 1000)
        return operation.done("ok", deadline_ns=grant.deadline_ns())

    # ---- both

    def decided(self, operation, ask):
        """The answer of a LOCK that was granted; else notes what it was and answers None."""
        try:
            answer = ask()
        except redis.ResponseError as error:
            operation.done("refused" if code(error) in REFUSALS else "wrong", why=str(error))
            return None
        except (Lost, redis.RedisError) as error:
            operation.done("unknown", why=str(error))
            return None
        if answer["granted"]:
            return answer
        holder = answer["holder"] or {}
        operation.done("refused", why=answer["why"], held_by=holder.get("fence", 0))
        return None

    def unlock(self, grant):
        operation = self.history.call("unlock", grant.name, fence=grant.fence, mode=grant.mode, deadline_ns=grant.deadline_ns())
        command = ["UNLOCK", grant.name, *grant.words, "FENCE", grant.fence]
        line = self.line
        if grant.words[0] == "OWNER":
            line = self.session.line
            command += ["REQ", f"u{self.requests}"]
        try:
            left = line.ask(*command, until=self.patience(8))
        except (Lost, redis.RedisError) as error:
            result = self.end_told(error)
        else:
            result = "lost" if left is None else "ok"
            if left:
                return operation.done("wrong", why=f"depth {left} is left")
        # Said twice, the first may have done it, and what it was answered is forgotten: nil, or the session's end, says only
        # that it is gone.
        return operation.done("gone" if result == "lost" and not line.once else result)

    def end_told(self, error):
        if not isinstance(error, redis.ResponseError):
            return "unknown"
        return "lost" if code(error) in NOT_HELD else "wrong"

    def check(self, grant):
        operation = self.history.call("check", grant.name, fence=grant.fence, deadline_ns=grant.deadline_ns())
        try:
            live = self.line.ask("CHECK", grant.name, "FENCE", grant.fence, until=self.patience(3))
        except (Lost, redis.RedisError):
            return operation.done("unknown")
        return operation.done("ok" if live else "lost")

    def show(self, name):
        operation = self.history.call("show", name)
        try:
            shown = self.line.ask("SHOW", name, until=self.patience(3))
        except (Lost, redis.RedisError):
            return operation.done("unknown")
        if shown["cursor"] is not None:
            return operation.done("unknown", why="too long for one answer")
        return operation.done("ok", revision=shown["revision"], holders=[each["fence"] for each in shown["holders"]],
                              waiters=[each["owner"] for each in shown["waiters"]])
