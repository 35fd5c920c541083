"""The bad input table (bad_input.txt): each row names the exact answer. How to read it stands at its top.

Record anew after wordings changed (then read the difference): CLEAT_TEST_RECORD=1 make test ONLY=process CLEAT_TEST_PYTEST='-k bad_input'
"""
import os
import pathlib
import re
import shlex

import pytest

import wire
from node import Node

TABLE = pathlib.Path(__file__).with_name("bad_input.txt")
RECORD = os.environ.get("CLEAT_TEST_RECORD") == "1"


class Case:
    def __init__(self, title, options):
        self.title, self.options, self.lines = title, options, []


def read_table():
    cases, options = [], ""
    for line in TABLE.read_text().splitlines():
        if line.startswith("node:"):
            options = line[5:].strip()
        elif line.startswith("## "):
            cases.append(Case(line[3:], options))
        elif line[:1] in (">", "2", "3") and cases:
            cases[-1].lines.append([line, ""])
        elif line.startswith("= "):
            cases[-1].lines[-1][1] = line[2:]
    return cases


def words_of(text, known):
    """Words in shell quoting. {600*x}: that many of it; {fence}: what an earlier row named so; \\xff: that byte."""
    def put(match):
        repeated = re.fullmatch(r"(\d+)\*(.+)", match.group(1))
        return repeated.group(2) * int(repeated.group(1)) if repeated else str(known[match.group(1)])

    words = []
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.escape, lexer.commenters = True, "", ""
    for word in lexer:
        word = re.sub(r"\{([^}]+)\}", put, word)
        words.append(re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]), word.encode()))
    return words


def shown(value):
    if value is None:
        return "nil"
    if isinstance(value, Exception):
        return f"-{value}"
    if isinstance(value, list):
        return "[" + ", ".join(shown(v) for v in value) + "]"
    return str(value)


def matches(expected, got, known):
    """`fence f` takes any positive number and names it f; `map k:name` takes the map's field k and names it."""
    named = re.fullmatch(r"fence (\w+)", expected)
    if named:
        known[named.group(1)] = got
        return isinstance(got, int) and got > 0
    fields = re.fullmatch(r"map (.+)", expected)
    if fields:
        for field in fields.group(1).split():
            key, name = field.split(":")
            known[name] = wire.as_map(got)[key]
        return True
    expected = re.sub(r"\{(\w+)\}", lambda m: str(known.get(m.group(1), m.group(0))), expected)
    return shown(got) == expected


CASES = read_table()
recorded = {}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """One node for each set of options."""
    running = {}

    def of(options):
        if options not in running:
            running[options] = Node(tmp_path_factory.mktemp("bad") / "data", *shlex.split(options)).start()
        return running[options]

    yield of
    for node in running.values():
        node.kill()
    if RECORD:
        write_table()


def run_line(line, connections, node, known):
    command, expected = line
    number, text = re.match(r"(\d?)> ?(.*)", command).groups()
    protocol = 3 if number == "3" else 2
    if number not in connections:
        connections[number] = node.connect(protocol=protocol)
    connection = connections[number]
    connection.send(*words_of(text, known))
    got = connection.reply_or_error()
    if RECORD and not matches(expected, got, known):
        recorded[id(line)] = re.sub(r"\b%s\b" % "|".join(str(v) for v in known.values()) if known else r"(?!)",
                                    lambda m: "{%s}" % next(k for k, v in known.items() if str(v) == m.group(0)), shown(got))
        return
    assert matches(expected, got, known), f"{command}\n  due: {expected}\n  got: {shown(got)}"


@pytest.mark.parametrize("case", CASES, ids=[case.title for case in CASES])
def test_bad_input(nodes, case):
    node = nodes(case.options)
    connections, known = {}, {}
    with node.connect() as holder:
        kept = holder.do("LOCK", "kept", "WAIT", "2000")
        try:
            for line in case.lines:
                run_line(line, connections, node, known)
        finally:
            for connection in connections.values():
                connection.close()
        # Nobody else noticed.
        assert holder.do("UNLOCK", "kept", "FENCE", str(kept)) == 0


def write_table():
    answers = iter([recorded.get(id(line)) for case in CASES for line in case.lines])
    out, answer = [], None
    for line in TABLE.read_text().splitlines():
        if re.match(r"[23]?> ?", line):
            answer = next(answers)
            out.append(line)
            if answer is not None:
                out.append(f"= {answer}")
        elif line.startswith("= ") and answer is not None:
            answer = None  # replaced by what was recorded
        else:
            out.append(line)
    TABLE.write_text("\n".join(out) + "\n")
