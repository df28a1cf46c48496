"""The note that takes a result back."""

from pathlib import Path

from hilum.objects import write_objects, write_withdrawal

from . import exams, validators


def test_a_withdrawal_names_what_it_takes_back(tmp_path: Path) -> None:
    study = exams.write_exam(tmp_path)
    analysis = exams.analysis_of(study, study.series[0])
    taken_back = [(o.SOPClassUID, o.SOPInstanceUID) for o in write_objects(analysis).values()]
    note = write_withdrawal(analysis, taken_back, "The outline is of another structure.")
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
