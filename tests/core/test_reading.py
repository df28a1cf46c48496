"""Reading a folder: what the inbox would take is read, what it would refuse is passed over."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
)

from hilum.dicom.header import read_header
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import PREAMBLE
from hilum.dicom.salvage import readable
from hilum.errors import UnreadableError
from hilum.inbox import Inbox, Intake
from hilum.offline.reading import Fate, Reading, in_lines, read_folder
from hilum.sources.folder import take_in
from tests.synthetic import image

SYNTAXES = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


def bare(dataset: Dataset, implicit: bool, little: bool = True) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, little
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def meta_group(dataset: Dataset, **values: str | None) -> bytes:
    """The file meta group of `dataset`, some of its elements changed or (None) left out."""
    buffer = BytesIO()
    meta = FileMetaDataset()
    meta.update(dataset.file_meta)
    for keyword, value in values.items():
        if value is None:
            del meta[keyword]
        else:
            setattr(meta, keyword, value)
    file = DicomBytesIO()
    file.is_implicit_VR, file.is_little_endian = False, True
    write_dataset(file, meta)
    buffer.write(file.getvalue())
    return buffer.getvalue()


def an_item(values: list[str]) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", "\\".join(values)[:60]
    item.is_undefined_length_sequence_item = bool(values)
    return item


@st.composite
def data_sets(draw: st.DrawFn) -> Dataset:
    """A small image with some further elements: texts, empty ones, sequences, private ones."""
    number = draw(st.integers(1, 99))
    dataset = image("1.2", "1.2.3", number, 4)
    texts = st.text(st.characters(min_codepoint=65, max_codepoint=90), max_size=12)
    dataset.SeriesDescription = draw(texts)
    if draw(st.booleans()):
        dataset.ImageComments = draw(texts) * draw(st.integers(1, 50))
    if draw(st.booleans()):
        items = [an_item(values) for values in draw(st.lists(st.lists(texts), max_size=3))]
        dataset.ProcedureCodeSequence = Sequence(items)
        dataset["ProcedureCodeSequence"].is_undefined_length = draw(st.booleans())
    if draw(st.booleans()):
        block = dataset.private_block(0x0009, "TEST", create=True)
        block.add_new(1, "LO", draw(texts))
        block.add_new(2, "UL", draw(st.integers(0, 2**32 - 1)))
    return dataset


def presentations(dataset: Dataset, implicit: bool) -> dict[str, bytes]:
    """The data set with everything that may be wrong, or missing, before it."""
    data = bare(dataset, implicit)
    true, other = reversed(SYNTAXES) if implicit else SYNTAXES
    true_meta = meta_group(dataset, TransferSyntaxUID=true)
    return {
        "as it should be": PREAMBLE + true_meta + data,
        "bare": data,
        "preamble only": PREAMBLE + data,
        "file meta group only": true_meta + data,
        "wrong transfer syntax": PREAMBLE + meta_group(dataset, TransferSyntaxUID=other) + data,
        "wrong, no preamble": meta_group(dataset, TransferSyntaxUID=other) + data,
        "said to be compressed": PREAMBLE
        + meta_group(dataset, TransferSyntaxUID=JPEGLSLossless)
        + data,
        "no transfer syntax": PREAMBLE + meta_group(dataset, TransferSyntaxUID=None) + data,
        "no UIDs": PREAMBLE
        + meta_group(
            dataset,
            TransferSyntaxUID=true,
            MediaStorageSOPClassUID=None,
            MediaStorageSOPInstanceUID=None,
        )
        + data,
    }


@given(dataset=data_sets(), implicit=st.booleans())
@settings(max_examples=60, deadline=None)
def test_whatever_is_before_a_data_set_it_is_read_as_from_the_clean_file(
    dataset: Dataset, implicit: bool
) -> None:
    files = presentations(dataset, implicit)
    clean = read_header(files["as it should be"]).header
    for what, content in files.items():
        file = readable(content)
        uids, header, *_ = read_header(file.part10(content))
        assert uids == file.uids, what
        assert header == clean, what
        assert bool(file.mended) == (what != "as it should be"), what
        again = readable(file.part10(content))
        assert again.mended == "", f"{what}: what was put right is right"


@pytest.mark.filterwarnings("ignore:Expected explicit VR")
@given(dataset=data_sets(), implicit=st.booleans(), data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_part_of_a_file_is_refused_or_read_as_far_as_it_goes(
    dataset: Dataset, implicit: bool, data: st.DataObject
) -> None:
    """Where bytes are missing from the image of a broken file, nothing is guessed."""
    files = presentations(dataset, implicit)
    what = data.draw(st.sampled_from(sorted(files)))
    part = files[what][: data.draw(st.integers(0, len(files[what]) - 1))]
    try:
        file = readable(part)
    except UnreadableError as error:
        assert "MARKER" not in str(error)
        return
    clean = read_header(files["as it should be"]).header
    header = read_header(file.part10(part)).header
    assert all(clean[element.tag] == element for element in header), what
    if "its data set is" in file.mended:
        assert "Rows" not in header, f"{what}: an image without pixels was guessed"


@given(
    st.binary(max_size=300), st.sampled_from([b"", PREAMBLE, b"\x08\0", b"\2\0", b"\x08\0\5\0CS"])
)
@settings(max_examples=300, deadline=None)
def test_noise_is_no_dicom_file(noise: bytes, start: bytes) -> None:
    with pytest.raises(UnreadableError):
        readable(start + noise)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"MediaStorageSOPInstanceUID": "1.2.9"}, "SOP Instance UID of the file meta group and"),
        ({"MediaStorageSOPClassUID": "1.2.9"}, "SOP Class UID of the file meta group and"),
    ],
)
def test_a_file_that_says_it_is_another_object_is_refused(
    change: dict[str, str], reason: str
) -> None:
    dataset = image("1.2", "1.2.3", 1, 4)
    with pytest.raises(UnreadableError, match=reason):
        readable(PREAMBLE + meta_group(dataset, **change) + bare(dataset, implicit=False))


@pytest.mark.filterwarnings("ignore:The value length")
def test_what_only_a_person_could_say_is_not_guessed() -> None:
    dataset = image("1.2", "1.2.3", 1, 4)
    big = bare(dataset, implicit=False, little=False)
    little = PREAMBLE + meta_group(dataset, TransferSyntaxUID=ExplicitVRBigEndian)
    for content in (big, PREAMBLE + big, little + bare(dataset, implicit=False)):
        with pytest.raises(UnreadableError):
            readable(content)
    dataset = image("1.2", "1.2.3", 1, 32)
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    compressed = bare(dataset, implicit=False)
    said_not_to_be = PREAMBLE + meta_group(dataset, TransferSyntaxUID=ExplicitVRLittleEndian)
    with pytest.raises(UnreadableError, match="the method is stated nowhere"):
        readable(said_not_to_be + compressed)
    with pytest.raises(UnreadableError, match="cannot be read to the end"):
        readable(compressed)
    dataset.SOPInstanceUID = "1." * 40 + "1"
    with pytest.raises(UnreadableError, match="longer than 64 characters: SOPInstanceUID"):
        readable(PREAMBLE + meta_group(dataset) + bare(dataset, implicit=False))


# One reading path -----------------------------------------------------------------------------


def contents(number: int) -> dict[str, bytes]:
    """Files of one object: as it should be, to be put right, other versions, broken ones."""
    dataset = image("1.2", "1.2.3", number, 4)
    files = presentations(dataset, implicit=False)
    dataset.SeriesDescription = "another"
    files["other content"] = PREAMBLE + meta_group(dataset) + bare(dataset, implicit=False)
    files["cut"] = files["as it should be"][:-9]
    files["named otherwise"] = (
        PREAMBLE
        + meta_group(dataset, MediaStorageSOPInstanceUID="1.9")
        + bare(dataset, implicit=False)
    )
    return files


FILES = {(number, what): c for number in (1, 2) for what, c in contents(number).items()}


@given(st.lists(st.sampled_from(sorted(FILES)), min_size=1, max_size=8))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_folder_is_read_as_the_inbox_takes_it_in(
    tmp_path_factory: pytest.TempPathFactory, chosen: list[tuple[int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("reading")
    (folder / "exam").mkdir()
    (folder / "right").mkdir()
    for place, key in enumerate(chosen):
        (folder / "exam" / f"{place}").write_bytes(FILES[key])
    inbox = Inbox(folder / "inbox")
    stored = list(take_in(folder / "exam", inbox))
    reading = read_folder(folder / "exam", folder / "right")

    def said(fate: Fate) -> list[str]:
        return [remark.reason for remark in reading.remarks if remark.fate is fate]

    def became(outcome: Intake) -> list[str]:
        return [s.reason for s in stored if s.outcome is outcome and s.reason]

    assert said(Fate.PASSED_OVER) == became(Intake.QUARANTINED)
    assert said(Fate.PUT_RIGHT) == became(Intake.STORED)
    assert len(said(Fate.LEFT_OUT)) == sum(s.outcome is Intake.DUPLICATE for s in stored)
    here = {i.sop_instance_uid: i.header for a in reading.studies for i in a.instances.values()}
    there = [Instance.read(path) for path in inbox.incoming.rglob("*.dcm")]
    assert here == {i.sop_instance_uid: i.header for i in there}


# Folders as they are --------------------------------------------------------------------------


@pytest.fixture
def exam(tmp_path: Path) -> Path:
    folder = tmp_path / "exam"
    folder.mkdir()
    for number in (1, 2, 3):
        clean = contents(number)["as it should be"]
        (folder / f"{number}.dcm").write_bytes(clean)
    return folder


def images(reading: Reading) -> int:
    return sum(arrival.images for arrival in reading.studies)


def reasons(reading: Reading) -> dict[str, str]:
    return {Path(remark.path).name: remark.reason for remark in reading.remarks}


@contextmanager
def nobody() -> Iterator[None]:
    """A user who may not read everything, also where root runs the tests."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_and_a_file_that_may_not_be_read_are_said(exam: Path) -> None:
    locked = exam / "locked"
    locked.mkdir()
    shutil.copy(exam / "1.dcm", exam / "secret.dcm")
    (exam / "secret.dcm").chmod(0)
    locked.chmod(0)
    for folder in (exam, *exam.parents):
        if "pytest-of-" in str(folder):  # pytest's own, which are for their owner only
            folder.chmod(0o755)
    with nobody():
        reading = read_folder(exam)
    locked.chmod(0o700)
    assert images(reading) == 3
    assert reasons(reading) == {
        "locked": "cannot be opened: Permission denied",
        "secret.dcm": "cannot be opened: Permission denied",
    }


