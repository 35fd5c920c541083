"""The commands that ask and print: what they print, their exit statuses, their errors."""
import base64
import json
import signal
import subprocess
import time
import unittest

from kit import CLEAT, WALL_TIME, Case, wire


class Tokens(Case):
    def setUp(self):
        super().setUp()
        self.start_node()

    def test_lock_renew_unlock(self):
        done = self.cleat("lock", "orders", "--ttl", "30s", status=0)
        words = dict(line.split() for line in done.stdout.splitlines())
        self.assertRegex(words["token"], r"^[0-9a-f]{32}$")
        self.assertEqual(words["fence"], "1")
        left = self.cleat_json("renew", "orders", "--token", words["token"], "--ttl", "1m")["ms_left"]
        self.assertTrue(30_000 < left <= 60_000, left)
        self.cleat("unlock", "orders", "--token", words["token"], status=0)
        done = self.cleat("unlock", "orders", "--token", words["token"], status=1)
        self.assertEqual(done.stderr, "cleat unlock: this token holds nothing under orders: it was let go before, or its time was over\n")
        done = self.cleat("renew", "orders", "--token", words["token"], "--ttl", "1m", status=1)
        self.assertEqual(done.stderr, "cleat renew: this token holds nothing under orders: stop what the lock protects\n")

    def test_the_same_token_again_is_the_same_hold(self):
        first = self.cleat_json("lock", "orders", "--ttl", "30s", "--token", "t")
        again = self.cleat_json("lock", "orders", "--ttl", "30s", "--token", "t")
        self.assertEqual((first["granted"], first["fence"]), (True, again["fence"]))
        self.assertEqual(self.cleat_json("show", "orders")["holders"][0]["depth"], 1)

    def test_not_acquired(self):
        self.cleat("lock", "orders", "--ttl", "30s", status=0)
        done = self.cleat("lock", "orders", "--ttl", "30s", status=75)
        self.assertEqual(done.stdout, "")
        self.assertRegex(done.stderr, r"^cleat lock: orders was not acquired: held by a token \(fence 1\) since " + WALL_TIME)
        refused = self.cleat_json("lock", "orders", "--ttl", "30s", "--wait", "100ms", status=75)
        self.assertEqual((refused["granted"], refused["why"], refused["holder"]["fence"]), (False, "timed out", 1))
        done = self.cleat("lock", "orders", "--ttl", "30s", "--wait", "100ms", status=75)
        self.assertRegex(done.stderr, r"^cleat lock: orders was not acquired: timed out; held by a token \(fence 1\) since " + WALL_TIME)

    def test_not_acquired_names_the_session(self):
        with wire.Connection(self.address) as holder:
            session = wire.as_map(holder.do("SESSION", "OPEN", "LABEL", "nightly backup"))["id"]
            holder.do("LOCK", "orders", "OWNER", "w1")
            done = self.cleat("lock", "orders", "--ttl", "30s", "--wait", "50ms", status=75)
        self.assertRegex(done.stderr, rf"^cleat lock: orders was not acquired: timed out; held by nightly backup \(session {session}, "
                                      rf"owner w1, fence 1\) since {WALL_TIME}\n$")

    def test_wait_outlasts_a_restart_of_the_server(self):
        self.cleat("lock", "orders", "--ttl", "60s", "--token", "a", status=0)
        waiting = self.start("lock", "orders", "--ttl", "30s", "--wait", "60s", "--json")
        self.node.wait_info("waiters", "1")
        self.node.kill()
        self.node.start()
        self.cleat("unlock", "orders", "--token", "a", status=0)
        out, err = waiting.communicate(timeout=30)
        self.assertEqual(waiting.returncode, 0, err)
        self.assertTrue(json.loads(out)["granted"])

    def test_modes_and_data(self):
        self.cleat("lock", "r", "--ttl", "30s", "--shared", "--data", "10.0.0.5", status=0)
        self.cleat("lock", "r", "--ttl", "30s", "--mode", "shared", status=0)
        self.cleat("lock", "r", "--ttl", "30s", "--mode", "update", status=0)
        self.cleat("lock", "r", "--ttl", "30s", status=75)
        holders = self.cleat_json("show", "r")["holders"]
        self.assertEqual([(h["mode"], h["data"]) for h in holders], [("SHARED", "10.0.0.5"), ("SHARED", None), ("UPDATE", None)])


