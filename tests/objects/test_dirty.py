"""Whatever the headers of the images hold, the results are valid, and identify as they do."""

import warnings
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pydicom
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from hilum.dicom.identity import IDENTIFYING
from hilum.dicom.study import Study
from hilum.objects import UNREADABLE_LETTERS, write_objects
from tests.drawn import examples

from . import exams, validators

pytestmark = [
    pytest.mark.filterwarnings("ignore:Invalid value"),
    pytest.mark.filterwarnings("ignore:The value length"),
    pytest.mark.filterwarnings("ignore:The number of PN"),
    pytest.mark.filterwarnings("ignore:Value.*exceeds the maximum length"),
]
SPOILT = (
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "ReferringPhysicianName",
    "SeriesDescription",
    "BodyPartExamined",
    "FrameOfReferenceUID",
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionDateTime",
    "Laterality",
    "PositionReferenceIndicator",
)
Elements = Mapping[str, tuple[str, str]]  # keyword -> stated VR, value

# Letters of Latin-1, control characters, the delimiters of values and of names.
LETTERS = st.sampled_from([*map(chr, range(1, 27)), *"Aaß9 \\^=\n\r\t\f.-:/", "\x7f", "\x85", "ÿ"])
BROKEN = st.one_of(
    st.text(LETTERS, max_size=12), st.text(LETTERS, min_size=60, max_size=90), st.just("1,0")
)
ELEMENTS = st.dictionaries(
    st.sampled_from(SPOILT),
    st.tuples(st.sampled_from(["", "", "LO", "SH", "ST", "UT"]), BROKEN),
    max_size=len(SPOILT),
)
NAMES = st.text(st.sampled_from("ÄÖäöüßRoe'- "), min_size=1, max_size=20).map(str.strip)
IDS = st.text(st.sampled_from("ABC123 -/äö"), min_size=1, max_size=20).map(str.strip)


def spoilt(folder: Path, elements: Elements, declared: str = "ISO_IR 100", **whose: str) -> Study:
    """An exam whose images hold `elements`, and its `whose`; `declared` is what they are to say.

    They are encoded by ISO_IR 100, in Explicit VR Little Endian.
    """

    def spoil(image: Dataset) -> None:
        image.SpecificCharacterSet = "ISO_IR 100"
        for keyword, (vr, value) in elements.items():
            tag = Tag(keyword)
            vr = vr or dictionary_VR(tag).replace("DS", "LO")  # pydicom writes no broken DS
            image.add(DataElement(tag, vr, value, validation_mode=config.IGNORE))
        for keyword, value in whose.items():
            setattr(image, keyword, value)

    study = exams.write_exam(folder, spoil, shape=(6, 16, 15))
    for path in folder.glob("*.dcm"):
        content = path.read_bytes().replace(b"ISO_IR 100", declared.encode().ljust(10)[:10])
        path.write_bytes(content)
    return exams.read_study(folder) if declared != "ISO_IR 100" else study


def written(study: Study, kinds: tuple[str, ...], folder: Path) -> list[Dataset]:
    """The results read back; none of them may be invalid."""
    analysis = exams.analysis_of(study, study.series[0])
    read = []
    for kind, dataset in write_objects(analysis, kinds):
        path = folder / f"{kind}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        complaints = validators.dciodvfy(path)
        assert [line for line in complaints if not line.startswith("Warning")] == [], kind
        read.append(pydicom.dcmread(path))
    return read


@examples(12, 200, suppress_health_check=[HealthCheck.too_slow])
@given(ELEMENTS, NAMES, IDS, st.sampled_from(["ISO_IR 100", "ISO-IR 100", "LATIN1", "ISO_IR 999"]))
def test_results_of_dirty_headers_are_valid(
    elements: Elements, name: str, patient_id: str, declared: str
) -> None:
    number = patient_id[:16].rstrip()  # spaces at its end mean nothing (PS3.5 6.2)
    whose = {"PatientName": name, "PatientID": patient_id, "AccessionNumber": number}
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = spoilt(Path(folder), elements, declared, **whose)
        (report,) = written(study, ("sr",), Path(folder))
    for keyword, value in whose.items():
        assert str(report.get(keyword) or "") == value


def test_every_object_of_the_dirtiest_header_is_valid(tmp_path: Path) -> None:
    elements = {keyword: ("LO", "A\n\x07\\B" * 20) for keyword in SPOILT}
    study = spoilt(tmp_path, elements, PatientName="Müller^Jürgen")
    results = written(study, ("seg", "sr", "sc", "pdf"), tmp_path)
    assert len(results) == 4
    assert {str(result.PatientName) for result in results} == {"Müller^Jürgen"}
    assert results[0].StudyDescription == ("A, " + "BA, " * 20)[:64]


def test_what_identifies_is_never_altered(tmp_path: Path) -> None:
    """An archive files by it: it is as the images have it, be it not valid."""
    elements = {
        "PatientID": ("", "X" * 70),
        "PatientName": ("LO", "Roe^Jane^^^^^^\x07"),
        "AccessionNumber": ("", "A" * 20),
    }
    study = spoilt(tmp_path, elements)
    results = dict(write_objects(exams.analysis_of(study, study.series[0])))
    for result in results.values():
        assert result.PatientID == "X" * 70
        assert str(result.PatientName) == "Roe^Jane^^^^^^\x07"
        assert result["PatientName"].VR == "PN"
        assert result.AccessionNumber == "A" * 20
    assert set(elements) < set(IDENTIFYING)


def test_letters_that_nobody_can_read_stay_the_same_bytes(tmp_path: Path) -> None:
    study = spoilt(tmp_path, {}, "ISO_IR 192", PatientName="Müller")
    for kind, result in write_objects(exams.analysis_of(study, study.series[0])):
        path = tmp_path / f"{kind}.dcm"
        result.save_as(path, enforce_file_format=True)
        assert b"PN\x06\x00M\xfcller" in path.read_bytes()
        assert pydicom.dcmread(path).SpecificCharacterSet == "ISO_IR 100"
        if kind == "sr":
            assert UNREADABLE_LETTERS[:60] in result.to_json()
