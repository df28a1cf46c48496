"""Records that are lost, damaged or too old: it is said with the cure, and the cure cures."""

import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from pydicom.dataset import Dataset

from hilum.acts.asking import ask
from hilum.errors import RecordsUnusable
from hilum.inbox import digest
from hilum.records import views
from hilum.records.states import RequestAction
from hilum.service.preflight import alone_in
from hilum.service.roles import Role
from hilum_lab import disk

from .hospital import (
    Hospital,
    Typed,
    at_rest,
    cure,
    deliver,
    hospital_in,
    refused,
    sent_once,
    swept,
    typed,
)
from .site import running

__all__ = ["typed"]  # a fixture


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    with hospital_in(tmp_path) as made:
        yield made


class Kept(NamedTuple):
    """A hospital where two studies were delivered, and its data folder as it was left."""

    hospital: Hospital
    folder: Path
    items: dict[str, tuple[str, str]]
    traces: list[list[views.TraceLine]]
    sent: Counter[str]
    holds: dict[str, Dataset]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    with hospital_in(tmp_path_factory.mktemp("kept")) as hospital:
        with hospital.run() as hilum:
            deliver(hilum, hospital, "one", "two")
            items = at_rest(hilum, hospital, "one", "two")
            traces = [views.trace(hilum.records, hospital.uid(name)) for name in items]
        folder = hospital.folder / "as-it-was"
        shutil.copytree(hospital.data, folder, ignore=shutil.ignore_patterns("*.sock"))
        archive = hospital.archive
        yield Kept(hospital, folder, items, traces, archive.sent.copy(), archive.holds.copy())


@pytest.fixture
def delivered(kept: Kept) -> Hospital:
    shutil.rmtree(kept.hospital.data)
    shutil.copytree(kept.folder, kept.hospital.data)
    archive = kept.hospital.archive
    archive.sent, archive.holds = kept.sent.copy(), kept.holds.copy()
    return kept.hospital


def lose(data: Path, name: str = "hilum.db") -> None:
    for file in data.glob(f"{name}*"):
        file.unlink()


def lose_with_the_engine(data: Path) -> None:
    lose(data)
    lose(data, "engine.db")


def lose_with_the_copies(data: Path) -> None:
    lose(data)
    shutil.rmtree(data / "records")


def begin_afresh(data: Path) -> None:
    """An empty database stands where the full one did."""
    lose(data)
    sqlite3.connect(data / "hilum.db").close()


