"""No page is wider than a phone, however long the texts are that a person or a header gives."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from fastapi.responses import HTMLResponse
from playwright.sync_api import Page

from factory import a_delivery, a_workitem, mr_slices, put
from hilum.assessments.decision import AssessmentDecision
from hilum.audit import AuditedAct, AuditedObject, Auditor
from hilum.audit.auditor import Actor
from hilum.audit.entry import Origin
from hilum.console import pages
from hilum.console.endpoints import found_in
from hilum.dicom.part10 import as_file
from hilum.dicom.uids import MADE_UP
from hilum.inbox import Inbox, Intake
from hilum.people.everybody import Everybody
from hilum.people.roles import UserRole
from hilum.records.assessed import Assessment
from hilum.records.listed import StudyIdentifiers
from hilum.records.models.requests import Wish
from hilum.records.models.standings import DestinationStanding, NotedPause
from hilum.records.states import (
    DeliveryState,
    DestinationState,
    EventKind,
    PausedKind,
    RequestAction,
    WorkitemKind,
    WorkitemState,
)
from hilum.rejections import Rejection, RejectionKind
from hilum.study.verdict import Verdict
from hilum.summary.finding import FindingSummary
from hilum.summary.numbers import TableSummary
from hilum.summary.pictures import CurveSummary, PlotSummary
from hilum.wording import NOT_JUDGED_YET
from tests.browser import CHROMIUM
from tests.drawn import every
from tests.signing_in import browse_as

from .house import House, a_house_with_file

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium"),
]
WIDTHS = (320, 1280)
WIDE = every(4)  # one page in so many is looked at on a wide window, too
LONG = "W" * 64  # a value of VR LO, SH or CS, without a space where a line could end
LONGER = f"{LONG}{LONG}_{LONG}, {'x' * 300}"  # what a person may type, or a program answers
NAME = "W" * 32  # of a destination, a source, a module
SETTINGS = f"""\
data = "{{folder}}/data"

[[destination]]
name = "{NAME}"
kind = "dimse"
ae_title = "{LONG[:16]}"
host = "{LONG[:40]}.{LONG[:40]}.example"
port = 1

[[source]]
name = "{NAME[1:]}"
kind = "orthanc"
url = "http://127.0.0.1:1/{LONG}"

[[worklist]]
name = "{NAME[2:]}"
kind = "ups"
host = "127.0.0.1"
port = 1
ae_title = "{LONG[:16]}"
modules = {{{{ "{LONG[:16]}^99{LONG[:14]}" = "chest-radiograph" }}}}

