"""Several addresses: members that refuse, close, are silent, stopped, or without a quorum, and what is kept across them."""
import json
import os
import signal
import time
import unittest

from fake import FakeServer, bulk, mapping
from gate import Gate, hiding, tell, wait_for
from kit import Case, Node, alive, wait_for_ends

TRIES = 6  # each command goes through the members in a random order


class Several(Case):
    def setUp(self):
        super().setUp()
        self.start_node()

    def gates(self, count=2):
        gates = [Gate(self.address) for _ in range(count)]
        for gate in gates:
            self.addCleanup(gate.close)
        self.environment["CLEAT_SERVER"] = ",".join(gate.url for gate in gates)
        return gates

    def beside(self, *others):
        """The node, and other addresses."""
        self.environment["CLEAT_SERVER"] = ",".join([*others, self.node.url])

    def lose(self, gates, how):
        """The way that is used closes or falls silent; returns it and the other one."""
        used = next(gate for gate in gates if gate.passed)
        other = next(gate for gate in gates if gate is not used)
        if how == "closed":
            used.close()
        else:
            used.mode = "silent"
        return used, other

    def serve(self, script):
        fake = FakeServer(script)
        self.addCleanup(fake.close)
        return fake

    def check_commands(self):
        for number in range(TRIES):
            name, token = f"n{number}", f"t{number}"
            self.assertIn(self.node.url, self.cleat("status", status=0).stdout)
            self.cleat("lock", name, "--ttl", "30s", "--token", token, status=0)
            self.assertEqual(len(self.cleat_json("show", name)["holders"]), 1)
            self.cleat("renew", name, "--ttl", "30s", "--token", token, status=0)
            self.cleat("unlock", name, "--token", token, status=0)
            self.cleat("run", name, "--", "true", status=0)


class OneOfThem(Several):
    """Every command works while one member does."""

    def test_refuses(self):
        self.beside("127.0.0.1:1", "127.0.0.1:2")
        self.check_commands()

    def test_closes_at_once(self):
        self.beside(self.serve(lambda c: None).url)
        self.check_commands()

    def test_is_silent(self):
        silent = self.serve(lambda c: c.ask() and c.ask())
        self.beside(silent.url)
        for number in range(TRIES):
            self.cleat("lock", f"n{number}", "--timeout", "1s", "--ttl", "30s", status=0)
            self.cleat("run", f"n{number}r", "--timeout", "1s", "--", "true", status=0)
        self.assertTrue(silent.connections, "nothing went to the silent one first")

    def test_is_stopped(self):
        stopped = Node(self.place / "stopped").start()
        self.addCleanup(stopped.kill)
        os.kill(stopped.process.pid, signal.SIGSTOP)
        self.beside(stopped.url)
        for number in range(TRIES):
            self.cleat("lock", f"n{number}", "--timeout", "1s", "--ttl", "30s", status=0)

    def test_has_no_quorum(self):
        asked = []

        def no_quorum(c):
            c.greet()
            while True:
                asked.append(c.ask())
                c.say(b"-NOQUORUM there is no leader\r\n")
        self.beside(self.serve(no_quorum).url)
        self.check_commands()
        self.assertTrue({"LOCK", "UNLOCK", "RENEW", "SHOW"} & {words[0] for words in asked})

    def test_answers_unknown(self):
        def unknown(c):
            c.greet()
            while True:
                words = c.ask()
                c.say(b"-UNKNOWN undecided after 5 s\r\n")
        self.beside(self.serve(unknown).url)
        for number in range(TRIES):
            self.cleat("lock", f"n{number}", "--ttl", "30s", "--token", "t", status=0)
            self.cleat("unlock", f"n{number}", "--token", "t", status=0)

    def test_a_refusal_is_final(self):
        asked = []

        def full(c):
            c.greet()
            while True:
                asked.append(c.ask()[0])
                c.say(b"-LIMIT too many waiters\r\n")
        self.environment["CLEAT_SERVER"] = ",".join(self.serve(full).url for _ in range(3))
        done = self.cleat("lock", "a", "--ttl", "1s", status=1)
        self.assertEqual((asked, done.stderr), (["LOCK"], "cleat lock: LIMIT too many waiters\n"))


