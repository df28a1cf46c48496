"""The page and the API of the audit trail: for administrators, with filters, pages and a proof."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hilum.audit import AuditedAct, AuditEntry, AuditOutcome, Origin
from hilum.audit.store import AuditFilter, AuditStore
from hilum.config import parse
from hilum.config.site import Site
from hilum.console.guard import cookie_name
from hilum.people.everybody import Everybody
from hilum.people.roles import UserRole
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.states import EventKind
from tests.audit.trails import a_note, auditor, fill
from tests.browser import CHROMIUM, Reader
from tests.factory import a_study, put
from tests.signing_in import browse_as, session_of, signed_in

from .serving import serving

HIDDEN = "<script>document.title = 'mine'</script>"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "data").mkdir(mode=0o700)
    return parse({"data": str(tmp_path / "data"), "receiver": {"low_water_mb": 0}})


@pytest.fixture
def url(site: Site) -> Iterator[str]:
    with closing(Records(f"sqlite:///{site.data}/hilum.db")) as records:
        with auditor(site.data) as made:
            fill(made, 60)
            made.store.add(
                a_note(at=1.0, person=HIDDEN, reason=HIDDEN, patient_id="MARKER", study_uid="9.9")
            )
        with serving(site, records) as address:
            yield address


def entries(site: Site, **wanted: object) -> list[AuditEntry]:
    with closing(AuditStore(site.data / "audit.db")) as store:
        return store.latest(AuditFilter(**wanted), 1000)  # type: ignore[arg-type]


def test_the_api_lists_filters_and_pages(site: Site, url: str) -> None:
    with signed_in(site, url=url) as client:

        def asked(**values: object) -> dict[str, object]:
            answer = client.get("/api/v1/audit", params=values)  # type: ignore[arg-type]
            assert answer.status_code == 200, answer.text
            found: dict[str, object] = answer.json()
            return found

        first = asked()
        assert (first["total"], first["pages"], len(first["entries"])) == (62, 2, 50)  # type: ignore[arg-type]
        assert asked(person="alice")["total"] == 30
        assert asked(act="withdraw", person="bob")["total"] == 10
        assert asked(study_uid="9.9")["total"] == 1
        assert asked(until=2)["total"] == 1
        assert len(asked(page=2)["entries"]) == 13  # type: ignore[arg-type]
        assert client.get("/api/v1/audit", params={"page": 3}).status_code == 404
        found = client.post("/api/v1/audit/search", json={"patient_id": "MARKER"}).json()
        assert [e["person"] for e in found["entries"] if e["act"] != "audit read"] == [HIDDEN]
        assert client.post("/api/v1/audit/search", json={"patient": "x"}).status_code == 422
    reads = entries(site, act=AuditedAct.AUDIT_READ)
    assert [entry.patient_id for entry in reads] == [
        "MARKER",
        "",
        "",
    ]  # two looks, a search
    assert {(entry.origin, entry.address) for entry in reads} == {(Origin.API, "127.0.0.1")}


def test_the_api_proves_that_it_is_whole(site: Site, url: str) -> None:
    with signed_in(site, url=url) as client:
        whole = client.post("/api/v1/audit/verify", json={}).json()
        assert (whole["entries"], whole["is_whole"], whole["faults"]) == (61, True, [])
        head = f"{whole['head']['number']}:{whole['head']['hash']}"
        assert client.post("/api/v1/audit/verify", json={"head": head}).json()["is_whole"]
        assert client.post("/api/v1/audit/verify", json={"head": "x"}).status_code == 404
        with closing(sqlite3.connect(site.data / "audit.db")) as connection, connection:
            connection.execute("DROP TRIGGER entry_stays")
            connection.execute("UPDATE entry SET person = 'mallory' WHERE number = 7")
        changed = client.post("/api/v1/audit/verify", json={"head": head}).json()
        assert (changed["is_whole"], changed["faults"]) == (False, ["entry 7 was changed"])


def test_only_administrators_may(site: Site, url: str) -> None:
    for role in (UserRole.VIEWER, UserRole.READER, UserRole.OPERATOR):
        with signed_in(site, role, url) as client:
            assert client.get("/api/v1/audit").status_code == 403
            assert client.post("/api/v1/audit/search", json={}).status_code == 403
            assert client.post("/api/v1/audit/verify", json={}).status_code == 403
            assert client.get("/audit").status_code == 403


def as_administrator(site: Site, url: str) -> httpx.Client:
    cookies = {cookie_name(site.console): session_of(site)}
    return httpx.Client(base_url=url, cookies=cookies, headers={"Origin": url})


def token_in(page: str) -> str:
    found = re.search(r'name="form_token" value="([^"]+)"', page)
    assert found
    return found[1]


def test_the_page_shows_filters_and_finds_a_patient_by_a_form(site: Site, url: str) -> None:
    with as_administrator(site, url) as client:
        page = client.get("/audit").text
        assert page.count('<tr id="entry-') == 50
        assert "62 entries, page 1 of 2" in page
        assert HIDDEN not in page
        assert "&lt;script&gt;" in page
        assert client.get("/audit?page=2").text.count('<tr id="entry-') == 12
        found = client.get("/audit?person=bob&act=withdraw&since=2027-01-01&until=2027-12-31").text
        assert "10 entries, page 1 of 1" in found
        assert 'value="2027-12-31"' in found
        assert "No entry matches" in client.get("/audit?person=nobody").text
        assert client.get("/audit?act=nothing").status_code == 422
        assert client.get("/audit?since=2027-13-01").status_code == 422
        assert client.get("/audit?page=99").status_code == 404
        form = {"form_token": token_in(page), "patient_id": "MARKER"}
        of_patient = client.post("/audit", data=form)
        assert "2 entries, page 1 of 1" in of_patient.text
        assert "MARKER" not in str(of_patient.url)
        assert client.post("/audit", data={"patient_id": "MARKER"}).status_code == 403
        proof = client.post("/audit/verify", data={"form_token": token_in(page)}).text
        assert "as they were written" in proof
    reads = entries(site, act=AuditedAct.AUDIT_READ)
    assert [(e.origin, e.outcome) for e in reads] == [(Origin.CONSOLE, AuditOutcome.DONE)] * 2


def test_the_page_finds_an_order_by_its_number_and_an_address_names_none(
    site: Site, url: str
) -> None:
    """An accession number, or what may be one, is posted; a UID or an address may be a link."""
    with closing(Records(f"sqlite:///{site.data}/hilum.db")) as records:
        put(records, a_study(study_uid="9.9"))
        records.events.add("9.9", EventKind.RECEIVING, "it came")
        assert records.identifiers.note_older("9.9", StudyIdentifiers(accession_number="A77MARK"))
        address = records.identifiers.addresses(["9.9"])["9.9"]
    with as_administrator(site, url) as client:
        token = token_in(client.get("/audit").text)

        def found(**fields: str) -> httpx.Response:
            form = {"form_token": token, **fields}
            return client.post("/audit", data=form, follow_redirects=True)

        for study in ("9.9", address):
            linked = found(study=study, person=HIDDEN)
            assert f"study={study}" in str(linked.url)
            assert "1 entry, page 1 of 1" in linked.text
        for study, total in (("A77MARK", 1), ("A77OTHER", 0)):
            posted = found(study=study)
            assert f"{total} entr" in posted.text
            assert study not in str(posted.url)
        assert "1 entry, " in found(study="A77MARK", patient_id="MARKER").text
        assert "0 entries, " in found(study="A77MARK", patient_id="OTHER").text
    with signed_in(site, url=url) as client:
        for number, total in (("A77MARK", 1), ("A77OTHER", 0)):
            asked = client.post("/api/v1/audit/search", json={"accession_number": number}).json()
            assert asked["total"] == total


def test_a_trail_that_cannot_be_read_is_said(site: Site, url: str) -> None:
    with as_administrator(site, url) as client:
        client.get("/audit")
        with closing(sqlite3.connect(site.data / "audit.db")) as connection:
            connection.execute("DROP TABLE entry")
            connection.commit()
        for answer in (client.get("/audit"), client.get("/audit")):
            assert answer.status_code == 503
            assert "no such table: entry: keep it, as evidence: mkdir " in answer.text


def test_who_signs_in_who_tries_to_and_who_signs_out(site: Site, url: str) -> None:
    with closing(Everybody(site.data, site.console)) as everybody:
        everybody.accounts.add("carol", UserRole.READER, "correct horse battery staple")
    with httpx.Client(base_url=url, headers={"Origin": url}) as client:
        wrong = {"name": "carol", "password": "guessed"}
        assert client.post("/login", data=wrong).status_code == 401
        right = {"name": "carol", "password": "correct horse battery staple"}
        assert client.post("/login", data=right).status_code == 303
        page = client.get("/", follow_redirects=True).text
        assert client.post("/logout", data={"form_token": token_in(page)}).status_code == 303
    acts = (AuditedAct.LOGIN, AuditedAct.LOGOUT)
    said = [(e.person, e.act.value, e.outcome.value) for e in entries(site) if e.act in acts]
    assert said[::-1] == [
        ("carol", "login", "failed"),
        ("carol", "login", "done"),
        ("carol", "logout", "done"),
    ]
    done, failed = entries(site, person="carol", act=AuditedAct.LOGIN)
    assert (done.role, done.address, failed.role) == ("reader", "127.0.0.1", "")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_the_page_in_a_browser(site: Site, url: str, tmp_path: Path) -> None:
    with Reader(width=1200) as reader:
        page = reader.page
        browse_as(page, site, url=url)
        page.goto(f"{url}/audit")
        reader.screenshot(tmp_path / "audit.png")
        page.get_by_role("button", name="next").click()
        page.wait_for_selector("text=page 2 of 2")
        assert page.title() == "Audit · Hilum"
        page.get_by_label("Patient ID", exact=True).fill("MARKER")
        page.get_by_role("button", name="Show").click()
        page.wait_for_selector("text=page 1 of 1")
        assert "MARKER" not in page.url
        page.get_by_role("button", name="Verify").click()
        page.wait_for_selector("text=as they were written")
        reader.screenshot(tmp_path / "verified.png")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 360, "height": 900})
        reader.screenshot(tmp_path / "narrow.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert reader.errors == []