def test_links_are_followed_once_and_never_in_circles(exam: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (exam / "3.dcm").rename(elsewhere / "3.dcm")
    (exam / "more").symlink_to(elsewhere)
    (exam / "same").symlink_to(elsewhere)
    (exam / "up").symlink_to(exam.parent)
    (exam / "self").symlink_to("self")
    (exam / "dangling").symlink_to("nowhere")
    reading = read_folder(exam)
    assert images(reading) == 3
    said = reasons(reading)
    assert said["same"] == "a link to a folder that is read already"
    assert "Too many levels of symbolic links" in said["self"]
    assert "No such file" in said["dangling"]


def test_what_is_no_file_is_not_opened(exam: Path) -> None:
    os.mkfifo(exam / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(exam / "socket"))
        (exam / "empty.dcm").touch()
        (exam / "null").symlink_to(os.devnull)
        reading = read_folder(exam)
    assert images(reading) == 3
    assert reasons(reading) == {
        "pipe": "a named pipe, not a file",
        "socket": "a socket, not a file",
        "null": "a device, not a file",
        "empty.dcm": "the file is empty",
    }


def test_files_that_vanish_while_they_are_read_are_said(exam: Path) -> None:
    def vanish(_step: str, done: int, _total: int) -> None:
        if done == 1:
            (exam / "2.dcm").unlink()

    reading = read_folder(exam, progress=vanish)
    assert images(reading) == 2
    assert reasons(reading) == {"2.dcm": "cannot be opened: No such file or directory"}


def test_ten_thousand_files_are_a_few_lines_and_the_progress_is_told(exam: Path) -> None:
    for number in range(10_000):
        (exam / f"notes-{number:05}.txt").write_text("not an image")
    shutil.copytree(exam, exam / "copy", ignore=shutil.ignore_patterns("*.txt"))
    (exam / os.fsdecode(b"\xff\x1b[31m.txt")).write_text("a name that is no text")
    seen: list[tuple[int, int]] = []
    reading = read_folder(exam, progress=lambda _step, done, total: seen.append((done, total)))
    assert seen[0] == (1, 10_007)
    assert seen[-1] == (10_007, 10_007)
    assert len(reading.remarks) == 10_004, "all of them are there for a program"
    lines = list(in_lines(reading.remarks, exam))
    assert len(lines) == 2
    assert lines[0].startswith("left out: 3 files, the same object is here already (copy/1.dcm,")
    assert lines[1].startswith("passed over: 10001 files, not a DICOM file: no prefix or no")
    assert "and 9998 more" in lines[1]
    assert all(line.isprintable() for line in lines)
