"""Takes the programs out of docs/recipes/*.md, as they stand there, and runs them."""
import os
import re
import select
import shutil
import subprocess
import sys
import time

import pytest

from node import ROOT

REAL = ROOT / "build" / "real"
PAGES = ROOT / "docs" / "recipes"
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
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
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


MAKERS = {"python": python, "node_redis": javascript("node_redis"), "ioredis": javascript("io_redis")}
# Which of them have clients with a pool that says something at each connect.
WITH_POOL_PROGRAM = ["python"]
made = {}


def can_run(language):
    if language not in made:
        made[language] = MAKERS[language]()
    return not isinstance(made[language], str)


def command_of(language):
    """What starts a program of that language; the programs are made once. Skips the test where that can't be."""
    if not can_run(language):
        pytest.skip(made[language])
    return made[language]
