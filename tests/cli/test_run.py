"""cleat run: the command and all it started is dead before the service may grant its lock anew, whatever is killed."""
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import unittest

from kit import CLEAT, WALL_TIME, Case, alive, wait_for_ends

FAMILY = {"wishes": ("family",), "names": ("child", "grandchild", "stray")}


class Ends(Case):
    def setUp(self):
        super().setUp()
        self.start_node()

    def test_gives_back_the_status_of_the_command(self):
        for status in (0, 1, 7, 75, 255):
            self.cleat("run", "it", "--", "sh", "-c", f"exit {status}", status=status)

    def test_a_signal_is_128_and_its_number(self):
        self.cleat("run", "it", "--", "sh", "-c", "kill -9 $$", status=137)
        self.cleat("run", "it", "--", "sh", "-c", "kill -TERM $$", status=143)

    def test_what_cannot_be_run(self):
        done = self.cleat("run", "it", "--", "no-such-program", status=127)
        self.assertEqual(done.stderr, "cleat run: can't run no-such-program: No such file or directory\n")
        done = self.cleat("run", "it", "--", self.place, status=126)
        self.assertIn("Permission denied", done.stderr)
        self.cleat("run", "it", "--no-wait", "--", "true", status=0)

    def test_the_command_knows_its_lock(self):
        done = self.cleat("run", "a name", "--", "sh", "-c", 'echo "$CLEAT_NAME/$CLEAT_FENCE/$CLEAT_SESSION"', status=0)
        self.assertRegex(done.stdout, r"^a name/[1-9]\d*/[1-9]\d*\n$")
        again = self.cleat("run", "a name", "--", "sh", "-c", "echo $CLEAT_FENCE", status=0)
        self.assertGreater(int(again.stdout), int(done.stdout.split("/")[1]))

    def test_input_and_output_are_the_commands_own(self):
        done = subprocess.run([CLEAT, "run", "it", "--", "cat"], input="through", capture_output=True, text=True,
                              env=self.environment)
        self.assertEqual((done.stdout, done.stderr, done.returncode), ("through", "", 0))

    def test_after_the_command_the_lock_is_free_and_nothing_is_left(self):
        self.cleat("run", "it", "--data", "d", "--priority", "3", "--", "true", status=0)
        self.assertEqual(self.cleat_json("ls")["locks"], [])
        self.assertEqual(self.cleat_json("sessions")["sessions"], [])
        self.assertEqual([h["event"] for h in self.cleat_json("history", "it")], ["granted", "released"])

    def test_not_acquired(self):
        self.cleat("lock", "it", "--ttl", "60s", status=0)
        mark = self.place / "ran"
        done = self.cleat("run", "it", "--no-wait", "--", "touch", mark, status=75)
        self.assertRegex(done.stderr, r"^cleat run: it was not acquired: held by a token \(fence 1\) since " + WALL_TIME +
                         r"; worth another try in \d+s\n$")
        self.cleat("run", "it", "--no-wait", "-E", "0", "--", "touch", mark, status=0)
        started = time.monotonic()
        done = self.cleat("run", "it", "--wait", "300ms", "-E", "9", "--", "touch", mark, status=9)
        self.assertGreaterEqual(time.monotonic() - started, 0.3)
        self.assertRegex(done.stderr, r"^cleat run: it was not acquired: timed out; held by a token \(fence 1\) since " + WALL_TIME +
                         r"; worth another try in \d+(\.\d)?s\n$")
        self.assertFalse(mark.exists())

    def test_readers_share_writers_do_not(self):
        self.run_living("--shared")
        self.cleat("run", "it", "--shared", "--no-wait", "--", "true", status=0)
        self.cleat("run", "it", "--mode", "intent-shared", "--no-wait", "--", "true", status=0)
        self.cleat("run", "it", "--no-wait", "--", "true", status=75)

    def test_refusals_of_the_service(self):
        done = self.cleat("run", "n" * 513, "--", "true", status=1)
        self.assertRegex(done.stderr, r"^cleat run: BADNAME ")
        done = self.cleat("run", "a\x01\\b", "--", "true", status=1)
        self.assertEqual(done.stderr, r"cleat run: BADNAME the name 'a\x01\\b' has a control character at byte 2: use UTF-8 text "
                                      "without control characters\n")
        done = self.cleat("run", "it", "--data", "d" * 5000, "--", "true", status=1)
        self.assertRegex(done.stderr, r"^cleat run: (ERR|LIMIT) ")

    def test_signals_are_passed_on(self):
        for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH"):
            mark, listens = self.place / name, self.pipe(name)
            script = f"import os, signal, pathlib\n" \
                     f"signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIG{name}])\n" \
                     f"pathlib.Path({str(mark)!r}).write_text('listens\\n')\n" \
                     f"signal.sigwait([signal.SIG{name}])\n" \
                     f"os._exit(42)\n"
            wrapper = self.start("run", "it", "--", sys.executable, "-c", script)
            self.assertTrue(select.select([listens], [], [], 20)[0], "the command listens")
            wrapper.send_signal(getattr(signal, "SIG" + name))
            self.assertEqual(wrapper.wait(10), 42, name)

    def test_a_signal_while_waiting_leaves_the_queue(self):
        self.cleat("lock", "it", "--ttl", "60s", status=0)
        wrapper = self.start("run", "it", "--", "true")
        self.node.wait_info("waiters", "1")
        wrapper.send_signal(signal.SIGINT)
        self.assertEqual(wrapper.wait(10), 130)
        self.assertEqual(self.node.info()["waiters"], "0")

    def test_a_long_wait_keeps_the_session_alive(self):
        self.cleat("lock", "it", "--ttl", "60s", "--token", "t", status=0)
        wrapper = self.start("run", "it", "--ttl", "600ms", "--", "true")
        self.node.wait_info("waiters", "1")
        before = int(self.node.info()["keep_alives_answered"])
        self.node.wait_info("keep_alives_answered", lambda n: n >= before + 6)  # two TTLs
        self.cleat("unlock", "it", "--token", "t", status=0)
        self.assertEqual(wrapper.wait(10), 0)


