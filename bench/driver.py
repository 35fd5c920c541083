"""What bench/run and bench/cluster share: the load driver, medians, the machine's name."""
import json
import os
import platform
import statistics
import subprocess

from nodes import ROOT

DRIVER = ROOT / "build" / "pair_driver"


def driver(server, *arguments, stay=False):
    command = [str(DRIVER), "--port", str(server.port), "--target", server.name, *map(str, arguments)]
    if not stay:
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    process = subprocess.Popen([*command, "--stay"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())


def driver_process(server, *arguments):
    """The same beside the caller; finish() waits for it."""
    command = [str(DRIVER), "--port", str(server.port), "--target", server.name, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process):
    out, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the load ended with status {process.returncode}")
    return json.loads(out)


def let_go(process):
    process.stdin.close()
    process.wait()


def median(rounds, *path):
    def value(r):
        for key in path:
            r = r[key]
        return r
    return statistics.median(value(r) for r in rounds)


def machine():
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU")
    return f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}"
