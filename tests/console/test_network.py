"""The pages of the network: how a day went, what waits where, and what a person does about it."""

import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from factory import a_delivery, a_study, a_workitem, put
from hilum.audit import AuditedAct, AuditOutcome, AuditStore, ObjectType, audit_file
from hilum.config import parse
from hilum.config.site import Site
from hilum.errors import HilumError
from hilum.inbox.updates import keep
from hilum.people.entrance import require_console
from hilum.people.roles import UserRole
from hilum.records import Records, views
from hilum.records.models.requests import WorklistStep
from hilum.records.models.standings import WorklistStanding
from hilum.records.states import (
    DeliveryState,
    PausedKind,
    RequestAction,
    StepState,
    WorkitemState,
    WorklistState,
)
from hilum.records.views import HourOfDeliveries
from hilum.records.views.strips import HOUR, LATE_SECONDS
from hilum_lab.network.processes import available_port

from .house import HIDDEN, House, a_house
from .test_pages import text_of

HERE = "/network/destinations/out"
NOW = 1e9


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as opened:
        yield opened


def deliver(records: Records, number: int, state: DeliveryState, **values: object) -> str:
    """A result on its way to "out"; the id of its workitem."""
    uid = f"1.9.{number}"
    parked = {DeliveryState.REFUSED: WorkitemState.PARKED}
    item = a_workitem(
        id=f"{uid}.1", study_uid=uid, state=parked.get(state, WorkitemState.DELIVERING)
    )
    put(records, a_study(study_uid=uid, folder=uid), item)
    put(records, a_delivery(item.id, "out", state=state, **values))
    return item.id


@pytest.mark.parametrize(
    ("state", "seconds", "hour"),
    [
        (DeliveryState.VERIFIED, LATE_SECONDS, HourOfDeliveries(1, 0, 0, 0)),
        (DeliveryState.ACCEPTED, LATE_SECONDS + 1, HourOfDeliveries(0, 1, 0, 0)),
        (DeliveryState.WAITING, None, HourOfDeliveries(0, 1, 0, 0)),
        (DeliveryState.REFUSED, None, HourOfDeliveries(0, 0, 1, 0)),
        (DeliveryState.CANCELLED, None, HourOfDeliveries(0, 0, 0, 0)),
    ],
)
def test_an_hour_counts_what_became_of_what_was_owed_in_it(
    records: Records, state: DeliveryState, seconds: float | None, hour: HourOfDeliveries
) -> None:
    owed_at = NOW - 1.5 * HOUR
    shown_at = None if seconds is None else owed_at + seconds
    deliver(records, 1, state, owed_at=owed_at, verified_at=shown_at)
    deliver(records, 2, DeliveryState.WAITING, owed_at=NOW - 60)
    deliver(records, 3, DeliveryState.REFUSED, owed_at=NOW - 25 * HOUR)
    [shown] = views.strips_of(records, ["out"], NOW).values()
    assert (len(shown.hours), shown.hours[-2]) == (24, hour)
    assert shown.hours[-1] == HourOfDeliveries(0, 0, 0, 1)
    assert shown.day.total == hour.total + 1
    assert shown.backlog.count == (2 if state is DeliveryState.WAITING else 1)
    assert shown.most == 1


def test_the_rate_is_what_arrived_within_the_hour_whenever_it_was_owed(records: Records) -> None:
    deliver(records, 1, DeliveryState.VERIFIED, owed_at=NOW - 30 * HOUR, verified_at=NOW - 5)
    deliver(records, 2, DeliveryState.VERIFIED, owed_at=NOW - 3 * HOUR, verified_at=NOW - 2 * HOUR)
    shown = views.strips_of(records, ["out", "other"], NOW)
    assert (shown["out"].rate, shown["other"].rate) == (1, 0)


