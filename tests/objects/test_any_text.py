"""Whatever text a header holds, and however long, every object is written and can be read."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from hilum.config.kinds import STANDARD_OBJECTS
from hilum.dicom.part10 import as_file
from hilum.findings import Note, Refusal
from hilum.objects import Analysis, write_objects, write_what_can_be
from hilum.objects.iod import pdf, sc, seg, sr
from hilum.objects.report import Report
from tests.drawn import examples, half_of_the_pairs

from . import exams

OF_ANY_FINDING = set(STANDARD_OBJECTS) - {
    "own",
    "pm",
}  # which need an object, or a map, of the module
VOLUME_TEXTS = (
    "PatientName",
    "PatientID",
    "StudyDescription",
    "AccessionNumber",
    "SeriesDescription",
    "ReferringPhysicianName",
    "StudyID",
    "PatientBirthDate",
    "PatientComments",
    "BodyPartExamined",
    "InstitutionName",
)
LONG = ("A" * 2000, "word " * 1000, "<b>&amp;" * 300, "\u0645\u0631\u062d\u0628\u0627 " * 400)
ODD = ("\x1b]0;title\x07\r\n\t", "\U0001f9e0" * 40, "\u202eright to left", "\\\\==^^")
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.builds(
        lambda text, times: (text * times)[:5000],
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60),
        st.integers(1, 5000),
    ),
    st.sampled_from((*LONG, *ODD)),
)


def with_text(keyword: str, text: str) -> Callable[[Dataset], None]:
    def change(image: Dataset) -> None:
        image.SpecificCharacterSet = "ISO_IR 192"
        image.add_new(keyword, "PN" if keyword.endswith("Name") else "LO", text)  # lengthy, too

    return change


def says_all(analysis: Analysis, kinds: set[str]) -> None:
    written = write_objects(analysis)
    assert {kind for kind, _ in written} == kinds
    for _, dataset in written:
        again = pydicom.dcmread(BytesIO(as_file(dataset)))
        assert again.SOPInstanceUID == dataset.SOPInstanceUID
        assert str(again)  # each value can be read


@pytest.mark.filterwarnings("ignore")
@examples(3, 60, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(VOLUME_TEXTS), TEXTS)
@example("StudyDescription", LONG[0])
@example("PatientID", LONG[0])
@example("PatientName", LONG[1])
@example("AccessionNumber", LONG[2])
def test_any_text_of_the_header_gives_every_object(
    tmp_path_factory: pytest.TempPathFactory, keyword: str, text: str
) -> None:
    folder = tmp_path_factory.mktemp("text")
    study = exams.write_exam(folder, with_text(keyword, text), shape=(4, 12, 12))
    says_all(exams.analysis_of(study, study.series[0]), OF_ANY_FINDING)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("text", "finding"),
    half_of_the_pairs([*LONG, *ODD, "x" * 100_000], [Note, lambda text: Refusal("no", text)]),
)
def test_any_text_of_a_module_gives_every_object(
    tmp_path: Path, text: str, finding: Callable[[str], Note | Refusal]
) -> None:
    study = exams.write_exam(tmp_path, shape=(4, 12, 12))
    (series,) = study.series
    try:
        said = finding(text)
    except ValueError:
        return  # the module is told
    if isinstance(said, Note):
        many = [finding(f"{number} {text}") for number in range(40)]
        says_all(exams.analysis_of(study, series, *many), OF_ANY_FINDING)
    else:
        says_all(exams.result_of(study, series, (), said), {"sr", "sc", "pdf"})


@pytest.mark.parametrize("broken", ["seg", "sr", "sc", "pdf"])
def test_a_kind_that_fails_costs_that_kind_only(
    tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = exams.write_exam(tmp_path, shape=(4, 12, 12))
    fail_for(broken, monkeypatch, lambda report: True)
    analysis = exams.analysis_of(study, study.series[0])
    lost: list[str] = []
    written = write_objects(analysis, on_loss=lambda kind, error: lost.append(kind))
    assert lost == [broken]
    assert {kind for kind, _ in written} == OF_ANY_FINDING - {broken}
    with pytest.raises(RuntimeError, match="broken"):
        write_objects(analysis)
    said: dict[str, str] = {}
    assert len(write_what_can_be(analysis, said)) == 3
    assert said[broken].startswith("RuntimeError in test_any_text.py")
    with pytest.raises(RuntimeError, match="broken"):
        write_what_can_be(analysis, said, (broken,))


def test_a_refusal_is_written_whatever_the_header_does_to_the_writers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = exams.write_exam(tmp_path, shape=(4, 12, 12))
    for kind in ("sr", "sc", "pdf"):
        fail_for(
            kind, monkeypatch, lambda report: "SeriesDescription" in report.analysis.series.header
        )
    analysis = exams.result_of(study, study.series[0], (), Refusal("no", "It cannot be used."))
    lost: list[str] = []
    written = dict(write_objects(analysis, on_loss=lambda kind, error: lost.append(kind)))
    assert lost == ["sr", "sc", "pdf"]
    assert set(written) == {"sr", "sc"}
    assert written["sr"].PatientID == "4711"
    assert analysis.findings.refusal is not None
    assert analysis.findings.refusal.sentence in written["sr"].to_json()


def fail_for(
    kind: str, monkeypatch: pytest.MonkeyPatch, condition: Callable[[Report], bool]
) -> None:
    """Let the writer of `kind` raise for a report that meets `condition`."""
    module = {"seg": seg, "sr": sr, "sc": sc, "pdf": pdf}[kind]
    write = module.write

    def broken(report: Report, *rest: object) -> object:
        if condition(report):
            raise RuntimeError("broken")
        return write(report, *rest)

    monkeypatch.setattr(module, "write", broken)
