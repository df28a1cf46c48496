"""The note that takes a result back."""

from pathlib import Path

from hilum.dicom.instance import Instance
from hilum.findings import Refusal
from hilum.objects import Analysis, write_objects, write_withdrawal

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
