"""A DICOMweb archive that lists more than it gives, or less than it has to tell."""

import json
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from hilum.dicom.instance import Instance
from hilum.watching.fetching import Pace
from tests.answering import answering
from tests.sources.watching import Watching, uids
from tests.synthetic import uid, write_series


class Pacs:
    """One study; no counts are stated. `odd` is what is given instead: status, headers, body."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}
        self.odd: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: Counter[str] = Counter()

    def hold(self, files: list[Path]) -> None:
        self.files |= {uid(path): path for path in files}

    def answer(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, str], bytes]:
        last = path.rsplit("/", 1)[-1]
        if last in self.files:
            self.asked[last] += 1
            plain = {"Content-Type": "application/dicom"}
            return self.odd.get(last) or (200, plain, self.files[last].read_bytes())
        if last in self.odd:
            return self.odd[last]
        instances = [Instance.read(file) for file in self.files.values()]
        tag, values = {
            "studies": ("0020000D", {i.study_uid for i in instances}),
            "series": ("0020000E", {i.series_uid for i in instances}),
            "instances": ("00080018", {i.sop_instance_uid for i in instances}),
        }[last]
        found = sorted(values)[int(query["offset"][0]) if "offset" in query else 0 :]
        items = [{tag: {"vr": "UI", "Value": [value]}} for value in found]
        return 200, {"Content-Type": "application/dicom+json"}, json.dumps(items).encode()


@pytest.fixture
def pacs() -> Iterator[tuple[Pacs, str]]:
    pacs = Pacs()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            status, headers, content = pacs.answer(url.path, parse_qs(url.query))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
        yield pacs, f"http://{address}"


def watch_of(folder: Path, url: str, **values: Any) -> Watching:
    return Watching(folder, url, kind="dicomweb", poll_seconds=0.05, **values)


@pytest.mark.parametrize(
    "odd",
    [
        (200, {"Content-Type": "multipart/related; boundary=x"}, b"--x\r\nA: b"),
        (200, {"Content-Type": "multipart/related; boundary=x", "Content-Encoding": "gzip"}, b"x"),
        (403, {}, b""),
        (500, {}, b""),
        (404, {}, b""),
    ],
    ids=["malformed", "undecodable", "forbidden", "failing", "missing"],
)
def test_an_odd_answer_for_one_image_is_its_own_failure(
    pacs: tuple[Pacs, str],
    odd: tuple[int, dict[str, str], bytes],
    tmp_path: Path,
) -> None:
    """The others come in the same turn; it is asked for three times, and the trace says so once."""
    archive, url = pacs
    files = write_series(tmp_path / "scan", 4)
    archive.hold(files)
    archive.odd[uid(files[1])] = odd
    pace = Pace(retry_seconds=(0.05, 0.05))
    watch = watch_of(tmp_path / "site", url, since="beginning", pace=pace)
    try:
        watch.turn()
        assert watch.received() == uids(files) - {uid(files[1])}
        assert watch.row.state == "reachable"
        study = Instance.read(files[0]).study_uid
        watch.until(lambda: watch.records.events.of_study(study), "the event")
        for _ in range(10):
            watch.turn()
        assert archive.asked[uid(files[1])] == pace.tries
        (event,) = watch.records.events.of_study(study)
        assert event.kind == "not fetched"
        assert watch.row.problem == event.text
        assert watch.row.state == "reachable"
    finally:
        watch.close()


def test_what_is_added_is_noticed_where_no_number_is_stated(
    pacs: tuple[Pacs, str], tmp_path: Path
) -> None:
    archive, url = pacs
    files = write_series(tmp_path / "scan", 4)
    archive.hold(files[:2])
    watch = watch_of(tmp_path / "site", url)
    try:
        watch.settle()
        assert watch.received() == set()
        archive.hold(files[2:])
        watch.until(lambda: watch.received() == uids(files), "the whole study")
    finally:
        watch.close()


def test_an_archive_that_asks_us_to_wait_is_left_alone(
    pacs: tuple[Pacs, str], tmp_path: Path
) -> None:
    archive, url = pacs
    archive.odd["studies"] = (429, {"Retry-After": "90"}, b"")
    watch = watch_of(tmp_path / "site", url)
    try:
        assert watch.watch.turn() == 90.0
        assert "asks us to wait 90 s" in watch.row.problem
        del archive.odd["studies"]
        assert watch.watch.turn() < 90.0
    finally:
        watch.close()
