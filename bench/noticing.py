"""Seconds from a film being stored in a real Orthanc to its being durable here and told.

    python bench/noticing.py [--films 30] [--size 2000] [--poll 0]

Films go to Orthanc one by one, at times that have nothing to do with the polls. The clock starts
when Orthanc has answered the upload. "stored": the film is durable in our inbox and the gateway has
the hint. "released": the gateway knows that no more is coming.
"""

import argparse
import multiprocessing
import random
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.synthetic import write_series

from hilum.config import parse
from hilum.processes.hints import HintReceiver, gateway_address
from hilum.records import Records, records_url
from hilum.service.watcher import watch
from hilum_lab.network.orthanc import Orthanc


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--films", type=int, default=30)
    parser.add_argument("--size", type=int, default=2000, help="rows and columns of a film")
    parser.add_argument("--poll", type=float, default=0.25, help="poll_seconds")
    options = parser.parse_args()
    with TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name)
        with Orthanc(folder / "pacs") as orthanc:
            source = {
                "name": "pacs",
                "kind": "orthanc",
                "url": orthanc.url,
                "poll_seconds": options.poll,
            }
            site = parse({"data": folder / "hilum", "source": [source]})
            site.data.mkdir()
            Records(records_url(site)).close()
            hints = HintReceiver(gateway_address(site.data))
            process = multiprocessing.get_context("spawn").Process(
                target=watch,
                args=(site, site.source[0], gateway_address(site.data)),
            )
            process.start()
            time.sleep(4)
            files = write_series(folder / "films", options.films, options.size)
            report([measure(path, orthanc, hints) for path in files], files[0].stat().st_size)
            process.kill()


def measure(path: Path, orthanc: Orthanc, hints: HintReceiver) -> dict[str, float]:
    """Store one film; the seconds until each event about it."""
    time.sleep(2.5 + random.random())  # until the watch is idle again
    hints.receive(0.01)
    content = path.read_bytes()
    httpx.post(f"{orthanc.url}/instances", content=content, timeout=60).raise_for_status()
    stored = time.monotonic()
    seconds: dict[str, float] = {}
    while "Released" not in seconds:
        for hint in hints.receive(10):
            seconds.setdefault(type(hint).__name__, time.monotonic() - stored)
    return seconds


def report(seconds: list[dict[str, float]], size: int) -> None:
    print(f"{len(seconds)} films of {size / 1e6:.1f} MB; seconds: median, 90 %, maximum")
    for event in ("Stored", "Released"):
        values = sorted(item[event] for item in seconds)
        ninety = values[int(0.9 * len(values))]
        print(f"{event:10} {statistics.median(values):.3f} {ninety:.3f} {values[-1]:.3f}")


if __name__ == "__main__":
    main()
