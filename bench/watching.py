"""What it costs an Orthanc, and the scanner that sends to it, to be watched.

    python bench/watching.py [--images 260] [--rounds 3]

Each round sends one MR exam by C-STORE to a real Orthanc, without a watch and with one. A proxy
between Hilum and Orthanc counts the requests.
"""

import argparse
import multiprocessing
import socket
import statistics
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.synthetic import write_series

from hilum.config import parse
from hilum.processes.hints import HintReceiver, Stored, gateway_address
from hilum.records import Records, records_url
from hilum.service.watcher import watch
from hilum.transport import sender
from hilum_lab.network.orthanc import Orthanc


class CountingProxy:
    """Passes bytes on to `port`, and counts the requests by what they ask for."""

    def __init__(self, port: int) -> None:
        self.counts: Counter[str] = Counter()
        self._port = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            theirs = self._server.accept()[0]
            ours = socket.create_connection(("127.0.0.1", self._port))
            for one, other in ((theirs, ours), (ours, theirs)):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                count = one is theirs
                threading.Thread(
                    target=self._pass_on, args=(one, other, count), daemon=True
                ).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, count: bool) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 18):
                if count and data.startswith((b"GET ", b"POST ")):
                    parts = data.split(b" ", 2)[1].decode().split("?")[0].strip("/").split("/")
                    self.counts["/".join([parts[0], *parts[2:]])] += 1
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=260)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=192, help="rows and columns of an image")
    parser.add_argument("--wait", type=float, default=0, help="wait_seconds of the source")
    options = parser.parse_args()
    with TemporaryDirectory(dir=Path.cwd()) as name:
        alone = [
            exam(Path(name, f"alone-{n}"), options, watched=False)[0] for n in range(options.rounds)
        ]
        watched = [
            exam(Path(name, f"watched-{n}"), options, watched=True) for n in range(options.rounds)
        ]
    hundred = 100 / options.images
    print(
        f"{options.images} images; seconds to send, median: alone {statistics.median(alone):.2f}",
        end="",
    )
    print(f", watched {statistics.median(seconds for seconds, _, _ in watched):.2f}")
    here = statistics.median(seconds for _, seconds, _ in watched)
    print(f"from the last image sent to the last one here: {here:.2f} s")
    total = sum((counts for _, _, counts in watched), Counter())
    print(f"requests per 100 images: {sum(total.values()) * hundred / options.rounds:.0f}")
    for what, number in total.most_common():
        print(f"  {what:40} {number * hundred / options.rounds:8.1f}")


def exam(
    folder: Path, options: argparse.Namespace, watched: bool
) -> tuple[float, float, Counter[str]]:
    """Send one exam; seconds it took, seconds until all of it was here, and the requests."""
    files = write_series(folder / "exam", options.images, options.size)
    with Orthanc(folder / "pacs") as orthanc:
        proxy = CountingProxy(orthanc.http_port)
        source = {"name": "pacs", "kind": "orthanc", "url": f"http://127.0.0.1:{proxy.port}"}
        site = parse(
            {"data": folder / "hilum", "source": [{**source, "wait_seconds": options.wait}]}
        )
        site.data.mkdir()
        Records(records_url(site)).close()
        hints = HintReceiver(gateway_address(site.data))
        arguments = (site, site.source[0], gateway_address(site.data))
        process = multiprocessing.get_context("spawn").Process(target=watch, args=arguments)
        if watched:
            process.start()
            time.sleep(4)
        proxy.counts.clear()
        started = time.monotonic()
        report = sender.send(files, (orthanc.ae_title, "127.0.0.1", orthanc.dicom_port))
        sent = time.monotonic() - started
        assert not report.failed
        stored = 0
        while watched and stored < len(files):
            stored += sum(isinstance(hint, Stored) for hint in hints.receive(30))
        here = time.monotonic() - started - sent
        if watched:
            process.kill()
            process.join()
        hints.close()
        return sent, here, proxy.counts


if __name__ == "__main__":
    main()
