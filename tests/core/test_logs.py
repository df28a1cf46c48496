"""The log: several processes write it, it is begun anew when full, and it never floods."""

import logging
import os
import re
import resource
import socket
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TextIO

import pytest
from pydicom.dataset import Dataset

from hilum.config import parse
from hilum.config.site import Site
from hilum.config.versions import SettingsVersions
from hilum.console.exchange import Exchange
from hilum.console.server import serve
from hilum.logs import PERIOD_SECONDS, SAME_PLACE, SAME_TEXT, Repeats, SharedLog, configure_logging
from hilum.processes.process import fork_server
from hilum.records import Records
from hilum_lab.network.processes import available_port
from tests.patience import PATIENCE, until
from tests.synthetic import wait_for_port

WRITERS, LINES, FULL = 3, 3000, 40_000
MOST_BYTES = 20_000  # of the log after any flood of one kind, in a fraction of a minute


def write_lines(file: Path, writer: int) -> None:
    log = logging.getLogger(f"writer-{writer}")
    log.addHandler(handler := SharedLog(file, FULL, kept=100))
    for number in range(LINES):
        if number % SAME_PLACE == 0:
            handler._repeats = Repeats()  # what is tried here is the file alone
        log.warning("line %d of writer %d", number, writer)


@contextmanager
def child(work: Callable[..., None], *arguments: object) -> Iterator[BaseProcess]:
    process = fork_server("hilum.console.server").Process(target=work, args=arguments)
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def test_three_processes_write_one_file_and_no_line_is_lost_when_it_is_full(tmp_path: Path) -> None:
    file = tmp_path / "hilum.log"
    with ExitStack() as stack:
        writers = [stack.enter_context(child(write_lines, file, n)) for n in range(WRITERS)]
        for writer in writers:
            writer.join(60)
            assert writer.exitcode == 0
    files = sorted(tmp_path.iterdir())
    assert len(files) > 10
    assert all(one.stat().st_size < 2 * FULL for one in files)
    assert all(one.stat().st_mode & 0o077 == 0 for one in files)
    lines = [line for one in files for line in one.read_text().splitlines()]
    ends = Counter(line.partition(" writer-")[2].partition(" ")[2] for line in lines)
    assert set(ends) == {
        f"line {number} of writer {writer}" for writer in range(WRITERS) for number in range(LINES)
    }
    assert set(ends.values()) == {1}


def test_the_oldest_files_go(tmp_path: Path) -> None:
    handler = SharedLog(tmp_path / "hilum.log", 1000, kept=2)
    for number in range(SAME_PLACE):
        handler.handle(record(f"number {number}"))
    handler.close()
    names = ["hilum.log", "hilum.log.1", "hilum.log.2"]
    assert sorted(file.name for file in tmp_path.iterdir()) == names
    kept = "".join((tmp_path / name).read_text() for name in reversed(names))
    assert kept.rstrip().endswith(f"number {SAME_PLACE - 1}")


def record(text: str, line: int = 1) -> logging.LogRecord:
    return logging.LogRecord("name", logging.ERROR, "file.py", line, text, None, None)


def told(repeats: Repeats, text: str, line: int = 1) -> list[str]:
    return [said.getMessage() for said in repeats.told_of(record(text, line))]


def test_a_text_that_is_repeated_is_counted_and_told_once_in_a_while() -> None:
    now = 0.0
    repeats = Repeats(lambda: now)
    said = [line for _ in range(1000) for line in told(repeats, "no file can be opened")]
    assert said == ["no file can be opened"] * SAME_TEXT
    assert told(repeats, "from another place", line=2) == ["from another place"]
    now = PERIOD_SECONDS
    counted = f"said {1000 - SAME_TEXT} more times: no file can be opened"
    assert told(repeats, "something else", line=2) == [counted, "something else"]
    assert told(repeats, "no file can be opened") == ["no file can be opened"]
    now = 2 * PERIOD_SECONDS
    assert told(repeats, "something else", line=2) == ["something else"]


def test_a_place_that_says_something_else_each_time_is_bounded_too() -> None:
    now = 0.0
    repeats = Repeats(lambda: now)
    texts = [f"connection of port {port}" for port in range(10 * SAME_PLACE)]
    assert [line for text in texts for line in told(repeats, text)] == texts[:SAME_PLACE]
    now = PERIOD_SECONDS
    more = f"{9 * SAME_PLACE} more lines from the same place were left out"
    assert told(repeats, "x", line=2) == [more, "x"]


def test_an_error_is_one_line_without_its_text(tmp_path: Path) -> None:
    handler = SharedLog(tmp_path / "hilum.log")
    log = logging.Logger("odd")
    log.addHandler(handler)
    try:
        raise ValueError("MARKER^PATIENT")
    except ValueError:
        log.exception("the caller\nsaid two lines")
    [line] = (tmp_path / "hilum.log").read_text().splitlines()
    handler.close()
    assert "the caller said two lines ValueError in test_logs.py, line " in line
    assert "MARKER" not in line


class Odd:
    """A value that cannot be told."""

    def __str__(self) -> str:
        raise AttributeError("MARKER^PATIENT")