class Losses(Case):
    """Each time a rival waits; when it is granted the lock, nothing of the command may live."""

    def setUp(self):
        super().setUp()
        self.start_node()

    def test_wrapper_killed(self):
        wrapper = self.run_living("--ttl", "2s", **FAMILY)
        rival = self.rival()
        wrapper.kill()
        self.check_dead_before(rival)

    def test_keeper_killed(self):
        wrapper = self.run_living("--ttl", "2s", **FAMILY)
        rival = self.rival()
        os.kill(self.keeper, signal.SIGKILL)
        self.check_dead_before(rival)
        self.assertEqual(wrapper.wait(10), 1)
        self.assertIn("the process that kept the session was killed", wrapper.stderr.read())

    def test_keeper_stopped(self):
        wrapper = self.run_living("--ttl", "2s", **FAMILY)
        rival = self.rival()
        os.kill(self.keeper, signal.SIGSTOP)
        self.check_dead_before(rival)
        self.assertEqual(wrapper.wait(10), 1)

    def test_wrapper_stopped_keeps_the_lock(self):
        wrapper = self.run_living("--ttl", "600ms")
        os.kill(wrapper.pid, signal.SIGSTOP)
        before = int(self.node.info()["keep_alives_answered"])
        self.node.wait_info("keep_alives_answered", lambda n: n >= before + 8)  # more than two TTLs
        self.assertTrue(alive(self.pids[0]))
        self.cleat("run", "it", "--no-wait", "--", "true", status=75)
        os.kill(wrapper.pid, signal.SIGCONT)
        wrapper.terminate()
        self.assertEqual(wrapper.wait(10), 143)

    def test_server_stopped(self):
        wrapper = self.run_living("--ttl", "2s", **FAMILY)
        rival = self.rival()
        os.kill(self.node.process.pid, signal.SIGSTOP)
        self.addCleanup(os.kill, self.node.process.pid, signal.SIGCONT)
        stopped = time.monotonic()
        wait_for_ends(self.pids)
        self.assertLess(time.monotonic() - stopped, 2.0, "later than its TTL")
        os.kill(self.node.process.pid, signal.SIGCONT)
        self.check_dead_before(rival)
        self.assertIn(wrapper.wait(20), (137, 143))
        self.assertIn("no contact with", wrapper.stderr.read())

    def test_server_gone(self):
        wrapper = self.run_living("--ttl", "2s", wishes=("tell",))
        rival = self.rival()
        self.node.kill()
        gone = time.monotonic()
        self.assertEqual(wrapper.wait(20), 9, "it ended by SIGTERM, in its own way")
        told = float((self.place / "terms").read_text()) - gone
        self.assertLess(told, 2.0 - 0.5)
        self.node.start()
        self.check_dead_before(rival)

    def test_command_that_ignores_sigterm(self):
        wrapper = self.run_living("--ttl", "2s", wishes=("family", "deaf"), names=FAMILY["names"])
        rival = self.rival()
        self.node.kill()
        gone = time.monotonic()
        wait_for_ends(self.pids)
        self.assertLess(time.monotonic() - gone, 2.0, "later than its TTL")
        self.node.start()
        self.check_dead_before(rival)
        self.assertEqual(wrapper.wait(20), 137)

    def test_on_loss_kill_sends_no_sigterm(self):
        wrapper = self.run_living("--ttl", "2s", "--on-loss", "kill", wishes=("tell",))
        self.node.kill()
        self.assertEqual(wrapper.wait(20), 137)
        self.assertFalse((self.place / "terms").exists())

    def test_on_loss_ignore_goes_on(self):
        wrapper = self.run_living("--ttl", "600ms", "--on-loss", "ignore")
        rival = self.rival()
        self.node.kill()
        self.node.start()
        os.kill(self.keeper, signal.SIGSTOP)
        _, lived = rival()
        self.assertEqual(lived, self.pids, "nobody asked to end it")
        os.kill(self.keeper, signal.SIGCONT)
        while "was lost" not in wrapper.stderr.readline():
            self.assertIsNone(wrapper.poll(), "it ended")
        os.kill(self.pids[0], signal.SIGTERM)
        self.assertEqual(wrapper.wait(20), 143)

    def test_max_hold_far_below_the_ttl(self):
        self.cleat("run", "it", "--ttl", "60s", "--max-hold", "5s", "--", "true", status=0)

    def test_max_hold_ends_it_in_time(self):
        wrapper = self.run_living("--ttl", "3s", "--max-hold", "2s", wishes=("deaf",))
        rival = self.rival()
        self.check_dead_before(rival)
        self.assertEqual(wrapper.wait(20), 137)


