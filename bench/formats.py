"""Seconds and memory of one series in each format that a model may have.

    python bench/formats.py [--wheels FOLDER] [--models FOLDER] [--series FOLDER] [--rounds 5]
                            [--only FORMAT ...]

A class, an environment, an ONNX network for volumes and, with podman, a mercure module and a MONAI
MAP are made here, as small as can be, and servers of KServe's protocol and of dicom-ai-router's,
which answer on this machine and are not counted; the environment takes numpy from the index, or
from `--wheels`. What lies in `--models` is measured beside them, such as bundles, nnU-Nets and
packages that `hilum modules add` has put there. `--only` names the formats that are measured.
`--series` holds the DICOM files that all are given, an MR series; without it they get 32 slices of
128 x 128 pixels. "cold" is the first run with the start of its host, "warm" the median of the later
ones, in seconds. "memory" is the most that all processes of the host held at once, in MiB; what
they share is counted once (Pss, proc(5)).
"""

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from fastapi import FastAPI
from tests import containers
from tests.hosts import test_kserve, test_server
from tests.hosts.test_container import CARD
from tests.inference_servers import Behaviour, kserve, router_model, running
from tests.modules import volumes
from tests.plugin import BRIGHT

from hilum.config.kinds import HostSettings
from hilum.config.site import Worker
from hilum.hosts import Place, open_host, usual
from hilum.hosts.discovery import installed_module
from hilum.hosts.server import ServerHostSettings
from hilum.installing import Wanted, add
from hilum.installing.skeleton import write_skeleton
from hilum.processes.process import descendants
from hilum.testing import job_of, write_series
from hilum_lab.package import write_package

PAUSE_SECONDS = 0.02  # between two looks at the memory
KIBIBYTES = 1024  # in a MiB
MOST_MB = 256  # of one request or answer of a server
SERVERS = ((kserve, test_kserve.CARD), (router_model, test_server.ROUTER))
ADDED = "hilum modules add FOLDER"
COMMANDS = {  # by format, as the page of each says
    "class": "pip install FOLDER",
    "environment": ADDED,
    "monai-bundle": ADDED,
    "nnunet": ADDED,
    "volume": "card.toml beside network.onnx",
    "mercure": "podman pull IMAGE, card.toml",
    "monai-map": "podman pull IMAGE, card.toml",
    "kserve": "card.toml, [[host]] with its address",
    "dicom-ai-router": "card.toml, [[host]] with its address",
}


@dataclass(frozen=True)
class Case:
    """One module, the format that it comes in, its folder of models, the address of its server."""

    name: str
    format: str
    models: Path | None
    url: str = ""

    @property
    def host(self) -> HostSettings:
        """The settings of what runs it."""
        if self.url:
            most = {"request_mb": MOST_MB, "answer_mb": MOST_MB}
            return ServerHostSettings(module=self.name, url=self.url, **most)
        return usual(self.name, Place(models=self.models))


class Memory(threading.Thread):
    """The most MiB that the processes below this one, and our containers, held at once."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            self.peak = max(self.peak, sum(map(held, ours())) / KIBIBYTES)

    def end(self) -> None:
        self._ended.set()
        self.join()


def ours() -> Iterator[int]:
    """All processes of hosts; a container's are those of its monitor, which is no child of ours."""
    yield from descendants(os.getpid())
    mark = f"hilum-{os.getpid()}-".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            said = (entry / "cmdline").read_bytes()
            if b"conmon" in said and mark in said:
                yield from descendants(int(entry.name))


def held(pid: int) -> int:
    """The KiB that process `pid` holds, its share of what several hold; 0 if it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--series", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as servers:
        folder = Path(name)
        if options.series:
            files = sorted(options.series.rglob("*.dcm"))
        else:
            files = write_series(folder / "exam", 32, (128, 128))
        cases = list(lying_in(options.models))
        if set(options.only) - {"kserve", "dicom-ai-router"}:
            cases = [*made(folder, options.wheels), *cases]
        cases += [on_a_server(folder, *each, servers) for each in SERVERS]
        about = f"{'format':17}{'module':20}{'how it comes in':32}"
        print(f"{about}{'cold':>8}{'warm':>8}{'memory':>8}")
        for case in (case for case in cases if case.format in options.only):
            figures = measured(case, files, folder / "out", options.rounds)
            about = f"{case.format:17}{case.name:20}{COMMANDS[case.format]:40}"
            print(f"{about}{figures}; load {os.getloadavg()[0]:.1f}", flush=True)


def made(folder: Path, wheels: Path | None) -> Iterator[Case]:
    """The modules that are made here."""
    package = folder / "class"
    package.mkdir()
    (package / "bright_volume.py").write_text(BRIGHT)
    write_package(package, "bright-volume", {"bright-volume": "bright_volume:BrightVolume"})
    sys.path.insert(0, str(package))
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    yield Case("bright-volume", "class", None)
    models = volumes.model(folder)
    source = write_skeleton("bright-half", folder / "source")
    add(Wanted(str(source), wheels=wheels), models)
    if any(Path(place, "podman").exists() for place in os.get_exec_path()):
        image = containers.image(folder / "image")
        for format in ("mercure", "monai-map"):
            (models / format).mkdir()
            card = CARD.format(format=format, image=image, deed="well").replace("100]", "1000]")
            (models / format / "card.toml").write_text(card.replace('"outside"', f'"{format}"'))
    yield from lying_in(models)


def on_a_server(
    folder: Path, app: Callable[[Behaviour], FastAPI], card: str, running_on: ExitStack
) -> Case:
    """A module that a server computes, which answers for as long as `running_on` is open."""
    said = tomllib.loads(card)
    place = folder / f"of-{said['module']}" / said["name"]
    place.mkdir(parents=True)
    (place / "card.toml").write_text(card.replace("slices = [3, 100]", "slices = [3, 1000]"))
    url = running_on.enter_context(running(app(Behaviour())))
    return Case(said["name"], said["module"], place.parent, url)


def lying_in(models: Path | None) -> Iterator[Case]:
    """The modules of a folder of models."""
    for card in sorted(models.glob("*/card.toml")) if models else ():
        said = tomllib.loads(card.read_text())
        framework, found, _ = said.get("package", "").partition(": ")  # of a model in one
        yield Case(said["name"], framework if found else said["module"], models)


def measured(case: Case, files: list[Path], out: Path, rounds: int) -> str:
    """What the runs of one module take."""
    job = job_of(installed_module(case.name, Place(models=case.models)), files, out)
    place = Place(Worker(), case.models)
    seconds = []
    with memory() as watch, closing(open_host(case.host, place)) as host:
        for number in range(1 + rounds):
            began = time.perf_counter()
            host.run(replace(job, out=out / f"{case.name}-{number}"))
            seconds.append(time.perf_counter() - began)
    cold, *warm = seconds
    return f"{cold:8.2f}{statistics.median(warm):8.2f}{watch.peak:8.0f}"


@contextmanager
def memory() -> Iterator[Memory]:
    watch = Memory()
    watch.start()
    try:
        yield watch
    finally:
        watch.end()


if __name__ == "__main__":
    sys.exit(main())
