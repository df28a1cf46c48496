"""What a large CT costs the gateway while it streams in, and what reading its headers costs.

    python bench/flow.py [--images 1500] [--rate 50]

The images are those of one classic series. "in flow": the gateway's looks at the study while the
images come at the given rate, and the reading of each, as a share of one core; the clock is
simulated, the work is real.
"headers": reading all of them, beside pydicom reading the same files without pixels, in one run.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from hilum import arrivals
from hilum.arrival import Arrival
from hilum.assembly import Run, decide
from hilum.config.site import Rule
from hilum.dicom.instance import Instance
from hilum.module import Input
from phantom import classic, instance_of, stack

NEEDS = {"series": Input("CT")}
RULE = Rule(module="m")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=50, help="images per second")
    options = parser.parse_args()
    with TemporaryDirectory(dir=Path.cwd()) as name:
        made = classic(stack(options.images, 0.625), "CT")
        for number, ds in enumerate(made):
            ds.SOPInstanceUID = f"{ds.SOPInstanceUID[:40]}.{number}"
        paths = [instance_of(ds, Path(name)).path for ds in made]
        headers(paths)
        in_flow(paths, options.rate)


def headers(paths: list[Path]) -> None:
    seconds = {}
    for reader, read in (
        ("hilum", lambda path: Instance.read(path).frames),
        (
            "pydicom",
            lambda path: pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient,
        ),
    ):
        best = min(_timed(lambda read=read: [read(path) for path in paths]) for _ in range(3))
        seconds[reader] = best
    ratio = seconds["hilum"] / seconds["pydicom"]
    print(
        f"headers: {len(paths)} in {seconds['hilum']:.2f} s, pydicom {seconds['pydicom']:.2f} s,"
        f" ratio {ratio:.2f}"
    )


def in_flow(paths: list[Path], rate: float) -> None:
    """The looks that `Flow.review` takes, with its pace, at images that come one by one."""
    arrival = Arrival("")
    reading, spent, looks, now = 0.0, 0.0, 0, 1000.0
    for path in paths:
        now += 1 / rate
        began = time.perf_counter()
        image = Instance.read(path)
        reading += time.perf_counter() - began
        arrival.add(image, now, "a")
        if arrivals.is_due(arrival, now):
            cost = _timed(lambda now=now: decide(arrival, NEEDS, RULE, now))
            arrival.changed, arrival.last_review, arrival.review_seconds = False, now, cost
            spent, looks = spent + cost, looks + 1
    share = 100 * (spent + reading) / (len(paths) / rate)
    arrival.released("a")
    last = _timed(lambda: decide(arrival, NEEDS, RULE, now + 0.5))
    assert isinstance(decide(arrival, NEEDS, RULE, now + 0.5), Run)
    print(
        f"in flow: {looks} looks cost {spent:.2f} s, reading {reading:.2f} s, together"
        f" {share:.2f} % of a core; the deciding look {1000 * last:.0f} ms"
    )


def _timed(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
