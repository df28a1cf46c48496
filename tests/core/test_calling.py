"""A study is called by UID, address, accession number or the end of its UID; never by chance."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from factory import a_study, put
from hilum.errors import HilumError
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.states import EventKind
from hilum.records.views import study_called
from hilum.why.question import studies_meant

ONE, TWO, THREE = (f"1.2.840.5555.{number}" for number in (1, 2, 3))


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as opened:
        for number, uid in enumerate((ONE, TWO, THREE)):
            put(opened, a_study(study_uid=uid, folder=uid, last_at=float(number)))
            opened.events.add(uid, EventKind.RECEIVING, "images came")
            accession = "A1" if uid == ONE else "B7"
            said = StudyIdentifiers(accession_number=accession, patient_id="P")
            assert opened.identifiers.note_older(uid, said)
        yield opened


def test_one_study_is_called_in_four_ways(records: Records) -> None:
    address = records.identifiers.addresses([ONE])[ONE]
    for called in (ONE, address, "A1", "a1", "5555.1"):
        assert study_called(records, called) == ONE


def test_several_with_one_accession_number_are_listed_and_none_is_chosen(
    records: Records,
) -> None:
    with pytest.raises(HilumError) as refused:
        study_called(records, "B7")
    addresses = records.identifiers.addresses([TWO, THREE])
    said = "2 studies have this accession number: name one by its address"
    assert str(refused.value) == f"{said} ({addresses[THREE]}, {addresses[TWO]})"
    assert studies_meant(records, "B7") == [THREE, TWO]


@pytest.mark.parametrize("unknown", ["A2", "P", "A*", "B*"])
def test_what_names_none_is_said(records: Records, unknown: str) -> None:
    """A patient ID names no study, and a pattern none either."""
    with pytest.raises(HilumError, match="no study ends in"):
        study_called(records, unknown)
