"""The page People and its API: administrators add, change and remove, and it is on record."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hilum.audit import AuditedAct, AuditOutcome, Origin
from hilum.audit.store import AuditFilter, AuditStore
from hilum.config.site import Site
from hilum.console.guard import cookie_name
from hilum.people.everybody import Everybody
from hilum.people.roles import UserRole
from hilum.people.sessions import SignInWay, form_token
from tests.browser import CHROMIUM, Reader
from tests.signing_in import signed_in

from .serving import serving_empty

GOOD = "correct horse battery"


@pytest.fixture
def url(site: Site, everybody: Everybody) -> Iterator[str]:
    everybody.accounts.add("chief", UserRole.ADMINISTRATOR, GOOD)
    with serving_empty(site) as url:
        yield url


@pytest.fixture
def chief(url: str, site: Site, everybody: Everybody) -> Iterator[httpx.Client]:
    """Signed in with an account, as people are."""
    key = everybody.sessions.begin(SignInWay.PASSWORD, "chief", UserRole.ADMINISTRATOR)
    cookies = {cookie_name(site.console): key}
    headers = {"X-Hilum-Token": form_token(key)}
    with httpx.Client(base_url=url, cookies=cookies, headers=headers) as client:
        yield client


def on_record(site: Site) -> list[tuple[str, str, str]]:
    with closing(AuditStore(site.data / "audit.db")) as store:
        entries = store.latest(AuditFilter(act=AuditedAct.PEOPLE_CHANGED), 100)
    return [(e.object, e.reason, e.outcome) for e in reversed(entries)]


def test_the_life_of_an_account_by_the_api(url: str, site: Site, everybody: Everybody) -> None:
    def signs_in() -> UserRole | None:
        return getattr(everybody.sign_in("anna", GOOD, "192.0.2.1"), "role", None)

    with signed_in(site, url=url) as client:
        new = {"name": "Anna", "role": "reader", "password": GOOD}
        assert client.post("/api/v1/people", json=new).json()["name"] == "anna"
        assert signs_in() is UserRole.READER
        twice = client.post("/api/v1/people", json=new)
        assert (twice.status_code, twice.json()["detail"]) == (
            409,
            "there is an account anna already",
        )
        assert client.post("/api/v1/people/anna/role", json={"role": "viewer"}).status_code == 204
        assert signs_in() is UserRole.VIEWER
        assert client.post("/api/v1/people/anna/disabled", json={"disabled": True}).is_success
        assert signs_in() is None
        assert client.post("/api/v1/people/anna/disabled", json={"disabled": False}).is_success
        other = {"password": GOOD + " staple"}
        assert client.post("/api/v1/people/anna/password", json=other).is_success
        assert signs_in() is None
        listed = client.get("/api/v1/people").json()
        assert [(one["name"], one["role"]) for one in listed] == [
            ("anna", "viewer"),
            ("chief", "administrator"),
        ]
        assert "password" not in listed[0]
        assert client.delete("/api/v1/people/anna").status_code == 204
        assert client.delete("/api/v1/people/anna").status_code == 409
    asked, failed = AuditOutcome.ASKED, AuditOutcome.FAILED
    assert on_record(site) == [
        ("Anna", "add as reader", asked),
        ("Anna", "add as reader", asked),
        ("Anna", "there is an account anna already", failed),
        ("anna", "role viewer", asked),
        ("anna", "disable", asked),
        ("anna", "enable", asked),
        ("anna", "password", asked),
        ("anna", "remove", asked),
        ("anna", "remove", asked),
        ("anna", "there is no account anna; known: chief", failed),
    ]


def test_the_life_of_a_token_by_the_api(url: str, site: Site) -> None:
    with signed_in(site, url=url) as client:
        new = {"name": "grafana", "role": "viewer", "days": 2}
        token = client.post("/api/v1/tokens", json=new).json()["token"]
        assert token not in client.get("/api/v1/tokens").text
        shown = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{url}/api/v1/studies", headers=shown).status_code == 200
        assert httpx.get(f"{url}/api/v1/tokens", headers=shown).status_code == 403
        assert client.delete("/api/v1/tokens/grafana").status_code == 204
        assert httpx.get(f"{url}/api/v1/studies", headers=shown).status_code == 401
        for days in (0, 4000):
            assert client.post("/api/v1/tokens", json={**new, "days": days}).status_code == 422
        odd = client.post("/api/v1/tokens", json={**new, "name": "a/b"})
        assert odd.status_code == 409


def test_nobody_changes_the_own_account_by_mistake(chief: httpx.Client) -> None:
    for path, body in (
        ("/api/v1/people/CHIEF/role", {"role": "viewer"}),
        ("/api/v1/people/chief/disabled", {"disabled": True}),
    ):
        answer = chief.post(path, json=body)
        assert (answer.status_code, "your own account" in answer.text) == (409, True)
    assert chief.delete("/api/v1/people/chief").status_code == 409
    assert chief.get("/people").status_code == 200


def test_who_loses_the_role_loses_the_page_at_once(
    chief: httpx.Client, everybody: Everybody
) -> None:
    assert chief.get("/people").status_code == 200
    everybody.accounts.add("deputy", UserRole.ADMINISTRATOR, GOOD)
    everybody.accounts.set_role("chief", UserRole.OPERATOR)
    barred = chief.get("/people")
    assert barred.status_code == 403
    assert "chief is operator here, and as such may not manage people." in barred.text


def test_what_somebody_did_is_one_step_away(chief: httpx.Client, everybody: Everybody) -> None:
    everybody.accounts.add("anna", UserRole.READER, GOOD)
    page = chief.get("/people").text
    ways = re.findall(r'href="(/audit\?[^"]+)">what (\w+) did', page)
    assert ways == [("/audit?person=anna", "they"), ("/audit?person=chief", "you")]
    done = chief.get("/audit?person=chief").text
    assert '<a href="/audit?person=chief">chief</a>' in done
    assert "No entry matches" in chief.get("/audit?person=anna").text


def test_an_act_that_cannot_be_put_on_record_is_not_done(
    chief: httpx.Client, site: Site, everybody: Everybody
) -> None:
    assert chief.get("/people").status_code == 200
    (site.data / "audit.db").write_bytes(b"no database at all" * 1000)
    new = {"name": "anna", "role": "reader", "password": GOOD}
    assert chief.post("/api/v1/people", json=new).status_code == 503
    assert everybody.accounts.get("anna") is None


def test_a_stream_ends_with_the_session(
    chief: httpx.Client, everybody: Everybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.console.live.ALIVE_SECONDS", 0.2)
    everybody.accounts.add("deputy", UserRole.ADMINISTRATOR, GOOD)
    with chief.stream("GET", "/live", headers={"Accept": "text/event-stream"}) as answer:
        pieces = answer.iter_text()
        assert "retry" in next(pieces)
        next(pieces)
        everybody.accounts.disable("chief")
        assert len(list(pieces)) < 10  # it ends


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_an_administrator_adds_somebody_in_the_browser(
    url: str, site: Site, everybody: Everybody, tmp_path: Path
) -> None:
    with Reader(width=1200) as reader:
        page = reader.page
        page.goto(f"{url}/people")
        page.fill("#name", "chief")
        page.fill("#password", GOOD)
        page.click("main button")
        page.wait_for_selector("h1:has-text('People')")
        add = page.locator("form[action='/people/add']")
        add.locator("input[name=name]").fill("anna")
        add.locator("select").select_option("reader")
        for name in ("password", "again"):
            add.locator(f"input[name={name}]").fill(GOOD + " staple")
        add.locator("button").click()
        page.wait_for_selector("text=anna may sign in as reader.")
        token = page.locator("form[action='/people/token/add']")
        token.locator("input[name=name]").fill("grafana")
        token.locator("button").click()
        page.wait_for_selector("#token")
        assert everybody.tokens.visitor(page.inner_text("#token"))
        reader.screenshot(tmp_path / "people.png")
        page.click("text=Change anna")
        page.click("text=Keep out")
        page.wait_for_selector("text=anna is disabled and signed out.")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 360, "height": 900})
        page.goto(f"{url}/people")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        reader.screenshot(tmp_path / "people-dark.png")
        assert reader.errors == []
    with closing(AuditStore(site.data / "audit.db")) as store:
        entries = store.latest(AuditFilter(act=AuditedAct.PEOPLE_CHANGED), 100)
    assert {(e.person, e.origin) for e in entries} == {("chief", Origin.CONSOLE)}
