"""A Hilum of an older version was killed at work; this one takes over. Nothing is lost or doubled.

What it left is kept beside the tests of the records, as that version wrote it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from factory import write
from hilum.acts.asking import ask
from hilum.dicom.identity import Identity
from hilum.inbox.versions import Versions
from hilum.records.states import RequestAction
from hilum_lab.archives.behaviour import DimseBehaviour
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.network.processes import available_port
from plugin import install_plugin
from tests.patience import PATIENCE
from tests.records.left import last_event, leave, results_of
from tests.records.old.work import MODULE, STUDIES, came, images, settings

from .site import Running, running

PLACES = ("day", "night", "strict")
MADE_SINCE = {"day": ("running", "scheduled", "half"), "night": ("delivering",)}
MADE_SINCE["strict"] = ("parked",)
ANALYSED = ["running: counting runs", "analysed: 3 findings in", "written: results written: sr"]
AT_DAY = ["verified: 1 object read back from day", "completed: verified in day"]
TOLD = {  # since the older one was killed
    "finished": [],
    "fresh": [],
    "delivering": ["verified: 1 object read back from night", "completed: verified in night"],
    "parked": [
        "parked: strict (refused)",  # why stands with the delivery, no longer here
        "released: released, goes to strict",
        "verified: 1 object read back from strict",
        "completed: verified in strict",
    ],
    "running": [*ANALYSED, *AT_DAY],
    "scheduled": [*ANALYSED, *AT_DAY],
}


@pytest.fixture
def archives() -> Iterator[dict[str, DimseArchive]]:
    """The archives of that network: what the old Hilum had sent is there."""
    found = {name: DimseArchive(available_port()) for name in PLACES}
    try:
        for name, archive in found.items():
            archive.open(DimseBehaviour(ae_title="OTHER") if name == "strict" else DimseBehaviour())
        found["day"].holds |= results_of("day")
        yield found
    finally:
        for archive in found.values():
            archive.close()


def uid_of(study: str) -> str:
    return str(came(study)[0].StudyInstanceUID)


def test_nothing_is_lost_and_nothing_is_made_or_sent_twice(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    database: str,
    archives: dict[str, DimseArchive],
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, MODULE, "counting")
    (tmp_path / "plugin" / "go").touch()
    ports = {name: archive.port for name, archive in archives.items()}
    with taken_over(tmp_path, database, **settings(ports)) as hilum:
        hilum.send(write(images("half"), tmp_path / "half"))
        for study in set(STUDIES) - {"parked"}:
            hilum.settled(uid_of(study))
        parked = hilum.settled(uid_of("parked")).workitems[0]
        archives["strict"].open()  # the cure that was printed
        assert ask(hilum.records, hilum.site.data, RequestAction.RELEASE, parked.id, "", PATIENCE)[
            0
        ]
        hilum.until(lambda: archives["strict"].sent, "the result")
        states = {study: hilum.settled(uid_of(study)).workitems for study in STUDIES}
        told = {study: trace(hilum, study) for study in TOLD}
        of_half = trace(hilum, "half")
    assert {study: [item.state for item in items] for study, items in states.items()} == {
        study: ["completed"] for study in STUDIES
    }
    assert told == TOLD
    assert of_half[-5:] == [*ANALYSED, *AT_DAY]
    assert sum(line.startswith("complete: 6 images") for line in of_half) == 1
    made = {
        name: Counter(r.identity for study in studies for r in states[study][0].results)
        for name, studies in MADE_SINCE.items()
    }
    assert made == {name: archive.sent for name, archive in archives.items()}
    assert archives["night"].sent.keys() == results_of("night").keys()
    assert archives["strict"].sent.keys() == results_of("strict").keys()


def test_work_that_was_scheduled_is_done_by_the_newer_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archives: dict[str, DimseArchive]
) -> None:
    newer = MODULE.replace('"counting", "1"', '"counting", "2"')
    install_plugin(tmp_path / "plugin", monkeypatch, newer, "counting")
    (tmp_path / "plugin" / "go").touch()
    ports = {name: archive.port for name, archive in archives.items()}
    with taken_over(tmp_path, "sqlite", **settings(ports)) as hilum:
        unfinished = ("running", "scheduled")
        found = {study: hilum.settled(uid_of(study), 2).workitems for study in unfinished}
        found |= {study: hilum.settled(uid_of(study)).workitems for study in ("finished", "fresh")}
    assert {s: sorted((i.version, str(i.state)) for i in items) for s, items in found.items()} == {
        "running": [("1", "cancelled"), ("2", "completed")],
        "scheduled": [("1", "cancelled"), ("2", "completed")],
        "finished": [("1", "completed")],
        "fresh": [("1", "completed")],
    }
    for study in unfinished:
        old, new = sorted(found[study], key=lambda item: item.version)
        assert (old.reason, old.superseded_by) == ("another run replaces it", new.id)
        assert new.predecessor == old.id
    assert Counter(archives["day"].sent.values()) == {1: 2}


def test_an_old_result_is_taken_back_when_its_patient_is_corrected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archives: dict[str, DimseArchive]
) -> None:
    """The older Hilum has noted nothing by which its result could be known again."""
    install_plugin(tmp_path / "plugin", monkeypatch, MODULE, "counting")
    (tmp_path / "plugin" / "go").touch()
    ports = {name: archive.port for name, archive in archives.items()}
    corrected = came("finished")
    for image in corrected:
        image.PatientID = "right"
    with taken_over(tmp_path, "sqlite", **settings(ports)) as hilum:
        (old,) = hilum.settled(uid_of("finished")).workitems
        hilum.send(write(corrected, tmp_path / "corrected"))
        identity = Identity.of(corrected[0]).key
        kept = Versions(hilum.site.data)
        hilum.until(
            lambda: len(kept.of(uid_of("finished"), identity)) == len(corrected),
            "all corrected images",
        )
        decide = RequestAction.DECIDE
        done, answer = ask(hilum.records, hilum.site.data, decide, old.id, identity, PATIENCE)
        assert done, answer

        def states() -> list[str]:
            return sorted(str(i.state) for i in hilum.settled(uid_of("finished")).workitems)

        hilum.until(lambda: states() == ["completed", "completed", "withdrawn"], "the new result")
        unknown = hilum.records.workitems.without_subjects
        hilum.until(lambda: not unknown(), "the images of every older run to be noted")
    made = [
        held.PatientID for uid, held in archives["day"].holds.items() if "right" in held.PatientID
    ]
    assert made == ["right"]
    assert set(archives["day"].sent.values()) == {1}


def trace(hilum: Running, study: str) -> list[str]:
    """What is told of a study since the older Hilum was killed, without times."""
    events = hilum.records.events.of_study(uid_of(study))
    new = [f"{event.kind}: {event.text}" for event in events if event.id > last_event()]
    return [re.sub(r" in [0-9.]+ s$", " in", line) for line in new]


@contextmanager
def taken_over(folder: Path, database: str, **site: Any) -> Iterator[Running]:
    """A running Hilum that found the older one's data: in files, or in the database at a URL."""
    data = folder / "hilum"
    in_files = database.startswith("sqlite")
    data.mkdir()
    files = f"sqlite:///{data}/hilum.db", f"sqlite:///{data}/engine.db"
    leave(data, *(files if in_files else (database, database)))
    with running(folder, database="" if in_files else database, **site) as hilum:
        yield hilum
