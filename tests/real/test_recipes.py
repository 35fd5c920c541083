"""Every recipe of docs/recipes/, as it stands there, against real servers: turns, losses, restarts, frozen processes."""
import re
import signal

import pytest

import recipes
from node import wait_until

FENCE = re.compile(r"with fence (\d+)")


def fences(lines, begins):
    return [int(FENCE.search(line).group(1)) for line in lines if line.startswith(begins)]


@pytest.fixture
def start():
    """Starts programs: start(language, program, arguments...)."""
    programs = []

    def begin(language, program, *arguments):
        programs.append(recipes.Program([*recipes.command_of(language)(program), *map(str, arguments)]))
        return programs[-1]

    yield begin
    for program in programs:
        program.kill()


@pytest.fixture(params=list(recipes.MAKERS))
def language(request):
    recipes.command_of(request.param)
    return request.param


def sessions_gone(node):
    """At once, and not after the TTL: each program closes its session."""
    node.wait_info("sessions", "0", seconds=4)


def test_web_handler(node, start, language):
    lines = start(language, "web", node.url).finish()
    assert len(lines) == 4 and all("saved" in line for line in lines), lines
    assert len(set(fences(lines, "order 7:"))) == 3
    with node.connect() as other:
        assert other.do("LOCKS")[5] == [], "all were let go"


def test_web_handler_whose_time_is_over(node, start, language):
    """Each lock is lost in the middle of the work: the push comes unasked, and the pool's connections go on."""
    lines = start(language, "web", node.url, 500, 600).finish()
    assert len(lines) == 4 and all(re.match(r"order [78]: (saved|too late|busy)", line) for line in lines), lines
    assert fences(lines, "order 7:") and fences(lines, "order 8:")
    with node.connect() as other:
        assert [change[3] for change in other.do("HISTORY", "orders/8")] == ["granted", "expired"]


def test_trying(node, start, language):
    with node.connect() as holder:
        held = holder.do("LOCK", "busy", "TOKEN", "t", "TTL", 700)
        line, = start(language, "try_later", node.url, "busy", 20_000).finish()
        assert fences([line], "holding busy")[0] > held
        holder.do("LOCK", "busy", "TOKEN", "u", "TTL", 60_000)
        assert start(language, "try_later", node.url, "busy", 10).finish(status=75) == ["busy: held"]


def test_worker_keeps_its_place_and_its_lock_when_the_server_is_killed(node, start, language):
    with node.connect() as holder:
        held = holder.do("LOCK", "job", "TOKEN", "t", "TTL", 60_000)
    worker = start(language, "worker", node.url, "job", 40)
    node.wait_info("waiters", "1")
    node.kill()
    node.start()
    node.wait_info("waiters", "1")
    with node.connect() as holder:
        assert holder.do("UNLOCK", "job", "TOKEN", "t") == 0
    worker.read_until("step 2 ")
    node.kill()
    node.start()
    lines = worker.finish()
    assert lines[-1] == "done"
    fence, = set(fences(lines, ("holding", "step")))
    assert fence > held
    assert len(fences(lines, "step")) == 40
    sessions_gone(node)
    with node.connect() as other:
        assert [change[3] for change in other.do("HISTORY", "job")] == ["granted", "released"] * 2


def test_worker_stops_when_its_lock_ends(node, start, language):
    """By MAXHOLD, which the program counts for itself."""
    lines = start(language, "worker", node.url, "job", 100_000, 10_000, 600).finish(status=3)
    assert lines[-1].startswith("lost: ")
    assert 5 < len(fences(lines, "step")) < 60
    sessions_gone(node)


def running_languages():
    """All that can be run here; the tests of each language say why one can't."""
    return [language for language in recipes.MAKERS if recipes.can_run(language)]


def test_frozen_workers_know_that_their_time_is_over(node, start):
    """Stopped until the server has given their locks away: none does a step after that, whatever lies in its sockets."""
    workers = {language: start(language, "worker", node.url, f"job/{language}", 100_000, 2_000) for language in running_languages()}
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


def test_all_languages_take_turns_at_one_name(node, start):
    workers = [start(language, "worker", node.url, "shared", 5) for language in running_languages() for _ in range(2)]
    printed = []
    for worker in workers:
        fence, = set(fences(worker.finish(), ("holding", "step")))
        printed.append(fence)
    with node.connect() as other:
        changes = other.do("HISTORY", "shared")
    assert [change[3] for change in changes] == ["granted", "released"] * len(workers)
    assert sorted(printed) == [change[9] for change in changes[::2]]


@pytest.mark.parametrize("language", recipes.WITH_POOL_PROGRAM)
def test_pool_that_speaks_for_a_session(node, start, language):
    lines = start(language, "pool", node.url).finish()
    assert sorted(line.split()[0] for line in lines) == ["task-0", "task-1", "task-2", "task-3"]
    assert len(set(re.search(r"has fence (\d+)", line).group(1) for line in lines)) == 4
    sessions_gone(node)
