"""What one study costs: processor time of each process, and seconds to the verified result.

    python bench/one_study.py [--studies 10] [--images 60]

The module costs nothing, so what is measured is the line itself: to receive, to assemble, to
decide, to run, to write, to deliver and to read back. The archive is a small one in a process of
its own, which is not counted. The seconds are those between two lines of the trace: the sender has
released the association, and the result is verified. Processor time is what the processes used
beyond what they use while nothing is to be done.
"""

import argparse
import multiprocessing
import os
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
from idle import SETTLE_SECONDS, processor_seconds, running
from tests.synthetic import write_series

from hilum.config import site_in
from hilum.config.site import Site
from hilum.records import Records, records_url
from hilum.records.states import EventKind
from hilum.transport import sender
from hilum_lab.archives.behaviour import AE_TITLE
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.network.processes import available_port, listens
from hilum_lab.package import write_package

MODULE = """\
from hilum import Input, Measurement, codes


class Module:
    name, version, title = "free-of-charge", "0.1", "Free of charge"
    needs = Input(modality="MR", slice_spacing=(0.5, 2.0))

    def run(self, series):
        yield Measurement(codes.VOLUME, 1.0, codes.MILLILITRE)
"""
AFTERWARDS_SECONDS = 10.0  # until the study is closed, and nothing more is done for it
PATIENCE_SECONDS = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=10)
    parser.add_argument("--images", type=int, default=60)
    parser.add_argument("--size", type=int, default=256, help="rows and columns of an image")
    options = parser.parse_args()
    with TemporaryDirectory() as name:
        used, seconds = measure(Path(name), options.studies, options.images, options.size)
    for process, cost in used.most_common():
        print(f"{process:20}{1000 * cost:8.0f} ms")
    print(f"{'in all':20}{1000 * used.total():8.0f} ms of a core for a study")
    print(
        f"{statistics.median(seconds):.2f} s to the verified result, {max(seconds):.2f} s at most"
    )


def measure(folder: Path, studies: int, images: int, size: int) -> tuple[Counter[str], list[float]]:
    """Seconds of processor time for a study by process, and seconds to each result."""
    (folder / "module.py").write_text(MODULE)
    write_package(folder, "module", {"free-of-charge": "module:Module"})
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    site, text = settings(folder)
    exams = [write_series(folder / f"exam-{number}", images, size) for number in range(studies)]
    (folder / "hilum.toml").write_text(text)
    with (
        archive(site.destination[0].port),
        running(folder / "hilum.toml", site.receiver.port) as pid,
        closing(Records(records_url(site))) as records,
    ):
        time.sleep(SETTLE_SECONDS)
        study_done(records, site, exams.pop())  # everything is warm from then on
        time.sleep(AFTERWARDS_SECONDS)
        nothing = used_in(pid, lambda: time.sleep(AFTERWARDS_SECONDS))
        began = time.monotonic()
        seconds: list[float] = []

        def all_studies() -> None:
            for files in exams:
                seconds.append(study_done(records, site, files))
            time.sleep(AFTERWARDS_SECONDS)

        used = used_in(pid, all_studies)
        share = (time.monotonic() - began) / AFTERWARDS_SECONDS
        cost = {name: (used[name] - share * nothing[name]) / len(exams) for name in used}
        return Counter(cost), seconds


def settings(folder: Path) -> tuple[Site, str]:
    """One rule, one destination."""
    text = (
        f'data = "{folder}/data"\nreceiver.port = {available_port()}\n'
        f"console.port = {available_port()}\nreceiver.low_water_mb = 0\n"
        '[[rule]]\nmodule = "free-of-charge"\nsend_to = ["pacs"]\n'
        f'[[destination]]\nname = "pacs"\nkind = "dimse"\nport = {available_port()}\n'
        f'ae_title = "{AE_TITLE}"\n'
    )
    return site_in(text), text


def used_in(pid: int, do: Callable[[], None]) -> Counter[str]:
    """What the processes below `pid` use while something is done, by their names."""
    before = processor_seconds(pid)
    do()
    return Counter(
        {name: seconds - before.get(name, 0.0) for name, seconds in processor_seconds(pid).items()}
    )


def study_done(records: Records, site: Site, files: list[Path]) -> float:
    """Send one study; seconds from the end of its association to the verified result."""
    receiver = (site.receiver.ae_title, "127.0.0.1", site.receiver.port)
    study = str(pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID)
    assert not sender.send(files, receiver).failed
    sent = time.time()
    while time.time() < sent + PATIENCE_SECONDS:
        for event in records.events.of_study(study):
            if event.kind is EventKind.COMPLETED:
                return event.at - sent
        time.sleep(0.25)
    raise SystemExit("the result does not come")


@contextmanager
def archive(port: int) -> Iterator[None]:
    """A small archive that takes and shows what it is sent."""
    process = multiprocessing.get_context("spawn").Process(target=_show, args=(port,))
    process.start()
    try:
        while not listens(port):
            time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.join()


def _show(port: int) -> None:
    DimseArchive(port).open()
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