class Restarts(Case):
    def setUp(self):
        super().setUp()
        self.start_node()

    def test_hold_and_queue_place_survive_a_killed_server(self):
        wrapper = self.run_living("--ttl", "30s")
        order = self.place / "order"
        waiting = []
        for i in range(2):
            waiting.append(self.start("run", "it", "--ttl", "30s", "--", "sh", "-c", f"echo {i} $CLEAT_FENCE >> {order}"))
            self.node.wait_info("waiters", str(i + 1))
        fence = self.cleat_json("show", "it")["holders"][0]["fence"]
        self.node.kill()
        self.node.start()
        self.node.wait_info("connected_clients", lambda n: n >= 4)  # all came back
        shown = self.cleat_json("show", "it")
        self.assertEqual([h["fence"] for h in shown["holders"]], [fence])
        self.assertEqual(shown["waiters_total"], 2)
        self.assertTrue(alive(self.pids[0]))
        wrapper.terminate()
        self.assertEqual(wrapper.wait(20), 143)
        for one in waiting:
            self.assertEqual(one.wait(20), 0)
            self.assertIn("lost contact with", one.stderr.read())
        lines = [line.split() for line in order.read_text().splitlines()]
        self.assertEqual([line[0] for line in lines], ["0", "1"])
        self.assertGreater(int(lines[1][1]), int(lines[0][1]))

    def test_release_without_a_server_is_told_and_bounded(self):
        wrapper = self.run_living("--ttl", "30s")
        self.node.kill()
        os.kill(self.pids[0], signal.SIGTERM)
        self.assertEqual(wrapper.wait(20), 143)
        self.assertIn("it is when its TTL of 30s is over", wrapper.stderr.read())


RESUMED = """
import os, signal
def back(*_):
    print("back", flush=True)
    os._exit(5)
signal.signal(signal.SIGCONT, back)
print("here", flush=True)
while True:
    signal.pause()
"""


class Terminal(Case):
    """On a terminal the command has the foreground, Ctrl-C is its own, Ctrl-Z stops the wrapper too."""

    def setUp(self):
        super().setUp()
        self.start_node()

    def start_on_terminal(self, *command):
        pid, self.terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run as a background job
            os.execve(CLEAT, [str(CLEAT), "run", "it", "--", *command], self.environment)
        self.addCleanup(os.close, self.terminal)
        self.shown = ""
        return pid

    def read_until(self, pattern):
        while not re.search(pattern, self.shown):
            self.assertTrue(select.select([self.terminal], [], [], 20)[0], f"{pattern} on the terminal, which shows {self.shown!r}")
            try:
                self.shown += os.read(self.terminal, 4096).decode(errors="replace")
            except OSError as error:
                self.fail(f"{error} before {pattern} on the terminal, which shows {self.shown!r}")

    def status_of(self, pid):
        wait_for_ends([pid])
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_the_command_has_the_foreground(self):
        pid = self.start_on_terminal(sys.executable, "-c",
                                     "import os; print('mine', os.tcgetpgrp(0) == os.getpgrp() == os.getpid()); print(input())")
        self.read_until("mine True\r\n")
        os.write(self.terminal, b"typed\n")
        self.read_until("typed\r\ntyped")
        self.assertEqual(self.status_of(pid), 0)

    def test_ctrl_c_ends_the_command(self):
        pid = self.start_on_terminal("sh", "-c", "echo here; exec cat")
        self.read_until("here")
        os.write(self.terminal, b"\x03")
        self.assertEqual(self.status_of(pid), 130)

    def test_ctrl_z_stops_both_and_the_lock_is_kept(self):
        # No shell that starts processes: one that is stopped between vfork and exec leaves its parent unable to stop.
        pid = self.start_on_terminal(sys.executable, "-c", RESUMED)
        self.read_until("here")
        os.write(self.terminal, b"\x1a")

        status = self.in_background(lambda: os.waitpid(pid, os.WUNTRACED)[1])(20)
        self.assertTrue(os.WIFSTOPPED(status), "the wrapper stops too")
        self.cleat("run", "it", "--no-wait", "--", "true", status=75)
        os.kill(pid, signal.SIGCONT)
        self.read_until("back")
        self.assertEqual(self.status_of(pid), 5)


if __name__ == "__main__":
    unittest.main()
