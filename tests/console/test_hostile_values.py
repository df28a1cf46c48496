"""What came from elsewhere acts in no page; what names a patient stands in no address or log."""

import logging
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest

from factory import a_delivery, a_study, a_workitem, put
from hilum.console import pages
from hilum.console.endpoints import found_in
from hilum.inbox import Inbox
from hilum.people.roles import UserRole
from hilum.records.listed import StudyIdentifiers
from hilum.records.models.standings import DestinationStanding
from hilum.records.models.studies import Removal
from hilum.records.states import DeliveryState, DestinationState, EventKind, WorkitemState
from hilum.rejections import Rejection, RejectionKind
from hilum.summary.numbers import (
    ChangeSummary,
    ClassificationSummary,
    MeasurementSummary,
    SegmentSummary,
    TableSummary,
)
from hilum.summary.pictures import CurveSummary, KeyImageSummary, ParametricMapSummary, PlotSummary
from hilum.summary.remarks import DraftSummary, NoteSummary, RefusalSummary, UrgencySummary
from hilum.summary.shapes import LengthSummary
from hilum.verdict import Verdict

from .house import House, a_house

BREAKS_OUT = "'\"><hilum-x onclick=mine()>{{ 7 * 7 }}`<hilum-x>`"  # text, attribute, template, code
MARKER = "ZZMARKERZZ"
STUDY, GONE = "1.2.3.4", "1.2.3.5"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("house")) as made:
        fill(made)
        yield made


def fill(house: House) -> None:
    """Every value of others that a page shows is one that wants to act in it."""
    records, at, odd = house.records, time.time(), BREAKS_OUT
    times = {"first_at": at, "last_at": at, "images": 3, "settled_images": 3}
    found = (
        MeasurementSummary(odd, 1.0, odd, of=odd, uncertainty=0.1, followed=True),
        SegmentSummary(f"{odd}.", 7, 1.0),
        ChangeSummary(odd, odd, 1.0, odd, 0.1),
        ClassificationSummary(odd, odd, scores={odd: 0.5}),
        LengthSummary(odd, 1.0, ((1.0, 2.0), (3.0, 4.0)), odd),
        TableSummary(odd, (odd,), ((odd,),)),
        ParametricMapSummary(odd, 0.0, 1.0, odd),
        PlotSummary(odd, odd, odd, (CurveSummary(odd, (0.0, 1.0), (0.0, 1.0), (1, 2, 3)),)),
        KeyImageSummary(odd, odd),
        UrgencySummary(odd),
        DraftSummary(odd, odd),
        NoteSummary(odd, caution=True),
        RefusalSummary(odd, odd),
    )
    verdicts = (
        Verdict(odd, "1.9", odd, 3, True, (odd,)),
        Verdict(odd, "1.8", odd, 3, False, (odd,), lacks=odd),
    )
    of_item = {"reason": odd, "findings": found, "verdicts": verdicts}
    put(
        records,
        a_study(study_uid=STUDY, folder="f", reason=odd, **times),
        a_workitem(id="9.11111111", study_uid=STUDY, state=WorkitemState.PARKED, **of_item),
        a_workitem(id="9.22222222", study_uid=STUDY, state=WorkitemState.FAILED, failure=odd),
        a_workitem(id="9.33333333", study_uid=STUDY, state=WorkitemState.NOT_APPLICABLE, **of_item),
        a_study(study_uid=GONE, folder="g", reason=odd, **times),
        Removal(GONE, at, odd, 3, 10, 0),
        a_delivery("9.11111111", "out", state=DeliveryState.REFUSED, reason=odd),
        a_delivery("9.22222222", "out", state=DeliveryState.VERIFIED, reason=odd),
    )
    said = StudyIdentifiers(
        *(odd, odd, f"{MARKER}^{odd}", "ACC1", odd), description=odd, modalities=(odd, "MR")
    )
    assert records.identifiers.note_older(STUDY, said)
    records.identifiers.note_older(GONE, StudyIdentifiers(patient_id=MARKER))
    records.events.add(STUDY, EventKind.REFUSED, odd, "9.11111111")
    records.events.add(STUDY, EventKind.CAUTION, odd)
    standing = DestinationStanding("out", DestinationState.UNREACHABLE, at - 9999, odd)
    records.destinations.note(standing)
    rejected = (at, RejectionKind.CALLER, "10.0.0.1", "<hilum-x>", "'\"><hilum-x", odd)
    records.rejections.note([Rejection.at(*rejected)])
    Inbox(house.site.data).quarantine(b"no image", odd, "'\"><hilum-x", STUDY)


