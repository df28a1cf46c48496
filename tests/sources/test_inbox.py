"""The inbox: order, duplication and races of arrivals do not matter."""

import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.uid import generate_uid

from hilum.dicom.header import identify
from hilum.errors import UnreadableError
from hilum.inbox import Inbox, Intake
from hilum.sources.folder import take_in
from tests.synthetic import image, write_series


def _objects(folder: Path) -> list[bytes]:
    return [path.read_bytes() for _ in range(2) for path in write_series(folder, 3, size=8)]


def _contents(inbox: Inbox) -> dict[str, bytes]:
    return {
        str(path.relative_to(inbox.incoming)): path.read_bytes()
        for path in inbox.incoming.rglob("*.dcm")
    }


@given(data=st.data())
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_order_with_any_repetition_gives_the_same_inbox(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("inbox")
    objects = _objects(folder / "scan")
    expected = Inbox(folder / "expected")
    for part10 in objects:
        expected.store(part10)
    order = data.draw(st.permutations(range(len(objects))))
    repeated = data.draw(st.lists(st.sampled_from(order), max_size=6))
    inbox = Inbox(folder / "inbox")
    outcomes = [inbox.store(objects[number]).outcome for number in [*order, *repeated]]
    assert _contents(inbox) == _contents(expected)
    assert outcomes == [Intake.STORED] * len(order) + [Intake.DUPLICATE] * len(repeated)


def test_an_image_that_is_removed_while_it_comes_again_is_taken(tmp_path: Path) -> None:
    (part10,) = [path.read_bytes() for path in write_series(tmp_path / "scan", 1, size=8)]
    inbox = Inbox(tmp_path / "inbox")
    path = inbox.store(part10).path
    done = threading.Event()

    def remove_again_and_again() -> None:
        while not done.is_set():
            path.unlink(missing_ok=True)

    remover = threading.Thread(target=remove_again_and_again)
    remover.start()
    outcomes = {inbox.store(part10).outcome for _ in range(300)}
    done.set()
    remover.join()
    assert outcomes <= {Intake.STORED, Intake.DUPLICATE}


def test_a_race_for_one_name_has_one_winner(tmp_path: Path) -> None:
    study, series = generate_uid(prefix=None), generate_uid(prefix=None)
    versions = []
    for text in ("one", "two"):
        path = tmp_path / text
        image(study, series, SeriesDescription=text).save_as(path, enforce_file_format=True)
        versions.append(path.read_bytes())
    inbox = Inbox(tmp_path / "inbox")
    outcomes: list[Intake] = []
    start = threading.Barrier(8)

    def store(part10: bytes) -> None:
        start.wait()
        outcomes.append(inbox.store(part10).outcome)

    threads = [threading.Thread(target=store, args=(versions[n % 2],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcome.name for outcome in outcomes) == (
        ["DUPLICATE"] * 3 + ["QUARANTINED"] * 4 + ["STORED"]
    )
    assert len(list(inbox.quarantine_folder.glob("*.dcm"))) == 1
    assert list((tmp_path / "inbox" / "partial").iterdir()) == []


@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")
@given(noise=st.binary(max_size=300), keep=st.integers(0, 2000))
@settings(max_examples=200, deadline=None)
def test_broken_bytes_are_unreadable_and_nothing_else(
    sample: bytes, noise: bytes, keep: int
) -> None:
    try:
        identify(sample[:keep] + noise)
    except UnreadableError as error:
        assert "MARKER" not in str(error)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_series(tmp_path_factory.mktemp("sample"), 1, size=8)[0].read_bytes()


def test_a_study_folder_that_was_removed_is_made_again(tmp_path: Path) -> None:
    first, second = write_series(tmp_path / "scan", 2, size=8)
    inbox = Inbox(tmp_path / "inbox")
    path = inbox.store(first.read_bytes()).path
    path.unlink()
    path.parent.rmdir()
    assert inbox.store(second.read_bytes()).outcome is Intake.STORED


def test_files_of_killed_processes_are_removed(tmp_path: Path) -> None:
    partial = tmp_path / "partial"
    partial.mkdir()
    old, new = partial / "old.part", partial / "new.part"
    old.write_bytes(b"")
    new.write_bytes(b"")
    os.utime(old, (0, 0))
    Inbox(tmp_path)
    assert [path.name for path in partial.iterdir()] == ["new.part"]


def test_a_folder_is_taken_in_whatever_its_files_are_called(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = write_series(tmp_path / "scan" / "deep", 3, size=8)
    files[0].rename(files[0].with_name("IM_0001"))
    (tmp_path / "scan" / "notes.txt").write_text("not DICOM")
    (tmp_path / "scan" / "broken.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    (tmp_path / "scan" / "dangling").symlink_to("nowhere")
    inbox = Inbox(tmp_path / "inbox")
    with caplog.at_level("INFO"):
        stored = [item.outcome for item in take_in(tmp_path / "scan", inbox)]
    assert sorted(o.name for o in stored) == ["QUARANTINED", "STORED", "STORED", "STORED"]
    assert "4 files taken in, 2 skipped" in caplog.text
    assert [item.outcome for item in take_in(tmp_path / "scan" / "deep", inbox)] == (
        [Intake.DUPLICATE] * 3
    )