class Outcomes(Several):
    def test_none_answers(self):
        self.environment["CLEAT_SERVER"] = "127.0.0.1:1,127.0.0.1:2"
        for command in (["status"], ["lock", "a", "--ttl", "1s"], ["run", "a", "--timeout", "300ms", "--", "true"]):
            done = self.cleat(*command, status=69)
            for word in ("127.0.0.1:1,127.0.0.1:2", "Connection refused", "Is it running (cleat serve)?"):
                self.assertIn(word, done.stderr)

    def answered(self, answer):
        """All three members answer every change so."""
        def script(c):
            c.greet()
            while True:
                c.ask()
                if not answer:
                    return
                c.say(answer)
        self.environment["CLEAT_SERVER"] = ",".join(self.serve(script).url for _ in range(3))

    def test_unknown_is_told_as_unknown(self):
        for answer in (b"-UNKNOWN undecided after 5 s\r\n", None):
            self.answered(answer)
            done = self.cleat("lock", "a", "--timeout", "300ms", "--ttl", "1s", "--token", "tok", status=74)
            self.assertRegex(done.stderr, r"^cleat lock: whether the lock was taken is not known \(.*\): "
                                          r"the same command with --token tok tells\n$")
            done = self.cleat("unlock", "a", "--timeout", "300ms", "--token", "tok", status=74)
            self.assertRegex(done.stderr, r"^cleat unlock: whether the lock was let go is not known \(.*\): say it again")
            done = self.cleat("renew", "a", "--timeout", "300ms", "--token", "tok", "--ttl", "1s", status=74)
            self.assertRegex(done.stderr, r"^cleat renew: whether the lock was renewed is not known \(.*\): say it again")

    def test_no_quorum_means_not_done(self):
        self.answered(b"-NOQUORUM there is no leader\r\n")
        done = self.cleat("lock", "a", "--timeout", "300ms", "--ttl", "1s", status=69)
        self.assertEqual(done.stderr, "cleat lock: NOQUORUM there is no leader\n")
        done = self.cleat("show", "a", status=69)
        self.assertEqual(done.stderr, "cleat show: NOQUORUM there is no leader\n")

    def test_no_quorum_says_more_than_that_others_are_gone(self):
        def leaderless(c):
            c.greet()
            while True:
                c.ask()
                c.say(b"-NOQUORUM there is no leader\r\n")
        for _ in range(TRIES // 2):
            self.environment["CLEAT_SERVER"] = f"127.0.0.1:1,{self.serve(leaderless).url},127.0.0.1:2"
            done = self.cleat("lock", "a", "--timeout", "1500ms", "--ttl", "1s", status=69)
            self.assertEqual(done.stderr, "cleat lock: NOQUORUM there is no leader\n")
        done = self.cleat("run", "a", "--timeout", "2s", "--", "true", status=69)
        self.assertIn("127.0.0.1:1: Connection refused; 127.0.0.1:2: Connection refused; ", done.stderr)
        self.assertIn(": NOQUORUM there is no leader. ", done.stderr)

    def test_one_that_is_there_but_breaks_is_tried_until_it_works(self):
        def breaks_thrice(c):
            if len(fake.connections) > 3:
                c.greet()
                c.ask()
                c.say(b":0\r\n")
                c.ask()
        fake = self.serve(breaks_thrice)
        self.environment["CLEAT_SERVER"] = fake.url
        self.cleat("unlock", "a", "--token", "t", status=0)
        self.assertEqual(len(fake.connections), 4)

    def test_an_answer_that_was_lost_is_asked_for_again(self):
        gates = self.gates()
        for gate in gates:
            gate.mode = "mute"
        locking = self.start("lock", "a", "--timeout", "20s", "--ttl", "60s", "--token", "t", "--json")
        # HELLO goes through, its answer does not: the first try has begun.
        wait_for(lambda: any(gate.taken for gate in gates), "a connection")
        for gate in gates:
            gate.mode = "open"
            gate.cut()
        out, err = locking.communicate(timeout=30)
        self.assertEqual(locking.returncode, 0, err)
        self.assertEqual(json.loads(out)["fence"], self.cleat_json("show", "a")["holders"][0]["fence"])

    def test_a_lock_whose_answer_was_lost_is_the_same_hold(self):
        case = self

        class Lossy(Gate):
            """Loses what is said after the first LOCK was passed on."""
            def _relay(self, source, sink, modes):
                try:
                    while data := source.recv(65536):
                        if b"LOCK" in data and self.taken == 1:
                            self.mode = "mute"
                            sink.sendall(data)
                            case.node.wait_info("holds", "1")
                            self.mode = "open"
                            return self.cut()
                        if self.mode in modes:
                            sink.sendall(hiding(data))
                except OSError:
                    pass
                self.cut()
        lossy = Lossy(self.address)
        self.addCleanup(lossy.close)
        self.environment["CLEAT_SERVER"] = lossy.url
        lock = self.cleat_json("lock", "a", "--ttl", "60s", "--token", "t")
        holder = self.cleat_json("show", "a")["holders"][0]
        self.assertEqual((lock["fence"], holder["depth"]), (holder["fence"], 1))
        self.assertGreaterEqual(lossy.taken, 2)


class Waiting(Several):
    """A place in the queue is kept when the member is lost through which one waits."""

    def queue(self, *command):
        self.cleat("lock", "a", "--ttl", "60s", "--token", "first", status=0)
        waiting = self.start(*command)
        self.node.wait_info("waiters", "1")
        self.behind = self.node.connect()
        self.addCleanup(self.behind.close)
        self.behind.send("LOCK", "a", "WAIT", "60000")
        self.node.wait_info("waiters", "2")
        return waiting

    def check_turns(self, ways, waiting):
        """It gets the lock before the one behind it, by the other way."""
        wait_for(lambda: ways[1].passed, "the other way to be taken")
        self.assertEqual(self.node.info()["waiters"], "2")
        with self.node.connect() as direct:
            direct.do("UNLOCK", "a", "TOKEN", "first")
        waiting.communicate(timeout=30)
        self.assertEqual(waiting.returncode, 0)
        # A token's hold stands, `run` has let go.
        self.assertEqual(self.node.info()["waiters"], "1" if "lock" in waiting.args else "0")

    def test_lock_when_it_closes(self):
        gates = self.gates()
        waiting = self.queue("lock", "a", "--ttl", "60s", "--wait", "60s")
        self.check_turns(self.lose(gates, "closed"), waiting)

    def test_lock_when_it_falls_silent(self):
        gates = self.gates()
        waiting = self.queue("lock", "a", "--ttl", "60s", "--wait", "60s", "--timeout", "1s")
        self.check_turns(self.lose(gates, "silent"), waiting)

    def test_run_when_it_closes(self):
        gates = self.gates()
        waiting = self.queue("run", "a", "--", "true")
        self.check_turns(self.lose(gates, "closed"), waiting)

    def test_run_when_it_falls_silent(self):
        gates = self.gates()
        waiting = self.queue("run", "a", "--ttl", "2s", "--", "true")
        self.check_turns(self.lose(gates, "silent"), waiting)


class Holding(Several):
    """A command goes on running while its lock can be kept through another member, and not for longer."""

    def check_kept(self, wrapper):
        before = int(self.node.info()["keep_alives_answered"])
        self.node.wait_info("keep_alives_answered", lambda value: value >= before + 5, 30)  # more than a TTL
        self.assertTrue(alive(self.pids[0]))
        self.assertFalse((self.place / "terms").exists(), "the command got SIGTERM")
        with self.node.connect() as direct:
            self.assertIsNone(direct.do("TRYLOCK", "it"))
        wrapper.terminate()
        wrapper.wait(20)

    def test_a_member_that_closes(self):
        gates = self.gates()
        wrapper = self.run_living("--ttl", "2s", wishes=("tell",))
        used, other = self.lose(gates, "closed")
        wait_for(lambda: other.passed, "the other member")
        self.check_kept(wrapper)
        self.assertRegex(wrapper.stderr.read(), rf"^cleat run: lost contact with {used.url} \(.*\), trying {other.url}\n$")

    def test_a_member_that_falls_silent(self):
        gates = self.gates(3)
        wrapper = self.run_living("--ttl", "2s", wishes=("tell",))
        self.lose(gates, "silent")
        self.check_kept(wrapper)

    def test_members_that_are_lost_one_after_the_other(self):
        gates = self.gates(3)
        wrapper = self.run_living("--ttl", "2s", wishes=("tell",))
        for _ in range(6):
            used = next(gate for gate in gates if gate.pairs)
            used.close()
            wait_for(lambda: any(gate.pairs for gate in gates), "another member")
            used.open()
        self.check_kept(wrapper)

    def test_all_are_lost(self):
        gates = self.gates()
        wrapper = self.run_living("--ttl", "2s", wishes=("deaf",))
        rival = self.rival()
        for gate in gates:
            gate.close()
        lost = time.monotonic()
        wait_for_ends(self.pids)
        self.assertLess(time.monotonic() - lost, 2.0, "later than its TTL")
        self.check_dead_before(rival)
        self.assertEqual(wrapper.wait(20), 137)
        self.assertIn(f"no contact with {gates[0].url},{gates[1].url}, it can't be kept", wrapper.stderr.read())

    def test_all_are_silent(self):
        gates = self.gates()
        wrapper = self.run_living("--ttl", "2s", wishes=("deaf",))
        rival = self.rival()
        for gate in gates:
            gate.mode = "silent"
        lost = time.monotonic()
        wait_for_ends(self.pids)
        self.assertLess(time.monotonic() - lost, 2.0, "later than its TTL")
        self.check_dead_before(rival)
        wrapper.wait(20)

    def test_all_are_lost_for_a_moment(self):
        gates = self.gates()
        wrapper = self.run_living("--ttl", "5s", wishes=("tell",))
        taken = sum(gate.taken for gate in gates)
        for gate in gates:
            gate.close()
        for gate in gates:
            gate.open()
        wait_for(lambda: sum(gate.taken for gate in gates) > taken, "it to come back")
        wrapper.terminate()
        self.assertEqual(wrapper.wait(20), 9)
        self.assertEqual(self.cleat_json("ls")["locks"], [])


class Following(Several):
    def test_events_go_on_at_another_member_without_a_gap(self):
        gates = self.gates()
        with self.node.connect() as direct:
            before = direct.do("SHOW", "a")
            revision = before[before.index("revision") + 1]
            following = self.start("events", "--json", "--from", revision)
            for _ in range(3):
                direct.do("LOCK", "a")
                self.assertEqual(json.loads(following.stdout.readline())["event"], "granted")
                used = next(gate for gate in gates if gate.pairs)
                used.close()
                direct.do("UNLOCK", "a")
                self.assertEqual(json.loads(following.stdout.readline())["event"], "released")
                used.open()


class Learning(Several):
    def member(self, others):
        """A fake that keeps every session alive and tells of other members."""
        def script(c):
            c.greet()
            while True:
                words = c.ask()
                self.said.append(words)
                tell()
                if words[:2] == ["SESSION", "OPEN"]:
                    c.say(mapping(id=7, key="k", ttl=2000))
                elif words[:2] == ["SESSION", "KEEPALIVE"]:
                    c.say(b"*2\r\n:2000\r\n:0\r\n")
                elif words == ["MEMBERS", "STATUS"]:
                    urls = [None, "0.0.0.0:7420", *others()]
                    c.say(b"%2\r\n" + bulk("term") + b":3\r\n" + bulk("members") + b"*%d\r\n" % len(urls) +
                          b"".join(mapping(name="m", client=url) for url in urls))
                elif words[0] == "LOCK" and "TOKEN" in words and not self.decided:
                    c.say(b"+QUEUED\r\n")
                elif words[0] == "LOCK":
                    c.say(mapping(granted=1, fence=5, slot=None, ttl=None, waited_ms=0, why=None, retry_ms=None, holder=None))
                elif words[0] == "LOCKS":
                    c.say(b"%0\r\n")
                else:
                    c.say(b":0\r\n" if words[0] == "UNLOCK" else b"+OK\r\n")
        self.said = []
        self.decided = False
        return self.serve(script)

    def pair(self):
        second = self.member(lambda: [first.url, second.url])
        first = self.member(lambda: [first.url, second.url])
        self.environment["CLEAT_SERVER"] = first.url
        return first, second

    def test_run_goes_to_a_member_that_it_was_not_given(self):
        first, second = self.pair()
        wrapper = self.run_living("--ttl", "2s", wishes=("tell",))
        wait_for(lambda: ["SESSION", "KEEPALIVE"] in self.said, "a keep-alive")
        first.close()
        wait_for(lambda: second.connections, "the other member")
        wait_for(lambda: ["SESSION", "ATTACH", "7", "k", "TAKEOVER"] in self.said, "it to attach")
        wait_for(lambda: self.said.count(["SESSION", "KEEPALIVE"]) >= 6, "keep-alives")
        self.assertFalse((self.place / "terms").exists())
        wrapper.terminate()
        self.assertEqual(wrapper.wait(20), 9)

    def test_a_lock_that_waits_does_too(self):
        first, second = self.pair()
        waiting = self.start("lock", "a", "--ttl", "5s", "--wait", "60s", "--token", "t")
        wait_for(lambda: ["LOCKS", "COUNT", "1"] in self.said, "it to see whether the member is still there")
        self.decided = True
        first.close()
        self.assertEqual(waiting.wait(20), 0)
        self.assertTrue(second.connections)


if __name__ == "__main__":
    unittest.main()
