"""What an idle `hilum serve` costs: percent of one core, process by process.

    python bench/idle.py [--seconds 60] [--source http://127.0.0.1:8042]

One rule, one worker, one destination, no study: nothing is to be done. `--source` adds an Orthanc
that is watched. Processor time is that of proc(5), fields 14 and 15 of stat, all threads included.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hilum.processes.process import descendants
from hilum_lab.network.processes import available_port, listens

START_SECONDS = 120.0
SETTLE_SECONDS = 20.0  # until its module is warm and the first sweeps are over


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--source", default="", help="URL of an Orthanc to be watched")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        used = measure(Path(name), options.seconds, options.source)
    for process, seconds in sorted(used.items(), key=lambda item: -item[1]):
        print(f"{process:20}{100 * seconds / options.seconds:7.2f} %")
    print(f"{'in all':20}{100 * sum(used.values()) / options.seconds:7.2f} % of one core")


def measure(folder: Path, seconds: float, source: str) -> dict[str, float]:
    """Seconds of processor time that each process of an idle service uses in `seconds`."""
    console = available_port()
    settings = folder / "hilum.toml"
    settings.write_text(
        f'data = "{folder}/data"\nreceiver.port = {available_port()}\nconsole.port = {console}\n'
        'receiver.low_water_mb = 0\n[[rule]]\nmodule = "hippocampal-volume"\nsend_to = ["pacs"]\n'
        f'[[destination]]\nname = "pacs"\nkind = "dimse"\nport = {available_port()}\n'
        + (f'[[source]]\nname = "orthanc"\nkind = "orthanc"\nurl = "{source}"\n' if source else "")
    )
    with running(settings, console) as pid:
        time.sleep(SETTLE_SECONDS)
        before = processor_seconds(pid)
        time.sleep(seconds)
        after = processor_seconds(pid)
    return {name: after[name] - before.get(name, 0.0) for name in after}


@contextmanager
def running(settings: Path, *ports: int) -> Iterator[int]:
    """A service with these settings, once it listens on all of `ports`: its process id."""
    command = [sys.executable, "-m", "hilum", "serve", "-c", settings]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as service:
        try:
            deadline = time.monotonic() + START_SECONDS
            while not all(map(listens, ports)):
                if service.poll() is not None or time.monotonic() > deadline:
                    sys.exit("the service does not start")
                time.sleep(0.05)
            yield service.pid
        finally:
            service.terminate()


def processor_seconds(pid: int) -> dict[str, float]:
    """What `pid` and each process below it have used so far, by name and pid."""
    used = {}
    for process, name in {pid: "supervisor", **descendants(pid)}.items():
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks = int(stat[11]) + int(stat[12])
        used[f"{name.removeprefix('hilum ')} {process}"] = ticks / os.sysconf("SC_CLK_TCK")
    return used


if __name__ == "__main__":
    main()
