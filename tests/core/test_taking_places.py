"""A result in a record from its first version to its end: replaced, withdrawn, late, never twice.

The flow, the records and the outbox are real, and so is the server; the clock is the test's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hilum.acts.releasing import release
from hilum.acts.requests import resend
from hilum.acts.resending import lacks
from hilum.acts.withdrawing import RejectionNote, take_back
from hilum.destinations.fhir import MOST_CHANGES
from hilum.dicom import codes
from hilum.engine import exchange
from hilum.findings import Findings, Measurement
from hilum.records.models.requests import Request
from hilum.records.models.workitems import Workitem
from hilum.records.states import DeliveryState, RequestAction, WorkitemState
from tests.core.test_order_of_arrival import MARKED, Gateway, contents, gateway
from tests.fhir_server import (
    SECRET,
    SYSTEM,
    WELL,
    FhirBehaviour,
    FhirServer,
    Somebody,
    fhir_server,
)

REFUSES = FhirBehaviour(status=422)
BUSY = FhirBehaviour(status=503)


class Record:
    """A gateway whose results go to a FHIR server; each run finds one number more or less."""

    def __init__(self, hall: Gateway, server: FhirServer) -> None:
        self.hall, self.server = hall, server
        self.images = iter(contents("one"))
        self.settings = hall.flow.site.destination[0]

    def result(self, *values: float, images: int = 2) -> Workitem:
        """More images come, and a run on them finds these numbers; nothing is sent yet."""
        for _ in range(images):
            self.hall.receive(next(self.images), "a")
        self.hall.wait(17)
        item = self.hall.items("one", MARKED)[-1]
        assert self.hall.flow.begin(item.id)
        assert self.hall.records.moves.set_state(item.id, WorkitemState.RUNNING)
        whats = (codes.VOLUME, codes.LENGTH, codes.ANGLE)
        found = [
            Measurement(what, value, codes.MILLIMETRE)
            for what, value in zip(whats, values, strict=False)
        ]
        folder = self.hall.flow.workitems.result_folder(item.id)
        exchange.save(Findings(tuple(found)), folder)
        self.hall.records.workitems.note_findings(
            item, exchange.summary(Findings(tuple(found))), ""
        )
        self.hall.flow.write(item.id)
        return self.again(item)

    def again(self, item: Workitem) -> Workitem:
        return self.hall.records.workitems.one(item.id)

    def deliver(self, hours: float = 3.0) -> None:
        """Let the outbox work, as long as something is due within these hours."""
        end = self.hall.now + hours * 3600
        while self.hall.now < end:
            pause = self.hall.flow.outbox.deliver_next(self.settings)
            if pause and self.hall.records.deliveries.next_due(self.settings.name) is None:
                return
            self.hall.now += pause

    def withdraw(self, item: Workitem) -> str:
        self.hall.now += 1
        said = RejectionNote(self.hall.now, "Another structure.")
        return take_back(self.hall.flow, self.again(item), said).text

    def numbers(self) -> dict[float, str]:
        """The status of each number that the server has."""
        return {
            one["valueQuantity"]["value"]: one["status"]
            for one in self.server.all("Observation")
            if "valueQuantity" in one
        }

    def report(self) -> list[str]:
        """The statuses of the versions of the only report."""
        [versions] = [v for place, v in self.server.history.items() if "Report" in place]
        return [one["status"] for one in versions]


@pytest.fixture
def record() -> Iterator[Record]:
    with in_record(("record",)) as made:
        yield made


@contextmanager
def in_record(send_to: tuple[str, ...], **settings: Any) -> Iterator[Record]:
    """A rule that sends there, and what else the site has."""
    with fhir_server() as server:
        place = {"url": server.url, "patient_system": SYSTEM}
        ends = [
            {"name": "record", "kind": "fhir", **place},
            {"name": "out", "kind": "folder", "folder": "/nowhere", "objects": ["sr"]},
        ]
        rule = MARKED.model_copy(update={"send_to": send_to})
        with gateway(rule=(rule,), destination=ends, **settings) as hall:
            hall.flow.outbox._read_back_pauses = (0.0,)
            hall.flow.outbox._clock = hall.clock
            server.add_patient("marker-id")
            yield Record(hall, server)


def asked(action: RequestAction, item: Workitem, at: float) -> Request:
    return Request(1, at, action, item.id, "record")


def test_replaced_then_withdrawn(record: Record) -> None:
    first = record.result(1.5, 2.5)
    record.deliver()
    assert record.again(first).state is WorkitemState.COMPLETED
    assert "verified in record" in record.again(first).reason
    second = record.result(3.5)
    record.deliver()
    assert record.again(second).state is WorkitemState.COMPLETED
    assert record.numbers() == {3.5: "preliminary", 2.5: "entered-in-error"}
    assert record.report() == ["preliminary"] * 2
    record.withdraw(second)
    record.deliver()
    assert record.numbers() == {3.5: "entered-in-error", 2.5: "entered-in-error"}
    assert record.report() == ["preliminary", "preliminary", "entered-in-error"]
    third = record.result(4.5)
    record.deliver()
    assert record.again(third).state is WorkitemState.COMPLETED
    reports = record.server.statuses()
    assert reports["DiagnosticReport preliminary"] == 1, "what was taken back stays so"
    assert reports["DiagnosticReport entered-in-error"] == 1


@pytest.mark.parametrize("behaviour", [BUSY, FhirBehaviour(keeps=False)])
def test_a_correction_waits_for_what_it_corrects(record: Record, behaviour: FhirBehaviour) -> None:
    first = record.result(1.5)
    record.server.behaviour = behaviour
    record.deliver(hours=0.1)
    second = record.result(3.5)
    bodies = len(record.server.bodies)
    record.deliver(hours=0.1)
    assert len(record.server.bodies) == bodies, "the second one was not even tried"
    record.server.behaviour = WELL
    if not behaviour.keeps:
        record.hall.now += 3600  # it is asked for no longer: a person looks
    record.deliver()
    assert record.again(second).state is WorkitemState.COMPLETED
    assert record.numbers() == {3.5: "preliminary"}
    state = WorkitemState.COMPLETED if behaviour.keeps else WorkitemState.PARKED
    assert record.again(first).state is state


def test_what_is_parked_is_overtaken_and_stays_so(record: Record) -> None:
    first = record.result(1.5)
    record.server.behaviour = REFUSES
    record.deliver()
    assert record.again(first).state is WorkitemState.PARKED
    record.server.behaviour = WELL
    second = record.result(3.5)
    record.deliver()
    record.withdraw(second)
    record.deliver()
    assert record.numbers() == {3.5: "entered-in-error"}
    answer = release(
        record.hall.flow, record.again(first), asked(RequestAction.RELEASE, first, record.hall.now)
    )
    assert not answer.done, "or what was taken back would stand there again"
    assert answer.text == f"not released: {second.id} has taken its place"


@pytest.mark.parametrize(
    ("status", "times", "why"),
    [("final", 1, "no longer preliminary"), ("preliminary", 99, f"was sent {MOST_CHANGES} times")],
)
def test_a_report_that_somebody_changes_while_we_write_is_not_written_over(
    record: Record, status: str, times: int, why: str
) -> None:
    record.result(1.5)
    record.deliver()
    [report] = [place for place in record.server.history if "Report" in place]
    somebody = Somebody(record.server, report, status, times)
    record.server.behaviour = FhirBehaviour(meanwhile=somebody)
    second = record.result(3.5)
    record.deliver()
    assert record.again(second).state is WorkitemState.PARKED
    assert record.numbers() == {1.5: "preliminary"} and set(record.report()[1:]) == {status}
    assert why in record.hall.records.deliveries.one(second.id, "record").reason


def test_what_was_replaced_is_not_sent_again(record: Record) -> None:
    first = record.result(1.5)
    record.deliver()
    second = record.result(3.5)
    record.deliver()
    site, records = record.hall.flow.site, record.hall.records
    assert not list(lacks(site, records, "record", (0, 2e9)))
    answer = resend(
        record.hall.flow, record.again(first), asked(RequestAction.RESEND, first, record.hall.now)
    )
    assert answer.text == f"not sent again: {second.id} has taken its place"
    record.server.history = {p: v for p, v in record.server.history.items() if "Patient" in p}
    [lack] = lacks(site, records, "record", (0, 2e9))
    assert lack.item.id == second.id, "a server that was restored lacks the newest one"
    again = asked(RequestAction.RESEND, second, record.hall.now)
    assert resend(record.hall.flow, record.again(second), again).done
    record.deliver()
    assert record.numbers() == {3.5: "preliminary"}


def test_to_withdraw_what_was_replaced_leaves_what_replaced_it(record: Record) -> None:
    first = record.result(1.5)
    record.deliver()
    second = record.result(3.5)
    said = record.withdraw(first)
    assert said.startswith("withdrawn; none of it was sent") or "a note goes to nobody" in said
    record.deliver()
    assert record.numbers() == {3.5: "preliminary"}
    record.withdraw(second)
    record.deliver()
    assert record.numbers() == {3.5: "entered-in-error"}


def test_both_are_withdrawn_while_the_second_was_never_sent(record: Record) -> None:
    first = record.result(1.5, 2.5)
    record.deliver()
    second = record.result(3.5)
    for item in (first, second):
        record.withdraw(item)
    record.deliver()
    assert set(record.numbers().values()) == {"entered-in-error"}
    assert record.report()[-1] == "entered-in-error"


def test_what_never_went_there_needs_no_note(record: Record) -> None:
    item = record.result(1.5)
    assert "no archive needs a note" in record.withdraw(item)
    record.deliver()
    assert not record.server.bodies


def test_down_for_the_whole_run_and_back(record: Record) -> None:
    record.server.close()
    items = [record.result(1.5), record.result(3.5, 4.5), record.result(5.5)]
    record.deliver(hours=0.02)
    record.server.open()
    record.hall.now += 10
    record.deliver()
    assert [record.again(item).state for item in items] == [WorkitemState.COMPLETED] * 3
    assert record.numbers() == {5.5: "preliminary", 4.5: "entered-in-error"}
    assert record.report() == ["preliminary"] * 3, "each came once, in its order"
    assert set(record.server.bodies.values()) == {1}


def test_a_result_that_went_elsewhere_does_not_break_the_line() -> None:
    high = {"when": {"measurement": "Volume", "above": 2}, "send_to": ["record"]}
    with in_record(("out",), route=[high]) as record:
        record.result(3.5, 4.5)
        record.deliver()
        second = record.result(1.5)
        deliveries = record.hall.records.deliveries.of_workitem(second.id)
        assert [one.destination for one in deliveries] == ["out"]
        record.result(5.5)
        record.deliver()
        assert record.numbers() == {5.5: "preliminary", 4.5: "entered-in-error"}
        assert record.report() == ["preliminary"] * 2


def test_an_answer_that_was_lost_repeats_nothing(record: Record) -> None:
    record.server.open(FhirBehaviour(drop_first=1))
    item = record.result(1.5)
    record.deliver()
    assert record.again(item).state is WorkitemState.COMPLETED
    assert record.report() == ["preliminary"]
    record.server.open(FhirBehaviour(drop_first=1, drop_keeps=False))
    item = record.result(3.5)
    record.deliver()
    assert record.again(item).state is WorkitemState.COMPLETED
    assert record.report() == ["preliminary"] * 2


def test_what_the_server_says_is_for_the_eyes_of_the_owner(
    record: Record, caplog: pytest.LogCaptureFixture
) -> None:
    record.server.behaviour = REFUSES
    item = record.result(1.5)
    record.deliver()
    [delivery] = record.hall.records.deliveries.of_workitem(item.id)
    assert delivery.state is DeliveryState.REFUSED
    files = [p for p in record.hall.flow.site.data.rglob("answers/*/*") if p.is_file()]
    [said] = [p.read_text() for p in files]
    assert SECRET in said
    assert {oct(p.stat().st_mode & 0o777) for p in files} == {"0o600"}
    events = record.hall.records.events.of_study(item.study_uid)
    told = "".join([delivery.reason, caplog.text, *(event.text for event in events)])
    for word in (SECRET, "marker-id"):
        assert word not in told + "".join(record.server.asked)
