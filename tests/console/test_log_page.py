"""The log as people read it: by time, level, process and study, a page at a time, never whole."""

import logging
import random
import re
import time
from contextlib import closing
from pathlib import Path

import pytest

from factory import mr_slices
from hilum.console import log_files
from hilum.console.log_files import LogFilter, LogLevel, read_forwards, read_page
from hilum.dicom.part10 import as_file
from hilum.inbox import Inbox
from hilum.logs import SharedLog, also_logging
from hilum.people.roles import UserRole
from hilum.records.states import WorkitemState
from tests.effort import little_memory

from .house import House

BEGAN = time.mktime((2026, 11, 29, 10, 0, 0, 0, 0, -1))
EVERYTHING = LogFilter()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A log of 300 lines, one a second, in three files; some lines are no lines of ours."""
    monkeypatch.setattr(log_files, "PIECE", 1000)  # so that pieces end within lines
    (tmp_path / "logs").mkdir()
    rng = random.Random(7)
    for number, first in enumerate((200, 100, 0)):
        lines = [line_of(index, rng) for index in range(first, first + 100)]
        suffix = f".{number}" if number else ""
        (tmp_path / "logs" / f"hilum.log{suffix}").write_text("".join(lines))
    return tmp_path


def line_of(index: int, rng: random.Random) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(BEGAN + index))
    level = ("INFO", "INFO", "WARNING", "ERROR")[index % 4]
    process = ("MainProcess", "hilum gateway", "hilum worker-0")[index % 3]
    stray = "Exception in C code\n\n" if index % 50 == 0 else ""
    return f"{stray}{at},123 {process} {level} hilum.x line {index} {'y' * rng.randrange(200)}\n"


def numbers(lines: tuple[log_files.LogLine, ...]) -> list[int]:
    return [int(line.text.split()[1]) for line in lines]


def all_pages(data: Path, wanted: LogFilter, most: int) -> list[int]:
    found, before = [], ""
    while True:
        page = read_page(data, wanted, most, before)
        found += numbers(page.lines)
        before = page.older
        if not before:
            return found


@pytest.mark.parametrize("most", [1, 7, 100, 1000])
def test_every_line_is_on_one_page_the_latest_first(data: Path, most: int) -> None:
    assert all_pages(data, EVERYTHING, most) == list(range(299, -1, -1))


def test_lines_are_chosen_by_time_level_process_and_words(data: Path) -> None:
    between = LogFilter(since=BEGAN + 95.123, until=BEGAN + 205.123)
    assert all_pages(data, between, 20) == list(range(204, 94, -1))
    grave = LogFilter(least=LogLevel.ERROR, since=BEGAN + 250)
    assert all_pages(data, grave, 3) == list(range(299, 250, -4))
    assert all_pages(data, LogFilter(role="worker"), 9) == list(range(299, 0, -3))
    assert all_pages(data, LogFilter(role="supervisor", until=BEGAN + 9), 9) == [6, 3, 0]
    assert all_pages(data, LogFilter(words=("line 7 ", "line 250 ")), 9) == [250, 7]
    assert all_pages(data, LogFilter(since=BEGAN + 1000), 9) == []
    assert all_pages(data, LogFilter(until=BEGAN), 9) == []


def test_what_is_downloaded_is_the_same_the_oldest_first(data: Path) -> None:
    wanted = LogFilter(least=LogLevel.WARNING, since=BEGAN + 50, until=BEGAN + 250)
    found = b"".join(read_forwards(data, wanted)).decode()
    there = [int(number) for number in re.findall(r" line (\d+) ", found)]
    assert there == [index for index in range(50, 250) if index % 4 > 1]


def test_a_page_reads_so_much_and_says_how_far_it_came(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "MOST_READ", 5000)
    page = read_page(data, LogFilter(words=("line 0 ",)), 10)
    assert page.lines == ()
    assert page.reached is not None and BEGAN + 240 < page.reached < BEGAN + 290
    assert all_pages(data, LogFilter(words=("line 0 ",)), 10) == [0]


def test_a_page_goes_on_where_it_was_when_the_log_is_begun_anew(data: Path) -> None:
    first = read_page(data, EVERYTHING, 10)
    folder = data / "logs"
    for number in (2, 1):
        (folder / f"hilum.log.{number}").rename(folder / f"hilum.log.{number + 1}")
    (folder / "hilum.log").rename(folder / "hilum.log.1")
    assert numbers(read_page(data, EVERYTHING, 3, first.older).lines) == [289, 288, 287]
    for path in folder.iterdir():
        path.unlink()
    assert read_page(data, EVERYTHING, 3, first.older).lines == ()
    assert read_page(data, EVERYTHING, 3, "nonsense").lines == ()


def test_a_line_that_never_ends_is_read_within_bounds(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    line = line_of(1, random.Random(1))
    (tmp_path / "logs" / "hilum.log").write_bytes(line.encode() + b"\0" * (40 << 20))
    with little_memory():
        page = read_page(tmp_path, EVERYTHING, 10)
    assert numbers(page.lines) in ([1], [])


def say(house: House, *lines: str) -> None:
    with closing(SharedLog(house.site.data / "logs" / "hilum.log")) as log:
        for line in lines:
            log.emit(logging.LogRecord("hilum.x", logging.ERROR, line, 1, line, None, None))


def test_the_page_shows_what_the_log_says_of_a_study(house: House) -> None:
    address, other = house.study(WorkitemState.FAILED), house.study(WorkitemState.FAILED)
    uid = house.records.identifiers.study_at(address)
    (house.site.data / "logs").mkdir()
    said = "<script>document.title = 'mine'</script>"
    say(house, f"workitem {uid}.1: it failed", f"study {uid} {said}", "something else")
    with house.client(UserRole.OPERATOR) as client:
        everything = client.get("/log").text
        assert "something else" in everything
        assert said not in everything
        of_study = client.get("/log", params={"study": address}).text
        assert "it failed" in of_study
        assert "something else" not in of_study
        assert "No line matches" in client.get("/log", params={"study": other}).text
        assert client.get("/log", params={"study": "nobody"}).status_code == 404
        assert client.get("/log", params={"since": "2026-99-99T00:00"}).status_code == 422
        graver = client.get("/log", params={"level": "critical"}).text
        assert "something else" not in graver
        file = client.get("/log/download", params={"study": address})
        assert file.text.count("\n") == 2
        assert "attachment" in file.headers["content-disposition"]
        assert "What the log says" in client.get(f"/studies/{address}").text
    with house.client(UserRole.READER) as client:
        assert client.get("/log").status_code == 403


def test_an_empty_log_is_said_to_be_one(house: House) -> None:
    assert "The log is empty." in house.get("/log")


def test_no_patient_is_named_on_the_page(house: House) -> None:
    """Images of a marked patient come in, good and broken ones, and are looked for."""
    content = as_file(mr_slices(count=1)[0])
    with also_logging(house.site.data):
        inbox = Inbox(house.site.data)
        inbox.store(content)
        inbox.store(content[:-700])
        logging.getLogger("hilum").error("something happened")
        with house.client() as client:
            client.post("/finds", data={"patient_name": "Marker"})
    shown = house.get("/log")
    assert "something happened" in shown
    assert not re.search("marker", shown, re.IGNORECASE)
