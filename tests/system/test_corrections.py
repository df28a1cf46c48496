"""Corrected patient data: one event, flagged, taken by a command or followed, never undone."""

import copy
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import httpx
import pydicom
from pydicom.dataset import Dataset

from factory import mr_slices, write
from hilum.alarms import alarms_now
from hilum.dicom.doubt import FORMER
from hilum.dicom.uids import derived_uid
from hilum.inbox import OTHER_CONTENT, Inbox
from hilum.records import views
from hilum.records.search import StudyQuery
from hilum.rejections import Rejection
from hilum.transport import sender
from tests.archives import Orthanc

from .site import ALL_KINDS, LEAN, Running, running
from .test_patients import RULE, completed, cure_in, of, seen_by_others, texts, typed

__all__ = ["typed"]

Typed = Callable[..., tuple[int, str]]


def exam() -> list[Dataset]:
    return of(mr_slices("t1", count=4, description="T1"), "P1", "MARKER^One")


def changed(images: list[Dataset], **values: str) -> list[Dataset]:
    """The same images under other patient or study attributes."""
    others = copy.deepcopy(images)
    for ds in others:
        for keyword, value in values.items():
            setattr(ds, keyword, value)
    return others


def second(images: list[Dataset]) -> list[Dataset]:
    return of(copy.deepcopy(images), "P2", "MARKER^Two", "A2")


@contextmanager
def hilum_and_archive(
    tmp_path: Path, kinds: dict[str, list[str]] = LEAN, **settings: object
) -> Iterator[tuple[Running, Orthanc]]:
    """Hilum, which delivers `kinds` of result objects to an Orthanc that has nothing else."""
    with Orthanc(tmp_path / "pacs") as pacs:
        out = {"name": "out", "kind": "dimse", "port": pacs.dicom_port, **kinds}
        base = {"destination": [out], "rule": [RULE]}
        with running(tmp_path, **{**base, **settings}) as hilum:
            yield hilum, pacs


def events(hilum: Running, study_uid: str, kind: str, count: int = 1) -> list[str]:
    """The events of a kind, once there are so many."""
    hilum.until(lambda: len(texts(hilum, study_uid, kind)) >= count, f"events {kind}")
    return texts(hilum, study_uid, kind)


def take(typed: Typed, hilum: Running, name: str) -> None:
    """The corrected version is taken by the commands that are printed."""
    (alarm,) = alarms_now(hilum.site, hilum.records)
    status, shown = typed(cure_in(alarm.cure_here))
    assert status == 0
    number = next(line.split()[0] for line in shown.splitlines() if name in line)
    status, answer = typed(cure_in(shown).replace("NUMBER", number))
    assert status == 0, answer


def results(pacs: Orthanc) -> list[Dataset]:
    """Everything the archive holds."""
    found = []
    for one in httpx.get(f"{pacs.url}/instances").json():
        content = httpx.get(f"{pacs.url}/instances/{one}/file").content
        found.append(pydicom.dcmread(BytesIO(content)))
    return found


def notes(pacs: Orthanc) -> list[Dataset]:
    return [result for result in results(pacs) if result.Modality == "KO"]


def uids(pacs: Orthanc, patient: str) -> set[str]:
    return {str(r.SOPInstanceUID) for r in results(pacs) if r.PatientID == patient}


def states(hilum: Running, study_uid: str) -> list[str]:
    return [item.state for item in hilum.records.workitems.of_study(study_uid)]


def rejections(hilum: Running, count: int) -> list[Rejection]:
    """The rows of rejections, once so many were counted in them."""
    rows = hilum.records.rejections.since()
    return rows if sum(row.count for row in rows) == count else []


def idle(hilum: Running) -> None:
    """Wait until all that was quarantined is judged."""

    def judged() -> bool:
        notes = (hilum.site.data / "quarantine").glob("*.txt")
        return not any(note.read_text().split("\n")[0] == OTHER_CONTENT for note in notes)

    hilum.until(judged, "a judgement on what was quarantined")


