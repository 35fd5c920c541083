"""docs/commands.md: each command has what a reader needs, and each example is done as it stands there."""
import re
import shlex
import textwrap

import pytest

from node import ROOT
from wire import Closed, ErrorReply, Push

PAGE = (ROOT / "docs" / "commands.md").read_text()
SECTION = re.compile(r"^### ([A-Z ]+)\n(.*?)(?=^##|\Z)", re.S | re.M)
SECTIONS = dict(SECTION.findall(PAGE))


def shown(value):
    """A reply in the notation of the page."""
    if isinstance(value, Push):
        return "push " + shown(value.items)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{shown(key)}: {shown(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(shown, value)) + "]"
    if value is None or value is True or value is False:
        return {None: "nil", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return " ".join(value.split())
    return str(value)


def ask(connection, words):
    """The reply, or the push that comes in its place, or the error's line."""
    connection.send(*words)
    try:
        value = connection._value()
        while isinstance(value, Push) and "SUBSCRIBE" not in words[0]:
            value = connection._value()
        return value
    except Closed:
        return "the connection is closed"


def pattern(expected):
    """Any number for a number; `...` stands for anything."""
    pieces = [re.sub(r"\d+", lambda _: r"\d+", re.escape(piece)) for piece in " ".join(expected.split()).split("...")]
    return ".*".join(pieces)


def example_of(section):
    return re.search(r"^Example:\n\n((?:    .*\n)+)", section, re.M)


@pytest.mark.parametrize("name", SECTIONS)
def test_section_is_whole(name):
    section = SECTIONS[name]
    assert section.startswith(f"\n    {name}")
    for part in ("\nAnswers: ", "\nErrors: "):
        assert part in section or name.endswith("HELP"), f"{name} has no {part.strip()}"
    assert example_of(section) or name.endswith("HELP"), f"{name} has no example"


def test_examples_are_as_they_are_shown(node):
    for name, section in SECTIONS.items():
        found = example_of(section)
        if not found:
            continue
        lines = textwrap.dedent(found.group(1)).split("\n> ")
        with node.connect(protocol=3) as connection:
            for line in lines:
                command, _, expected = line.removeprefix("> ").partition("\n")
                answer = ask(connection, shlex.split(command))
                text = str(answer) if isinstance(answer, ErrorReply) else shown(answer)
                assert re.fullmatch(pattern(expected), text, re.S), f"{name}: {command} answers\n{text}\nand not\n{expected}"


def test_examples_can_fail():
    assert re.fullmatch(pattern("{fence: 2, ...}"), "{fence: 17, slot: nil}")
    assert not re.fullmatch(pattern("{fence: 2}"), "{fence: nil}")
