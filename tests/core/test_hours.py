"""A rule may keep its analyses for some hours of the day; what is urgent or asked for goes on."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from factory import a_workitem, put
from hilum.acts.requests import obey
from hilum.alarms.alarm import Facts
from hilum.alarms.kinds import engine
from hilum.config import parse
from hilum.config.hours import is_within, last_begin, next_begin
from hilum.config.site import Rule
from hilum.errors import ConfigurationError
from hilum.processes.hints import HintReceiver, Ready, gateway_address
from hilum.records import Records
from hilum.records.models.requests import Wish
from hilum.records.models.workitems import WaitingAnalyses, Workitem
from hilum.records.states import RequestAction, WorkitemState
from hilum.service.gateway import follow
from hilum.study.hours import PATIENCE_SECONDS
from hilum.why.question import explain
from hilum.wording import moment
from tests.core.test_composing import VOLUME as VOLUME_FOUND
from tests.core.test_composing import Strict, begin, find
from tests.core.test_order_of_arrival import Gateway, contents, gateway
from tests.patience import until
from tests.postgres import Postgres

NIGHT = "22:00-06:00"
NOON = time.mktime((2026, 11, 30, 12, 0, 0, 0, 0, -1))
RULE = Rule(module="m", hours=NIGHT, priority="LOW")


def on_day(clock: str, day: int = 30) -> float:
    """That time of that day in November 2026, in s since 1970."""
    hour, minute = map(int, clock.split(":"))
    return time.mktime((2026, 11, day, hour, minute, 0, 0, 0, -1))


@pytest.mark.parametrize(
    ("hours", "within", "outside"),
    [
        (NIGHT, ("22:00", "23:59", "00:00", "05:59"), ("06:00", "12:00", "21:59")),
        ("08:30-17:00", ("08:30", "16:59"), ("08:29", "17:00", "00:00")),
        ("00:00-23:59", ("00:00", "23:58"), ("23:59",)),
    ],
)
def test_hours_may_go_past_midnight(
    hours: str, within: tuple[str, ...], outside: tuple[str, ...]
) -> None:
    for clock in within:
        at = on_day(clock)
        assert is_within(hours, at), clock
        assert last_begin(hours, at) <= at < next_begin(hours, at)
        assert all(is_within(hours, t) for t in (last_begin(hours, at), next_begin(hours, at)))
    for clock in outside:
        assert not is_within(hours, on_day(clock)), clock


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo"])
def test_they_are_told_by_the_clock_of_the_machine(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "TZ", zone)
    time.tzset()
    try:
        for day in (24, 25, 31):  # clocks are set back in the night after one of them
            at = time.mktime((2026, 10, day, 12, 0, 0, 0, 0, -1))
            assert time.strftime("%R", time.localtime(next_begin(NIGHT, at))) == "22:00"
            assert time.strftime("%R", time.localtime(last_begin(NIGHT, at))) == "22:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("wrong", ["22-6", "22:00", "24:00-06:00", "22:00-22:00", "22:00 - 06:00"])
def test_what_is_no_hours_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match="such as 22:00-06:00"):
        parse({"rule": [{"module": "m", "hours": wrong}]})


@pytest.fixture
def hall() -> Iterator[Gateway]:
    """It is noon, and a study has come that is to be analysed at night."""
    with gateway(rule=(RULE,)) as made:
        receive_at_noon(made)
        yield made


def receive_at_noon(hall: Gateway) -> None:
    hall.now = NOON - 150
    for image in contents("one"):
        hall.receive(image, "a")
    hall.wait(150)


def the_one(hall: Gateway) -> Workitem:
    [item] = hall.items("one", RULE)
    return item


def test_it_waits_says_why_and_begins_when_the_hours_do(hall: Gateway) -> None:
    item = the_one(hall)
    waits = f"waits until {moment(on_day('22:00'))}, because its rule analyses between 22:00 and"
    assert item.state is WorkitemState.SCHEDULED
    assert item.reason.startswith(waits)
    assert any(waits in event.text for event in hall.records.events.of_study(item.study_uid))
    said = explain(hall.flow.site, hall.records, item.study_uid, hall.now)
    assert said.sentence == f"The analysis by m {item.reason}."
    assert [cure.command for cure in said.cures] == [f"hilum begin {item.id[-8:]}"]
    told = hall.flow.workitems.hours.told_of_all(hall.records.workitems.waiting(), hall.now)
    assert told == f"1 analysis waits for the hours of its rule, from {moment(on_day('22:00'))} on"

    hall.flow.sweep()
    assert not hall.engine.launched
    hall.now = on_day("22:00")
    hall.flow.sweep()
    assert list(hall.engine.launched.values()) == [item.id]
    assert hall.flow.workitems.hours.told_of_all(hall.records.workitems.waiting(), hall.now) == ""


def test_what_has_not_begun_when_the_hours_end_waits_for_the_next_night(hall: Gateway) -> None:
    item = the_one(hall)
    hall.now = on_day("22:00")
    hall.flow.sweep()
    hall.now = on_day("06:00", day=31)
    assert not hall.flow.begin(item.id), "a worker takes it from the queue too late"
    hall.flow.sweep()
    assert the_one(hall).reason.startswith(f"waits until {moment(on_day('22:00', day=31))}, ")
    listed = hall.records.search.of([item.study_uid])[item.study_uid]
    assert listed.reason == the_one(hall).reason
    hall.now = on_day("05:59", day=31)
    assert hall.flow.begin(item.id)
    hall.records.moves.set_state(item.id, WorkitemState.RUNNING, "m runs")
    hall.now = on_day("06:00", day=31)
    assert hall.flow.begin(item.id), "what has begun is finished"


def test_the_rule_of_today_counts_for_what_waits(hall: Gateway) -> None:
    item = the_one(hall)
    begin(hall, Strict, rule=(RULE.model_copy(update={"hours": ""}),))
    hall.flow.sweep()
    assert list(hall.engine.launched.values()) == [item.id]


def by_a_person(hall: Gateway, item: Workitem) -> None:
    number = hall.records.requests.add(RequestAction.BEGIN, item.id, "")
    obey(hall.flow)
    asked = hall.records.requests.one(number)
    assert (asked.done, asked.answer) == (True, "m analyses it before all others")


def by_an_urgent_finding(hall: Gateway, item: Workitem) -> None:
    hall.flow.turns.let_others_begin(item, urgent=True)


@pytest.mark.parametrize("wanted", [by_a_person, by_an_urgent_finding])
def test_it_begins_at_once_where_somebody_needs_it(
    hall: Gateway, wanted: Callable[[Gateway, Workitem], None]
) -> None:
    item = the_one(hall)
    with closing(HintReceiver(gateway_address(hall.flow.site.data))) as hints:
        wanted(hall, item)
        until(lambda: Ready(item.id) in hints.receive(1), "the hint that it is ready")
    follow(Ready(item.id), hall.flow)
    assert list(hall.engine.launched.values()) == [item.id]
    assert the_one(hall).reason.startswith("begins first, because ")
    assert hall.flow.begin(item.id)
    wanted(hall, item)  # once more changes nothing
    lines = [event.text for event in hall.records.events.of_study(item.study_uid)]
    assert sum(line.startswith("begins first") for line in lines) == 1


def test_so_does_that_on_more_images_in_its_place() -> None:
    early = RULE.model_copy(update={"incomplete": "analyse"})
    with gateway(rule=(early,)) as hall:
        hall.now = NOON - 300
        *most, last = contents("one")[:6]
        for image in most:
            hall.receive(image, "a")
        hall.wait(150)
        [item] = hall.items("one", early)
        assert hall.flow.turns.begin_first(item, "a person wants it now")
        hall.receive(last, "b")
        hall.wait(150)
        before, after = hall.items("one", early)
        assert (before.superseded_by, after.at_once) == (after.id, True)
        assert after.id in hall.engine.launched.values()


def test_what_a_person_has_chosen_waits_for_no_hours(hall: Gateway) -> None:
    by_a_person_stopped = the_one(hall)
    hall.records.moves.cancel(by_a_person_stopped, "cancelled by a person")
    study = by_a_person_stopped.study_uid
    hall.records.requests.add(RequestAction.ANALYSE, "", study_uid=study, wish=Wish(module="m"))
    obey(hall.flow)
    hall.flow.sweep()
    assert len(hall.engine.launched) == 1


def test_nobody_is_alarmed_by_what_waits_for_its_hours(hall: Gateway) -> None:
    def alarms_at(at: float) -> list[float | None]:
        facts = Facts(hall.flow.site, hall.records, at)
        return [alarm.since for alarm in engine.alarms(facts)]

    assert alarms_at(on_day("21:59")) == []
    assert alarms_at(on_day("22:00")) == []
    assert alarms_at(on_day("22:02")) == [on_day("22:00")], "no worker runs"


def test_what_is_given_its_findings_waits_as_long() -> None:
    strict = Rule(module="share")
    with gateway(rule=(RULE, strict)) as hall:
        begin(hall, Strict)
        receive_at_noon(hall)
        whole = the_one(hall)
        [given] = hall.items("one", strict)
        assert given.used == {"part": whole.id}
        hall.now = on_day("22:00") - 1
        hall.flow.sweep()
        assert list(engine.alarms(Facts(hall.flow.site, hall.records, hall.now))) == []
        said = explain(hall.flow.site, hall.records, given.study_uid, hall.now)
        assert f"hilum begin {whole.id[-8:]}" in [cure.command for cure in said.cures]
        hall.now += PATIENCE_SECONDS
        hall.flow.sweep()
        assert list(hall.engine.launched.values()) == [whole.id]
        find(hall, whole, VOLUME_FOUND)
        hall.flow.sweep()
        assert list(hall.engine.launched.values()) == [whole.id, given.id]


def test_so_does_that_whose_findings_it_waits_for() -> None:
    strict = Rule(module="share")
    with gateway(rule=(RULE, strict)) as hall:
        begin(hall, Strict)
        receive_at_noon(hall)
        whole = the_one(hall)
        [given] = hall.items("one", strict)
        number = hall.records.requests.add(RequestAction.BEGIN, given.id, "")
        obey(hall.flow)
        answer = "share analyses it before all others; it waits for the findings of m"
        assert hall.records.requests.one(number).answer == answer
        hall.flow.sweep()
        assert list(hall.engine.launched.values()) == [whole.id]


def test_who_waits_is_told_by_a_server_too(postgres: Postgres) -> None:
    with closing(Records(postgres.database())) as records:
        put(records, a_workitem(rule=RULE, rule_key=RULE.key, created=NOON))
        assert records.workitems.waiting() == [WaitingAnalyses(RULE.key, NIGHT, NOON, 1)]
        [item] = records.workitems.in_state(WorkitemState.SCHEDULED)
        assert records.workitems.begin_at_once(item, "begins first, because of the test")
        assert records.workitems.waiting() == [WaitingAnalyses("", "", NOON, 1)]
        assert records.workitems.waiting([item.module]) == []
        about = {"id": "1.2.4", "rule_key": "k", "created": NOON, "used": {"part": item.id}}
        put(records, a_workitem(**about))
        assert WaitingAnalyses("k", "", NOON, 1, for_findings=True) in records.workitems.waiting()