def test_everything_that_waits_at_a_destination_is_sent_again_after_its_number_was_shown(
    house: House,
) -> None:
    ids = [
        deliver(house.records, n, DeliveryState.REFUSED, reason=f"enable SEG {HIDDEN}")
        for n in range(3)
    ]
    put(house.records, a_delivery(ids[0], "gone", state=DeliveryState.REFUSED))
    deliver(house.records, 9, DeliveryState.DELAYED, next_attempt=time.time() + 900)
    shown = house.get(HERE)
    assert "Send again: 3 results …" in text_of(shown)
    assert "<script>" not in shown and text_of(shown).count("refused enable SEG") == 0
    assert text_of(shown).count("enable SEG") == 3
    assert "3 studies wait for a person" in text_of(house.get("/network"))
    with house.client(UserRole.OPERATOR) as client:
        asked = client.get(f"{HERE}/acts", params={"act": "release"}).text
        assert "1 of them waits at another destination, too, and stays parked there." in text_of(
            asked
        )
        wrong = client.post(f"{HERE}/acts", data={"act": "release", "number": 2})
        assert wrong.status_code == 409
        assert "it is about 3 results now, not 2: look again" in wrong.text
        assert house.records.requests.waiting() == []
        done = client.post(f"{HERE}/acts", data={"act": "release", "number": 3})
        assert done.headers["location"] == f"{HERE}?asked=3"
        assert "The gateway was asked to do it with 3 results" in client.get(f"{HERE}?asked=3").text
        client.post(f"{HERE}/acts", data={"act": "retry", "number": 1})
        assert client.get("/network/destinations/none").status_code == 404
    waiting = house.records.requests.waiting()
    assert [one.workitem_id for one in waiting] == [*ids, "1.9.9.1"]
    assert [one.action for one in waiting] == [*[RequestAction.RELEASE] * 3, RequestAction.RETRY]
    assert {one.wish.destinations for one in waiting} == {("out",)}  # nowhere else
    with closing(AuditStore(audit_file(house.site.data))) as store:
        acts = [(entry.act, entry.reason) for entry in store.after(0, 100)]
    assert acts.count((AuditedAct.RELEASE, "to out")) == 3


@pytest.mark.parametrize("role", [UserRole.VIEWER, UserRole.READER])
def test_who_may_not_act_sees_what_waits_and_no_buttons(house: House, role: UserRole) -> None:
    deliver(house.records, 1, DeliveryState.REFUSED, reason="enable SEG")
    shown = house.get(HERE, role)
    assert "enable SEG" in shown
    assert set(re.findall(r"<button[^>]*>([^<]*)", shown)) <= {"Menu", "Sign out"}
    with house.client(role) as client:
        assert client.post(f"{HERE}/pause", data={"reason": "no"}).status_code == 403


def test_a_destination_is_paused_and_goes_on_from_its_page(house: House) -> None:
    with house.client(UserRole.OPERATOR) as client:
        assert client.post(f"{HERE}/pause", data={"reason": " "}).status_code == 409
        long = client.post(f"{HERE}/pause", data={"reason": "new disks " * 25})
        assert f'value="{"new disks " * 25}" aria-invalid="true"' in long.text
        assert "The reason is too long" in text_of(long.text)
        assert client.post(f"{HERE}/pause", data={"reason": f"disks {HIDDEN}"}).status_code == 303
        again = client.post(f"{HERE}/pause", data={"reason": "me, too"})
        assert again.status_code == 409 and "out is paused already by" in again.text
        assert "You wrote: me, too" in text_of(again.text)
    [pause] = house.records.pauses.all()
    for page in ("/", "/network", HERE):
        shown = house.get(page, UserRole.VIEWER)
        assert HIDDEN not in shown
        assert "disks &lt;script&gt;" in shown
        assert f"aused by {pause.person}" in text_of(shown) or f"by {pause.person}" in shown
    assert "Nothing needs a person, but something is paused" in text_of(house.get("/"))
    with house.client(UserRole.OPERATOR) as client:
        health = client.get("/health").json()
        assert (health["status"], health["alarms"][0]["severity"]) == ("ok", "information")
        assert client.post(f"{HERE}/resume").status_code == 303
        assert client.post(f"{HERE}/resume").status_code == 409
    assert house.records.pauses.all() == []
    with closing(AuditStore(audit_file(house.site.data))) as store:
        noted = [e for e in store.after(0, 100) if e.object_type is ObjectType.DESTINATION]
    acts = [(e.act, e.outcome) for e in noted]
    assert acts == [
        (AuditedAct.PAUSED, AuditOutcome.ASKED),
        (AuditedAct.PAUSED, AuditOutcome.ASKED),
        (AuditedAct.PAUSED, AuditOutcome.FAILED),
        (AuditedAct.RESUMED, AuditOutcome.ASKED),
        (AuditedAct.RESUMED, AuditOutcome.ASKED),
        (AuditedAct.RESUMED, AuditOutcome.FAILED),
    ]