@pytest.mark.parametrize(
    ("text", "values", "problem"),
    [
        ("%d images", ("MARKER^PATIENT",), "TypeError"),
        ("%(name)s", ({"patient": "MARKER^PATIENT"},), "KeyError"),
        ("%q of %s", (1, "MARKER^PATIENT"), "ValueError"),
        ("%s %s", ("MARKER^PATIENT",), "TypeError"),
        ("%s", (Odd(),), "AttributeError"),
    ],
)
def test_a_text_that_does_not_fit_its_values_is_a_line_without_them(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    text: str,
    values: tuple[object, ...],
    problem: str,
) -> None:
    log = logging.Logger("odd")
    log.addHandler(handler := SharedLog(tmp_path / "hilum.log"))
    for _ in range(10 * SAME_TEXT):
        log.warning(text, *values)
    lines = (tmp_path / "hilum.log").read_text().splitlines()
    handler.close()
    assert len(lines) == SAME_TEXT
    assert f"WARNING odd a line cannot be written ({problem}): test_logs.py, line " in lines[0]
    assert "MARKER" not in (tmp_path / "hilum.log").read_text()
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_costs_lines_and_says_how_many(
    small_disk: Callable[..., object], tmp_path: Path
) -> None:
    with small_disk(1) as folder:  # type: ignore[attr-defined]
        handler = SharedLog(folder / "hilum.log")
        filler = folder / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        for number in range(200):
            handler.handle(record(f"{number} {'x' * 100}", line=number))
        filler.unlink()
        handler.handle(record("there is room again", line=1000))
        last = (folder / "hilum.log").read_text().splitlines()[-1]
        handler.close()
    assert "there is room again (" in last
    assert "lines before this one could not be written)" in last


def raise_in_a_tight_loop(data: Path) -> None:
    configure_logging(data)
    resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
    opened = []
    for _ in range(20_000):
        try:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        except OSError as error:
            logging.error("cannot go on: %s", error.strerror)
    logging.shutdown()


def test_a_loop_that_runs_out_of_descriptors_writes_little(tmp_path: Path) -> None:
    with child(raise_in_a_tight_loop, tmp_path) as process:
        process.join(PATIENCE)
        assert process.exitcode == 0
    text = (tmp_path / "logs" / "hilum.log").read_text()
    assert len(text) < MOST_BYTES
    assert " more times: cannot go on: Too many open files" in text


def say_what_libraries_say(data: Path, showing: Path) -> None:
    with showing.open("w") as shown:
        os.dup2(shown.fileno(), 2)
        configure_logging(data)
        for name in ("hilum.anything", "uvicorn.error", "of.a.module"):
            logging.getLogger(name).info("%s is content", name)
            logging.getLogger(name).error("%s fails", name)
        warnings.warn("MARKER^NAME", stacklevel=1)
        Dataset().PatientID = "MARKER" * 20
    logging.shutdown()


def test_people_read_our_words_and_of_libraries_what_fails(tmp_path: Path) -> None:
    with child(say_what_libraries_say, tmp_path, tmp_path / "shown") as process:
        process.join(PATIENCE)
        assert process.exitcode == 0
    said = (tmp_path / "logs" / "hilum.log").read_text()
    assert re.findall(r"\S+ is content|\S+ fails", said) == [
        "hilum.anything is content",
        *(f"{name} fails" for name in ("hilum.anything", "uvicorn.error", "of.a.module")),
    ]
    assert (tmp_path / "shown").read_text() == ""


WARNS = """
import sys, warnings, hilum.cli
def app(**_):
    warnings.warn("MARKER^NAME")
    sys.exit(0)
hilum.cli.app = app
hilum.cli.main()
"""


@pytest.mark.parametrize("asked_for", [False, True])
def test_a_command_prints_warnings_only_where_they_are_asked_for(asked_for: bool) -> None:
    words = [sys.executable, *(["-W", "default"] if asked_for else []), "-c", WARNS]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ("MARKER^NAME" in ran.stderr) == asked_for, ran.stderr
    assert asked_for or not ran.stderr


class Counting(logging.Handler):
    """Writes to `file`, in each line, how often was logged since the last one."""

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._count += 1

    def end_line(self) -> None:
        self._file.write(f"{self._count}\n")
        self._count = 0


def show_with_few_descriptors(site: Site, failures: Path) -> None:
    """Serve, and write how often it failed to accept a connection in each of its seconds."""
    configure_logging(site.data)
    counting = Counting(failures.open("w", buffering=1))
    logging.getLogger("asyncio").addHandler(counting)
    turn = Exchange.turn

    def counted(exchange: Exchange) -> None:
        counting.end_line()
        turn(exchange)

    Exchange.turn = counted  # type: ignore[method-assign] - in this process only
    records = Records("sqlite://")
    resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))
    serve(site, records, [])


@pytest.fixture
def console(tmp_path: Path) -> Site:
    return parse({"data": str(tmp_path), "console": {"port": available_port()}})


def test_a_console_without_descriptors_writes_little_and_comes_back(
    console: Site, tmp_path: Path
) -> None:
    """The measured flood: asyncio accepts again and again, and logs each failure."""
    SettingsVersions(tmp_path).keep("", 0.0)  # the console looks for another one each second
    counted = tmp_path / "failures"
    with child(show_with_few_descriptors, console, counted), ExitStack() as stack:
        wait_for_port(console.console.port)
        address = ("127.0.0.1", console.console.port)
        for _ in range(60):
            stack.enter_context(socket.create_connection(address))
        log = tmp_path / "logs" / "hilum.log"
        until(lambda: "out of system resource" in log.read_text(), log.read_text)
        begun = len(counted.read_text().splitlines())
        until(lambda: len(counted.read_text().splitlines()) > begun + 3, "some of its seconds")
        failures = [int(line) for line in counted.read_text().splitlines()[begun:]]
        assert sum(failures) <= len(failures) + 1, failures
        assert log.stat().st_size < MOST_BYTES
        stack.close()
        until(lambda: answers(console.console.port), "an answer of the console")


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(b"GET /nothing HTTP/1.0\r\n\r\n")
        return connection.recv(4) == b"HTTP"
    return False
