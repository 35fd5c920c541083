"""Completion, in the shells themselves."""
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from kit import CLEAT

SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'; bind 'set page-completions off'; source ./script"),
    "zsh": (["zsh", "-f", "-i"], "unsetopt beep; LISTMAX=0; autoload -U compinit; compinit -D -u; source ./script"),
}


class Terminal:
    """A shell in a terminal of its own, into which keys are typed."""

    def __init__(self, shell, folder):
        command, set_up = SHELLS[shell]
        environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "TERM": "dumb", "PS1": "> ", "HOME": str(folder), "LC_ALL": "C.UTF-8"}
        pid, self.end = pty.fork()
        if pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.pid = pid
        self.shown = ""
        self.run(f"stty cols 300; {set_up}")

    def run(self, line):
        """Runs a line; what it printed comes with the next wait."""
        self.type(line + "; echo rea''dy\n")
        self.wait_for(r"ready\r*\n")

    def type(self, keys):
        os.write(self.end, keys.encode())

    def wait_for(self, pattern, seconds=20):
        """Until the pattern is shown; gives what was shown up to there, and forgets it."""
        limit = time.monotonic() + seconds
        while not (found := re.search(pattern, self.shown)):
            if not select.select([self.end], [], [], max(0, limit - time.monotonic()))[0]:
                raise AssertionError(f"waited {seconds} s for {pattern!r}; shown was: {self.shown!r}")
            self.shown += os.read(self.end, 65536).decode(errors="replace")
        before, self.shown = self.shown[:found.end()], self.shown[found.end():]
        return before

    def complete(self, line, shows):
        """Types it and the tabulator (twice), waits for what is to be shown, and takes the line back."""
        self.type(line + "\t\t")
        shown = self.wait_for(shows)
        self.type("\x15")
        self.run(":")
        return shown

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.end)


class Completion(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cleat-completion-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "bin").mkdir()
        (self.folder / "bin/cleat").symlink_to(CLEAT)
        (self.folder / "bin/only-this-program").symlink_to("/bin/true")
        (self.folder / "my-config.toml").write_text("")
        (self.folder / "my-data").mkdir()

    def script(self, shell):
        (self.folder / "script").write_text(subprocess.run([CLEAT, "completion", shell], capture_output=True, text=True, check=True).stdout)

    def in_terminal(self, shell):
        if shutil.which(shell) is None:
            self.skipTest(f"there is no {shell}: apt-get install {shell}")
        self.script(shell)
        terminal = Terminal(shell, self.folder)
        self.addCleanup(terminal.close)
        return terminal

    def check_in_terminal(self, shell):
        terminal = self.in_terminal(shell)
        terminal.complete("cleat his", r"cleat history ")
        terminal.complete("cleat cluster pro", r"cleat cluster promote ")
        terminal.complete("cleat lock orders --priori", r"--priority[= ]")
        listed = terminal.complete("cleat cluster ", r"transfer\b")
        self.assertIn("backup", listed)
        terminal.complete("cleat lock orders --mode upd", r"--mode update ")
        terminal.complete("cleat serve --config my-c", r"my-config\.toml ")
        terminal.complete("cleat serve --data my-", r"my-data/")
        terminal.complete("cleat run orders -- only-this", r"only-this-program ")
        terminal.complete("cleat completion z", r"completion zsh ")

    def test_bash(self):
        self.check_in_terminal("bash")

    def test_zsh(self):
        self.check_in_terminal("zsh")

    def completed(self, *words):
        """What bash would offer for the last word."""
        self.script("bash")
        line = "source ./script; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _cleat; printf '%s\\n' \"${COMPREPLY[@]}\""
        done = subprocess.run(["bash", "-uc", line, "bash", "cleat", *words], cwd=self.folder, capture_output=True, text=True, check=True)
        complaints = [line for line in done.stderr.splitlines() if "compopt: not currently executing" not in line]
        self.assertEqual(complaints, [])
        return done.stdout.split()

    def test_words_as_bash_cuts_them(self):
        self.assertEqual(self.completed("lock", "x", "--mode", "=", "sh"), ["shared", "shared-intent-exclusive"])
        self.assertEqual(self.completed("run", "x", "--on-loss", "="), ["term", "kill", "ignore"])
        self.assertEqual(self.completed("--server", "=", "h", ":", "1", "cluster", "re"), ["remove", "restore", "recover"])
        self.assertEqual(self.completed("--server", "h", ":", "1", "hist"), ["history"])
        self.assertEqual(self.completed("show", "--time"), ["--timeout"])
        self.assertEqual(self.completed("show", "--timeout", ""), [])
        self.assertEqual(self.completed("nothing", ""), [])

    def test_every_flag_of_help_is_offered(self):
        for command in (["run"], ["serve"], ["cluster", "backup"], ["completion"]):
            text = subprocess.run([CLEAT, *command, "--help"], capture_output=True, text=True, check=True).stdout
            flags = set(re.findall(r"^  (?:-\w,)?(--[a-z-]+)", text, re.M))
            self.assertLessEqual({"--help"}, flags)
            self.assertLessEqual(flags, set(self.completed(*command, "--")), command)


if __name__ == "__main__":
    unittest.main()
