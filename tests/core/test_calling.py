"""A study is called by UID, address, accession number or the end of its UID; never by chance."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from factory import a_study, a_workitem, put
from hilum.acts.asking import to_be_tried_again, workitem_meant
from hilum.assessments.assessing import to_be_assessed
from hilum.errors import HilumError
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.states import EventKind, RequestAction, WorkitemState
from hilum.records.views import study_called
from hilum.why.question import studies_meant

ONE, TWO, THREE = (f"1.2.840.5555.{number}" for number in (1, 2, 3))


DONE, WITHDRAW = WorkitemState.COMPLETED, RequestAction.WITHDRAW


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


def test_a_workitem_is_called_by_its_study_where_only_one_can_be_meant(records: Records) -> None:
    put(
        records,
        *(a_workitem(id=f"1.9.{n}", study_uid=ONE, state=DONE, module=f"m{n}") for n in (1, 2)),
    )
    put(records, a_workitem(id="1.9.3", study_uid=ONE, state=WorkitemState.RUNNING))
    assert workitem_meant(records, "A1", RequestAction.CANCEL) == "1.9.3"
    assert workitem_meant(records, "9.1", RequestAction.WITHDRAW) == "1.9.1"
    with pytest.raises(HilumError, match=r"these workitems: 1\.9\.1 of m1, 1\.9\.2 of m2"):
        workitem_meant(records, "A1", RequestAction.WITHDRAW)
    with pytest.raises(HilumError, match="this study has nothing to release"):
        workitem_meant(records, "A1", RequestAction.RELEASE)


def test_the_end_of_an_id_that_is_an_accession_number_names_nothing(records: Records) -> None:
    """It may be the workitem of another patient."""
    put(records, a_workitem(id="1.9.77", study_uid=TWO, state=DONE))
    put(records, a_study(study_uid="1.2.4", folder="1.2.4"))
    records.events.add("1.2.4", EventKind.RECEIVING, "images came")
    said = StudyIdentifiers(accession_number="77", patient_id="P")
    assert records.identifiers.note_older("1.2.4", said)
    for call in (to_be_tried_again, to_be_assessed, partial(workitem_meant, action=WITHDRAW)):
        with pytest.raises(HilumError, match="and it is an accession number, too"):
            call(records, "77")
    assert workitem_meant(records, "1.9.77", WITHDRAW) == "1.9.77"


@pytest.mark.parametrize("unknown", ["A2", "P", "A*", "B*"])
def test_what_names_none_is_said(records: Records, unknown: str) -> None:
    """A patient ID names no study, and a pattern none either."""
    with pytest.raises(HilumError, match="no study ends in"):
        study_called(records, unknown)
