#!/usr/bin/env python3
"""Fails the build when a file of src/ includes what its layer may not use.

  tools/check_layers.py RULES [SOURCE_ROOT]

RULES is the file that cmake writes from its cleat_layer() lines: "name:dep,dep name: ...". A layer may include its own
headers and those of the layers it lists, and theirs in turn. Beside that some layers are kept pure, see kBanned.
"""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# Headers that a folder may not include, with the reason that the message gives.
CLOCKS_AND_IO = (r"chrono|thread|mutex|shared_mutex|condition_variable|future|random|iostream|fstream|filesystem|ctime|"
                 r"time\.h|unistd\.h|sys/.*|pthread\.h|asio.*|spdlog/.*|absl/.*")
BANNED_HEADERS = {
    "lock": (CLOCKS_AND_IO, "the lock machine is pure and deterministic: no clock, thread, file, socket or random"),
}
# Words that a folder may not use (outside of comments), with the reason.
BANNED_WORDS = {
    "client": (r"\bsteady_clock\b|\bsteady_timer\b|\bsystem_clock\b", "deadlines are counted on the boot clock (docs/time.md)"),
    "cli": (r"\bsteady_clock\b|\bsteady_timer\b", "deadlines are counted on the boot clock (docs/time.md)"),
    "lock": (r"\bstd::(rand|srand|time|clock)\b|\bfloat\b|\bdouble\b", "the lock machine is deterministic"),
}
ONE_FILE_ONLY = {"CLI/CLI.hpp": "it is slow to compile: one file only"}


def read_rules(path):
    direct = {}
    for item in pathlib.Path(path).read_text().split():
        name, _, deps = item.partition(":")
        direct[name] = [d for d in deps.split(",") if d]
    return direct


def closure(direct):
    allowed = {}

    def visit(name):
        if name not in allowed:
            allowed[name] = {name}
            for dep in direct.get(name, []):
                allowed[name] |= visit(dep)
        return allowed[name]

    for name in direct:
        visit(name)
    return allowed


def without_comments(text):
    """Comments and string literals blanked, lines kept."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def check_file(path, layer, root, allowed, seen_once):
    text = path.read_text(errors="replace")
    where = path.relative_to(root)
    is_test = path.name.endswith("_test.cpp") or path.name.endswith("_test.h")
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, target = match.groups()
        first = target.split("/")[0]
        if quote == '"' and "/" in target and first in allowed and first not in allowed[layer]:
            yield f"{where}:{number}: {layer}/ may not include {target}: it lists only {', '.join(sorted(allowed[layer] - {layer})) or 'nothing'}"
        if quote == '"' and target.startswith("../"):
            yield f"{where}:{number}: include from the root of src/, not by '..'"
        if layer in BANNED_HEADERS and quote == "<" and not is_test:
            pattern, reason = BANNED_HEADERS[layer]
            if re.fullmatch(pattern, target):
                yield f"{where}:{number}: {layer}/ may not include <{target}>: {reason}"
        if target in ONE_FILE_ONLY:
            other = seen_once.setdefault(target, where)
            if other != where:
                yield f"{where}:{number}: {target} is already included by {other}; {ONE_FILE_ONLY[target]}"
    if layer in BANNED_WORDS and not is_test:
        pattern, reason = BANNED_WORDS[layer]
        for number, line in enumerate(without_comments(text).splitlines(), 1):
            match = re.search(pattern, line)
            if match:
                yield f"{where}:{number}: {layer}/ may not use {match.group(0)}: {reason}"


def check(rules_path, root):
    allowed = closure(read_rules(rules_path))
    if not allowed:
        return ["no layers in " + str(rules_path)]
    found, seen_once = [], {}
    source = root / "src"
    for folder in sorted(p for p in source.iterdir() if p.is_dir()):
        layer = folder.name
        files = [p for p in sorted(folder.rglob("*")) if p.suffix in (".cpp", ".hpp", ".h", ".c") and "target" not in p.parts]
        if layer not in allowed:
            if files:
                found.append(f"src/{layer}/ is no layer: list it in CMakeLists.txt with cleat_layer()")
            continue
        for path in files:
            found.extend(check_file(path, layer, root, allowed, seen_once))
    return found


def main():
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).resolve().parent.parent)
    found = check(sys.argv[1], root)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