class Reads(Case):
    def setUp(self):
        super().setUp()
        self.start_node()

    def test_show(self):
        with self.node.connect(protocol=3) as holder:
            holder.do("SESSION", "OPEN", "TTL", "30000", "LABEL", "my label")
            holder.do("LOCK", "a", "OWNER", "o 1", "DATA", b"\xff\x00")
            waiting = self.start("run", "a", "--", "true")
            self.node.wait_info("waiters", "1")
            out = self.cleat("show", "a", status=0).stdout
            self.assertIn("a: 1 holding, 1 waiting, 0 delayed, revision ", out)
            self.assertRegex(out, r'session 1/"o 1" +exclusive +1 +1 +\S+ +- +"my label" +\\xff\\x00')
            shown = self.cleat_json("show", "a")
            self.assertEqual(base64.b64decode(shown["holders"][0]["data_base64"]), b"\xff\x00")
            self.assertNotIn("data", shown["holders"][0])
            self.assertEqual(shown["waiters"][0]["mode"], "EXCLUSIVE")
            waiting.terminate()
            waiting.wait(10)
        self.assertEqual(self.cleat_json("show", "nobody")["holders"], [])
        self.assertIn("nobody: 0 holding, 0 waiting, 0 delayed", self.cleat("show", "nobody", status=0).stdout)

    def test_ls_turns_pages(self):
        names = {f"page/{i}" for i in range(2500)}
        with self.node.connect() as connection:
            connection.pipeline([("LOCK", name) for name in sorted(names)])
            connection.do("LOCK", "other")
            self.assertEqual({one["name"] for one in self.cleat_json("ls", "page/")["locks"]}, names)
            self.assertEqual(len(self.cleat("ls", status=0).stdout.splitlines()), 2502)
            self.assertEqual(self.cleat_json("ls", "--state", "waited")["locks"], [])

    def test_names_are_printed_safely(self):
        name = "größe \u202e\u2028 x"
        self.cleat("lock", name, "--ttl", "30s", status=0)
        out = self.cleat("ls", status=0).stdout
        self.assertIn('"größe \\u{202e}\\u{2028} x"', out)
        self.assertEqual(self.cleat_json("ls")["locks"][0]["name"], name)

    def test_history_and_sessions(self):
        self.cleat("run", "h", "--", "true", status=0)
        out = self.cleat("history", "h", status=0).stdout.splitlines()
        self.assertEqual(len(out), 3)
        self.assertRegex(out[1], r"^1 +\S+ \S+ +granted +exclusive +1 +session 1 ")
        self.assertEqual(len(self.cleat_json("history", "h", "--count", "1")), 1)
        with self.node.connect() as connection:
            connection.do("SESSION", "OPEN", "TTL", "60000", "LABEL", "l")
            id = self.cleat_json("sessions")["sessions"][0]["id"]
            self.assertEqual(self.cleat_json("sessions", id)["label"], "l")
            self.assertRegex(self.cleat("sessions", status=0).stdout.splitlines()[1], rf"^{id} +explicit +1m 0s +0 +0 +0 +l$")
        done = self.cleat("sessions", "4711", status=1)
        self.assertEqual(done.stderr, "cleat sessions: there is no session 4711 (any more)\n")

    def test_events_come_back_behind_the_last_that_was_told(self):
        follower = self.start("events", "--json", "--from", "0")
        self.cleat("lock", "e/1", "--ttl", "60s", status=0)
        first = json.loads(follower.stdout.readline())
        self.node.kill()
        self.assertRegex(follower.stderr.readline(), r"^cleat events: lost the server at \S+: .*; trying again for 1m 0s\n$")
        self.node.start()
        self.assertEqual(follower.stderr.readline(), "cleat events: in contact again\n")
        self.cleat("lock", "e/2", "--ttl", "60s", status=0)
        second = json.loads(follower.stdout.readline())
        self.assertEqual((first["name"], second["name"]), ("e/1", "e/2"))
        self.assertEqual(second["revision"], first["revision"] + 1, "nothing is missing, nothing comes twice")
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(10), 0)

    def test_events_end_when_contact_does_not_come_back(self):
        bounded = self.start("events", "--from", "0", "--reconnect-for", "300ms")
        at_once = self.start("events", "--from", "0", "--reconnect-for", "0s")
        patient = self.start("events", "--from", "0")
        self.cleat("lock", "e/1", "--ttl", "60s", status=0)
        for follower in (bounded, at_once, patient):
            self.assertIn(" granted e/1 ", follower.stdout.readline())
        self.node.kill()
        self.assertEqual(at_once.wait(10), 69)
        self.assertRegex(at_once.stderr.read(), r"^cleat events: lost the server at [^\n]*\n$")
        self.assertEqual(bounded.wait(10), 69)
        self.assertRegex(bounded.stderr.read(), r"trying again for 300ms\ncleat events: can't reach a server at [^\n]*\n$")
        self.assertIn("trying again", patient.stderr.readline())
        patient.send_signal(signal.SIGINT)
        self.assertEqual(patient.wait(10), 0, patient.stderr.read())

    def test_events_follow_until_interrupted(self):
        self.cleat("lock", "e/1", "--ttl", "60s", status=0)
        self.cleat("lock", "other", "--ttl", "60s", status=0)
        follower = self.start("events", "e/", "--from", "0", "--json")
        first = json.loads(follower.stdout.readline())
        self.assertEqual((first["kind"], first["event"], first["name"]), ("event", "granted", "e/1"))
        self.cleat("lock", "e/2", "--ttl", "60s", status=0)
        self.assertEqual(json.loads(follower.stdout.readline())["name"], "e/2")
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(10), 0)
        text = self.start("events", "--from", "0")
        self.assertRegex(text.stdout.readline(), r"^1 \S+ \S+ granted e/1 fence=1 mode=EXCLUSIVE\n$")

    def test_status_and_output_that_cannot_be_written(self):
        self.cleat("status", status=0)
        self.assertTrue(self.cleat_json("status")["ready"])
        with open("/dev/full", "w") as full:
            done = subprocess.run([CLEAT, "status"], stdout=full, stderr=subprocess.PIPE, text=True, env=self.environment)
        self.assertEqual((done.returncode, done.stderr), (1, "cleat status: can't write to standard output\n"))


