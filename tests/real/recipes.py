"""Takes the programs out of docs/recipes/*.md, as they stand there, and runs them."""
import os
import re
import select
import shutil
import subprocess
import sys
import time

from node import ROOT

REAL = ROOT / "build" / "real"
PAGES = ROOT / "docs" / "recipes"
GO_ENVIRONMENT = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-mod=mod -buildvcs=false")
BLOCK = re.compile(r"^```(\w+)\n(?:#|//) (\S+\.(?:py|mjs|go|java))\n.*?^```$", re.S | re.M)


def extract(page, folder):
    """Writes each block that begins with a comment of nothing but a file's name to that file."""
    shutil.rmtree(folder, ignore_errors=True)
    names = []
    for block in BLOCK.finditer((PAGES / page).read_text()):
        text = block.group(0).split("\n", 1)[1].rsplit("```", 1)[0]
        path = folder / block.group(2)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        names.append(block.group(2))
    assert names, f"{page} has no program"
    assert len(set(names)) == len(names), f"{page} has a program twice"
    return folder


class Program:
    """A recipe at work: its lines are read as they come."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.text = b""

    def lines(self):
        return self.text.decode(errors="replace").splitlines()

    def read_until(self, line_begins, seconds=20):
        """The first line that begins so; fails when the program ends without it."""
        end = time.monotonic() + seconds
        while True:
            for line in self.lines():
                if line.startswith(line_begins):
                    return line
            assert self.read_some(end), f"no line {line_begins!r}:\n" + "\n".join(self.lines())

    def read_some(self, end):
        """False at the program's end, or when the time is over."""
        if not select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
            return False
        piece = os.read(self.process.stdout.fileno(), 65536)
        self.text += piece
        return bool(piece)

    def finish(self, status=0, seconds=20):
        """Its lines, when it has ended with this status."""
        end = time.monotonic() + seconds
        while self.read_some(end):
            pass
        ended = self.process.wait(timeout=max(0.1, end - time.monotonic()))
        assert ended == status, f"status {ended}:\n" + "\n".join(self.lines())
        return self.lines()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def python():
    folder = extract("python.md", REAL / "recipes" / "python")
    return lambda program: [sys.executable, str(folder / f"{program}.py")]


def javascript(client):
    """The programs lie beside the packages that they import."""
    def make():
        folder = extract("node.md", REAL / "node" / f"recipes_{client}")
        return lambda program: ["env", f"CLIENT=./{client}.mjs", str(REAL / "node" / "node"), str(folder / f"{program}.mjs")]
    return make


def go():
    found = shutil.which("go")
    version = found and subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, env=GO_ENVIRONMENT).stdout
    if not version or [int(n) for n in re.findall(r"\d+", version)[:2]] < [1, 26]:
        return f"needs Go 1.26 for go-redis 9.23, here is {(version or 'none').strip()}"
    folder = extract("go.md", REAL / "go" / "recipes")
    here = ROOT / "tests" / "real" / "go"
    shutil.copytree(here, folder, dirs_exist_ok=True)
    badly_formatted = subprocess.run(["gofmt", "-l", "."], cwd=folder, capture_output=True, text=True).stdout
    assert not badly_formatted, f"gofmt would change {badly_formatted}"
    built = subprocess.run([found, "build", "-o", "bin/", "./..."], cwd=folder, capture_output=True, text=True, env=GO_ENVIRONMENT)
    assert built.returncode == 0, built.stderr
    return lambda program: [str(folder / "bin" / program)]


JAVA_NAMES = {"web": "Web", "try_later": "TryLater", "worker": "Worker", "pushes": "Pushes"}


def java():
    jars = REAL / "java" / "jars"
    if not shutil.which("javac") or not jars.exists():
        return "needs a JDK of Java 17 and Maven, which fetches Jedis (tests/real/prepare.sh)"
    folder = extract("java.md", REAL / "java" / "recipes")
    sources = [*folder.glob("*.java"), *(ROOT / "tests" / "real" / "java").glob("*.java")]
    built = subprocess.run(["javac", "--release", "17", "-Xlint:all,-serial,-try", "-Werror", "-cp", f"{jars}/*", "-d", str(folder / "classes"), *map(str, sources)],
                           capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return lambda program: ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-cp", f"{folder}/classes:{jars}/*", JAVA_NAMES[program]]


# How to make the programs of a language: answers what gives the command of each, or why it can't be.
MAKERS = {"python": python, "node_redis": javascript("node_redis"), "ioredis": javascript("io_redis"), "go": go, "java": java}
# Which of them have clients with a pool that says something at each connect.
WITH_POOL_PROGRAM = ["python", "go"]
made = {}


def why_not(language):
    """None if programs of that language can be run here; they are made once."""
    if language not in made:
        made[language] = MAKERS[language]()
    return made[language] if isinstance(made[language], str) else None


def command_of(language, program):
    assert why_not(language) is None
    return made[language](program)
