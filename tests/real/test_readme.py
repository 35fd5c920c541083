"""The README's commands, as written: run in a network namespace of their own, since they use the fixed default port."""
import os
import re
import shutil
import signal
import subprocess
import sys

import pytest

from node import ROOT, wait_until

README = (ROOT / "README.md").read_text()


def first_block():
    """The lines of the README's first shell block, comments cut off."""
    block = re.search(r"```sh\n(.*?)```", README, re.S).group(1)
    return [re.sub(r"\s+#.*", "", line).strip() for line in block.splitlines() if line.strip()]


def own_network():
    """How to run something where port 7420 is certainly free, or None."""
    for prefix in (["unshare", "-n"], ["unshare", "-rn"]):
        if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return None


def test_from_clone_to_a_held_lock(tmp_path):
    prefix = own_network()
    if prefix is None:
        pytest.skip("no network namespace can be made here, and port 7420 may be in use")
    lines = first_block()
    assert len(lines) <= 5, "a held lock within five lines"
    clone, run, *rest = lines
    assert clone.startswith("git clone ")
    assert run == "make run"
    program = tmp_path / "program.py"
    program.write_text(re.search(r"```python\n(.*?)```", README, re.S).group(1))
    # One shell holds the namespace; `make run` goes to the background, then the rest follows as written.
    script = "\n".join([
        "set -e",
        "ip link set lo up",
        "make run > \"$OUT/run.log\" 2>&1 < /dev/null &",
        "echo $! > \"$OUT/pid\"",
        "until grep -q 'listening on' \"$OUT/run.log\"; do kill -0 $!; done",
        *[f"echo '$' {line!r}; {line}" for line in rest],
        f"{sys.executable} {program}",
        # The node of `make run` is stopped as a person would: with Ctrl-C.
        "pkill -INT -P $! || kill -INT $!",
        "wait $! || true",
    ])
    environment = dict(os.environ, DATA=str(tmp_path / "cleat-data"), OUT=str(tmp_path), JOBS="2")
    shell = subprocess.Popen([*prefix, "bash", "-c", script], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
    try:
        output, _ = shell.communicate(timeout=300)
    finally:
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    log = (tmp_path / "run.log").read_text()
    assert shell.returncode == 0, f"{output}\n--- make run\n{log}"
    assert (tmp_path / "cleat-data").exists()
    assert re.search(r"^turn \d+$", output, re.M) and re.search(r"^writing with fence \d+$", output, re.M), output


def test_the_commands_that_the_readme_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make ([a-z-]+)", README)):
        assert re.search(rf"^{target}:", makefile, re.M), f"the README names `make {target}`"
    for path in set(re.findall(r"\]\(([^)#:]+)\)", README)):
        assert (ROOT / path).exists(), f"the README points to {path}"
