"""How soon `hilum serve` works, and what that costs: its processes forked, or each begun anew.

    python bench/starting.py [--rounds 5]

Both ways take turns. "receiver", "console": seconds until they listen. "processor": seconds that
all processes have used 8 s later. "memory": MiB of all of them, shared pages counted
once (Pss, proc(5)). The ratio is forked to begun anew.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from hilum.processes.process import descendants
from hilum_lab.network.processes import available_port, listens

FORKED = [sys.executable, "-m", "hilum"]
ANEW = [
    sys.executable,
    "-c",
    "import multiprocessing, sys\n"
    "from hilum import process\n"
    "process.fork_server = lambda preload: multiprocessing.get_context('spawn')\n"
    "from hilum.cli import main\n"
    "main()",
]
MEASURES = ("receiver", "console", "processor", "memory")
START_SECONDS = 120.0
WARM_SECONDS = 8.0  # then its module is warm, too


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    forked, anew = [], []
    for _ in range(options.rounds):
        forked.append(measure(FORKED))
        anew.append(measure(ANEW))
    print(f"{'median':10}{'forked':>9}{'anew':>9}{'ratio':>9}")
    for name in MEASURES:
        ours, theirs = (statistics.median(m[name] for m in runs) for runs in (forked, anew))
        print(f"{name:10}{ours:9.2f}{theirs:9.2f}{ours / theirs:9.2f}")


def measure(command: list[str]) -> dict[str, float]:
    """Seconds and MiB of one service."""
    with TemporaryDirectory() as name:
        receiver, console = available_port(), available_port()
        settings = Path(name) / "hilum.toml"
        settings.write_text(
            f'data = "{name}/data"\nreceiver.port = {receiver}\nconsole.port = {console}\n'
            '[[rule]]\nmodule = "hippocampal-volume"\n'
        )
        began = time.monotonic()
        with subprocess.Popen(
            [*command, "serve", "-c", settings], stderr=subprocess.DEVNULL
        ) as service:
            try:
                measured = {"receiver": until(receiver, began), "console": until(console, began)}
                time.sleep(WARM_SECONDS)
                used, held = processor_seconds(service.pid), memory(service.pid)
                return {**measured, "processor": used, "memory": held}
            finally:
                service.terminate()


def until(port: int, began: float) -> float:
    """Seconds since `began`, once somebody listens on `port`."""
    while not listens(port):
        if time.monotonic() - began > START_SECONDS:
            sys.exit("the service does not start")
        time.sleep(0.01)
    return time.monotonic() - began


def processor_seconds(pid: int) -> float:
    """What `pid` and all below it have used so far (proc(5): fields 14 and 15 of stat)."""
    ticks = 0
    for process in (pid, *descendants(pid)):
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(stat[11]) + int(stat[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """MiB that `pid` and all below it hold."""
    lines = [
        line
        for process in (pid, *descendants(pid))
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    ]
    return sum(int(line.split()[1]) for line in lines) / 1024


if __name__ == "__main__":
    main()