[[rule]]
module = "chest-radiograph"
send_to = ["{NAME}"]
study = {{{{ StudyDescription = "{LONG}{LONG}" }}}}
"""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with a_house_with_file(tmp_path, SETTINGS) as made:
        yield made


def summaries() -> Iterator[FindingSummary]:
    """One of every kind whose texts are all long."""
    plain: dict[Any, Any] = {"str": LONG, "str | None": LONG, "float": 123456.789, "bool": True}
    plain |= {"int": 123456789, "float | None": 123456.789}
    for kind in FindingSummary.__subclasses__():
        if kind is TableSummary:
            yield TableSummary(LONGER, (LONG,) * 6, ((LONGER,) * 6,))
        elif kind is PlotSummary:
            curve = CurveSummary(LONG, (1.0, 2.0), (1e6, 2e6), (1, 2, 3))
            yield PlotSummary(LONG, LONG, LONG, (curve,) * 9)
        else:
            given = {f.name: _filled(f.type, plain) for f in fields(kind) if f.name != "kind"}
            yield kind(**given)


def _filled(kind: Any, plain: dict[Any, Any]) -> Any:
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    if name in plain:
        return plain[name]
    if "Mapping" in str(kind):
        return {f"{LONG}{number}": 0.5 for number in range(3)}
    if "tuple[tuple" in str(kind):
        return ((1.0, 2.0), (3.0, 4.0))
    return (1.0, 2.0)


def fill(house: House) -> dict[str, str]:
    """Long values wherever anybody can give one; what stands in the addresses of pages."""
    said = StudyIdentifiers(
        patient_id=LONG,
        patient_name=f"{LONG}^{LONG}",
        issuer=LONG,
        accession_number=LONG[:16],
        study_date="20260102",
        description=LONG,
        modalities=tuple("ABCDEFGHIJKLMNOP"),
    )
    at = time.time()
    records = house.records
    for state in WorkitemState:
        address = house.study(state, said)
        uid = records.search.at(address).study_uid  # type: ignore[union-attr]
        [item] = records.workitems.of_study(uid)
        records.workitems.remove(item.id)
        verdict = Verdict(LONG, f"1.9.{LONG.replace('W', '9')}"[:64], LONG, 3, True, (LONGER,))
        told = {"module": NAME, "version": LONG, "reason": LONGER, "title": LONG}
        full = replace(
            item,
            **told,
            findings=tuple(summaries()),
            verdicts=(verdict, replace(verdict, accepted=False)),
        )
        put(records, full)
        records.events.add(uid, EventKind.HELD, LONGER, item.id)
        for number, delivery in enumerate(DeliveryState):
            put(records, a_delivery(item.id, f"{NAME[:30]}{number}", state=delivery, reason=LONGER))
        put(records, a_delivery(item.id, NAME, state=DeliveryState.REFUSED, reason=LONGER))
        read = Assessment(
            item.id, 0, at, LONG, LONG, AssessmentDecision.REJECTED, reason=LONGER[:500]
        )
        records.assessments.add(read)
        _withdrawn_by(house, item.id, uid)
    records.studies.reviewed(uid, 3, at, 0, reason=f"{NOT_JUDGED_YET}: {LONGER}")
    note = replace(full, id=f"{uid}.7", kind=WorkitemKind.WITHDRAWAL, state=WorkitemState.PARKED)
    put(records, note, a_workitem(id=f"{uid}.8", study_uid=uid, superseded_by=item.id, **told))
    for kind, name in ((PausedKind.DESTINATION, NAME), (PausedKind.SOURCE, NAME[1:])):
        records.pauses.begin(NotedPause(kind, name, at, LONG, LONGER[:200]))
    records.pauses.begin(NotedPause(PausedKind.MODULE, "chest-radiograph", at, LONG, LONGER[:200]))
    records.destinations.note(
        DestinationStanding(NAME, DestinationState.UNREACHABLE, at - 7200, LONGER)
    )
    for kind_of in RejectionKind:
        row = Rejection.at(at, kind_of, "10.0.0.1", LONG[:16], LONG[:16], LONGER)
        records.rejections.note([row])
    with closing(Everybody(house.site.data, house.site.console)) as everybody:
        everybody.accounts.add("w" * 32, UserRole.READER, "a long password of somebody")
        everybody.tokens.add("v" * 32, UserRole.READER, 1.0)
    [image] = mr_slices(count=1, shape=(4, 4))
    image.StudyInstanceUID = uid
    image.PatientName, image.PatientID, image.SeriesDescription = LONG, LONG, LONG
    assert Inbox(house.site.data).store(as_file(image)).outcome is Intake.STORED
    asked = records.requests.add(RequestAction.FETCH, "", LONG, wish=Wish(archive=NAME))
    records.requests.answer(asked, False, LONGER)
    return {"address": address, "number": str(asked)}


def _withdrawn_by(house: House, workitem: str, uid: str) -> None:
    actor = Actor(LONG[:32], "operator", f"local:{LONG[:32]}", LONG, Origin.CONSOLE)
    with closing(Auditor(house.site.data)) as auditor:
        about = AuditedObject.workitem(workitem, uid)
        auditor.note_of(actor, AuditedAct.WITHDRAW, about, LONG, LONGER)


def addresses(house: House, page: Page, of: dict[str, str]) -> Iterator[str]:
    """Every page, by what the console offers: one that is new is among them by itself."""
    meant = {
        "/finds/{number}": _find(house, page),
        "/fetches/lists/{number}": _fetch(house, page),
        "/modules/{name}": "/modules/chest-radiograph",
        "/upload/made-up/{study_uid}": f"/upload/made-up/{MADE_UP}{'1' * 20}",
        "/network/add/{place}/{kind}": "/network/add/destinations/dimse",
        "/network/sources/{name}": f"/network/sources/{NAME[1:]}",
        "/network/worklists/{name}": f"/network/worklists/{NAME[2:]}",
        "/network/{place}/{name}/settings": f"/network/destinations/{NAME}/settings",
        "/rules/edit/{name}": "/rules/edit/chest-radiograph",
        "/rules/versions/{number}": "/rules/versions/1",
        "/network/destinations/{name}/acts": f"/network/destinations/{NAME}/acts?act=release",
    }
    without = ("/upload/{number}", "/enter")  # nothing long can stand there
    for endpoint in (one for endpoints in found_in(pages) for one in endpoints.found):
        is_page = endpoint.options.get("response_class") is HTMLResponse
        if endpoint.method == "GET" and is_page and endpoint.path not in without:
            path = meant.get(endpoint.path) or endpoint.path.format(name=NAME, **of)
            yield path


def _find(house: House, page: Page) -> str:
    """Where what somebody searches for is shown, which nobody else may see."""
    page.goto(f"{house.url}/studies")
    form = page.locator("form.filters[action='/finds']").first
    form.evaluate("(form, id) => { form.patient_id.value = id; form.submit() }", LONG)
    page.wait_for_url("**/finds/*")
    return page.url.removeprefix(house.url)


def _fetch(house: House, page: Page) -> str:
    """Where is shown what became of the studies that somebody has fetched."""
    page.goto(f"{house.url}/fetches")
    page.locator("textarea").fill(f"{LONG[:64]}\n{LONG[:63]}")
    page.get_by_role("button", name="Fetch").click()
    page.wait_for_url("**/fetches/lists/*")
    return page.url.removeprefix(house.url)


def test_no_page_is_wider_than_its_window(house: House, page: Page) -> None:
    browse_as(page, house.site, url=house.url)
    of = fill(house)
    faults = []
    for seen, path in enumerate(addresses(house, page, of)):
        answer = page.goto(house.url + path)
        assert answer
        if answer.status != 200:
            faults.append(f"{path}: {answer.status}")
        for width in WIDTHS if seen % WIDE == 0 else WIDTHS[:1]:
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
            wide = int(page.evaluate("document.documentElement.scrollWidth"))
            if wide > width:
                faults.append(f"{path} is {wide} wide on {width}: {page.evaluate(WIDEST)}")
    assert not faults, "\n".join(faults)
    assert seen > 25


WIDEST = """
[...document.querySelectorAll('body *')].filter(
    one => one.getBoundingClientRect().right > innerWidth + 1
).slice(-3).map(one => one.outerHTML.slice(0, 150))
"""
