"""Hostile and odd files that are handed over: each harms only itself, and is told in words."""

import errno
import gzip
import io
import json
import multiprocessing
import socket
import stat
import struct
import zipfile
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from factory import mr_slices
from hilum.dicom.part10 import PREAMBLE, as_file
from hilum.errors import UploadError
from hilum.hosts.walls import files
from hilum.inbox import Inbox
from hilum.processes.hints import HintSender, gateway_address
from hilum.uploading import archive
from hilum.uploading.archive import UploadBounds
from hilum.uploading.intake import IN_MEMORY, UploadIntake
from hilum.uploading.talk import MOST_REASONS, OTHER_REASONS, Fates, FileFate, NewStudy
from hilum.uploading.wall import wall_in

BOUNDS = UploadBounds(bytes=1 << 30, files=1000, low_water_mb=0)
MIB = 1 << 20
Take = Callable[..., dict[str, int]]


@pytest.fixture(scope="module")
def image() -> bytes:
    return as_file(mr_slices(count=1)[0])


@pytest.fixture
def admitted() -> list[NewStudy]:
    return []


@pytest.fixture
def take(tmp_path: Path, admitted: list[NewStudy]) -> Iterator[Take]:
    """Takes in one file; what became of what is in it."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    hints = HintSender(gateway_address(data))

    def taken(content: bytes, bounds: UploadBounds = BOUNDS) -> dict[str, int]:
        path = tmp_path / "file"
        path.write_bytes(content)
        intake = UploadIntake(Inbox(data), hints, "number", bounds, admitted.append, lambda: None)
        intake.take(path)
        assert not list((data / "partial").iterdir())
        counts = intake.fates.as_counts()
        return {f"{one.fate}: {one.reason}".removesuffix(": "): one.files for one in counts}

    yield taken
    hints.close()


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in entries:
            opened.writestr(name, content, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def encrypted(content: bytes) -> bytes:
    """An archive of which each entry says that it is encrypted."""
    made = bytearray(zipped(("one", content)))
    made[6] |= 1
    made[made.rfind(b"PK\1\2") + 8] |= 1
    return bytes(made)


def test_paths_and_links_in_an_archive_lead_nowhere(
    take: Take, tmp_path: Path, image: bytes
) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    outside = tmp_path / "outside.dcm"
    names = ("../../outside.dcm", str(outside), "C:\\outside.dcm", "a/../../../outside.dcm")
    unnamed = zipfile.ZipInfo("x")
    unnamed.filename = ""
    entries = ((link, b"/etc/passwd"), (unnamed, image), *((name, image) for name in names))
    assert take(zipped(*entries)) == {
        "refused: it is a link, not a file": 1,
        "accepted": 1,
        "here already": 4,
    }
    assert not outside.exists()


def test_a_bomb_is_stopped_while_it_unpacks(take: Take, image: bytes) -> None:
    start = image[:2000]
    bomb = zipped(("bomb", start + bytes(40 * MIB)), ("image", image))
    with pytest.raises(UploadError, match=r"more than 0\.0195 GiB: upload it in parts"):
        take(bomb, UploadBounds(20 * MIB, 1000, 0))


def test_an_archive_that_expands_a_hundred_times_is_no_archive_of_images(
    take: Take, image: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "SMALL", 1 * MIB)
    bomb = zipped(("bomb", image[:2000] + bytes(8 * MIB)))
    with pytest.raises(UploadError, match="becomes more than 100 times as large"):
        take(bomb)


def test_a_million_empty_entries_are_counted_before_they_are_read(take: Take) -> None:
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", *[20] * 2, *[0] * 4, *[0] * 3, *[0] * 5, 0, 0)
    directory = entry * 1_000_000
    size = len(directory)
    end_64 = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**6, 10**6, size, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, size, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    with pytest.raises(UploadError, match="more than 1000 files: upload them in parts"):
        take(b"PK\3\4" + directory + end_64 + locator + end)
    lying = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3, 3, size, 4, 0)
    with pytest.raises(UploadError, match="more than 1000 files"):
        take(b"PK\3\4" + directory + lying)


def test_too_many_files_are_not_taken(take: Take) -> None:
    with pytest.raises(UploadError, match="more than 5 files"):
        take(zipped(*((str(number), b"") for number in range(6))), UploadBounds(MIB, 5, 0))


@pytest.mark.parametrize("cut", [30, 1000, 2500])
def test_a_truncated_archive_is_said_to_be_one(take: Take, image: bytes, cut: int) -> None:
    whole = zipped(("image", image))
    with pytest.raises(UploadError, match="the archive is cut off or damaged: make it anew"):
        take(whole[: min(cut, len(whole) - 1)])


def test_an_entry_that_is_damaged_stops_no_other(take: Take, image: bytes) -> None:
    made = bytearray(zipped(("one", image), ("two", b"no image")))
    made[1000] ^= 0xFF
    assert take(bytes(made)) == {
        "refused: it is damaged inside the archive": 1,
        "left out: not a DICOM file": 1,
    }


def test_what_is_encrypted_nested_or_another_archive_is_refused_with_a_cure(
    take: Take, image: bytes
) -> None:
    needs = "it is encrypted: unpack the archive with its password, and upload the files"
    assert take(encrypted(image)) == {f"refused: {needs}": 1}
    inner = zipped(("image", image))
    nested = "an archive inside an archive: unpack it, and upload what is in it"
    assert take(zipped(("inner.zip", inner), ("inner.gz", gzip.compress(inner)))) == {
        f"refused: {nested}": 2
    }
    assert take(gzip.compress(image)) == {
        "refused: a gzip archive: make a ZIP archive of it, or upload its files": 1
    }


def test_what_is_no_image_is_left_out_and_what_is_broken_is_quarantined(
    take: Take, image: bytes
) -> None:
    assert take(b"") == {"left out: not a DICOM file": 1}
    assert take(b"MZ" + bytes(1000)) == {"left out: not a DICOM file": 1}
    [said] = take(image[: len(PREAMBLE) + 300])
    assert said.startswith("quarantined: ")
    assert take(image) == {"accepted": 1}
    other = image.replace(b"\xff\x02", b"\x00\x02", 1)
    assert take(other) == {"quarantined: SOP Instance UID received again with other content": 1}


def test_an_image_that_is_larger_than_memory_allows_grows_on_the_disk(
    take: Take, admitted: list[NewStudy]
) -> None:
    [large] = mr_slices(count=1, shape=(8, 8))
    large.Rows, large.Columns = 4200, 4200
    large.PixelData = np.zeros((4200, 4200), np.uint16).tobytes()
    content = as_file(large)
    assert len(content) > IN_MEMORY
    assert take(zipped(("large", content))) == {"accepted": 1}
    assert take(content) == {"here already": 1}
    assert [one.is_here for one in admitted] == [False, True]


def test_the_disk_keeps_room_for_what_senders_send(take: Take, image: bytes) -> None:
    with pytest.raises(OSError, match="No space left"):
        take(image, UploadBounds(1 << 30, 10, low_water_mb=1 << 40))


def test_reasons_cannot_fill_the_memory() -> None:
    fates = Fates()
    for number in range(3 * MOST_REASONS):
        fates.add(FileFate.QUARANTINED, f"reason {number}" + "x" * 1000)
    counts = fates.as_counts()
    assert sum(count.files for count in counts) == 3 * MOST_REASONS
    assert counts[-1].reason == OTHER_REASONS
    assert max(len(count.reason) for count in counts) == 300


def try_beyond_the_wall(data: Path, tell: Connection) -> None:
    """In a process of its own: there is no way back."""
    wall_in(data)
    told = {}
    for name, path, mode in (
        ("records", data / "hilum.db", "rb"),
        ("settings", data.parent / "hilum.toml", "rb"),
        ("programs", Path("/etc/passwd"), "rb"),
        ("results", data / "results" / "new", "wb"),
        ("inbox", data / "incoming" / "new", "wb"),
    ):
        try:
            path.open(mode).close()
            told[name] = "opened"
        except OSError as error:
            told[name] = errno.errorcode[error.errno or 0]
    try:
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    except OSError as error:
        told["network"] = errno.errorcode.get(error.errno or 0, "?")
    tell.send_bytes(json.dumps(told).encode())


@pytest.mark.skipif(files.abi() < 4, reason="this kernel's Landlock knows no network")
def test_what_reads_an_upload_reaches_the_inbox_and_no_records(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    Inbox(data)
    (data / "results").mkdir()
    for path in (data / "hilum.db", tmp_path / "hilum.toml"):
        path.write_text("secret")
    heard, tell = Pipe(duplex=False)
    context = multiprocessing.get_context("fork")
    process = context.Process(target=try_beyond_the_wall, args=(data, tell))
    process.start()
    tell.close()
    told = json.loads(heard.recv_bytes())
    process.join()
    assert told == {
        "records": "EACCES",
        "settings": "EACCES",
        "programs": "EACCES",
        "results": "EACCES",
        "inbox": "opened",
        "network": "EACCES",
    }
