"""Whose a result is: the patient of its images; a person decides where they name several."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset

from factory import mr_slices, write
from hilum.alarms import alarms_now
from hilum.cli import main
from hilum.cli.app import out, say
from hilum.dicom.doubt import DIFFERENT
from hilum.findings import CAUTION
from hilum.records import views
from plugin import BRIGHT, install_plugin

from .site import ALL_KINDS, Running, running

RULE = {"module": "bright-volume", "series": {"SeriesDescription": "^T1$"}, "send_to": ["out"]}
WHOSE = ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber")


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], tuple[int, str]]:
    """Types a command line; its exit status and all it printed."""
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    settings = tmp_path / "hilum.toml"
    settings.write_text(f'data = "{tmp_path / "hilum"}"\n')

    def type_it(line: str, columns: int = 200) -> tuple[int, str]:
        words = line.split()
        words += [] if words[1] == "run" else ["--config", str(settings)]
        monkeypatch.setattr(sys, "argv", words)
        for console in (say, out):
            monkeypatch.setattr(console, "width", columns)
        try:
            main()
            status = 0
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, "".join(capsys.readouterr())

    return type_it


def cure_in(text: str) -> str:
    """The command line that `text` tells to type."""
    return re.findall(r"`(hilum [^`]+)`", text)[0]


def settings(tmp_path: Path, **more: object) -> dict[str, object]:
    folder = {"name": "out", "kind": "folder", "folder": tmp_path / "out", **more}
    return {"destination": [folder], "rule": [RULE]}


def of(slices: list[Dataset], patient: str, name: str, accession: str = "A1") -> list[Dataset]:
    for ds in slices:
        ds.PatientID, ds.PatientName, ds.AccessionNumber = patient, name, accession
        ds.PatientBirthDate = f"1960010{patient[-1]}"
    return slices


def results_of(tmp_path: Path) -> list[Dataset]:
    return [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]


def texts(hilum: Running, study_uid: str, kind: str) -> list[str]:
    return [e.text for e in views.trace(hilum.records, study_uid) if e.kind == kind]


def seen_by_others(hilum: Running, study_uid: str) -> str:
    """Everything about a study that is shown or logged without asking for its patients."""
    log = (hilum.site.data / "logs" / "hilum.log").read_text()
    shown = [*views.trace(hilum.records, study_uid), views.study(hilum.records, study_uid)]
    return f"{log} {shown} {alarms_now(hilum.site, hilum.records)}"


def test_a_result_belongs_to_the_patient_of_its_images(
    tmp_path: Path, typed: Callable[[str], tuple[int, str]]
) -> None:
    """Two scouts of another patient stand in the study: measured, all results went out as his."""
    scouts = [*mr_slices("s1", count=1, description="scout"), *mr_slices("s2", count=1)]
    scouts[1].SeriesDescription = "scout 2"
    images = of(mr_slices("t1", count=6, description="T1"), "P2", "MARKER^Two", "A2")
    study_uid = images[0].StudyInstanceUID
    with running(tmp_path, **settings(tmp_path, **ALL_KINDS)) as hilum:
        hilum.send(write([*of(scouts, "P1", "MARKER^One"), *images], tmp_path / "exam"))
        (item,) = hilum.settled(study_uid).workitems
        said = texts(hilum, study_uid, "identity")
        everything = seen_by_others(hilum, study_uid)
    assert item.state == "completed"
    written = results_of(tmp_path)
    assert len(written) >= 4
    for result in written:
        whose = [str(result.get(keyword)) for keyword in WHOSE]
        assert whose == ["P2", "MARKER^Two", "19600102", "A2"]
    report = next(result for result in written if result.Modality == "SR")
    caution = "ther images of this study name another patient (PatientID, PatientName, "
    assert caution in report.to_json()
    assert said == [
        "other images of the study name another patient (PatientID, PatientName, PatientBirthDate)"
    ]
    assert "MARKER" not in everything


def test_a_series_of_two_patients_is_held_until_a_person_decides(
    tmp_path: Path, typed: Callable[[str], tuple[int, str]]
) -> None:
    first = of(mr_slices("t1", count=6, description="T1"), "P1", "MARKER^One")
    second = of(mr_slices("t2", count=3, description="T1"), "P2", "MARKER^Two")
    for ds in second:  # behind the others, in their series
        ds.SeriesInstanceUID = first[0].SeriesInstanceUID
        ds.ImagePositionPatient = [0, 0, 5 + ds.InstanceNumber]
    study_uid = first[0].StudyInstanceUID
    with running(tmp_path, **settings(tmp_path)) as hilum:
        hilum.send(write([*first, *second], tmp_path / "exam"))
        (item,) = hilum.settled(study_uid).workitems
        assert item.state == "held"
        assert "PatientID, PatientName, PatientBirthDate" in item.reason
        (alarm,) = alarms_now(hilum.site, hilum.records)
        assert (alarm.name, alarm.studies) == ("patients", (study_uid,))
        assert "MARKER" not in seen_by_others(hilum, study_uid)
        assert not (tmp_path / "out").exists()

        status, shown = typed(cure_in(item.reason))
        assert (status, cure_in(alarm.cure_here)) == (0, cure_in(item.reason))
        number = next(line.split()[0] for line in shown.splitlines() if "MARKER^Two" in line)
        assert "MARKER^One" in shown
        rows = [line for line in shown.splitlines() if "MARKER" in line]
        assert [row.split()[1] for row in rows] == ["present", "present"]
        assert "Only the images of that patient are analysed" in shown
        assert "taken back" not in shown
        assert typed(f"hilum decide {study_uid} --patient 00000")[0] == 1
        status, answer = typed(cure_in(shown).replace("NUMBER", number))
        assert status == 0, answer
        (item,) = hilum.until(lambda: completed(hilum, study_uid), "the result")
        assert "MARKER" not in seen_by_others(hilum, study_uid)
        assert alarms_now(hilum.site, hilum.records) == []
        caution = "6 of 9 images of this series name another patient (PatientID, PatientName, "
        caution += "PatientBirthDate) and were left out, as a person decided"
        assert caution in texts(hilum, study_uid, "identity")
        status, answer = typed(f"hilum decide {study_uid} --patient {number}")
        assert (status, "nothing of this study waits" in answer) == (1, True)
        (said,) = texts(hilum, study_uid, "complete")
        (decided,) = texts(hilum, study_uid, "decided")[:1]
    assert [verdict.images for verdict in item.chosen_series] == [3]
    assert said.startswith("9 images, ")
    assert said.endswith(", 6 of them left out because a person decided so")
    assert decided == f"it was decided which images count: those of number {number}"
    assert {str(result.PatientID) for result in results_of(tmp_path)} == {"P2"}
    report = next(result for result in results_of(tmp_path) if result.Modality == "SR")
    assert "ther images of this study name another patient" in report.to_json()
    assert f"{CAUTION}{caution}." in report.to_json()


def completed(hilum: Running, study_uid: str) -> tuple[views.WorkitemView, ...] | None:
    items = views.study(hilum.records, study_uid).workitems
    return items if [item.state for item in items] == ["completed"] else None


def test_hilum_run_holds_images_of_several_patients(
    tmp_path: Path, typed: Callable[[str], tuple[int, str]]
) -> None:
    mixed = of(mr_slices("t1", count=6, description="T1"), "P1", "MARKER^One")
    of(mixed[4:], "P2", "MARKER^Two")
    write(mixed, tmp_path / "exam")
    status, said = typed(f"hilum run bright-volume {tmp_path}/exam -o {tmp_path}/out")
    assert status == 3
    assert "held" in said
    assert f"{DIFFERENT} (PatientID, PatientName, PatientBirthDate)" in said
    assert "MARKER" not in said
    of(mixed[4:], "P1", "MARKER^One")
    write(mixed, tmp_path / "again")
    assert typed(f"hilum run bright-volume {tmp_path}/again -o {tmp_path}/out-2")[0] == 0
