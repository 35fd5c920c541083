"""What a user of redis-py writes to survive a fail-over: any member, the same request again, for up to ten seconds."""
import random
import threading
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE = 10.0
AGAIN = ("NOQUORUM", "UNKNOWN")  # no refusals: all other errors are


class Retrying:
    """One connection at a time. With a session, it attaches to it wherever it connects, with TAKEOVER: what a member that was
    stopped reads of an earlier connection must not be done. Not for several threads."""

    def __init__(self, addresses, seed, session_ttl_ms=None):
        self.addresses = list(addresses)
        random.Random(seed).shuffle(self.addresses)
        self.session_ttl_ms = session_ttl_ms
        self.password = None
        self.session = None
        self.redis = None
        self.slowest = 0.0
        self.repeated = 0
        self.pause = threading.Event()

    def do(self, *words):
        """Repeats the command until it is decided; returns (answer, whether an earlier try may have done it)."""
        began = time.monotonic()
        maybe_done = False
        while True:
            try:
                self.connect()
                answer = self.redis.execute_command(*words)
                self.slowest = max(self.slowest, time.monotonic() - began)
                return answer, maybe_done
            except redis.ResponseError as refused:
                if str(refused).split(" ", 1)[0] not in AGAIN and not (self.redis and "taken over" in str(refused)):
                    raise
                trouble = refused  # taken over: by an ATTACH of this one that it gave up, and that came late
            except (redis.ConnectionError, redis.TimeoutError, OSError) as lost:
                trouble = lost
            maybe_done = True
            self.repeated += 1
            if time.monotonic() - began > PATIENCE:
                raise AssertionError(f"{words} was not answered for {PATIENCE:g} s; last: {trouble!r}")
            self.leave()

    def connect(self):
        if self.redis:
            return
        host, port = self.addresses[0]
        # Its own retries would lose the session: a new connection speaks for none.
        made = redis.Redis(host=host, port=port, decode_responses=True, single_connection_client=True, socket_timeout=4,
                           socket_connect_timeout=1, retry=Retry(NoBackoff(), 0), password=self.password)
        try:
            if self.session:
                made.execute_command("SESSION", "ATTACH", *self.session, "TAKEOVER")
            elif self.session_ttl_ms:
                opened = made.execute_command("SESSION", "OPEN", "TTL", self.session_ttl_ms)
                opened = opened if isinstance(opened, dict) else dict(zip(opened[::2], opened[1::2]))
                self.session = (opened["id"], opened["key"])
        except BaseException:
            made.close()
            raise
        self.redis = made

    def leave(self):
        self.close()
        self.addresses.append(self.addresses.pop(0))
        self.pause.wait(0.02)

    def close(self):
        if self.redis:
            self.redis.close()
            self.redis = None
