"""Images per second of our receiver beside DCMTK's storescp: same sender, same images, same run.

    python bench/reception.py [--images 280] [--rounds 3]

storescp answers before anything is on the disk. The third line therefore adds to its time what
making the same images durable costs on this disk, which is the fair comparison.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.synthetic import DCMTK, running_receiver, wait_for_port, write_series

from hilum.inbox import write_durably
from hilum.transport import sender
from hilum_lab.network.processes import available_port


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=280)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=192, help="rows and columns of an image")
    parser.add_argument("--sender", choices=["dcmsend", "ours"], default="dcmsend")
    options = parser.parse_args()
    send = _dcmsend if options.sender == "dcmsend" else _ours
    seconds: dict[str, list[float]] = {"hilum": [], "storescp": [], "storescp + fsync": []}
    with TemporaryDirectory(dir=Path.cwd()) as name:
        for number in range(options.rounds):
            folder = Path(name, str(number))
            files = write_series(folder / "scan", options.images, options.size)
            with running_receiver(folder / "receiver") as receiver:
                seconds["hilum"].append(_timed(send, files, receiver.port))
                assert len(receiver.images()) == options.images
            seconds["storescp"].append(_storescp(send, files, folder / "storescp"))
            durable = _timed(_write, files, folder / "durable")
            seconds["storescp + fsync"].append(seconds["storescp"][-1] + durable)
    _table(seconds, options.images)


def _timed(action: Callable[..., None], *arguments: object) -> float:
    started = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - started


def _dcmsend(files: list[Path], port: int) -> None:
    command = ["dcmsend", "-q", "-aec", "HIPPOAI", "127.0.0.1", str(port), *map(str, files)]
    subprocess.run(command, env=DCMTK, check=True)


def _ours(files: list[Path], port: int) -> None:
    assert not sender.send(files, ("HIPPOAI", "127.0.0.1", port)).failed


def _storescp(send: Callable[..., None], files: list[Path], folder: Path) -> float:
    folder.mkdir()
    port = available_port()
    command = ["storescp", "-q", "-B", "-pdu", "131072", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, env=DCMTK)
    try:
        wait_for_port(port)
        return _timed(send, files, port)
    finally:
        process.kill()
        process.wait()


def _write(files: list[Path], folder: Path) -> None:
    folder.mkdir()
    for path in files:
        write_durably(folder / path.name, path.read_bytes())


def _table(seconds: dict[str, list[float]], images: int) -> None:
    reference = statistics.median(seconds["storescp"])
    print(
        f"{images} images, median of {len(seconds['hilum'])} rounds, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'receiver':<18}{'images/s':>10}{'ms/image':>10}{'x storescp':>12}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(
            f"{name:<18}{images / median:>10.0f}{1000 * median / images:>10.1f}"
            f"{reference / median:>12.2f}"
        )


if __name__ == "__main__":
    main()
