"""Every recipe of docs/recipes/, as it stands there, against real servers: turns, losses, restarts, frozen processes.

Those of all languages run at the same time, each with a name of its own; a language that can't be run here is skipped by
test_language_can_be_run, which says why, and left out of the others.
"""
import json
import re
import select
import signal
import socket
import threading

import pytest

import recipes
from addresses import own_host

FENCE = re.compile(r"fence (\d+)")


def fences(lines, begins):
    return [int(FENCE.search(line).group(1)) for line in lines if line.startswith(begins)]


@pytest.fixture(scope="module")
def languages():
    found = [language for language in recipes.MAKERS if recipes.why_not(language) is None]
    assert "python" in found and "node_redis" in found
    return found


@pytest.fixture
def start():
    """Starts a program: start(language, program, arguments...)."""
    programs = []

    def begin(language, program, *arguments):
        programs.append(recipes.Program([*recipes.command_of(language, program), *map(str, arguments)]))
        return programs[-1]

    yield begin
    for program in programs:
        program.kill()


def history(node, name):
    with node.connect() as other:
        return other.do("HISTORY", name)


def what_happened(node, name):
    return [change[3] for change in history(node, name)]


@pytest.mark.parametrize("language", recipes.MAKERS)
def test_language_can_be_run(language):
    if recipes.why_not(language):
        pytest.skip(recipes.why_not(language))


def test_pages_name_the_clients_that_are_tested():
    here = recipes.ROOT / "tests" / "real"
    packages = json.loads((here / "package.json").read_text())["dependencies"]
    versions = {
        "python.md": re.findall(r"^redis==(.*)$", (here / "requirements.txt").read_text(), re.M),
        "node.md": [packages["redis"], packages["ioredis"]],
        "go.md": re.findall(r"go-redis/v9 (v[\d.]+)$", (here / "go" / "go.mod").read_text(), re.M),
        "java.md": re.findall(r"<version>([\d.]+)</version>", (here / "java" / "pom.xml").read_text().split("<dependencies>")[1]),
    }
    overview = (recipes.PAGES / "README.md").read_text()
    for page, pinned in versions.items():
        assert pinned
        row, = [line for line in overview.splitlines() if line.startswith("|") and f"]({page})" in line]
        for version in pinned:
            assert version in row and version in (recipes.PAGES / page).read_text(), (page, version)


