"""Earlier results of a patient: found in a real archive, compared, or left out for a reason."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import Comprehensive3DSRStorage
from pynetdicom import AE, evt

from hilum import codes
from hilum.assessments.decision import AssessmentDecision
from hilum.comparison.priors import compared, follow_up, look_up
from hilum.config import parse
from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid
from hilum.errors import ConfigurationError, DeliveryDelayed
from hilum.findings import Change, Findings, Measurement, Note, Refusal
from hilum.objects import (
    Analysis,
    ReaderWord,
    write_assessment,
    write_objects,
    write_withdrawal,
)
from hilum.transport import query, sender
from hilum.transport.scu import Peer
from hilum_lab.network.processes import available_port
from tests.archives import Orthanc
from tests.patience import PATIENCE

from ..objects import exams

NOW, BEFORE = "20260304", "20240303"  # two years and a day


def exam(folder: Path, day: str, scale: float = 1.0, **header: Any) -> Analysis:
    """A result on a study of `day`; its volumes are those of the phantom times `scale`."""

    def change(image: Dataset) -> None:
        image.StudyDate = day
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(image, keyword, derived_uid(day, str(header), getattr(image, keyword)))
        for keyword, value in header.items():
            setattr(image, keyword, value)

    images = folder / f"{day}-{len(list(folder.iterdir()))}"
    images.mkdir()
    study = exams.write_exam(images, change, shape=(6, 16, 15))
    analysis = exams.analysis_of(study, study.series[0], workitem_id=f"{day}{header}")
    segments = analysis.findings.segments
    volumes = tuple(
        Measurement(codes.VOLUME, v, codes.MILLILITRE, s, 0.05 * v, followed=s.modifier is None)
        for s in segments
        for v in [s.volume_ml * scale]
    )
    both = Measurement(
        codes.VOLUME_OF_BOTH, scale, codes.MILLILITRE, uncertainty=0.1, followed=True
    )
    return replace(analysis, findings=Findings((*segments, *volumes, both)))


def report(analysis: Analysis) -> Dataset:
    return dict(write_objects(analysis, kinds=("seg", "sr")))["sr"]


def against(present: Analysis, *documents: Dataset) -> Findings:
    found = compared(present.findings, present.patient_and_study, present.module, documents)
    return Findings(found.items[len(present.findings.items) :])


def test_the_change_of_what_is_followed(tmp_path: Path) -> None:
    present = exam(tmp_path, NOW, 0.9)
    older, latest = exam(tmp_path, "20220304", 1.1), exam(tmp_path, BEFORE, 1.0)
    whole, both = against(present, report(latest), report(older)).changes
    assert whole.of.of is present.findings.segments[2]
    assert [e.day for e in whole.earlier] == [date(2022, 3, 4), date(2024, 3, 3)]
    volume = whole.of.of.volume_ml
    assert whole.difference == pytest.approx(-0.1 * volume, rel=1e-3)
    assert whole.difference_uncertainty == pytest.approx(0.05 * volume * 1.345, rel=1e-2)
    assert whole.percent_per_year == pytest.approx(-5, rel=1e-2)
    assert whole.percent_per_year_uncertainty == pytest.approx(3.18, rel=1e-2)
    assert (both.of.code, both.difference) == (codes.VOLUME_OF_BOTH, pytest.approx(-0.1))
    named = report(latest)
    uids = (whole.latest.study_uid, whole.latest.series_uid, whole.latest.sop_instance_uid)
    assert uids == (named.StudyInstanceUID, named.SeriesInstanceUID, named.SOPInstanceUID)


def test_exams_close_to_each_other_have_no_change_per_year(tmp_path: Path) -> None:
    whole, _ = against(exam(tmp_path, NOW), report(exam(tmp_path, "20260120"))).changes
    assert whole.percent_per_year is None
    assert whole.percent_per_year_uncertainty is None
    assert whole.difference == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("day", "header"),
    [
        (NOW, {"StudyID": "2"}),  # the same day
        ("20270101", {}),  # a later exam
        (BEFORE, {"PatientID": "4712"}),
        (BEFORE, {"IssuerOfPatientID": "ELSEWHERE"}),
        ("", {}),
        ("00010101", {}),
    ],
)
def test_what_is_no_earlier_exam_of_the_patient(tmp_path: Path, day: str, header: dict) -> None:
    present = exam(tmp_path, NOW, IssuerOfPatientID="HERE")
    assert not against(present, report(exam(tmp_path, day, **header))).items


def issued_by(universal: str) -> list[Dataset]:
    """Issuer of Patient ID Qualifiers Sequence."""
    item = Dataset()
    item.UniversalEntityID, item.UniversalEntityIDType = universal, "ISO"
    return [item]


@pytest.mark.parametrize(("universal", "is_same"), [("2.999.1", True), ("2.999.2", False)])
def test_an_id_of_another_issuer_is_another_patient_also_where_it_has_no_name(
    tmp_path: Path, universal: str, is_same: bool
) -> None:
    here, there = (
        {"IssuerOfPatientIDQualifiersSequence": issued_by(uid)} for uid in ("2.999.1", universal)
    )
    found = against(exam(tmp_path, NOW, **here), report(exam(tmp_path, BEFORE, **there)))
    assert bool(found.changes) == is_same
    assert against(exam(tmp_path, NOW, **here), report(exam(tmp_path, BEFORE))).changes


def test_without_an_id_nobody_is_the_same(tmp_path: Path) -> None:
    assert not against(
        exam(tmp_path, NOW, PatientID=""), report(exam(tmp_path, BEFORE, PatientID=""))
    ).items


def test_another_person_under_the_same_id_is_not_compared_and_it_is_said(tmp_path: Path) -> None:
    (note,) = against(
        exam(tmp_path, NOW), report(exam(tmp_path, BEFORE, PatientBirthDate="19750101"))
    ).items
    assert isinstance(note, Note)
    assert "another birth date" in note.text
    assert "19750101" not in note.text


def test_volumes_of_another_network_are_not_compared_and_it_is_said(tmp_path: Path) -> None:
    before = exam(tmp_path, BEFORE)
    other = replace(before, module=replace(before.module, weights_sha256="6f" * 32))
    newer = replace(before, module=replace(before.module, version="0.9"), workitem_id="newer")
    (note,) = against(exam(tmp_path, NOW), report(other), report(newer)).items
    assert isinstance(note, Note)
    assert "another version" in note.text
    elsewhere = replace(before, module=replace(before.module, name="another-module"))
    assert not against(exam(tmp_path, NOW), report(elsewhere)).items


def test_an_earlier_result_on_other_structures_is_not_compared_and_it_is_said(
    tmp_path: Path,
) -> None:
    before = exam(tmp_path, BEFORE)
    crop = replace(before, findings=Findings(before.findings.items[:-1]))  # without both sides
    present = exam(tmp_path, NOW)
    head = replace(present, findings=Findings(present.findings.items[-1:]))  # nothing else
    (note,) = against(head, report(crop)).items
    assert isinstance(note, Note)
    assert "of nothing that is measured here" in note.text
    assert "2024-03-03" in note.text
    (change,) = against(head, report(crop), report(replace(before, workitem_id="again"))).items
    assert isinstance(change, Change)


@pytest.mark.parametrize("keyword", ["PatientBirthDate", "IssuerOfPatientID", "PatientID"])
def test_a_report_whose_patient_cannot_be_read_counts_as_not_there(
    tmp_path: Path, keyword: str
) -> None:
    present, broken = exam(tmp_path, NOW), report(exam(tmp_path, BEFORE))
    assert against(present, broken).items
    tag = Tag(keyword)
    broken[tag] = RawDataElement(tag, "FL", 3, b"abc", 0, False, True)
    assert not against(present, broken).items


def test_incomplete_replaced_and_withdrawn_results_do_not_count(tmp_path: Path) -> None:
    present, before = exam(tmp_path, NOW), exam(tmp_path, BEFORE)
    first = report(before)
    assert not against(present, report(replace(before, incomplete="30 of 40 images"))).items

    again = replace(
        before,
        workitem_id="again",
        created=before.created.replace(hour=18),
        predecessor=((first.SOPClassUID, first.SOPInstanceUID),),
    )
    second = report(again)
    change, _ = against(present, second, first).changes
    assert [e.sop_instance_uid for e in change.earlier] == [second.SOPInstanceUID]

    path = tmp_path / "second.dcm"
    second.save_as(path, enforce_file_format=True)
    word = ReaderWord(AssessmentDecision.REJECTED, "anna", "1.2", "no", again.created)
    said = write_assessment(again, [Instance.read(path)], word)
    assert against(present, first, second, said).changes
    note = write_withdrawal(again, [Instance.read(path)], "Of another structure.")
    assert not against(present, first, second, note).items


def test_a_later_refusal_of_the_same_study_hides_nothing(tmp_path: Path) -> None:
    before = exam(tmp_path, BEFORE)
    refused = replace(
        before,
        workitem_id="refused",
        created=before.created.replace(hour=20),
        findings=Findings((Refusal("x", "It is no hippocampus."),)),
    )
    assert against(exam(tmp_path, NOW), report(before), report(refused)).changes


def test_two_values_of_one_name_are_not_compared_and_it_is_said(tmp_path: Path) -> None:
    """Left and right crop of one exam, whose sides no report knows."""
    before = exam(tmp_path, BEFORE)
    other = exam(tmp_path, BEFORE, 0.8, SeriesDescription="the other side")
    documents = [report(before), report(other)]
    documents[1].StudyInstanceUID = documents[0].StudyInstanceUID
    (note,) = against(exam(tmp_path, NOW), *documents).items
    assert isinstance(note, Note)
    assert "different values" in note.text


def test_low_confidence_of_an_earlier_result_is_said(tmp_path: Path) -> None:
    before = exam(tmp_path, BEFORE)
    doubtful = Findings((*before.findings.items, Note("slices of 3 mm", caution=True)))
    found = against(exam(tmp_path, NOW), report(replace(before, findings=doubtful)))
    assert len(found.changes) == 2
    assert "2024-03-03 was of low confidence" in found.notes[0].text


def without(keyword: str) -> Callable[[Dataset], None]:
    return lambda report: delattr(report, keyword)


def stating(keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda report: report.add(DataElement(Tag(keyword), "LO", value))


def measuring(value: float | str) -> Callable[[Dataset], None]:
    """Every number of the report becomes `value`."""

    def change(item: Dataset) -> None:
        for child in item.get("ContentSequence", []):
            change(child)
        for measured in item.get("MeasuredValueSequence", []):
            measured["NumericValue"] = DataElement("NumericValue", "LO", str(value))

    return change


@pytest.mark.parametrize(
    "harm",
    [
        *map(without, ("ContentSequence", "SOPInstanceUID", "SeriesInstanceUID", "Modality")),
        *map(without, ("StudyInstanceUID", "SoftwareVersions", "CompletionFlag", "StudyDate")),
        stating("SeriesInstanceUID", "not-a-uid"),
        stating("SOPInstanceUID", ""),
        stating("StudyDate", "20240399"),
        *map(measuring, ("nan", "inf", "1e400", 0, -3, 1e300, 1e-9, "many", "")),
    ],
)
def test_a_report_that_cannot_be_believed_counts_as_not_there(
    tmp_path: Path, harm: Callable[[Dataset], None]
) -> None:
    present, broken = exam(tmp_path, NOW), report(exam(tmp_path, BEFORE))
    harm(broken)
    assert not against(present, broken).items


class Archive:
    """An archive that answers C-FIND and C-GET as `answers` say; a number is a status."""

    def __init__(self, gets: bool, answers: Callable[[Dataset], Iterator[tuple[int, object]]]):
        entity = AE("PACS")
        entity.add_supported_context(query.FIND)
        entity.add_supported_context(Comprehensive3DSRStorage, scu_role=True, scp_role=True)
        if gets:
            entity.add_supported_context(query.GET)
        handlers = [(evt.EVT_C_FIND, lambda event: answers(event.identifier))]
        self.port = available_port()
        self._server = entity.start_server(("127.0.0.1", self.port), False, evt_handlers=handlers)

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


def found_there(wanted: Dataset) -> Iterator[tuple[int, object]]:
    match = Dataset()
    match.QueryRetrieveLevel = wanted.QueryRetrieveLevel
    match.StudyInstanceUID, match.SeriesInstanceUID = "1.2", "1.3"
    match.StudyDate, match.SeriesDescription = BEFORE, ""
    yield 0xFF00, match


def found_without_end(wanted: Dataset) -> Iterator[tuple[int, object]]:
    while True:
        yield from found_there(wanted)
        time.sleep(0.05)


def found_in_ruins(wanted: Dataset) -> Iterator[tuple[int, object]]:
    match = Dataset()
    match.QueryRetrieveLevel = wanted.QueryRetrieveLevel
    match.StudyDate, match.SeriesDescription = BEFORE, ["AI", "odd"]
    yield 0xFF00, match


@pytest.mark.parametrize(
    ("gets", "answers", "problem"),
    [
        (False, found_there, "does not offer C-GET"),
        (True, found_without_end, "takes too long"),
        (True, found_in_ruins, None),
    ],
)
def test_no_archive_costs_a_result(
    tmp_path: Path,
    gets: bool,
    answers: Callable[[Dataset], Iterator[tuple[int, object]]],
    problem: str | None,
) -> None:
    present = exam(tmp_path, NOW)
    with Archive(gets, answers) as archive:
        site = parse({"destination": [{"name": "pacs", "kind": "dimse", "port": archive.port}]})
        found, problems = follow_up(
            present.findings,
            present.patient_and_study,
            present.module,
            site.destination,
            altogether=1.0 if answers is found_without_end else PATIENCE,
        )
    assert found.items[: len(present.findings.items)] == present.findings.items
    assert len(problems) == (1 if problem else 0)
    assert problem is None or problem in problems[0]


def test_only_dicom_nodes_can_be_asked() -> None:
    web = {"name": "web", "kind": "dicomweb", "url": "http://127.0.0.1/dicom-web"}
    with pytest.raises(ConfigurationError, match="only dimse ones"):
        parse({"destination": [web], "priors": {"ask": ["web"]}})


def test_an_archive_is_asked_for_earlier_results(tmp_path: Path) -> None:
    """A real Orthanc that holds results of this patient and others, one of them withdrawn."""
    present, before = exam(tmp_path, NOW, 0.9), exam(tmp_path, BEFORE)
    taken_back, other = exam(tmp_path, "20230303"), exam(tmp_path, BEFORE, PatientID="4712")
    files = [store(a, tmp_path) for a in (before, taken_back, other, exam(tmp_path, "20260401"))]
    withdrawal = write_withdrawal(taken_back, [Instance.read(files[1])], "Wrong.")
    files.append(tmp_path / "withdrawal.dcm")
    withdrawal.save_as(files[-1], enforce_file_format=True)
    settings = {"name": "pacs", "kind": "dimse"}
    with Orthanc(tmp_path / "pacs") as pacs:
        assert not sender.send(files, (pacs.ae_title, "127.0.0.1", pacs.dicom_port)).failed
        site = parse({"destination": [{**settings, "port": pacs.dicom_port}]})
        found, problems = follow_up(
            present.findings, present.patient_and_study, present.module, site.destination
        )
        assert problems == []
        assert [type(f) for f in found.items[len(present.findings.items) :]] == [Change, Change]
        assert [e.day for e in found.changes[0].earlier] == [date(2024, 3, 3)]
        peer = Peer.of(site.destination[0])
        for patient_id in (
            "",
            "4?1*",
            "4711\\1",
        ):  # an empty key and a wildcard would match everyone
            nobody = exam(tmp_path, NOW, PatientID=patient_id).patient_and_study
            assert look_up(peer, nobody, present.module) == []
    found, (problem,) = follow_up(
        present.findings, present.patient_and_study, present.module, site.destination
    )
    assert "pacs could not be asked for earlier results" in problem
    assert not found.changes
    assert "could not be looked up" in found.notes[-1].text


def test_asking_raises_where_nobody_answers(tmp_path: Path) -> None:
    about = exam(tmp_path, NOW).patient_and_study
    with pytest.raises(DeliveryDelayed):
        look_up(Peer("ANY", "127.0.0.1", available_port(), "HILUM", 2), about, exams.MODULE)


def store(analysis: Analysis, folder: Path) -> Path:
    path = folder / f"{report(analysis).SOPInstanceUID}.dcm"
    report(analysis).save_as(path, enforce_file_format=True)
    return path
