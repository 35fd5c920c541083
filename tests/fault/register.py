#!/usr/bin/env python3
"""What the locks of the campaign guard: a register for each name, in memory, in a process that nobody harms.

  register.py --listen HOST:PORT --log FILE [--no-fence-check]

It does what every resource should do with a fence: it refuses one that is smaller than the greatest it has seen of somebody
whom the lock excludes. A read shows its fence too: a holder that stood still between its own read and its write must be
refused from the moment when the next one has read, not only when that one has written.

One line a request, one line an answer, words with blanks between:

  read NAME X|S FENCE           -> ok VALUE VERSION   | stale GREATEST_FENCE
  write NAME FENCE VALUE BASE   -> ok VERSION         | stale GREATEST_FENCE      BASE: the version that was read before

VERSION counts the writes of a name. BASE decides nothing, it is noted. Each accepted write is a line of JSON in the log,
before its answer. Prints `listening HOST:PORT` when it serves.
"""
import argparse
import asyncio
import json
import signal
import time


class Register:
    def __init__(self):
        self.value = self.version = 0
        self.writer = self.reader = 0  # the greatest fence of an exclusive and of a shared holder

    def refuses(self, mode, fence):
        """The fence that stands above this one, or 0. Readers don't exclude readers."""
        above = self.writer if mode == "S" else max(self.writer, self.reader)
        return above if fence < above else 0

    def note(self, mode, fence):
        if mode == "S":
            self.reader = max(self.reader, fence)
        else:
            self.writer = max(self.writer, fence)


class Registers:
    def __init__(self, log, fence_check):
        self.log, self.fence_check, self.names = log, fence_check, {}

    def of(self, name):
        return self.names.setdefault(name, Register())

    def read(self, name, mode, fence):
        register = self.of(name)
        above = register.refuses(mode, int(fence))
        if above and self.fence_check:
            return f"stale {above}"
        register.note(mode, int(fence))
        return f"ok {register.value} {register.version}"

    def write(self, name, fence, value, base):
        register = self.of(name)
        above = register.refuses("X", int(fence))
        if above and self.fence_check:
            return f"stale {above}"
        register.note("X", int(fence))
        register.value, register.version = int(value), register.version + 1
        json.dump({"at_ns": time.clock_gettime_ns(time.CLOCK_MONOTONIC), "name": name, "fence": int(fence), "value": register.value,
                   "version": register.version, "base": int(base)}, self.log)
        self.log.write("\n")
        self.log.flush()
        return f"ok {register.version}"

    def answer(self, line):
        words = line.decode(errors="replace").split()
        try:
            return {"read": self.read, "write": self.write}[words[0]](*words[1:])
        except (KeyError, IndexError, TypeError, ValueError):
            return "error not understood: read NAME X|S FENCE, or write NAME FENCE VALUE BASE"

    async def serve(self, reader, writer):
        try:
            while line := await reader.readline():
                writer.write(self.answer(line).encode() + b"\n")
                await writer.drain()
        except OSError:
            pass  # the client was killed
        finally:
            writer.close()


async def run(options):
    with open(options.log, "a") as log:
        registers = Registers(log, not options.no_fence_check)
        host, port = options.listen.rsplit(":", 1)
        server = await asyncio.start_server(registers.serve, host, int(port))
        print("listening {}:{}".format(*server.sockets[0].getsockname()[:2]), flush=True)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--log", required=True)
    parser.add_argument("--no-fence-check", action="store_true", help="take everything, to see what leases alone lose")
    asyncio.run(run(parser.parse_args()))