def test_web_handlers_of_all_languages_share_names(node, start, languages):
    printed = []
    for handler in [start(language, "web", node.url) for language in languages]:
        lines = handler.finish()
        assert len(lines) == 4 and all(re.match(r"order [78]: (saved with fence \d+|busy, come again)$", line) for line in lines), lines
        printed += fences(lines, "order")
    assert len(printed) >= 2 * len(languages), "most of them had their turn"
    granted = [change for order in (7, 8) for change in history(node, f"orders/{order}")]
    assert [change[3] for change in granted] == ["granted", "released"] * (len(granted) // 2)
    assert sorted(printed) == sorted(change[9] for change in granted[::2])


def test_web_handlers_whose_time_is_over(make_node, start, languages):
    """Each lock is lost in the middle of the work: the push comes unasked, and the pool's connections go on."""
    nodes = {language: make_node(name=language) for language in languages}
    handlers = {language: start(language, "web", node.url, 500, 600) for language, node in nodes.items()}
    for language, handler in handlers.items():
        lines = handler.finish()
        assert len(lines) == 4 and all(re.match(r"order [78]: (saved|too late|busy)", line) for line in lines), lines
        assert fences(lines, "order 7:") and fences(lines, "order 8:")
        assert what_happened(nodes[language], "orders/8") == ["granted", "expired"]


def test_trying(node, start, languages):
    with node.connect() as holder:
        held = {language: holder.do("LOCK", f"for/{language}", "TOKEN", "t", "TTL", 700) for language in languages}
        holder.do("LOCK", "busy", "TOKEN", "u", "TTL", 600_000)
        lucky = {language: start(language, "try_later", node.url, f"for/{language}", 20_000) for language in languages}
        unlucky = [start(language, "try_later", node.url, "busy", 10) for language in languages]
        for language, program in lucky.items():
            line, = program.finish()
            assert fences([line], f"holding for/{language} ")[0] > held[language]
        for program in unlucky:
            assert program.finish(status=75) == ["busy: held"]


def test_workers_keep_their_place_and_their_lock_when_the_server_is_killed(node, start, languages):
    with node.connect() as holder:
        held = [holder.do("LOCK", f"job/{language}", "TOKEN", "t", "TTL", 600_000) for language in languages]
    workers = {language: start(language, "worker", node.url, f"job/{language}", 40) for language in languages}
    node.wait_info("waiters", str(len(languages)))
    node.kill()
    node.start()
    node.wait_info("waiters", str(len(languages)))
    with node.connect() as holder:
        for language in languages:
            assert holder.do("UNLOCK", f"job/{language}", "TOKEN", "t") == 0
    for worker in workers.values():
        worker.read_until("step 2 ")
    node.kill()
    node.start()
    for language, worker in workers.items():
        lines = worker.finish(seconds=30)
        assert lines[-1] == "done"
        fence, = set(fences(lines, ("holding", "step")))
        assert fence > max(held) and len(fences(lines, "step")) == 40
        assert what_happened(node, f"job/{language}") == ["granted", "released"] * 2
    node.wait_info("sessions", "0", seconds=4)  # and not after the TTL: each program closes its session


class Doorkeeper:
    """Before a node. After slam() the first who wants to speak for a session is told to come again; from then on all pass."""

    def __init__(self, target):
        self.target, self.sockets, self.refusing = target, [], False
        self.listener = socket.create_server((own_host(), 0))
        self.url = "%s:%d" % self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client = self.listener.accept()[0]
            pair = (client, socket.create_connection(self.target))
            self.sockets += pair
            threading.Thread(target=self.relay, args=pair, daemon=True).start()

    def relay(self, client, server):
        try:
            while True:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(65536)
                    if not data:
                        return
                    if ready is client and self.refusing and b"ATTACH" in data:
                        self.refusing = False
                        client.sendall(b"-NOQUORUM no leader is known\r\n")
                    else:
                        (client if ready is server else server).sendall(data)
        except OSError:  # slammed
            pass
        finally:
            self.close(client, server)

    def slam(self):
        self.refusing = True
        self.close(*self.sockets)

    def close(self, *sockets):
        for each in sockets:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def test_nothing_is_said_on_a_connection_that_was_not_let_in(make_node, start, languages):
    """Else the UNLOCK is answered that the lock is not held, and it stays with the session."""
    nodes = {language: make_node(name=language) for language in languages}
    doors = {language: Doorkeeper(node.address) for language, node in nodes.items()}
    workers = {language: start(language, "worker", door.url, "job", 40) for language, door in doors.items()}
    for language, worker in workers.items():
        worker.read_until("step 1 ")
        doors[language].slam()
    for language, worker in workers.items():
        assert worker.finish()[-1] == "done"
        assert not doors[language].refusing, f"{language} did not come back"
        assert what_happened(nodes[language], "job") == ["granted", "released"], language
        nodes[language].wait_info("sessions", "0", seconds=4)


def test_workers_stop_when_their_lock_ends(node, start, languages):
    """By MAXHOLD, which each program counts for itself."""
    workers = [start(language, "worker", node.url, f"job/{language}", 100_000, 10_000, 600) for language in languages]
    for worker in workers:
        lines = worker.finish(status=3)
        assert lines[-1].startswith("lost: ")
        assert 0 < len(fences(lines, "step")) < 60
    node.wait_info("sessions", "0", seconds=4)


def test_frozen_workers_know_that_their_time_is_over(node, start, languages):
    """Stopped until the server has given their locks away: none does a step after that, whatever lies in its sockets."""
    workers = {language: start(language, "worker", node.url, f"job/{language}", 100_000, 2_000) for language in languages}
    for worker in workers.values():
        worker.read_until("step 1 ")
    for worker in workers.values():
        worker.process.send_signal(signal.SIGSTOP)
    node.wait_info("sessions", "0")
    counts = {}
    for language, worker in workers.items():
        while worker.read_some(0):
            pass
        counts[language] = len(worker.lines())
        worker.process.send_signal(signal.SIGCONT)
    for language, worker in workers.items():
        lines = worker.finish(status=3)
        assert lines[-1].startswith("lost: ")
        # One that was stopped between the check and the step does that step: this is what the fence is for.
        assert len(lines) <= counts[language] + 2, (language, lines[counts[language]:])


def test_workers_of_all_languages_take_turns_at_one_name(node, start, languages):
    workers = [start(language, "worker", node.url, "shared", 5) for language in languages]
    printed = []
    for worker in workers:
        fence, = set(fences(worker.finish(seconds=30), ("holding", "step")))
        printed.append(fence)
    assert what_happened(node, "shared") == ["granted", "released"] * len(workers)
    assert sorted(printed) == [change[9] for change in history(node, "shared")[::2]]


def test_pools_that_speak_for_a_session(node, start, languages):
    pools = [start(language, "pool", node.url) for language in languages if language in recipes.WITH_POOL_PROGRAM]
    for pool in pools:
        lines = pool.finish()
        assert sorted(line.split()[0] for line in lines) == ["task-0", "task-1", "task-2", "task-3"]
        assert len(set(fences(lines, "task"))) == 4
    node.wait_info("sessions", "0", seconds=4)


def test_unasked_pushes_between_replies(make_node, start, languages):
    """Of redis-py and the clients of Node.js: test_redis_py.py and test_javascript.py."""
    asked = [start(language, "pushes", make_node(name=language).url) for language in languages if language in ("go", "java")]
    for program in asked:
        assert program.finish() == ["all as asked"]
