"""Against a server that answers oddly: half replies, wrong protocol, silence, losses that are pushed."""
import json
import threading
import time
import unittest

from fake import FakeServer, bulk, mapping
from kit import Case, alive

OPENED = mapping(id=7, key="k", ttl=3000)
ALIVE = b"*2\r\n:3000\r\n:0\r\n"
LOSSES = b"*2\r\n:3000\r\n:1\r\n"


def granted(**more):
    return mapping(granted=1, fence=5, slot=None, ttl=None, waited_ms=0, why=None, retry_ms=None, holder=None, **more)


class Scripted(Case):
    def serve(self, script):
        self.fake = FakeServer(script)
        self.addCleanup(self.fake.close)
        self.environment["CLEAT_SERVER"] = self.fake.url


class Odd(Scripted):
    def check(self, status, message):
        for command in (["status"], ["show", "a"], ["lock", "a", "--ttl", "1s"], ["run", "a", "--", "true"]):
            at = command.index("--") if "--" in command else len(command)
            done = self.cleat(*command[:at], "--timeout", "400ms", *command[at:], status=status)
            self.assertIn(message, done.stderr)

    def test_silence(self):
        self.serve(lambda c: c.ask() and c.ask())
        self.check(69, "no answer in time")

    def test_closes_at_once(self):
        self.serve(lambda c: None)
        done = self.cleat("status", status=69)
        self.assertIn(f"lost the server at {self.fake.url}", done.stderr)
        done = self.cleat("run", "a", "--timeout", "300ms", "--", "true", status=69)
        self.assertIn("can't reach a server", done.stderr)

    def test_half_a_reply(self):
        def half(c):
            c.greet()
            c.ask()
            c.say(b"*5\r\n:1\r\n$10\r\nabc")
        self.serve(half)
        done = self.cleat("show", "a", status=69)
        self.assertIn("the server closed the connection", done.stderr)

    def test_another_protocol(self):
        self.serve(lambda c: (c.ask(), c.say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), c.ask()))
        done = self.cleat("status", status=76)
        self.assertIn("does not speak the protocol (not a RESP reply: a reply begins with 'H'): check the address", done.stderr)
        done = self.cleat("run", "a", "--", "true", status=76)
        self.assertIn("what answers there is no Cleat server: not a RESP reply: a reply begins with 'H'", done.stderr)

    def test_no_map_in_hello(self):
        self.serve(lambda c: (c.ask(), c.say(b"+OK\r\n"), c.ask()))
        self.check(76, "what answers there is no Cleat server: check the address")

    def test_a_redis_server(self):
        self.serve(lambda c: (c.greet(), c.ask(), c.say(b"-ERR unknown command 'SHOW', with args beginning with: 'a'\r\n"), c.ask()))
        done = self.cleat("show", "a", status=76)
        self.assertIn("is it a Cleat server", done.stderr)

    def test_a_redis_server_knows_no_sessions_and_no_locks(self):
        def redis(c):
            c.greet()
            while True:
                words = c.ask()
                c.say(f"-ERR unknown command '{words[0]}', with args beginning with: \r\n".encode())
        self.serve(redis)
        for command in (["status"], ["run", "a", "--", "true"]):
            self.assertIn("unknown command", self.cleat(*command, status=76).stderr)

    def test_a_session_that_is_refused(self):
        self.serve(lambda c: (c.greet(), c.ask(), c.say(b"-LIMIT sessions is reached (2): try again later\r\n"), c.ask()))
        done = self.cleat("run", "a", "--", "true", status=1)
        self.assertEqual(done.stderr, f"cleat run: {self.fake.url}: LIMIT sessions is reached (2): try again later\n")

    def test_a_giant_reply_is_refused(self):
        self.serve(lambda c: (c.greet(), c.ask(), c.say(b"$99999999999\r\n"), c.ask()))
        done = self.cleat("show", "a", status=76)
        self.assertIn("a string of 99999999999 bytes is too long", done.stderr)

    def test_an_error_in_terminal_codes_is_escaped(self):
        self.serve(lambda c: (c.greet(), c.ask(), c.say(b"-ERR \x1b[31mred\r\n"), c.ask()))
        self.assertEqual(self.cleat("show", "a", status=1).stderr, "cleat show: ERR \\x1b[31mred\n")

    def run_against(self, after_grant, *options, wishes=()):
        """A fake that grants; after_grant(connection, words) may answer what comes then, or return False for the usual."""
        def script(c):
            c.greet()
            while True:
                words = c.ask()
                if words[:2] == ["SESSION", "OPEN"]:
                    c.say(OPENED)
                elif words[0] == "LOCK":
                    c.say(granted())
                elif not after_grant(c, words):
                    c.say(ALIVE if words[1] == "KEEPALIVE" else b":0\r\n" if words[0] == "UNLOCK" else b"+OK\r\n")
        self.serve(script)
        return self.run_living("--ttl", "3s", *options, wishes=wishes)

    def test_a_loss_that_is_pushed_ends_the_command_at_once(self):
        def push(c, words):
            if "KEEPALIVE" in words:
                c.say(ALIVE + b">5\r\n" + bulk("cleat") + bulk("lost") + bulk("it") + bulk("lock") + mapping(fence=5, why="revoked"))
                return True
        wrapper = self.run_against(push, wishes=("tell",))
        self.assertEqual(wrapper.wait(10), 9)
        self.assertEqual(wrapper.stderr.read(), "cleat run: it was lost: revoked; ending the command\n")

    def test_a_loss_found_in_a_keep_alive(self):
        def losses(c, words):
            if "KEEPALIVE" in words:
                c.say(LOSSES)
            elif words == ["SESSION", "SHOW"]:
                entry = mapping(name="it", fence=5, why="expired", revision=9)
                c.say(b"%1\r\n" + bulk("last_losses") + b"*1\r\n" + entry)
            else:
                return False
            return True
        wrapper = self.run_against(losses, wishes=("deaf",))
        self.assertEqual(wrapper.wait(10), 137)
        self.assertIn("it was lost: expired; ending the command", wrapper.stderr.read())

    def test_a_loss_of_an_older_hold_is_not_ours(self):
        seen, two_seen = [], threading.Event()

        def push(c, words):
            if "KEEPALIVE" in words:
                seen.append(words)
                if len(seen) >= 2:
                    two_seen.set()
                c.say(ALIVE + b">5\r\n" + bulk("cleat") + bulk("lost") + bulk("it") + bulk("") + mapping(fence=4, why="revoked"))
                return True
        wrapper = self.run_against(push)
        self.assertTrue(two_seen.wait(20), "two keep-alives")
        self.assertTrue(alive(self.pids[0]))
        wrapper.terminate()
        self.assertEqual(wrapper.wait(10), 143)

    def test_the_session_is_gone(self):
        def gone(c, words):
            if "KEEPALIVE" in words or "ATTACH" in words:
                c.say(b"-NOSESSION session 7 has ended: open a new one\r\n")
                return True
        wrapper = self.run_against(gone, wishes=("tell",))
        self.assertEqual(wrapper.wait(10), 9)
        self.assertIn("it was lost: the session ended: NOSESSION session 7 has ended", wrapper.stderr.read())

    def test_errors_are_no_sign_of_life(self):
        started = []

        def no_quorum(c, words):
            if "KEEPALIVE" in words:
                started.append(time.monotonic())
                c.say(b"-NOQUORUM no leader\r\n")
                return True
        wrapper = self.run_against(no_quorum, wishes=("deaf",))
        self.assertEqual(wrapper.wait(10), 137)
        self.assertLess(self.ended(), started[0] - 1.0 + 3.0, "the grant's sending was a TTL/3 before the first keep-alive")

    def test_on_loss_ignore_only_tells(self):
        def push(c, words):
            if "KEEPALIVE" in words:
                c.say(ALIVE + b">5\r\n" + bulk("cleat") + bulk("lost") + bulk("it") + bulk("") + mapping(fence=5, why="revoked"))
                return True
        wrapper = self.run_against(push, "--on-loss", "ignore")
        self.assertEqual(wrapper.stderr.readline(), "cleat run: it was lost: revoked; the command goes on without it (--on-loss ignore)\n")
        self.assertTrue(alive(self.pids[0]))
        wrapper.terminate()
        self.assertEqual(wrapper.wait(10), 143)

    def test_queued_then_refused_by_push(self):
        def script(c):
            c.greet()
            while True:
                words = c.ask()
                if words[:2] == ["SESSION", "OPEN"]:
                    c.say(OPENED)
                elif words[0] == "LOCK":
                    self.assertIn("ASYNC", words)
                    c.say(b"+QUEUED\r\n>5\r\n" + bulk("cleat") + bulk("refused") + bulk("a") + bulk("lock") +
                          mapping(why="timed out", error=None))
                else:
                    c.say(ALIVE if words[1] == "KEEPALIVE" else b"+OK\r\n")
        self.serve(script)
        done = self.cleat("run", "a", "--wait", "1s", "--", "true", status=75)
        self.assertEqual(done.stderr, "cleat run: a was not acquired: timed out\n")

    def test_the_request_is_the_same_after_a_broken_connection(self):
        asked = []

        def script(c):
            c.greet()
            while True:
                words = c.ask()
                if words[0] == "LOCK":
                    asked.append(words)
                    if len(asked) == 1:
                        return  # breaks
                    c.say(granted())
                else:
                    c.say(OPENED if "OPEN" in words else ALIVE if "KEEPALIVE" in words else b":0\r\n" if words[0] == "UNLOCK" else b"+OK\r\n")
        self.serve(script)
        self.cleat("run", "a", "--wait", "5s", "--", "true", status=0)
        self.assertEqual(len(asked), 2)
        self.assertEqual(asked[0], asked[1])


