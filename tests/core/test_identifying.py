"""What images say of patient and order is noted, follows the images, and goes with them."""

import itertools
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from pydicom.dataset import Dataset

from factory import OURS, a_workitem, as_own_result, mr_slices, put, write
from hilum.arrivals import Arrivals
from hilum.dicom.identity import Identity
from hilum.dicom.instance import Instance
from hilum.hints import Stored
from hilum.identifying import identifiers_of, note_older
from hilum.inbox import Inbox
from hilum.records import Records, listing, tables, views
from hilum.records.copies import Keeper
from hilum.records.listed import ListedStudy
from hilum.records.models.patients import Correction, Decision
from hilum.records.models.studies import Removal
from hilum.records.search import StudyQuery
from hilum.records.states import StudyState, WorkitemState
from hilum.recovering import recover
from tests.records.test_recovering import site_at

MARKER = "MARKERNAME"


class Scene:
    """An inbox with records, and the part of the gateway that follows what comes in."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.inbox = Inbox(self.data)
        self.records = Records(f"sqlite:///{self.data}/hilum.db")
        self.arrivals = Arrivals(self.inbox, self.records, OURS)
        self._folder = folder
        self._numbers = itertools.count()

    def receive(self, *slices: Dataset, wait: float | None = None) -> list[Path]:
        """Take images in, and note that the rules want to look again after `wait` s, or never."""
        stored = []
        for file in write(list(slices), self._folder / f"sent{next(self._numbers)}"):
            path = self.inbox.store(file.read_bytes()).path
            assert path
            self.arrivals.take(Stored(path))
            stored.append(path)
        self.review(wait)
        return stored

    def review(self, wait: float | None = None) -> None:
        for arrival in self.arrivals.due(float("inf")):
            self.arrivals.reviewed(arrival, wait, 0.0)

    def line(self) -> ListedStudy:
        (study,) = views.find(self.records, StudyQuery()).studies
        return study

    def finds(self, **conditions: str) -> bool:
        return views.find(self.records, StudyQuery(**conditions)).total == 1  # type: ignore[arg-type]

    def forget(self) -> None:
        """Leave the records as the tables of an older Hilum become."""
        blank = {column.name: "" for column in tables.listing.c if column.name.endswith("_key")}
        blank |= {"patient_name": "", "state": "", "reason": ""}
        older = tables.listing.update().values(**blank, urgency=0, noted=False)
        self.records.database.transact(lambda connection: connection.execute(older))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(tmp_path)
    yield scene
    scene.records.close()


def image(**values: str) -> Dataset:
    (ds,) = mr_slices(count=1)
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def instance(folder: Path, **values: str) -> Instance:
    return Instance.read(write([image(**values)], folder)[0])


def test_what_an_image_says_is_noted(tmp_path: Path) -> None:
    said = identifiers_of(
        [instance(tmp_path, StudyDescription="Brain\tMR", IssuerOfPatientID="HOSPITAL")]
    )
    assert (said.patient_id, said.issuer, said.patient_name) == (
        "marker-id",
        "HOSPITAL",
        "Marker^Patient",
    )
    assert (said.accession_number, said.study_date) == ("A1", "20260101")
    assert (said.description, said.modalities, said.others) == ("Brain MR", ("MR",), ())


def test_text_is_read_in_its_character_set(tmp_path: Path) -> None:
    said = identifiers_of(
        [instance(tmp_path, SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg")]
    )
    assert said.patient_name == "Müller^Jörg"


@pytest.mark.parametrize(
    ("stated", "noted"), [("2026.01.02", "20260102"), ("20261301", ""), ("yesterday", "")]
)
def test_only_a_date_is_noted_as_one(tmp_path: Path, stated: str, noted: str) -> None:
    (read,) = [instance(tmp_path)]
    read.header.add_new("StudyDate", "LO", stated)
    assert identifiers_of([read]).study_date == noted


def test_no_value_is_longer_than_its_column(tmp_path: Path) -> None:
    (read,) = [instance(tmp_path)]
    for keyword in ("PatientName", "PatientID", "AccessionNumber", "StudyDescription", "Modality"):
        read.header.add_new(keyword, "LT", "x" * 5000)
    said = identifiers_of([read])
    for name in ("patient_id", "accession_number", "description", "study_date", "issuer"):
        assert len(getattr(said, name)) <= tables.listing.c[name].type.length
    assert len(said.patient_name) == 200
    assert len(said.modalities[0]) == 16


def test_a_result_of_ours_says_nothing_about_the_study(tmp_path: Path) -> None:
    ours = write([as_own_result(image(PatientID="OTHER"))], tmp_path)[0]
    assert identifiers_of([Instance.read(ours, OURS)]).patient_id == ""


def test_a_study_is_found_as_soon_as_it_comes(scene: Scene) -> None:
    scene.receive(*mr_slices(count=2), wait=1.0)
    assert scene.finds(patient_id="MARKER-ID", patient_name="patient", accession_number="a1")
    assert scene.line().state is StudyState.RECEIVING
    scene.review()
    assert scene.line().state is StudyState.NO_RULE


def test_every_series_counts_and_every_patient_is_found(scene: Scene) -> None:
    scene.receive(*mr_slices(count=2), wait=1.0)
    other = mr_slices("other", count=2, modality="CT", patient="Somebody^Else")
    other[1].PatientID = "2"
    scene.receive(*other, wait=1.0)
    assert scene.line().modalities == ("CT", "MR")
    assert scene.finds(patient_name="somebody")
    assert not scene.finds(patient_id="2")  # another patient within a series
    scene.review()
    assert scene.finds(patient_id="2")
    assert scene.line().patient_id == "marker-id"


def test_images_that_a_person_decided_against_are_not_found(scene: Scene) -> None:
    right, wrong = mr_slices(count=1)[0], mr_slices("other", count=1, patient="Wrong^One")[0]
    wrong.PatientID = "2"
    stored = scene.receive(right, wrong)
    assert scene.finds(patient_id="2")
    arrival = scene.arrivals.reopen(right.StudyInstanceUID)
    arrival.decided = Identity.of(Instance.read(stored[0]).header).key
    scene.review()
    assert not scene.finds(patient_id="2")
    assert scene.finds(patient_id="marker-id")


def test_what_an_older_hilum_recorded_is_read_step_by_step(scene: Scene) -> None:
    """From the files that workitems name, or from a sample; what is ended goes on."""
    named = scene.receive(*mr_slices(count=3))[0]
    study = str(mr_slices(count=1)[0].StudyInstanceUID)
    put(scene.records, a_workitem(study_uid=study, siblings=(named.name,), reason="why"))
    scene.receive(*mr_slices(study="second", count=3, patient="Second^One"))
    scene.forget()
    assert views.find(scene.records, StudyQuery()).unread == 2
    pauses: list[float] = []

    def end_it(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:  # both lines, and the identifiers of the newest
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        note_older(scene.records, scene.inbox, OURS, pause=end_it)
    assert scene.finds(patient_name="second")
    assert not scene.finds(patient_name="marker")
    assert scene.finds(reason="why")
    assert views.find(scene.records, StudyQuery()).unread == 1
    note_older(scene.records, scene.inbox, OURS, pause=pauses.append)
    assert scene.finds(patient_name="marker")
    assert views.find(scene.records, StudyQuery()).unread == 0
    assert len(pauses) == 4


def test_what_was_noted_meanwhile_is_not_replaced_by_what_was_read(scene: Scene) -> None:
    (stored,) = scene.receive(image())
    scene.forget()
    said = identifiers_of([Instance.read(stored)])
    scene.records.studies.reviewed(study_of(stored), 1, 1.0, 1, said)
    assert not scene.records.identifiers.note_older(study_of(stored), identifiers_of([]))
    assert scene.finds(patient_name="marker")


def study_of(file: Path) -> str:
    return Instance.read(file).study_uid


def test_an_odd_study_does_not_stop_the_others(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.receive(image())
    odd = study_of(scene.receive(*mr_slices(study="odd", count=1))[0])
    put(scene.records, a_workitem(study_uid=odd))
    broken = tables.workitem.update().values(siblings=5)
    scene.records.database.transact(lambda connection: connection.execute(broken))
    scene.forget()
    with caplog.at_level(logging.ERROR):
        note_older(scene.records, scene.inbox, OURS, pause=lambda _seconds: None)
    assert scene.finds(patient_name="marker")
    assert scene.records.identifiers.not_noted() == [odd]
    assert f"the identifiers of study {odd}: TypeError" in caplog.text


def test_identifiers_go_with_the_images(scene: Scene) -> None:
    """Nothing of the patient is left in the file of the database, and the address stays."""
    (stored,) = scene.receive(image(PatientName=MARKER, StudyDescription=MARKER))
    before = scene.line()
    assert before.patient_name == MARKER
    removal = Removal(study_of(stored), 1.0, "old", 1, 10, 0)
    scene.records.studies.remove_images(removal, "1 image: old")
    after = scene.line()
    assert after.address == before.address
    assert (after.modalities, after.study_date, after.removed) == (("MR",), "20260101", True)
    assert (after.patient_name, after.patient_id, after.description) == ("", "", "")
    assert not scene.finds(patient_name=MARKER)
    scene.records.close()
    with closing(sqlite3.connect(scene.data / "hilum.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    files = [file for file in scene.data.glob("hilum.db*") if file.is_file()]
    assert files
    content = b"".join(file.read_bytes() for file in files)
    assert MARKER.encode() not in content
    assert MARKER.lower().encode() not in content


def test_images_that_come_again_bring_their_identifiers(scene: Scene) -> None:
    (stored,) = scene.receive(image())
    study = study_of(stored)
    stored.unlink()
    scene.records.studies.remove_images(Removal(study, 1.0, "old", 1, 10, 0), "1 image: old")
    assert not scene.finds(patient_name="marker")
    scene.receive(image())
    assert scene.finds(patient_name="marker")


def test_a_correction_that_waits_is_seen(scene: Scene) -> None:
    (stored,) = scene.receive(image())
    study = study_of(stored)
    scene.records.corrections.note(Correction(study, "key", 1.0, ("CT1",), is_open=True))
    assert scene.line().state is StudyState.HELD
    scene.records.corrections.dismiss(study)
    assert scene.line().state is StudyState.NO_RULE


def test_recover_keeps_addresses_and_has_identifiers_read_again(
    scene: Scene, tmp_path: Path
) -> None:
    (stored,) = scene.receive(image())
    study = study_of(stored)
    item = a_workitem(study_uid=study, state=WorkitemState.HELD, reason="why")
    scene.records.workitems.schedule(item, [])
    before = scene.line()
    while Keeper(scene.records.database.transact, scene.data).follow():
        pass
    scene.records.close()
    for file in scene.data.glob("hilum.db*"):
        file.unlink()
    recover(site_at("sqlite", scene.data), lambda *_: None)
    scene.records = Records(f"sqlite:///{scene.data}/hilum.db")
    after = scene.line()
    assert (after.address, after.state, after.reason) == (before.address, before.state, "why")
    assert after.patient_name == ""
    note_older(scene.records, scene.inbox, OURS, pause=lambda _seconds: None)
    assert scene.line() == before


def test_a_decision_counts_for_older_studies_too(scene: Scene) -> None:
    right, wrong = mr_slices(count=1)[0], mr_slices("other", count=1, patient="Wrong^One")[0]
    wrong.PatientID = "2"
    stored = scene.receive(right, wrong)
    identity = Identity.of(Instance.read(stored[0]).header).key
    scene.records.corrections.decide(Decision(study_of(stored[0]), identity, 1.0))
    scene.forget()
    note_older(scene.records, scene.inbox, OURS, pause=lambda _seconds: None)
    assert not scene.finds(patient_id="2")
    assert scene.finds(patient_id="marker-id")


def test_a_line_is_made_once(scene: Scene) -> None:
    (stored,) = scene.receive(image())
    before = scene.line()
    scene.records.database.transact(partial(listing.add, study_uid=study_of(stored), last_at=0.0))
    assert scene.line() == before


def test_an_error_of_the_database_shows_no_value(scene: Scene) -> None:
    scene.receive(image())
    wrong = tables.listing.update().values(patient_id=MARKER, removed=None)
    with pytest.raises(sa.exc.IntegrityError) as failed:
        scene.records.database.transact(lambda connection: connection.execute(wrong))
    assert MARKER not in str(failed.value)
