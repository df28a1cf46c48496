"""A module that gives no result any more is an alarm until it gives one."""

import time
from pathlib import Path

import pytest

from factory import workitem_row
from hilum.config import parse
from hilum.records import Records, tables, views
from hilum.records.alarms import Alarms
from hilum.records.states import State

REFUSAL = {"kind": "refusal", "text": "No."}
REFUSED = {
    "state": State.COMPLETED,
    "findings": [REFUSAL, {"kind": "note"}],
}
FAILED = {
    "state": State.FAILED,
    "findings": [REFUSAL],
    "failure": "it died",
}
WELL = {"state": State.COMPLETED, "findings": [{"kind": "measurement"}, {"kind": "note"}]}
EMPTY = {"state": State.DELIVERING, "findings": []}
DAY = 24 * 3600


@pytest.fixture
def records(tmp_path: Path):
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    yield records
    records.close()


def alarms_after(records: Records, tmp_path: Path, *outcomes: dict, ago: float = 0.0) -> list:
    site = parse(
        {"data": str(tmp_path), "receiver": {"low_water_mb": 0}, "rule": [{"module": "tiny"}]}
    )
    for number, outcome in enumerate(outcomes):
        row = workitem_row(id=f"w{number}", module="tiny")
        created = time.time() - ago + number
        records.put(tables.workitem, **(row | outcome | {"created": created}))
    Alarms(site, records).check()
    return [a for a in views.alarms(site, records) if a["name"] == "module tiny"]


@pytest.mark.parametrize("outcomes", [[FAILED] * 5, [REFUSED] * 5, [WELL, *[FAILED, REFUSED] * 3]])
def test_five_in_a_row_without_a_result_are_an_alarm(outcomes, records, tmp_path: Path) -> None:
    (alarm,) = alarms_after(records, tmp_path, *outcomes)
    assert alarm["since"] > time.time() - 60
    assert alarm["failed"] + alarm["refused"] == 5
    assert "the last 5 analyses of tiny gave no result" in alarm["text"]


@pytest.mark.parametrize(
    "outcomes",
    [
        [FAILED] * 4,
        [*[FAILED] * 9, WELL],
        [*[REFUSED] * 4, EMPTY],
        [*[FAILED] * 4, {"state": State.RUNNING}],
    ],
)
def test_fewer_or_one_result_among_them_is_none(outcomes, records, tmp_path: Path) -> None:
    assert alarms_after(records, tmp_path, *outcomes) == []


def test_yesterday_is_over(records, tmp_path: Path) -> None:
    assert alarms_after(records, tmp_path, *[FAILED] * 5, ago=DAY + 60) == []
