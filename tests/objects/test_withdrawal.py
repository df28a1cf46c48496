"""The notes about a result: what takes it back, and what a reader said of it."""

from pathlib import Path

import pytest
from pydicom import dcmread

from hilum.assessments.decision import AssessmentDecision
from hilum.dicom.instance import Instance
from hilum.dicom.own import OwnResults
from hilum.findings import Refusal
from hilum.objects import (
    Analysis,
    ReaderWord,
    write_assessment,
    write_objects,
    write_withdrawal,
)

from . import exams, films, validators


def test_a_withdrawal_names_what_it_takes_back(tmp_path: Path) -> None:
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    results = written(analysis, tmp_path)
    taken_back = [(r.sop_class_uid, r.sop_instance_uid) for r in results]
    note = write_withdrawal(analysis, results, "The outline is of another structure.")
    path = tmp_path / "note.dcm"
    note.save_as(path, enforce_file_format=True)
    assert validators.dciodvfy(path) == []
    assert validators.dcmftest(path)
    assert validators.dsrdump_complaints(path) == []
    description, *named = note.ContentSequence
    assert "another structure" in description.TextValue
    items = [item.ReferencedSOPSequence[0] for item in named]
    assert [(i.ReferencedSOPClassUID, i.ReferencedSOPInstanceUID) for i in items] == taken_back
    assert note.ConceptNameCodeSequence[0].CodeMeaning == "Rejected for Patient Safety Reasons"


@pytest.mark.parametrize("decision", AssessmentDecision)
@pytest.mark.parametrize("reader", ["anna", "O'Neil, Zoë=x\\y", "山田"])
def test_what_a_reader_said_names_what_it_is_about(
    tmp_path: Path, decision: AssessmentDecision, reader: str
) -> None:
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    results = written(analysis, tmp_path)
    before = (AssessmentDecision.ACCEPTED, analysis.created) if reader == "anna" else None
    reason = "" if reader == "anna" else "Größer als links"
    word = ReaderWord(decision, reader, "1.2", reason, analysis.created, before)
    note = write_assessment(analysis, results, word)
    path = tmp_path / "note.dcm"
    note.save_as(path, enforce_file_format=True)
    assert validators.dciodvfy(path) == []
    assert validators.dcmftest(path)
    assert validators.dsrdump_complaints(path) == []
    read = dcmread(path)
    assert read.ConceptNameCodeSequence[0].CodeValue == decision
    named = [item for item in read.ContentSequence if "ReferencedSOPSequence" in item]
    assert [one.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for one in named] == [
        result.sop_instance_uid for result in results
    ]
    [person] = [item.PersonName for item in read.ContentSequence if item.ValueType == "PNAME"]
    assert str(person)[:2] == reader[:2]
    [text] = [item.TextValue for item in read.ContentSequence if item.ValueType == "TEXT"]
    assert text == reason or text.startswith("Said before, on ")
    ours = OwnResults({analysis.module.device_uid})
    assert ours.hold({"SOPClassUID": ""}, Instance.read(path).header)


def test_the_pictures_of_several_films_are_one_series(tmp_path: Path) -> None:
    study = films.write_films(tmp_path, [films.drawn(120)] * 2)
    uids = [i.sop_instance_uid for i in films.instances(study)]
    analysis = films.analysis_of(study, *(Refusal("x", "Not a chest.", uid) for uid in uids))
    results = written(analysis, tmp_path)
    note = write_withdrawal(analysis, results, "Of another patient.")
    study_item = note.CurrentRequestedProcedureEvidenceSequence[0]
    named = {
        (series.SeriesInstanceUID, item.ReferencedSOPInstanceUID)
        for series in study_item.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }
    assert named == {(r.series_uid, r.sop_instance_uid) for r in results}
    assert [len(s.ReferencedSOPSequence) for s in study_item.ReferencedSeriesSequence] == [1, 3, 1]


def written(analysis: Analysis, folder: Path) -> list[Instance]:
    results = []
    for kind, dataset in write_objects(analysis):
        path = folder / f"{kind}-{dataset.InstanceNumber}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        results.append(Instance.read(path))
    return results
