"""What open consoles cost the gateway: its processor time for the same load with none and with ten.

    python bench/ten_consoles.py [--consoles 10] [--studies 20] [--rounds 3]

Studies of ten images come one after the other; none fits a module, so the gateway takes in, decides
and tells, and no worker disturbs the measurement. A console is what an open page Now does: it hears
of each change, and asks for the page anew. The reference is a second run without a console in each
round: it says by how much two equal runs differ on this machine.
"""

import argparse
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from idle import processor_seconds, running
from tests.signing_in import signed_in
from tests.synthetic import write_series

from hilum.config import load
from hilum.config.site import Site
from hilum.transport import sender
from hilum_lab.network.processes import available_port

IMAGES = 10  # of each study
SETTLE_SECONDS = 5.0  # after the last image: what is decided and told takes its time
PHASES = ("no console", "open consoles", "no console again")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--consoles", type=int, default=10)
    parser.add_argument("--studies", type=int, default=20, help="in each phase")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    used: dict[str, list[float]] = {phase: [] for phase in PHASES}
    pages = 0
    with TemporaryDirectory() as name, gateway(Path(name)) as (site, pid):
        for number in range(options.rounds):
            for phase in PHASES:
                folders = [Path(name, f"{number}-{phase}-{n}") for n in range(options.studies)]
                for folder in folders:
                    write_series(folder, IMAGES, 64)
                count = options.consoles if phase == PHASES[1] else 0
                with open_consoles(site, count) as shown:
                    used[phase].append(gateway_seconds(pid, partial(send, site, folders)))
                pages += len(shown)
                print(f"round {number + 1}, {phase}: {used[phase][-1]:.2f} s", flush=True)
    for phase, seconds in used.items():
        median = 1000 * statistics.median(seconds) / options.studies
        each = ", ".join(f"{1000 * one / options.studies:.1f}" for one in seconds)
        print(f"{phase:20}{median:8.1f} ms of processor a study ({each})")
    for phase in PHASES[1:]:
        ratio = statistics.median(used[phase]) / statistics.median(used[PHASES[0]])
        print(f"{phase:20}{ratio:8.2f} times that of no console")
    print(f"{pages} pages were made; the load of the machine is {os.getloadavg()[0]:.1f}")


@contextmanager
def gateway(folder: Path) -> Iterator[tuple[Site, int]]:
    """A service below `folder` with a rule that nothing fits: its settings, and its process id."""
    config = folder / "hilum.toml"
    config.write_text(
        f'data = "{folder}/data"\nconsole.port = {available_port()}\n'
        f"receiver = {{ port = {available_port()}, low_water_mb = 0 }}\n"
        '[[rule]]\nmodule = "hippocampal-volume"\nseries = { SeriesDescription = "none" }\n'
        "quiet_seconds = 0.5\nstudy_quiet_seconds = 0.5\n"
    )
    site = load(config)
    with running(config, site.console.port, site.receiver.port) as pid:
        time.sleep(SETTLE_SECONDS)
        yield site, pid


def send(site: Site, folders: list[Path]) -> None:
    """Send the studies one after the other, and wait until the gateway has done its part."""
    called = (site.receiver.ae_title, site.receiver.host, site.receiver.port)
    for folder in folders:
        assert not sender.send(sender.dicom_files(folder), called).failed
    time.sleep(SETTLE_SECONDS)


def gateway_seconds(pid: int, work: Callable[[], None]) -> float:
    """Seconds of processor time that the gateway takes for `work`."""

    def used() -> float:
        return sum(s for name, s in processor_seconds(pid).items() if name.startswith("gateway"))

    before = used()
    work()
    return used() - before


@contextmanager
def open_consoles(site: Site, count: int) -> Iterator[list[int]]:
    """So many pages Now are open; yields the sizes of what they were shown."""
    shown: list[int] = []
    is_over = threading.Event()
    watching = [
        threading.Thread(target=_watch, args=(site, shown, is_over), daemon=True)
        for _ in range(count)
    ]
    for thread in watching:
        thread.start()
    yield shown
    is_over.set()
    for thread in watching:
        thread.join()


def _watch(site: Site, shown: list[int], is_over: threading.Event) -> None:
    """Hear of changes until it `is_over`, and ask for the page after each."""
    accept = {"Accept": "text/event-stream"}
    with (
        suppress(httpx.HTTPError),
        signed_in(site) as client,
        client.stream("GET", "/live", headers=accept, timeout=30) as changes,
    ):
        for line in changes.iter_lines():
            if is_over.is_set():
                return
            if line.startswith("data: ") and line != "data: -":
                shown.append(len(client.get("/", timeout=30).content))


if __name__ == "__main__":
    main()