def test_a_correction_is_one_event_and_is_taken_by_a_command(tmp_path: Path, typed: Typed) -> None:
    images = exam()
    study_uid = images[0].StudyInstanceUID
    with hilum_and_archive(tmp_path, ALL_KINDS) as (hilum, pacs):
        hilum.send(write(images, tmp_path / "first"))
        (old,) = hilum.settled(study_uid).workitems
        wrong = uids(pacs, "P1")
        hilum.send(write(second(images), tmp_path / "second"))
        (said,) = events(hilum, study_uid, "corrected")
        assert "PatientName, PatientID, PatientBirthDate, AccessionNumber" in said
        idle(hilum)
        assert events(hilum, study_uid, "corrected") == [said]
        assert states(hilum, study_uid) == ["completed"]
        assert views.study(hilum.records, study_uid).corrected
        assert views.quarantine(hilum.site).total == 0
        shown = typed(f"hilum decide {study_uid}")[1]
        assert re.search(r"present +MARKER\^One", shown)
        assert re.search(r"sent by SCANNER at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d +MARKER\^Two", shown)
        assert "taken back in the archive, and a new one is made" in shown
        assert "Only the images of that patient" not in shown
        take(typed, hilum, "MARKER^Two")
        hilum.until(lambda: states(hilum, study_uid).count("completed") == 2, "note and result")
        for patient, total in (("P2", 1), ("P1", 0)):
            query = StudyQuery(patient_id=patient)
            assert views.find(hilum.records, query).total == total
        shown = typed(f"hilum decide {study_uid}")[1]
        assert re.search(r"present +MARKER\^Two", shown)
        assert re.search(r"before a correction +MARKER\^One", shown)
        assert alarms_now(hilum.site, hilum.records) == []
        hilum.send(write(images, tmp_path / "late"))  # the scanner does not know of it
        idle(hilum)
        assert "MARKER" not in seen_by_others(hilum, study_uid)
        late = views.quarantine(hilum.site)
        assert {item.reason for item in late.objects} == {FORMER}
        (said,) = texts(hilum, study_uid, "quarantined")
        log = (hilum.site.data / "logs" / "hilum.log").read_text()
        assert log.count("as before a correction") == 1
        assert all("the corrected images stay" in item.advice for item in late.objects)
        assert hilum.records.rejections.since() == []  # neither the correction nor the late copy
        assert sorted(states(hilum, study_uid)) == ["completed", "completed", "withdrawn"]
        items = views.study(hilum.records, study_uid).workitems
        held = results(pacs)
    (note,) = [result for result in held if result.Modality == "KO"]
    assert note.ConceptNameCodeSequence[0].CodeValue == "113038"
    assert (note.PatientID, note.AccessionNumber) == ("P1", "A1")
    (new,) = [item for item in items if item.predecessor == old.id]
    assert said.startswith(f"{len(images)} images came again from SCANNER as they were before a ")
    made = {result.identity for result in new.results}
    corrected = [result for result in held if result.SOPInstanceUID in made]
    assert len(corrected) == 4
    assert not made & wrong
    for result in corrected:
        assert (result.PatientID, str(result.PatientName)) == ("P2", "MARKER^Two")
        assert result.AccessionNumber == "A2"
        assert "PredecessorDocumentsSequence" not in result
    kept = list((tmp_path / "hilum" / "versions").rglob("*.dcm"))
    assert [pydicom.dcmread(file).PatientID for file in kept] == ["P1"] * len(images)


def test_a_correction_that_was_wrong_is_taken_back(tmp_path: Path, typed: Typed) -> None:
    images = exam()
    study_uid = images[0].StudyInstanceUID
    with hilum_and_archive(tmp_path) as (hilum, pacs):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(study_uid)
        first = uids(pacs, "P1")
        hilum.send(write(second(images), tmp_path / "second"))
        events(hilum, study_uid, "corrected")
        idle(hilum)
        take(typed, hilum, "MARKER^Two")
        hilum.until(lambda: states(hilum, study_uid).count("completed") == 2, "note and result")
        _, shown = typed(f"hilum decide {study_uid}")
        number = next(line.split()[0] for line in shown.splitlines() if "MARKER^One" in line)
        status, answer = typed(cure_in(shown).replace("NUMBER", number))
        assert status == 0, answer
        hilum.until(lambda: states(hilum, study_uid).count("completed") == 3, "note and result")
        assert sorted(states(hilum, study_uid))[3:] == ["withdrawn", "withdrawn"]
        again = {r.SOPInstanceUID for r in results(pacs) if r.PatientID == "P1"} - first
        withdrawn = {str(note.PatientID) for note in notes(pacs)}
    assert len(again) == 1 + len(LEAN["objects"])  # the note on the first result, and the new one
    assert withdrawn == {"P1", "P2"}