class Passwords(Case):
    def test_a_password_that_nobody_asked_for(self):
        secret = self.place / "secret"
        secret.write_text("geheim\n")
        self.start_node()
        for command in (["status"], ["run", "it", "--password-file", secret, "--", "true"]):
            done = self.cleat(*command, *([] if "--" in command else ["--password-file", secret]), status=77)
            self.assertIn("a password was given, but the server has none: leave it out", done.stderr)

    def test_password(self):
        secret = self.place / "secret"
        secret.write_text("geheim\n")
        secret.chmod(0o600)
        wrong = self.place / "wrong"
        wrong.write_text("x\n")
        self.start_node("--password-file", secret, asks_password=True)
        for command in (["status"], ["run", "it", "--", "true"], ["lock", "it", "--ttl", "30s"]):
            at = command.index("--") if "--" in command else len(command)
            with_file = lambda f: command[:at] + ["--password-file", f] + command[at:]  # noqa: E731
            done = self.cleat(*command, status=77)
            self.assertIn("the server wants a password: it comes from --password-file FILE or CLEAT_PASSWORD_FILE", done.stderr)
            done = self.cleat(*with_file(wrong), status=77)
            self.assertIn("the server refused the password", done.stderr)
            done = self.cleat(*with_file(self.place / "none"), status=77)
            self.assertIn("can't be read or its first line is empty", done.stderr)
            self.cleat(*with_file(secret), status=0)
        self.environment["CLEAT_PASSWORD_FILE"] = str(secret)
        self.cleat("status", status=0)


class NoServer(Case):
    def test_nobody_there(self):
        self.environment["CLEAT_SERVER"] = "127.0.0.1:1"
        message = "can't reach a server at 127.0.0.1:1: Connection refused. Is it running (cleat serve)?"
        for command in (["status"], ["ls"], ["lock", "a", "--ttl", "1s"], ["unlock", "a", "--token", "t"], ["events"]):
            done = self.cleat(*command, status=69)
            self.assertIn(message, done.stderr)
            self.assertEqual(done.stdout, "")
        mark = self.place / "ran"
        started = time.monotonic()
        done = self.cleat("run", "a", "--timeout", "300ms", "--", "touch", mark, status=69)
        self.assertLess(time.monotonic() - started, 5)
        self.assertIn(message, done.stderr)
        self.assertFalse(mark.exists())

    def test_a_name_that_has_no_address(self):
        done = self.cleat("status", "--server", "no-such-host.invalid:1", status=69)
        self.assertIn("the host's name can't be looked up", done.stderr)


if __name__ == "__main__":
    unittest.main()
