"""The stages of tests/run: how each is built, run and counted."""
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
REPORTS = ROOT / "build" / "reports"
FUZZ_INPUTS = "6000"  # for each fuzzer; the slowest takes 2 ms an input


class StageFailed(Exception):
    """A stage could not be built or run; its text says why."""


class Counted:
    """Totals of a stage, as its runners reported them, and lines worth showing."""

    def __init__(self, passed=0, failed=0, skipped=0, notes=()):
        self.passed, self.failed, self.skipped, self.notes = passed, failed, skipped, list(notes)

    def __iadd__(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.notes += other.notes
        return self

    def summary(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


Stage = collections.namedtuple("Stage", "title run")


def build(folder, targets, *options):
    command = ["tools/build.sh", folder, *targets]
    if options:
        command += ["--", *options]
    if subprocess.run(command, cwd=ROOT).returncode != 0:
        raise StageFailed(f"{folder} does not build")


def fresh_reports(name):
    folder = REPORTS / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def count_cases(path):
    """Counts the testcase elements of a JUnit or gtest report."""
    counted = Counted()
    for case in xml.parse(path).getroot().iter("testcase"):
        name = ".".join(filter(None, [case.get("classname"), case.get("name")]))
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None or case.get("status") == "fail":
            counted.failed += 1
            counted.notes.append(f"FAILED {name}")
        elif skip is not None or case.get("result") in ("skipped", "suppressed") or case.get("status") in ("notrun", "disabled"):
            counted.skipped += 1
            why = (skip.get("message") or skip.text or "").strip().splitlines() if skip is not None else []
            counted.notes.append(f"skipped {name}: {why[0] if why else 'disabled'}")
        else:
            counted.passed += 1
    return counted


def run_ctest(folder, name, *arguments, jobs=None, **options):
    """Runs ctest in a build folder. A test that wrote a gtest report counts by its cases, any other as one. Options go
    to the environment, over those of the sanitizers."""
    reports = fresh_reports(name)
    environment = dict(os.environ, GTEST_OUTPUT=f"xml:{reports}/", **{**SANITIZER_OPTIONS, **options})
    junit = reports / "ctest.xml"
    command = ["tools/progress.sh", f"Running {name} tests", "ctest", "--test-dir", folder, "-j", str(jobs or os.cpu_count()),
               "--output-on-failure", "--no-tests=error", "--output-junit", str(junit), *arguments]
    finished = subprocess.run(command, cwd=ROOT, env=environment)
    if not junit.exists():
        raise StageFailed(f"ctest ran nothing in {folder}")
    return count_ctest(junit, reports, finished.returncode)


def count_ctest(junit, reports, exit_status):
    """ctest's own verdict on a binary stands: one that crashed or ran out of time is a failure whatever its cases said."""
    binaries = count_cases(junit)
    total = Counted(failed=binaries.failed, skipped=binaries.skipped, notes=binaries.notes)
    cases = Counted()
    with_report = 0
    for report in sorted(reports.glob("*.xml")):
        if report != junit:
            cases += count_cases(report)
            with_report += 1
    if with_report:
        # A failed case is named by its binary's report; the binary itself is then not counted again.
        total.failed = max(binaries.failed, cases.failed)
        total.skipped += cases.skipped
        total.notes += cases.notes
    total.passed = cases.passed + max(0, binaries.passed + binaries.failed - with_report - binaries.failed)
    if exit_status != 0 and total.failed == 0:
        total.failed = 1
        total.notes.append(f"FAILED ctest itself: exit status {exit_status}")
    return total


SANITIZER_OPTIONS = {
    "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:strict_string_checks=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": f"halt_on_error=1:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan.supp",
}


def one_check(title, *command):
    finished = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL)
    if finished.returncode == 0:
        return Counted(passed=1)
    return Counted(failed=1, notes=[f"FAILED {title}"])


def static():
    counted = Counted()
    counted += one_check("format of C++ sources", "tools/format.sh")
    counted += one_check("no path of one machine", "tools/check_paths.sh")
    for script in sorted(p for p in [*ROOT.glob("tools/*.sh"), ROOT / ".ci/run"]):
        counted += one_check(f"syntax of {script.name}", "bash", "-n", str(script))
    counted += run_pytest_like("static", ROOT / "tools")
    return counted


def run_pytest_like(name, folder):
    """Runs the unittest files (*_test.py) of a folder: they need nothing but python3."""
    counted = Counted()
    for test in sorted(folder.glob("*_test.py")):
        finished = subprocess.run(["python3", "-m", "unittest", "-v", test.name], cwd=folder, capture_output=True, text=True)
        lines = finished.stderr.splitlines()
        results = [line.rsplit(" ... ", 1)[1] for line in lines if " ... " in line]
        counted.passed += sum(result == "ok" for result in results)
        counted.skipped += sum(result.startswith("skipped") for result in results)
        failed = sum(result in ("FAIL", "ERROR") for result in results)
        if finished.returncode != 0:
            counted.failed += max(1, failed)
            counted.notes += [f"FAILED {name} {test.name}", *lines[-40:]]
    return counted


def unit():
    build("build/asan", ["all"], "-DCLEAT_SANITIZE=address,undefined")
    return run_ctest("build/asan", "asan", "-LE", "process")


def process():
    build("build", ["cleat", "cleat_next", "cleat_library", "cleat_testing_library", "fault_client"])
    prepared = subprocess.run(["tools/progress.sh", "Installing the real clients", "tests/real/prepare.sh"], cwd=ROOT)
    if prepared.returncode != 0:
        raise StageFailed("the real clients could not be installed from PyPI, npm, Go's module proxy and Maven Central")
    reports = fresh_reports("process")
    junit = reports / "pytest.xml"
    command = ["build/real/venv/bin/python", "-m", "pytest", "tests/real", "tests/cli", "tests/install", "-q", "-p", "no:cacheprovider",
               "--timeout=600", "--tb=short",
               # A member's directory has 128 MiB from the start: only what a failed test left is kept.
               "-o", "tmp_path_retention_policy=failed", "-o", "tmp_path_retention_count=1", f"--junitxml={junit}", *os.environ.get("CLEAT_TEST_PYTEST", "").split()]
    finished = subprocess.run(["tools/progress.sh", "Running process tests", *command], cwd=ROOT,
                              env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
    if not junit.exists():
        raise StageFailed("pytest wrote no report")
    counted = count_cases(junit)
    if finished.returncode != 0 and counted.failed == 0:
        counted.failed = 1
        counted.notes.append(f"FAILED pytest itself: exit status {finished.returncode}")
    return counted


def with_tsan(folder, name, layers, *cmake, **options):
    build(folder, [f"{layer}_test" for layer in layers], "-DCLEAT_SANITIZE=thread", *cmake)
    return run_ctest(folder, name, "-R", "^(" + "|".join(layers) + ")$", **options)


# Snapshot files beside the pump, the server, the client, the library with a real server and with the one in memory. raft_test, whose own threads are all of the Rust archive, would
# spend minutes on reports to be suppressed: `make races` has it.
WITH_THREADS = ["storage", "replica", "net", "server", "client", "library", "fake"]


def threads():
    """TSan for our own code; the Rust archive is not instrumented, tests/tsan.supp says what that means."""
    build("build", ["cleat"])  # the server that the library's tests talk to; its own threads have tests of theirs
    return with_tsan("build/tsan", "tsan", WITH_THREADS, CLEAT_TEST_BINARY=str(ROOT / "build" / "cleat"))


def races():
    """TSan for all code, the Rust archive and Rust's library with it, and nothing suppressed. Not among the stages of
    `make test`: building Rust's library takes minutes."""
    rust = ["-DCLEAT_RUSTC=/usr/bin/rustc", "-DCLEAT_CARGO=/usr/bin/cargo"] if pathlib.Path("/usr/bin/rustc").exists() else []
    layers = [*WITH_THREADS, "raft", "cli"]
    return with_tsan("build/races", "races", layers, "-DCLEAT_ENGINE_TSAN=ON", *rust, TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1")


def checker():
    """The judge of the fault campaign, which is a Go program, counts by its own tests."""
    sys.path.insert(0, str(ROOT / "tests" / "fault"))
    import programs
    try:
        go = programs.go()
    except programs.Missing as why:
        return Counted(skipped=1, notes=[f"skipped the checker of histories: {why}"])
    counted = Counted()
    for name in programs.GO_PROGRAMS:
        folder = ROOT / "tests" / "fault" / name
        unformatted = subprocess.run(["gofmt", "-l", "."], cwd=folder, capture_output=True, text=True).stdout
        vetted = subprocess.run([go, "vet", "./..."], cwd=folder, env=programs.GO_ENVIRONMENT)
        good = not unformatted and vetted.returncode == 0
        counted += Counted(passed=1) if good else Counted(failed=1, notes=[f"FAILED go vet and gofmt of {name} {unformatted}"])
    tested = subprocess.run([go, "test", "-json", "./..."], cwd=ROOT / "tests" / "fault" / "check", env=programs.GO_ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    events = [json.loads(line) for line in tested.stdout.splitlines()]
    for event in events:
        if event["Action"] in ("pass", "fail", "skip") and "Test" in event:
            counted += Counted(passed=event["Action"] == "pass", failed=event["Action"] == "fail", skipped=event["Action"] == "skip")
    if tested.returncode != 0:
        counted.failed = max(1, counted.failed)
        counted.notes += [event["Output"].rstrip() for event in events if event["Action"] == "output"][-60:]
    return counted


def tidy():
    """clang-tidy counts as one check; its findings are shown."""
    build("build/asan", ["check_layers"], "-DCLEAT_SANITIZE=address,undefined")
    return one_check("clang-tidy", "tools/progress.sh", "Running clang-tidy", "tools/tidy.sh", "build/asan")


def fuzz():
    """The kept inputs of each fuzzer and some beside them, the same each time: what fails here was broken by a change. `make fuzz`
    looks for what was always wrong."""
    finished = subprocess.run(["fuzz/run", "--each", FUZZ_INPUTS, "--seed", "1"], cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True)
    lines = finished.stdout.splitlines()
    passed = [line for line in lines if line.startswith("ok ")]
    counted = Counted(passed=len(passed), failed=sum(line.startswith("FAIL ") for line in lines))
    if finished.returncode != 0:
        counted.failed = max(1, counted.failed)
        counted.notes = lines[-40:]
    return counted


STAGES = {
    "static": Stage("formats, paths, scripts", static),
    "unit": Stage("unit, scenario and simulator tests under ASan and UBSan", unit),
    "checker": Stage("the checker of the fault campaign", checker),
    "process": Stage("real processes, real clients, real disks", process),
    "threads": Stage("the parts with threads under TSan", threads),
    "fuzz": Stage("a slice of every fuzzer", fuzz),
    "tidy": Stage("clang-tidy on all sources", tidy),
}
# Run only when they are asked for by name.
LONG_STAGES = {"races": Stage("everything with threads under TSan, the Rust part and Rust's library instrumented too", races)}
