"""Files that are not as they should be, and what lies beside them."""

from collections.abc import Callable
from io import BytesIO

from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from hilum.dicom.part10 import PREAMBLE, prefix
from hilum.offline.report import ReportState
from hilum_lab.odd_input.case import CaseGroup, received, refused
from hilum_lab.odd_input.classic import CaseFiles, Maker

GROUP = CaseGroup("Files as they lie in folders")


def bare(dataset: Dataset, implicit: bool = False) -> bytes:
    """The data set alone."""
    buffer = DicomBytesIO()
    buffer.is_implicit_VR, buffer.is_little_endian = implicit, True
    write_dataset(buffer, dataset)
    return buffer.getvalue()


def whole(dataset: Dataset) -> bytes:
    """The data set as a file."""
    buffer = BytesIO()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def each(written: Callable[[Dataset], bytes]) -> Callable[[Maker], CaseFiles]:
    """A regular series, each file of it written in another way."""

    def make(maker: Maker) -> CaseFiles:
        exam = maker.exam()
        exam.files = {name: written(d) for name, d in exam.files.items() if isinstance(d, Dataset)}
        return exam

    return make


def one(number: int, written: Callable[[Dataset], bytes]) -> Callable[[Maker], CaseFiles]:
    """A regular series, one file of it written in another way."""

    def make(maker: Maker) -> CaseFiles:
        exam = maker.exam()
        name = f"{number:04d}.dcm"
        dataset = exam.files[name]
        assert isinstance(dataset, Dataset)
        exam.files[name] = written(dataset)
        return exam

    return make


def beside(name: str, content: Callable[[CaseFiles], bytes]) -> Callable[[Maker], CaseFiles]:
    """A regular series, and one file beside it."""

    def make(maker: Maker) -> CaseFiles:
        exam = maker.exam()
        exam.add(content(exam), name=name)
        return exam

    return make


def _said_to_be(syntax: str, dataset: Dataset, implicit: bool) -> bytes:
    start = prefix(dataset.SOPClassUID, dataset.SOPInstanceUID, syntax)
    return start + bare(dataset, implicit)


def _other_content(exam: CaseFiles) -> bytes:
    dataset = exam.datasets[3]
    before = dataset.PixelData
    dataset.PixelData = bytes(len(before))
    content = whole(dataset)
    dataset.PixelData = before
    return content


def _too_long_a_uid(dataset: Dataset) -> bytes:
    uid = str(dataset.SOPInstanceUID)
    longer = f"{uid}.{'1' * (66 - len(uid))}"
    data = bare(dataset).replace(_length(uid) + _padded(uid), _length(longer) + _padded(longer))
    return prefix(dataset.SOPClassUID, longer, ExplicitVRLittleEndian) + data


def _padded(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)


def _length(uid: str) -> bytes:
    return len(_padded(uid)).to_bytes(2, "little")


def _of_another_object(dataset: Dataset) -> bytes:
    return prefix(dataset.SOPClassUID, "2.25.99", ExplicitVRLittleEndian) + bare(dataset)


def _without_uids(dataset: Dataset) -> bytes:
    """A file whose file meta group holds the transfer syntax only."""
    syntax = ExplicitVRLittleEndian.encode() + b"\0"
    element = b"\2\0\x10\0UI" + len(syntax).to_bytes(2, "little") + syntax
    return PREAMBLE + element + bare(dataset)


def _deflated(dataset: Dataset) -> bytes:
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return whole(dataset)


def _index(exam: CaseFiles) -> bytes:
    del exam
    start = prefix("1.2.840.10008.1.3.10", "2.25.98", ExplicitVRLittleEndian)
    dataset = Dataset()
    dataset.FileSetID = "LAB"
    return start + bare(dataset)


RIGHT = r"put right: 12 files"
GROUP.add("data sets alone, explicit VR", each(bare), received(12, RIGHT, readable=False))
GROUP.add(
    "data sets alone, implicit VR",
    each(lambda dataset: bare(dataset, implicit=True)),
    received(12, RIGHT, readable=False),
)
GROUP.add(
    "preamble, then the data set",
    each(lambda dataset: PREAMBLE + bare(dataset)),
    received(12, RIGHT, readable=False),
)
GROUP.add(
    "said to be explicit VR, and implicit",
    each(lambda dataset: _said_to_be(ExplicitVRLittleEndian, dataset, implicit=True)),
    received(12, RIGHT, readable=False),
)
GROUP.add(
    "said to be implicit VR, and explicit",
    each(lambda dataset: _said_to_be(ImplicitVRLittleEndian, dataset, implicit=False)),
    received(12, RIGHT, readable=False),
)
GROUP.add(
    "no UIDs in the file meta group",
    each(_without_uids),
    received(12, RIGHT, readable=False),
)
GROUP.add(
    "file meta group of another object in one file",
    one(6, _of_another_object),
    refused(
        r"1 file, SOP Instance UID of the file meta group",
        r"1 slice missing",
        state=ReportState.HELD,
    ),
)
GROUP.add(
    "UID of more than 64 characters in the last file",
    one(12, _too_long_a_uid),
    received(11, r"1 file, longer than 64 characters: SOPInstanceUID", readable=False),
)
GROUP.add(
    "one file cut off",
    one(6, lambda dataset: whole(dataset)[:-200]),
    refused(r"1 file, not a readable DICOM object", r"1 slice missing", state=ReportState.HELD),
)
GROUP.add(
    "deflated",
    each(_deflated),
    refused(r"12 files, Deflated Explicit VR Little Endian is not taken in"),
)
GROUP.add(
    "one file twice",
    beside("copy.dcm", lambda exam: whole(exam.datasets[3])),
    received(12, r"left out: 1 file, the same object is here already", readable=False),
)
GROUP.add(
    "other content under the same UID",
    beside("other.dcm", _other_content),
    received(12, r"passed over: 1 file, SOP Instance UID received again", readable=False),
)
GROUP.add(
    "a text beside the images",
    beside("notes.txt", lambda _exam: b"not an image"),
    received(12, r"passed over: 1 file, not a DICOM file"),
)
GROUP.add(
    "an empty file beside the images",
    beside("empty.dcm", lambda _exam: b""),
    received(12, r"passed over: 1 file, the file is empty"),
)
GROUP.add(
    "a DICOMDIR beside the images",
    beside("DICOMDIR", _index),
    received(12, r"left out: 1 file, a DICOMDIR"),
)
