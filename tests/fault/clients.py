"""The programs that lock and write, in several languages, and the register that they write to: processes on the machine outside."""
import os
import select
import signal
import subprocess

import programs

TTL_MS = 2000
NAMES = 8
LANGUAGES = ("cpp", "py", "go")
END_S = 30.0  # within it who was told to end has ended


class Client:
    """One process; launched anew after each kill, with the same name and history."""

    def __init__(self, space, name, command, log, seed):
        self.space, self.name, self.command, self.log, self.seed = space, name, command, log, seed
        self.launches = 0
        self.process = None

    def launch(self):
        seed = self.seed + self.launches
        self.launches += 1
        with self.space, open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.command, "--seed", str(seed)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def wait_ready(self):
        pass

    def send_signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()

    def failed(self):
        """Words, if it ended by itself."""
        ended = self.process.poll()
        return f"{self.name} ended with status {ended}: see {self.log}" if ended not in (None, -signal.SIGKILL) else None


class Clients:
    """`all`: by name. `missing`: languages that can't run here, with the reason."""

    def __init__(self, place, seed, fences, each=2):
        self.place, self.fences = place, fences
        self.folder = place.place
        self.missing, self.all = {}, {}
        self.register = None
        self.wanted = [(f"{language}-{number}", language, seed * 1000 + 100 * at + 10 * number)
                       for at, language in enumerate(LANGUAGES) for number in range(each)]

    def start(self, names_of_members):
        (self.folder / "histories").mkdir()
        at = self.start_register()
        servers = ",".join(self.place.listens[name] for name in names_of_members)
        password = ["--password-file", str(self.place.password_file)] if self.place.password_file else []
        for name, language, seed in self.wanted:
            try:
                command = programs.client(language)
            except programs.Missing as why:
                self.missing[language] = str(why)
                continue
            command = [*command, "--servers", servers, *password, "--register", at, "--names", str(NAMES), "--client", name,
                       "--history", str(self.folder / "histories" / f"{name}.jsonl"), "--ttl-ms", str(TTL_MS)]
            self.all[name] = Client(self.place.outside, name, command, self.place.logs_folder / f"client-{name}.log", seed)
        for client in self.all.values():
            client.launch()

    def start_register(self):
        log = open(self.place.logs_folder / "register.log", "ab")
        with self.place.outside, log:
            self.register = subprocess.Popen(
                [*programs.register(self.fences), "--listen", "127.0.0.1:0", "--log", str(self.folder / "register.jsonl")],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True)
        told = self.register.stdout.readline().split()
        assert told[:1] == ["listening"], f"the register did not start: {told}"
        return told[1]

    def failed(self):
        if self.register.poll() is not None:
            return "the register ended"
        return next(filter(None, (client.failed() for client in self.all.values())), None)

    def watch(self, seconds):
        """Until one of them ends, at most so long; fails if that was by itself."""
        processes = [self.register, *(client.process for client in self.all.values())]
        watched = [os.pidfd_open(process.pid) for process in processes if process.poll() is None]
        try:
            select.select(watched, [], [], seconds)
        finally:
            for each in watched:
                os.close(each)
        if self.failed():
            raise AssertionError(self.failed())

    def finish(self):
        """Tells all to end; returns the names of those that did not, or not well."""
        for client in self.all.values():
            client.send_signal(signal.SIGTERM)
        late = []
        for client in self.all.values():
            try:
                ended = client.process.wait(END_S)
            except subprocess.TimeoutExpired:
                ended = "no end"
            if ended != 0:
                late.append(f"{client.name} ({ended})")
        self.register.send_signal(signal.SIGTERM)
        self.register.wait(END_S)
        return late

    def kill(self):
        for client in self.all.values():
            client.kill()
        if self.register:
            self.register.kill()
            self.register.wait()
