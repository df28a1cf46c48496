"""The promises that every kind of result object must keep."""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom.dataset import Dataset
from pydicom.uid import UID

from hilum.assessments.decision import AssessmentDecision
from hilum.dicom.identity import PATIENT_AND_STUDY
from hilum.dicom.part10 import as_file
from hilum.dicom.text import is_valid
from hilum.dicom.uids import derived_uid
from hilum.kinds import OBJECTS
from hilum.objects import Analysis, ReaderWord
from hilum.objects.analysis import WrittenFile
from hilum.objects.kinds import Assessable, ResultObject, Withdrawable, Writing
from hilum.results import DICOM
from hilum.testing.samples import analysis_of, refusal_of, write_series

Contents = Sequence[Dataset | bytes]


def check_object(kind: type[ResultObject], analyses: Iterable[Analysis] = ()) -> None:
    """Check that a kind of result object keeps the promises that deliveries depend on.

    Parameters
    ----------
    kind
        Its class, as the entry point names it.
    analyses
        More analyses to be written, beside a sample with a segment and one that is a refusal.
    """
    assert "/" in kind.media_type, "`media_type` is a media type"
    assert isinstance(kind.refers_to, tuple), "`refers_to` is a tuple of names of kinds"
    with TemporaryDirectory() as folder:
        files = write_series(Path(folder))
        written = 0
        for analysis in (analysis_of(files), refusal_of(files), *analyses):
            written += len(_check_written(kind, analysis))
        assert written, "it says something of at least one of the analyses"
        if kind.media_type != DICOM and isinstance(kind(), Withdrawable):
            _check_withdrawal(kind, analysis_of(files))
        if kind.media_type != DICOM and isinstance(kind(), Assessable):
            _check_assessment(kind, analysis_of(files))


def _check_written(kind: type[ResultObject], analysis: Analysis) -> Contents:
    before = {other: OBJECTS.load(other)().write(Writing(analysis)) for other in kind.refers_to}
    of_images = deepcopy(analysis.patient_and_study)  # a writer could change what it is given
    contents = kind().write(Writing(analysis, written=before))
    again = kind().write(Writing(analysis, written=before))
    assert [_bytes(c) for c in contents] == [_bytes(c) for c in again], (
        "the same analysis gives the same bytes, so that nothing is sent twice"
    )
    kind().write(Writing(analysis))  # a destination may not receive what it refers to
    for content in contents:
        assert isinstance(content, Dataset) is (kind.media_type == DICOM), (
            f"it gives data sets exactly if its media type is {DICOM}"
        )
        if isinstance(content, Dataset):
            _check_dataset(content, analysis, of_images)
        else:
            assert content, "a file is not empty"
    uids = _uids(contents)
    assert len(set(uids)) == len(uids), "each object has a SOP Instance UID of its own"
    other = replace(analysis, workitem_id=derived_uid("check_object"))
    others = _uids(kind().write(Writing(other)))
    assert not set(uids) & set(others), "another workitem gives other UIDs: use `common.stamp`"
    return contents


def _check_dataset(dataset: Dataset, analysis: Analysis, of_images: Dataset) -> None:
    for keyword in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"):
        assert UID(dataset[keyword].value).is_valid, f"{keyword} is a valid UID"
    assert dataset.StudyInstanceUID == analysis.study.uid, "it belongs to the analysed study"
    for keyword in PATIENT_AND_STUDY:
        if keyword in of_images and keyword in dataset:
            assert dataset[keyword].value == of_images[keyword].value, (
                f"{keyword} is that of the analysed images"
            )
    assert dataset.get("PatientID") == of_images.get("PatientID"), "it says whose it is"
    for element in dataset:
        for value in element.value if element.VM > 1 else [element.value]:
            if isinstance(value, str):
                assert is_valid(element.VR, value), f"{element.keyword} is a valid {element.VR}"


def _check_withdrawal(kind: type[ResultObject], analysis: Analysis) -> None:
    writer = kind()
    assert isinstance(writer, Withdrawable)
    identity, reason = derived_uid("check_object", "taken back"), "Of another structure."
    writing = Writing(analysis)
    note = writer.write_withdrawal(writing, [identity], reason)
    assert note == writer.write_withdrawal(writing, [identity], reason), (
        "the same withdrawal gives the same bytes"
    )
    assert identity.encode() in note, "a withdrawal names what it takes back"


def _check_assessment(kind: type[ResultObject], analysis: Analysis) -> None:
    writer = kind()
    assert isinstance(writer, Assessable)
    name = next((name for name in OBJECTS.names if OBJECTS.load(name) is kind), kind.__name__)
    word = ReaderWord(AssessmentDecision.REJECTED, "A reader", "2.25.1", "So.", analysis.created)

    def note_on(written: bytes, identity: str) -> bytes:
        about = replace(analysis, replaced=(WrittenFile(name, identity, written),))
        return writer.write_assessment(Writing(about), [identity], word)

    identity, another = (derived_uid("check_object", "assessed", each) for each in "ab")
    [written, *_] = map(_bytes, writer.write(Writing(analysis)))
    other = replace(analysis, workitem_id=derived_uid("check_object", "another"))
    [other_written, *_] = map(_bytes, writer.write(Writing(other)))
    note = note_on(written, identity)
    assert note == note_on(written, identity), "the same assessment gives the same bytes"
    assert note != note_on(other_written, another), "an assessment names what it is about"
    assert note != written, "an assessment is no result"


def _bytes(content: Dataset | bytes) -> bytes:
    return as_file(content) if isinstance(content, Dataset) else content


def _uids(contents: Contents) -> list[str]:
    return [str(c.SOPInstanceUID) for c in contents if isinstance(c, Dataset)]
