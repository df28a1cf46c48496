"""The sender against DCMTK's storescp and against our own receiver."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.processes.hints import Released
from hilum.transport import sender
from hilum_lab.network.processes import available_port
from tests.synthetic import (
    DCMTK,
    dataset_bytes,
    running_receiver,
    uid,
    wait_for_port,
    write_series,
)


@pytest.fixture
def storescp(tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Folder and port of DCMTK's receiver, which keeps data sets bit by bit."""
    folder, port = tmp_path / "storescp", available_port()
    folder.mkdir()
    command = ["storescp", "-q", "-B", "+xa", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, env=DCMTK)
    try:
        wait_for_port(port)
        yield folder, port
    finally:
        process.kill()
        process.wait()


def test_dcmtk_receives_every_byte(storescp: tuple[Path, int], tmp_path: Path) -> None:
    folder, port = storescp
    files = write_series(tmp_path / "scan", 5)
    seen: list[sender.Sent] = []
    report = sender.send(files, ("STORESCP", "127.0.0.1", port), progress=seen.append)
    assert (report.stored, report.failed) == (5, ())
    assert list(report.files) == seen
    assert [sent.path for sent in seen] == files
    assert report.seconds > 0
    received = {uid(path): dataset_bytes(path) for path in folder.iterdir()}
    assert received == {uid(path): dataset_bytes(path) for path in files}


def test_echo(storescp: tuple[Path, int]) -> None:
    assert sender.echo(("STORESCP", "127.0.0.1", storescp[1])) > 0


def test_more_contexts_than_one_association_has(tmp_path: Path) -> None:
    files = [
        write_series(tmp_path / str(n), 1, size=8, SOPClassUID=f"1.3.12.2.1107.5.9.{n}")[0]
        for n in range(1, 101)  # two contexts each: Explicit and Implicit VR
    ]
    with running_receiver(tmp_path / "receiver") as receiver:
        assert sender.send(files, receiver.called).stored == 100
        assert len(receiver.wait_for(Released, 2)) == 2


def test_only_implicit_vr_is_converted(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 2)
    folder, port = tmp_path / "out", available_port()
    folder.mkdir()
    command = ["storescp", "-q", "+xi", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, env=DCMTK)
    try:
        wait_for_port(port)
        assert sender.send(files, ("STORESCP", "127.0.0.1", port)).stored == 2
        assert {uid(path) for path in folder.iterdir()} == {uid(path) for path in files}
    finally:
        process.kill()
        process.wait()


def test_files_that_are_not_dicom_are_reported(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    files = write_series(tmp_path / "scan", 1)
    with running_receiver(tmp_path / "receiver") as receiver:
        report = sender.send([text, *files, tmp_path / "gone.dcm"], receiver.called)
    assert report.stored == 1
    assert [(sent.path.name, sent.status) for sent in report.failed] == [
        ("notes.txt", None),
        ("gone.dcm", None),
    ]


def test_a_class_that_is_not_accepted_is_reported(
    storescp: tuple[Path, int], tmp_path: Path
) -> None:
    known = write_series(tmp_path / "known", 1)
    private = write_series(tmp_path / "private", 1, SOPClassUID="1.3.12.2.1107.5.9.1")
    report = sender.send([*known, *private], ("STORESCP", "127.0.0.1", storescp[1]))
    assert [sent.status for sent in report.files] == [0, 0x0122]
    with pytest.raises(DeliveryRefused, match="accepts none of"):
        sender.send(private, ("STORESCP", "127.0.0.1", storescp[1]))


def test_nobody_listens(tmp_path: Path) -> None:
    files = write_series(tmp_path / "scan", 1)
    with pytest.raises(DeliveryDelayed, match="check that it runs"):
        sender.send(files, ("ANY", "127.0.0.1", available_port()))
    with pytest.raises(DeliveryDelayed, match="unknown host"):
        sender.echo(("ANY", "no-such-host.invalid", 104))