def test_corrections_of_a_named_sender_are_followed(tmp_path: Path, typed: Typed) -> None:
    """Whole ones only, and never back: the scanner sends what it has once more."""
    images, follow = exam(), {"mode": "follow", "senders": ["SCANNER"]}
    study_uid = images[0].StudyInstanceUID
    with hilum_and_archive(tmp_path, corrections=follow) as (hilum, pacs):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(study_uid)
        others = second(images)
        hilum.send(write(others[:2], tmp_path / "half"))
        events(hilum, study_uid, "corrected")
        idle(hilum)
        assert states(hilum, study_uid) == ["completed"]
        (alarm,) = alarms_now(hilum.site, hilum.records)
        _, shown = typed(cure_in(alarm.cure_here))
        number = next(line.split()[0] for line in shown.splitlines() if "MARKER^Two" in line)
        status, answer = typed(cure_in(shown).replace("NUMBER", number))
        assert (status, "2 of the analysed images did not come" in answer) == (1, True)
        hilum.send(write(others[2:], tmp_path / "rest"))
        hilum.until(lambda: states(hilum, study_uid).count("completed") == 2, "note and result")
        hilum.send(write(images, tmp_path / "late"))
        idle(hilum)
        assert sorted(states(hilum, study_uid)) == ["completed", "completed", "withdrawn"]
        assert alarms_now(hilum.site, hilum.records) == []
        assert len(notes(pacs)) == 1
        assert len(uids(pacs, "P2")) == len(LEAN["objects"])


def test_a_correction_is_put_aside(tmp_path: Path, typed: Typed) -> None:
    images = exam()
    study_uid = images[0].StudyInstanceUID
    with hilum_and_archive(tmp_path) as (hilum, pacs):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(study_uid)
        hilum.send(write(changed(images, PatientID="P3"), tmp_path / "second"))
        events(hilum, study_uid, "corrected")
        idle(hilum)
        assert "corrected patient data were sent: `hilum decide" in typed("hilum status")[1]
        take(typed, hilum, "P1")
        assert alarms_now(hilum.site, hilum.records) == []
        assert states(hilum, study_uid) == ["completed"]
        assert uids(pacs, "P3") == set()
        _, shown = typed(f"hilum decide {study_uid}")
        (row,) = [line for line in shown.splitlines() if "P3" in line]
        assert re.search("sent by SCANNER at .*, not taken", row)


NAME = "MARKER^Annemarie Wilhelmine Elisabeth^Henriette^Frau Doktor^geborene Mustermann"


def test_names_stand_whole_in_one_line(tmp_path: Path, typed: Typed) -> None:
    """Names were cut, then broken, at 80 columns, at the one place where a person compares them."""
    images = changed(exam(), PatientID="P1" * 20, IssuerOfPatientID="HOSPITAL" * 4)
    study_uid = images[0].StudyInstanceUID
    with hilum_and_archive(tmp_path) as (hilum, _):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(study_uid)
        hilum.send(write(changed(images, PatientName=NAME), tmp_path / "second"))
        events(hilum, study_uid, "corrected")
        idle(hilum)
        status, shown = typed(f"hilum decide {study_uid}", 80)
    assert status == 0
    head, first, second, *footer = shown.splitlines()
    assert re.split("  +", head)[:5] == ["number", "these are", "name", "patient ID", "issuer"]
    for row, values in ((first, ["present", "MARKER^One"]), (second, ["sent by SCANNER at", NAME])):
        assert all(value in row for value in [*values, "P1" * 20, "HOSPITAL" * 4])
    assert f"`hilum decide {study_uid} --patient NUMBER`" in footer[0]


def test_a_transcoded_copy_with_another_accession_number_is_a_correction(
    tmp_path: Path, typed: Typed
) -> None:
    images = exam()
    study_uid = images[0].StudyInstanceUID
    renumbered = changed(images, AccessionNumber="A2")
    files = write(renumbered, tmp_path / "second")
    for file in files:
        subprocess.run(["dcmcjpls", file, file], check=True, capture_output=True)
    with hilum_and_archive(tmp_path) as (hilum, pacs):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(study_uid)
        hilum.send(files)
        (said,) = events(hilum, study_uid, "corrected")
        assert said.startswith("corrected patient data were sent (AccessionNumber) by ")
        idle(hilum)
        take(typed, hilum, "A2")
        hilum.until(lambda: states(hilum, study_uid).count("completed") == 2, "note and result")
        numbers = [r.AccessionNumber for r in results(pacs) if r.Modality == "SR"]
    assert sorted(numbers) == ["A1", "A2"]


def test_events_of_one_correction_name_the_numbers_to_be_typed(
    tmp_path: Path, typed: Typed
) -> None:
    """A scout without a birth date: another identity in the study, whose event looked the same."""
    scout = changed(of(mr_slices("s1", count=1, description="scout"), "P1", "MARKER^One"))
    scout[0].PatientBirthDate = ""
    images = [*exam(), *scout]
    study_uid = images[0].StudyInstanceUID
    with hilum_and_archive(tmp_path) as (hilum, _):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(study_uid)
        hilum.send(write(changed(images, AccessionNumber="A2"), tmp_path / "second"))
        said = events(hilum, study_uid, "corrected", 2)
        idle(hilum)
        assert events(hilum, study_uid, "corrected", 2) == said
        _, shown = typed(f"hilum decide {study_uid}")
        numbers = {line.split()[0] for line in shown.splitlines() if " A2 " in line}
        assert numbers == {re.findall(r"\(AccessionNumber\).* number (\d+): ", s)[0] for s in said}
        assert len(numbers) == 2
        take(typed, hilum, "1960")  # the present one, as it was
        (decided,) = texts(hilum, study_uid, "identity")[-1:]
        assert decided.startswith("a person decided that the study stays as it is: number ")