def overwrite(data: Path) -> None:
    """Pages in the middle of the file are no longer what they were."""
    file = data / "hilum.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(file.read_bytes())
    content[4096 : len(content) // 2] = bytes(b ^ 0x5A for b in content[4096 : len(content) // 2])
    file.write_bytes(content)


def cut_off(data: Path) -> None:
    file = data / "hilum.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def write_text_over(data: Path) -> None:
    (data / "hilum.db").write_text("not a database\n" * 1000)


def damage_the_engine(data: Path) -> None:
    (data / "engine.db").write_text("not a database\n" * 1000)
    for side in ("-wal", "-shm"):
        (data / f"engine.db{side}").unlink(missing_ok=True)


LOSSES: dict[Callable[[Path], None], str] = {
    lose: "hilum.db is missing, but the data folder holds 2 studies and 2 results: ",
    lose_with_the_engine: "hilum.db is missing, but the data folder holds ",
    lose_with_the_copies: "hilum.db is missing, but the data folder holds ",
    begin_afresh: "the database is empty, but the data folder is not ",
    overwrite: "hilum.db is damaged (",
    cut_off: "hilum.db is damaged (",
    write_text_over: "hilum.db is damaged (file is not a database): ",
    damage_the_engine: "engine.db is damaged (file is not a database): ",
}


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
def test_what_is_lost_is_said_and_the_cure_sends_nothing_twice(
    kept: Kept, delivered: Hospital, typed: Typed, loss: Callable[[Path], None]
) -> None:
    results = {file: file.read_bytes() for file in delivered.data.glob("results/*/*.dcm")}
    loss(delivered.data)
    said = refused(delivered)
    assert LOSSES[loss] in said
    cure(delivered, said, typed)
    with delivered.run() as hilum:
        assert at_rest(hilum, delivered, *kept.items) == kept.items
        swept(hilum, kept.items["one"][0])
        traces = [views.trace(hilum.records, delivered.uid(name)) for name in kept.items]
    if loss is lose_with_the_copies:  # then they are made anew, under the same UIDs
        assert set(delivered.data.glob("results/*/*.dcm")) == set(results)
    else:
        assert traces == kept.traces
        assert {file: file.read_bytes() for file in results} == results
    sent_once(delivered, 2)


def test_an_older_database_that_was_restored(hospital: Hospital, typed: Typed) -> None:
    backup = hospital.folder / "backup"
    backup.mkdir()
    with hospital.run() as hilum:
        deliver(hilum, hospital, "one")
    for file in hospital.data.glob("hilum.db*"):
        shutil.copy(file, backup)
    with hospital.run() as hilum:
        deliver(hilum, hospital, "two")
        before = at_rest(hilum, hospital, "one", "two")
    lose(hospital.data)
    for file in backup.iterdir():
        shutil.copy(file, hospital.data)
    said = refused(hospital)
    assert "the database is older than what lies on disk (its last line is number " in said
    printed = cure(hospital, said, typed)
    assert "1 study put back" in printed
    assert "1 study on record already" in printed
    with hospital.run() as hilum:
        assert at_rest(hilum, hospital, "one", "two") == before
        swept(hilum, before["one"][0])
    sent_once(hospital, 2)


@pytest.mark.parametrize("file", ["hilum.db", "engine.db"])
@pytest.mark.parametrize("deed", ["deleted", "replaced"])
def test_a_database_that_goes_while_hilum_runs(
    kept: Kept, delivered: Hospital, typed: Typed, deed: str, file: str
) -> None:
    """No image that was accepted is lost, whatever is written to a file without a name."""
    name = f"{file} {deed}"
    with pytest.raises(RecordsUnusable) as noticed, delivered.run() as hilum:
        at_rest(hilum, delivered, *kept.items)
        if deed == "replaced":
            shutil.copy(delivered.data / file, delivered.folder / "other")
            (delivered.folder / "other").replace(delivered.data / file)
        else:
            lose(delivered.data, file)
        hilum.send(delivered.exam(name))
        hilum.until(lambda: False, "its end")
    said = str(noticed.value)
    assert f"{file} was deleted or replaced while Hilum ran, so it has stopped: " in said
    cure(delivered, said, typed)
    with delivered.run() as hilum:
        at_rest(hilum, delivered, *kept.items, name)
    sent_once(delivered, 3)


def test_what_was_not_sent_yet_is_sent_after_the_loss_and_what_was_taken_back_is_not(
    hospital: Hospital, typed: Typed
) -> None:
    hospital.archive.close()
    with hospital.run() as hilum:
        for name in ("sent", "cancelled"):
            hilum.send(hospital.exam(name))
            hilum.until(lambda name=name: is_in(hospital, name, "delivering"), name)  # type: ignore[misc]
        item = views.study(hilum.records, hospital.uid("cancelled")).workitems[0]
        done, _ = ask(hilum.records, hospital.data, RequestAction.CANCEL, item.id)
        assert done
        hilum.until(lambda: is_in(hospital, "cancelled", "cancelled"), "the copy")
    lose(hospital.data)
    printed = cure(hospital, refused(hospital), typed)
    assert "1 delivery to be asked for before anything is sent" in printed
    hospital.archive.open()
    with hospital.run() as hilum:
        assert at_rest(hilum, hospital, "sent")["sent"][1] == "completed"
        assert at_rest(hilum, hospital, "cancelled")["cancelled"][1] == "cancelled"
    sent_once(hospital, 1)


def is_in(hospital: Hospital, name: str, state: str) -> bool:
    rows = hospital.copy(name)
    return rows is not None and [row["state"] for row in rows["workitem"]] == [state]


def test_a_withdrawn_result_stays_withdrawn(delivered: Hospital, typed: Typed) -> None:
    with delivered.run() as hilum:
        item = views.study(hilum.records, delivered.uid("one")).workitems[0]
        done, _ = ask(hilum.records, delivered.data, RequestAction.WITHDRAW, item.id, "wrong")
        assert done
        hilum.until(lambda: len(states_in_copy(delivered)) == 2, "the note")
        hilum.until(lambda: states_in_copy(delivered) == ["completed", "withdrawn"], "the note")
    sent = Counter(delivered.archive.sent)
    lose(delivered.data)
    cure(delivered, refused(delivered), typed)
    with delivered.run() as hilum:
        deliver(hilum, delivered, "after the loss")  # whatever was due before is done by then
        states = [i.state for i in views.study(hilum.records, delivered.uid("one")).workitems]
    assert sorted(states) == ["completed", "withdrawn"]
    assert {uid: delivered.archive.sent[uid] for uid in sent} == sent


def states_in_copy(hospital: Hospital) -> list[str]:
    rows = hospital.copy("one")
    return sorted(row["state"] for row in rows["workitem"]) if rows else []


def test_an_empty_data_folder_starts_afresh(tmp_path: Path) -> None:
    (tmp_path / "hilum").mkdir()
    with running(tmp_path) as hilum:
        assert views.studies(hilum.records).total == 0


def test_recover_is_refused_while_hilum_runs_and_harmless_when_nothing_is_lost(
    kept: Kept, delivered: Hospital, typed: Typed
) -> None:
    with alone_in(delivered.data, [Role.GATEWAY]):
        status, printed = typed(delivered, "hilum recover")
        assert status == 1
        assert "another `hilum serve` works in" in printed
    status, printed = typed(delivered, "hilum recover")
    assert status == 0
    assert "2 studies on record already" in printed
    with delivered.run() as hilum:
        assert at_rest(hilum, delivered, *kept.items) == kept.items
        swept(hilum, kept.items["one"][0])
    sent_once(delivered, 2)


def test_commands_say_what_is_lost(delivered: Hospital, typed: Typed) -> None:
    lose(delivered.data)
    for command in ("hilum status", "hilum trace 1.2", "hilum retry 1"):
        status, printed = typed(delivered, command)
        assert status == 1
        assert "hilum.db is missing, but the data folder holds 2 studies and 2 results" in printed
        assert "`hilum recover`" in printed
    write_text_over(delivered.data)
    status, printed = typed(delivered, "hilum status")
    assert status == 1
    assert "database: file is not a database: `hilum recover`" in printed
    assert "Traceback" not in printed


def test_damage_that_a_process_meets_while_hilum_runs(delivered: Hospital, typed: Typed) -> None:
    """The file keeps its name and its place; who reads it next ends, and all the others with it."""
    with pytest.raises(RecordsUnusable) as noticed, delivered.run() as hilum:
        gateway = hilum.supervisor.processes["gateway"].pid
        assert gateway
        with (delivered.data / "hilum.db").open("r+b") as file:
            file.write(b"not a database" * 10_000)
        os.kill(gateway, signal.SIGKILL)
        hilum.until(lambda: False, "the end")
    assert "hilum.db is damaged (" in str(noticed.value)
    assert "`hilum recover`" in (delivered.data / "logs" / "hilum.log").read_text()
    cure(delivered, str(noticed.value), typed)
    with delivered.run() as hilum:
        at_rest(hilum, delivered, "one", "two")
    sent_once(delivered, 2)


def test_a_copy_that_cannot_be_understood_is_named_and_its_study_decided_on_anew(
    kept: Kept, delivered: Hospital, typed: Typed
) -> None:
    for name, content in (("one", b"{"), ("two", b'{"study_uid": "1.2", "rows": {"event": [1]}}')):
        (delivered.data / "records" / f"{digest(delivered.uid(name))}.json").write_bytes(content)
    lose(delivered.data)
    printed = cure(delivered, refused(delivered), typed)
    assert printed.count("not understood: ") == 2
    assert "2 studies to be decided on anew" in printed
    with delivered.run() as hilum:
        assert at_rest(hilum, delivered, *kept.items) == kept.items
    sent_once(delivered, 2)


@pytest.mark.skipif(bool(disk.why_not()), reason="only root can mount a file to be read only")
def test_a_read_only_database_is_said_and_works_when_it_can_be_written(
    kept: Kept, delivered: Hospital
) -> None:
    file = delivered.data / "hilum.db"
    with disk.mounted_read_only(file):
        assert "hilum.db is read-only: " in refused(delivered)
    with delivered.run() as hilum:
        assert at_rest(hilum, delivered, *kept.items) == kept.items
        swept(hilum, kept.items["one"][0])
    sent_once(delivered, 2)
