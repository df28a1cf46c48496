"""A module that gives no result any more is an alarm until it gives one."""

import time
from pathlib import Path

import pytest

from factory import a_workitem, put
from hilum.alarms import Alarm, AlarmLog, alarms_now
from hilum.config import parse
from hilum.records import Records
from hilum.records.states import WorkitemState
from hilum.summary import MeasurementSummary, NoteSummary, RefusalSummary

REFUSAL, NOTE = RefusalSummary("c", "No."), NoteSummary("A remark.")
REFUSED = {"state": WorkitemState.COMPLETED, "findings": (REFUSAL, NOTE)}
FAILED = {"state": WorkitemState.FAILED, "findings": (REFUSAL,), "failure": "it died"}
MEASUREMENT = MeasurementSummary("Volume", 1.0, "ml")
WELL = {"state": WorkitemState.COMPLETED, "findings": (MEASUREMENT, NOTE)}
EMPTY = {"state": WorkitemState.DELIVERING, "findings": ()}
DAY = 24 * 3600


@pytest.fixture
def records(tmp_path: Path):
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    yield records
    records.close()


def alarms_after(
    records: Records, tmp_path: Path, *outcomes: dict, ago: float = 0.0
) -> list[Alarm]:
    site = parse(
        {"data": str(tmp_path), "receiver": {"low_water_mb": 0}, "rule": [{"module": "tiny"}]}
    )
    for number, outcome in enumerate(outcomes):
        created = time.time() - ago + number
        put(records, a_workitem(id=f"w{number}", module="tiny", created=created, **outcome))
    AlarmLog(site, records).check()
    return [alarm for alarm in alarms_now(site, records) if alarm.name == "module tiny"]


@pytest.mark.parametrize("outcomes", [[FAILED] * 5, [REFUSED] * 5, [WELL, *[FAILED, REFUSED] * 3]])
def test_five_in_a_row_without_a_result_are_an_alarm(outcomes, records, tmp_path: Path) -> None:
    (alarm,) = alarms_after(records, tmp_path, *outcomes)
    assert alarm.since > time.time() - 60
    last = outcomes[-5:]
    failed, refused = last.count(FAILED), last.count(REFUSED)
    said = f"{failed} failed, {refused} were refused"
    assert f"the last 5 analyses of tiny gave no result: {said}" in alarm.text


@pytest.mark.parametrize(
    "outcomes",
    [
        [FAILED] * 4,
        [*[FAILED] * 9, WELL],
        [*[REFUSED] * 4, EMPTY],
        [*[FAILED] * 4, {"state": WorkitemState.RUNNING}],
    ],
)
def test_fewer_or_one_result_among_them_is_none(outcomes, records, tmp_path: Path) -> None:
    assert alarms_after(records, tmp_path, *outcomes) == []


def test_yesterday_is_over(records, tmp_path: Path) -> None:
    assert alarms_after(records, tmp_path, *[FAILED] * 5, ago=DAY + 60) == []