def test_a_study_that_moved_to_another_uid_is_a_correction(tmp_path: Path, typed: Typed) -> None:
    images = exam()
    old_uid = images[0].StudyInstanceUID
    moved = changed(second(images), StudyInstanceUID=derived_uid("moved"))
    new_uid = moved[0].StudyInstanceUID
    with hilum_and_archive(tmp_path) as (hilum, pacs):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(old_uid)
        hilum.send(write(moved, tmp_path / "second"))
        (item,) = hilum.settled(new_uid).workitems
        assert item.state == "held"
        assert item.reason.startswith("corrected patient data were sent")
        assert new_uid in events(hilum, old_uid, "corrected")[0]
        take(typed, hilum, "MARKER^Two")
        hilum.until(lambda: completed(hilum, new_uid), "the result")
        hilum.until(lambda: "completed" in states(hilum, old_uid), "the note")
        assert sorted(states(hilum, old_uid)) == ["completed", "withdrawn"]
        assert alarms_now(hilum.site, hilum.records) == []
        # the images were removed here, and the scanner sends some of what it has once more
        hilum.until(lambda: views.study(hilum.records, old_uid).settled, "the end of the study")
        shutil.rmtree(Inbox(hilum.site.data).study_folder(old_uid))
        hilum.send(write(images[:3], tmp_path / "late"))
        hilum.until(lambda: "held" in states(hilum, old_uid), "a late copy that is held")
        (alarm,) = alarms_now(hilum.site, hilum.records)
        assert (alarm.name, alarm.studies) == ("patients", (old_uid,))
        (note,) = notes(pacs)
        assert (note.StudyInstanceUID, note.PatientID) == (old_uid, "P1")
        made = [r for r in results(pacs) if r.StudyInstanceUID == new_uid]
    assert {str(result.PatientID) for result in made} == {"P2"}


def test_other_pixels_stay_refused(tmp_path: Path, typed: Typed) -> None:
    images = exam()
    study_uid = images[0].StudyInstanceUID
    others = second(images)
    for ds in others:
        ds.PixelData = ds.PixelData[::-1]
    with hilum_and_archive(tmp_path) as (hilum, _):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(study_uid)
        hilum.send(write(others, tmp_path / "second"))
        broken = write(changed(exam(), PatientID="P9")[:1], tmp_path / "broken")
        broken[0].write_bytes(broken[0].read_bytes()[:-40])
        sender.send(broken, hilum.listener)
        said = f"{len(others)} images came again with other content (pixels)"
        said += "; they are in quarantine"
        hilum.until(lambda: said in texts(hilum, study_uid, "quarantined"), "one counted event")
        rejected = hilum.until(lambda: rejections(hilum, len(others) + 1), "both reasons")
        reasons = {item.reason for item in views.quarantine(hilum.site).objects}
        assert texts(hilum, study_uid, "corrected") == []
        assert alarms_now(hilum.site, hilum.records) == []
    assert f"{OTHER_CONTENT}: pixels" in reasons
    assert len(reasons) == 2
    by_reason = {row.reason.rpartition(": `")[0]: row.count for row in rejected}
    assert by_reason == {reason: 4 if OTHER_CONTENT in reason else 1 for reason in reasons}
    assert {(row.kind, row.caller, row.called) for row in rejected} == {
        ("content", "SCANNER", "HIPPOAI")
    }


def test_a_result_that_the_archive_moved_is_only_noted(tmp_path: Path, typed: Typed) -> None:
    images = exam()
    study_uid = images[0].StudyInstanceUID
    with hilum_and_archive(tmp_path) as (hilum, pacs):
        hilum.send(write(images, tmp_path / "first"))
        hilum.settled(study_uid)
        ours = results(pacs)
        hilum.send(write(ours, tmp_path / "back"))
        moved = second(ours)
        for ds in (ds for ds in moved if "PixelData" in ds):
            ds.PixelData = ds.PixelData[::-1]  # archives may write a result anew
        hilum.send(write(moved, tmp_path / "moved"))
        said = events(hilum, study_uid, "moved")
        idle(hilum)
        assert hilum.records.rejections.since() == []
        assert states(hilum, study_uid) == ["completed"]
        assert alarms_now(hilum.site, hilum.records) == []
    changed_there = "the archive has changed the patient or study data of a result"
    assert said[0] == f"{changed_there}; nothing else is done"