def test_programs_pause_as_people_do(house: House) -> None:
    wanted = {"kind": "destination", "name": "out", "reason": "new disks"}
    with house.client(UserRole.OPERATOR) as client:
        made = client.post("/api/v1/pauses", json=wanted)
        assert (made.status_code, made.json()["text"][:14]) == (201, "out is paused:")
        [shown] = client.get("/api/v1/pauses").json()
        assert wanted.items() <= shown.items()
        for name, kind in (("none", "destination"), ("none", "module"), ("out", "source")):
            wrong = client.post("/api/v1/pauses", json={**wanted, "name": name, "kind": kind})
            assert wrong.status_code == 404, wrong.text
        assert client.delete("/api/v1/pauses/destination/out").status_code == 200
        assert client.delete("/api/v1/pauses/destination/out").status_code == 409


def test_a_source_has_a_page_of_its_own(tmp_path: Path) -> None:
    source = {"name": "archive", "kind": "orthanc", "url": "http://127.0.0.1:9"}
    with a_house(tmp_path, source=[source]) as house:
        here = "/network/sources/archive"
        assert "all of it is compared every" in text_of(house.get(here))
        assert f'href="{here}"' in house.get("/network")
        with house.client(UserRole.OPERATOR) as client:
            assert client.post(f"{here}/pause", data={"reason": "moves"}).status_code == 303
            assert "moves" in house.get("/network") and "moves" in house.get("/")
            assert client.post(f"{here}/resume").status_code == 303
            assert "cannot be reached" in client.post(f"{here}/test").text
            assert client.get("/network/sources/out").status_code == 404
        assert house.records.pauses.of(PausedKind.SOURCE) == {}


def test_a_worklist_has_a_page_of_its_own(tmp_path: Path) -> None:
    modules = {"BRAIN^99T": "hippocampal-volume"}
    worklist = {"name": "ris", "kind": "ups-rs", "url": "http://127.0.0.1:9", "modules": modules}
    with a_house(tmp_path, worklist=[worklist]) as house:
        here = "/network/worklists/ris"
        code = ("BRAIN", "99T", "")
        words = ("ris", "1.2.9", "1.2", "hippocampal-volume", code, StepState.CLAIMED, 1e9)
        step = WorklistStep(*words, transaction_uid="2.25.4711", problem="it takes no progress")
        house.records.steps.add(step, "asks for it")
        house.records.worklists.note(
            WorklistStanding("ris", WorklistState.UNREACHABLE, 1e9, "ris: cannot be reached")
        )
        shown = house.get(here)
        for words in ("BRAIN^99T for hippocampal-volume", "1.2.9", "it takes no progress"):
            assert words in text_of(shown)
        assert f'href="{here}"' in house.get("/network")
        assert "ris: cannot be reached" in text_of(house.get("/network"))
        now = text_of(house.get("/"))
        assert "steps of ris unreachable" in now and "Something needs a person: worklist ris" in now
        with house.client(UserRole.OPERATOR) as client:
            assert client.post(f"{here}/pause", data={"reason": "moves"}).status_code == 303
            assert "moves" in house.get("/network") and "moves" in house.get(here)
            [told] = client.get("/api/v1/worklists").json()
            assert (told["paused"]["reason"], told["steps"][0]["uid"]) == ("moves", "1.2.9")
            assert client.post(f"{here}/resume").status_code == 303
            assert "cannot be reached" in client.post(f"{here}/test").text
            assert client.get("/network/worklists/out").status_code == 404
            answered = client.get("/api/v1/worklists").text + client.get(here).text
        assert "2.25.4711" not in answered, "the Transaction UID is told nobody"
        assert house.records.pauses.of(PausedKind.WORKLIST) == {}


def test_no_link_is_given_where_no_console_listens(site: Site, tmp_path: Path) -> None:
    port = available_port()
    here = parse({"data": str(tmp_path), "console": {"port": port}})
    with pytest.raises(HilumError, match=f"no console listens at http://127.0.0.1:{port}: start"):
        require_console(here)
    with closing(socket.create_server(("127.0.0.1", port))):
        require_console(here)


def test_who_is_heard_of_patients_is_shown(tmp_path: Path) -> None:
    updates = {"enabled": True, "port": 2576, "allowed_hosts": ["10.1.2.0/24"]}
    with a_house(tmp_path, patient_updates=updates) as house:
        keep(house.site.data, b"a message that nobody has seen to yet")
        said = text_of(house.get("/network"))
    assert "HL7 on 127.0.0.1:2576" in said and "Takes messages from 10.1.2.0/24" in said
    assert "1 message waits to be looked at" in said