class Seen(HTMLParser):
    """The elements of a page, and whatever would run in it or leads somewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.runs: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        for name, value in attrs:
            if name.startswith(("on", "hx-on")) or "javascript:" in (value or ""):
                self.runs.append(f"{tag} {name}")
            if name in ("href", "src", "action", "hx-get", "hx-post"):
                self.addresses.append(value or "")


def every_page(house: House, client: httpx.Client) -> Iterator[tuple[str, httpx.Response]]:
    """Each page that has an address of its own, each of a study, and those that are posted for."""
    paths = [e.path for part in found_in(pages) for e in part.found if e.method == "GET"]
    for path in paths:
        has_end = not path.endswith("/live") and not path.startswith("/login/openid")
        if "{" not in path and has_end:
            yield path, client.get(path, follow_redirects=True)
    for address in house.records.identifiers.addresses([STUDY, GONE]).values():
        for path in (f"/studies/{address}", f"/studies/{address}?trouble=1"):
            yield path, client.get(path)
        yield "/why", client.post("/why", data={"wanted": address})
    for wanted in ({"patient_name": MARKER}, {"patient_id": MARKER}, {"reason": BREAKS_OUT}):
        yield "/finds", client.post("/finds", data=wanted, follow_redirects=True)
    yield "/why", client.post("/why", data={"wanted": MARKER})
    yield "/why", client.post("/why", data={"wanted": BREAKS_OUT})
    for act in ({"person": BREAKS_OUT}, {"patient_id": BREAKS_OUT}, {"study": BREAKS_OUT}):
        yield "/audit", client.post("/audit", data=act, follow_redirects=True)
    yield "/people/add", client.post("/people/add", data={"name": BREAKS_OUT, "role": "viewer"})
    yield "/rules", client.post("/rules", data={"text": BREAKS_OUT, "studies": "3"})
    yield "no such page", client.get("/studies/no", headers={"Accept": "text/html"})


def test_no_value_acts_in_any_page(house: House) -> None:
    shown = 0
    with house.client() as client:
        for path, answer in every_page(house, client):
            if not answer.headers["content-type"].startswith("text/html"):
                continue
            assert answer.status_code < 500, path
            seen = Seen(answer.text)
            assert {name for name in seen.elements if name.startswith("hilum")} == set(), path
            assert seen.runs == [], path
            assert "49" not in re.findall(r"mine\(\)&gt;(.{2})", answer.text), path
            shown += answer.text.count("&lt;hilum-x")
    assert shown > 60


def test_no_address_log_or_metric_names_a_patient(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with house.client() as client, caplog.at_level(logging.DEBUG):
        for path, answer in every_page(house, client):
            hops = [*answer.history, answer]
            assert {hop.headers["Referrer-Policy"] for hop in hops} == {"no-referrer"}, path
            assert not [hop.url for hop in hops if MARKER in str(hop.url)], path
            assert not [hop for hop in hops if MARKER in str(hop.headers)], path
            assert not [a for a in Seen(answer.text).addresses if MARKER in a], path
        assert MARKER in house.get("/studies")
        for role in (UserRole.ADMINISTRATOR, UserRole.VIEWER):
            for path in ("/metrics", "/health", "/api/v1/studies", f"/api/v1/studies/{STUDY}"):
                assert MARKER not in house.get(path, role), path
    assert MARKER not in caplog.text
    logs = [file for file in house.site.data.rglob("*.log") if MARKER in file.read_text()]
    assert logs == []
