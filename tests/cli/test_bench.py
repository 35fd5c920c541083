"""cleat bench against real servers, also such that go away."""
import json
import signal
import unittest

from kit import Case, Node


class Bench(Case):
    def start_bench(self, *options):
        """Starts one that tells of its progress, and waits until it does."""
        bench = self.start("bench", "--progress", "20ms", "--warm-up", "0s", "--json", *options)
        self.assertIn("pairs/s", bench.stderr.readline())
        return bench

    def result(self, bench, status):
        out, err = bench.communicate(timeout=60)
        self.assertEqual(bench.returncode, status, out + err)
        return json.loads(out), err

    def measured(self, *options, status=0):
        return self.cleat_json("bench", "--warm-up", "50ms", "--duration", "300ms", *options, status=status)

    def test_closed_loop(self):
        self.start_node()
        told = self.measured("--connections", "4", "--pipeline", "3")
        self.assertEqual((told["loop"], told["connections"], told["pipeline"], told["errors"], told["measured_ms"]), ("closed", 4, 3, {}, 300))
        self.assertGreater(told["pairs"], 0)
        self.assertEqual(told["pairs_per_s"], round(told["pairs"] / 0.3))
        for what in ("lock", "unlock", "pair"):
            times = [told[what][key] for key in ("p50_us", "p90_us", "p99_us", "p999_us", "p9999_us", "max_us")]
            self.assertEqual(times, sorted(times))
            self.assertGreater(times[0], 0)
        self.assertGreaterEqual(told["pair"]["max_us"], told["lock"]["max_us"])
        self.assertEqual(self.cleat_json("ls")["locks"], [], "nothing stays behind")

    def test_open_loop_asks_at_the_rate(self):
        self.start_node()
        told = self.measured("--connections", "3", "--rate", "200")
        self.assertEqual((told["loop"], told["rate"], told["lock"]["count"], told["unsent"], told["errors"]), ("open", 200, 60, 0, {}))

    def test_a_rate_that_is_too_high_is_told(self):
        self.start_node()
        done = self.cleat("bench", "--warm-up", "0s", "--duration", "100ms", "--timeout", "300ms", "--connections", "1", "--rate", "1000000", status=1)
        self.assertRegex(done.stdout, r"\d pairs were due and not even sent")
        self.assertEqual(done.stderr, "", "no progress where nobody asked for it")

    def test_contended_names(self):
        self.start_node()
        told = self.measured("--connections", "4", "--pipeline", "2", "--contend", "1", "--prefix", "shared")
        self.assertEqual(told["errors"], {})
        self.assertGreater(told["pairs"], 0)
        history = self.cleat_json("history", "shared/0")
        self.assertLessEqual({"granted", "released"}, {entry["event"] for entry in history})

    def test_a_server_that_comes_back(self):
        self.start_node()
        bench = self.start_bench("--connections", "3", "--duration", "24h")
        self.node.kill()
        self.node.start()
        self.node.wait_info("unlocks", lambda pairs: pairs >= 10)
        bench.send_signal(signal.SIGINT)
        told, _ = self.result(bench, status=1)
        self.assertEqual(told["interrupted"], True)
        self.assertGreaterEqual(told["reconnects"], 1)
        self.assertTrue(all("connection was lost" in kind for kind in told["errors"]), told["errors"])
        self.assertGreater(told["pairs"], 0)

    def test_a_server_that_is_silent_is_left_for_another(self):
        silent = self.start_node()
        other = Node(self.place / "other").start()
        self.addCleanup(other.kill)
        bench = self.start_bench("--connections", "24", "--duration", "24h", "--timeout", "1s", "--server", f"{silent.url},{other.url}")
        silent.process.send_signal(signal.SIGSTOP)
        self.addCleanup(silent.process.send_signal, signal.SIGCONT)
        other.wait_info("connected_clients", lambda clients: clients >= 25, seconds=30)  # all, and this one
        bench.send_signal(signal.SIGINT)
        told, _ = self.result(bench, status=1)
        self.assertTrue(told["errors"] and all("no answer in time" in kind for kind in told["errors"]), told["errors"])

    def test_a_server_that_does_not_come_back(self):
        self.start_node()
        bench = self.start_bench("--connections", "3", "--duration", "500ms", "--timeout", "300ms")
        self.node.kill()
        told, err = self.result(bench, status=69)
        self.assertGreater(sum(told["errors"].values()), 0)
        self.assertRegex(err.splitlines()[-1], r"^cleat bench: lost contact and did not find it again: \S+: ")

    def test_interrupted_it_tells_what_it_has(self):
        self.start_node()
        bench = self.start_bench("--connections", "2", "--duration", "24h")
        bench.send_signal(signal.SIGINT)
        told, _ = self.result(bench, status=0)
        self.assertEqual((told["interrupted"], told["errors"]), (True, {}))
        self.assertLess(told["measured_ms"], 60_000)

    def test_no_server_a_wrong_password_and_one_of_two_servers(self):
        node = self.start_node()
        dead = "127.0.0.1:1"
        done = self.cleat("bench", "--server", dead, "--timeout", "300ms", status=69)
        self.assertEqual(done.stderr.split(": ")[:3], ["cleat bench", "can't reach a server", dead])
        self.assertEqual(done.stdout, "")
        told = self.measured("--server", f"{dead},{node.url}", "--connections", "4")
        self.assertEqual(told["errors"], {})
        node.kill()
        (self.place / "password").write_bytes(b"secret\r\n")  # as an editor of another system leaves it
        (self.place / "password").chmod(0o600)
        self.start_node("--password-file", self.place / "password", asks_password=True)
        done = self.cleat("bench", "--timeout", "5s", status=77)
        self.assertRegex(done.stderr, r"^cleat bench: \S+: the server wants a password: it comes from --password-file")
        self.environment["CLEAT_PASSWORD_FILE"] = str(self.place / "password")
        self.assertGreater(self.measured()["pairs"], 0)


if __name__ == "__main__":
    unittest.main()
