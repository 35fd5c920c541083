"""The programs of the campaign: how they are built, and the commands that start them."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BUILT = ROOT / "build" / "fault-programs"
GO_ENVIRONMENT = dict(os.environ, GOTOOLCHAIN="local", GOFLAGS="-mod=readonly -buildvcs=false")
# Folders here that are Go modules of their own.
GO_PROGRAMS = ["check", "client_go"]
PYTHON = ROOT / "build" / "real" / "venv" / "bin" / "python"


class Missing(Exception):
    """What is not here to build or run a program; the text says it to people."""


def recipes():
    """The programs of docs/recipes/, as tests/real takes them out."""
    sys.path.insert(0, str(ROOT / "tests" / "real"))
    import recipes as module  # noqa: PLC0415
    return module


def go():
    found = shutil.which("go")
    version = found and subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, env=GO_ENVIRONMENT).stdout
    if not version or [int(n) for n in re.findall(r"\d+", version)[:2]] < [1, 26]:
        raise Missing(f"needs Go 1.26, here is {(version or 'none').strip()}")
    return found


def go_build(name, note):
    note(f"building {name}")
    try:
        found = go()
    except Missing:
        return
    subprocess.run([found, "build", "-o", str(BUILT / name), "."], cwd=HERE / name, env=GO_ENVIRONMENT, check=True)


def build(note=print):
    """Builds what can be built here."""
    BUILT.mkdir(parents=True, exist_ok=True)
    note("taking the recipe out of docs/recipes/python.md")
    recipes().extract("python.md", BUILT / "recipes")
    note("building the C++ client")
    subprocess.run(["tools/build.sh", "build", "fault_client"], cwd=ROOT, check=True)
    for name in GO_PROGRAMS:
        go_build(name, note)


def client(language):
    """The command of a client, to which its options are appended. Throws Missing."""
    if language == "py":
        if not PYTHON.exists():
            raise Missing("needs redis-py: tests/real/prepare.sh")
        return ["env", f"PYTHONPATH={BUILT / 'recipes'}", "PYTHONDONTWRITEBYTECODE=1", str(PYTHON), str(HERE / "client_py" / "client.py")]
    if language == "go":
        go()
        return [str(BUILT / "client_go")]
    if language == "cpp":
        return [str(ROOT / "build" / "fault_client")]
    raise Missing(f"there is no client in {language}")


def register(fences=True):
    return [sys.executable, str(HERE / "register.py"), *([] if fences else ["--no-fence-check"])]


def check(folder, fences=True):
    """The verdict over what a campaign left in its folder. Throws Missing."""
    go()
    folder = pathlib.Path(folder)
    command = [str(BUILT / "check"), "--fences", "on" if fences else "off", "--register", str(folder / "register.jsonl"),
               "--pictures", str(folder), *map(str, sorted((folder / "histories").glob("*.jsonl")))]
    finished = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    (folder / "verdict.json").write_text(finished.stdout)
    return json.loads(finished.stdout)