class Watched(Scripted):
    """`cleat events` over several connections; what each is asked is kept."""

    def follow(self, *connections):
        """Each is the revision that EVENTS is answered with, and the pushes behind it; the last connection stays open."""
        self.asked, left = [], list(connections)

        def script(c):
            c.greet()
            self.asked.append(c.ask())
            revision, *pushes = left.pop(0)
            c.say(mapping(incarnation=1, revision=revision) + b"".join(pushes))
            if not left:
                c.ask()
        self.serve(script)
        return self.start("events", "--json")

    def test_goes_on_behind_the_last_and_tells_gaps(self):
        follower = self.follow((10, push("event", event="granted", revision=11)), (30, push("gap", after=11, next=20)),
                               (30, push("event", event="released", revision=31)), (40, push("event", event="data", revision=41)))
        told = [json.loads(follower.stdout.readline()) for _ in range(4)]
        self.assertEqual([t.get("revision") for t in told], [11, None, 31, 41])
        self.assertEqual(told[1], {"kind": "gap", "after": 11, "next": 20})
        self.assertEqual(self.asked, [["EVENTS"], ["EVENTS", "FROM", "11"], ["EVENTS", "FROM", "19"], ["EVENTS", "FROM", "31"]])

    def test_a_server_whose_revisions_went_back_is_a_gap(self):
        follower = self.follow((10, push("event", event="granted", revision=11)), (5, push("event", event="granted", revision=6)))
        told = [json.loads(follower.stdout.readline()) for _ in range(3)]
        self.assertEqual(told[1], {"kind": "gap", "after": 11, "next": None, "incarnation": 1})
        self.assertEqual(told[2]["revision"], 6)


def push(kind, **fields):
    return b">5\r\n" + bulk("cleat") + bulk(kind) + bulk("n") + bulk("") + mapping(**fields)


if __name__ == "__main__":
    unittest.main()
