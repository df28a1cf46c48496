"""Who gets the results of a study that a person has uploaded: whom they chose, and nobody else."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from factory import a_study, a_workitem, put
from hilum.config import parse
from hilum.config.site import Rule, Site
from hilum.records import Records
from hilum.records.models.studies import UploadedStudy
from hilum.records.states import EventKind
from hilum.writing import recipients_of

UID = "1.2.840.77"
RULE = {"module": "m", "send_to": ["pacs"]}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folders = [
        {"name": name, "kind": "folder", "folder": str(tmp_path / name)} for name in ("pacs", "cd")
    ]
    values = {"destination": folders, "rule": [RULE], "route": [{"send_to": ["cd"]}]}
    return parse({"data": str(tmp_path), **values})


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as opened:
        yield opened


def choose(records: Records, *destinations: str, images: bool = False) -> bool:
    return records.uploads.choose(UploadedStudy(UID, 1.0, destinations, images), is_here=False)


def recipients(site: Site, records: Records) -> dict[str, bool]:
    item = a_workitem(study_uid=UID, rule=Rule(**RULE))
    return recipients_of(site, records, item, refused=False)


def test_the_rules_decide_where_nobody_has_chosen(site: Site, records: Records) -> None:
    assert recipients(site, records) == {"pacs": False, "cd": False}


def test_what_was_chosen_counts_and_no_rule_or_route(site: Site, records: Records) -> None:
    assert choose(records)
    assert recipients(site, records) == {}
    assert choose(records, "cd", images=True)
    assert recipients(site, records) == {"cd": True}


def test_a_destination_that_is_no_longer_defined_is_told(site: Site, records: Records) -> None:
    choose(records, "cd", "old")
    assert recipients(site, records) == {"cd": False}
    last = records.events.of_study(UID)[-1]
    assert (last.kind, last.text) == (
        EventKind.CAUTION,
        "not sent to old, which is no longer defined",
    )


def test_a_study_of_a_sender_keeps_to_its_rules(site: Site, records: Records) -> None:
    put(records, a_study(study_uid=UID))
    assert not choose(records)
    assert recipients(site, records) == {"pacs": False, "cd": False}


def test_a_study_of_which_nothing_was_stored_is_no_uploaded_one(
    site: Site, records: Records
) -> None:
    choose(records)
    records.uploads.forget_unused(lambda uid: uid == UID)
    assert recipients(site, records) == {}
    records.uploads.forget_unused(lambda _uid: False)
    assert recipients(site, records) == {"pacs": False, "cd": False}
