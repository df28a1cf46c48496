"""Signing in and out with a password or a link, and what attackers try there."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Literal

import httpx
import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters

from hilum.audit import AuditedAct, AuditOutcome
from hilum.audit.store import AuditFilter, AuditStore
from hilum.config.site import Site
from hilum.console.guard import cookie_name
from hilum.console.pages.login import ELSEWHERE, NO_LINK, WRONG, local_path
from hilum.people import passwords
from hilum.people.attempts import FREE_PER_NAME
from hilum.people.entrance import entrance
from hilum.people.everybody import Everybody
from hilum.people.roles import UserRole
from hilum.people.sessions import SignInWay, form_token
from tests.browser import CHROMIUM, Reader
from tests.signing_in import session_of

from .serving import serving_empty

GOOD = "correct horse battery"


@pytest.fixture
def url(site: Site, everybody: Everybody) -> Iterator[str]:
    everybody.accounts.add("anna", UserRole.READER, GOOD)
    with serving_empty(site) as url:
        yield url


def sign_in(
    client: httpx.Client, password: str = GOOD, name: str = "anna", next: str = "/"
) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": password, "next": next})


def test_who_is_not_signed_in_is_led_there_and_back(url: str, site: Site) -> None:
    with httpx.Client(base_url=url) as client:
        led = client.get("/studies?page=2&unfinished=1")
        assert led.status_code == 303
        assert led.headers["location"] == "/login?next=/studies%3Fpage%3D2%26unfinished%3D1"
        form = client.get(led.headers["location"])
        assert 'value="/studies?page=2&amp;unfinished=1"' in form.text
        assert "/studies" not in form.text.replace("/studies?page", "")  # no menu for strangers
        done = sign_in(client, next="/studies?page=2&unfinished=1")
        assert (done.status_code, done.headers["location"]) == (303, "/studies?page=2&unfinished=1")
        cookie = done.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
        assert not {"Secure", "Domain"} & {part.partition("=")[0] for part in cookie.split("; ")}
        shown = client.get("/")
        assert "anna, reader" in shown.text
        assert client.get("/login", params={"next": "/studies"}).headers["location"] == "/studies"
        key = client.cookies[cookie_name(site.console)]
        out = client.post("/logout", data={"form_token": form_token(key)})
        assert out.headers["location"] == "/login"
        assert cookie_name(site.console) not in client.cookies
        old = {"Cookie": f"{cookie_name(site.console)}={key}"}  # as somebody who has kept it
        assert client.get("/", headers=old).status_code == 303
        part = client.get("/", headers={"HX-Request": "true"})
        assert (part.status_code, part.headers["hx-refresh"]) == (401, "true")


def test_a_wrong_password_a_wrong_name_and_a_disabled_account_look_the_same(
    url: str, everybody: Everybody
) -> None:
    everybody.accounts.add("bert", UserRole.READER, GOOD)
    everybody.accounts.disable("bert")
    with httpx.Client(base_url=url) as client:
        answers = [sign_in(client, "wrong"), sign_in(client, GOOD, "nobody")]
        answers.append(sign_in(client, GOOD, "bert"))
        assert {answer.status_code for answer in answers} == {401}
        assert WRONG in answers[0].text
        assert len({answer.text for answer in answers}) == 1
        assert not client.cookies


class Counting(PasswordHasher):
    """Notes the work of each hash that a password is compared with."""

    def __init__(self) -> None:
        super().__init__(time_cost=2, memory_cost=128)
        self.work: list[Parameters] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:
        self.work.append(extract_parameters(str(hash)))
        return super().verify(hash, password)


def test_a_wrong_name_takes_the_work_of_a_wrong_password(
    everybody: Everybody, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody learns from the time whether there is an account."""
    hasher = Counting()
    monkeypatch.setattr(passwords, "_hasher", hasher)
    passwords._of_nobody.cache_clear()
    everybody.accounts.add("bert", UserRole.READER, GOOD)
    with httpx.Client(base_url=url) as client:
        for name in ("bert", "nobody"):
            assert sign_in(client, "wrong", name).status_code == 401
    passwords._of_nobody.cache_clear()
    known, unknown = hasher.work
    assert known == unknown
    assert (known.time_cost, known.memory_cost) == (hasher.time_cost, hasher.memory_cost)


@pytest.fixture
def long_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of five minutes from the first one on: a busy machine does not sit them out."""
    monkeypatch.setattr("hilum.people.attempts.pause_after", lambda many: 300.0 * (many >= 0))


@pytest.mark.usefixtures("long_pauses")
def test_who_guesses_has_to_wait(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        for _ in range(FREE_PER_NAME):
            assert sign_in(client, "wrong").status_code == 401
        waits = sign_in(client)  # right, and yet
        assert waits.status_code == 429
        seconds = waits.headers["retry-after"]
        assert 200 < int(seconds) <= 300
        assert f"Too many wrong passwords. Try again in {seconds} seconds." in waits.text
        assert sign_in(client, GOOD, "nobody").status_code == 401  # nobody else waits


def test_a_damaged_database_lets_nobody_in_and_says_what_to_do(url: str, site: Site) -> None:
    with httpx.Client(base_url=url) as client:
        sign_in(client)
        assert client.get("/").status_code == 200
        for file in site.data.glob("people.db*"):
            file.write_bytes(b"no database at all" * 1000)
        assert client.get("/").status_code == 503
        answer = sign_in(client)
        assert (answer.status_code, "people.db is damaged: remove it" in answer.text) == (503, True)
        assert client.get("/health").status_code == 200
        for file in site.data.glob("people.db*"):  # the cure
            file.unlink()
        with closing(Everybody(site.data, site.console)) as everybody:
            everybody.accounts.add("anna", UserRole.READER, GOOD)
        assert sign_in(client).status_code == 303
        assert client.get("/").status_code == 200


@pytest.mark.usefixtures("long_pauses")
def test_many_guesses_at_once_gain_nothing(url: str, everybody: Everybody) -> None:
    def guess(_number: int) -> int:
        with httpx.Client(base_url=url) as client:
            return sign_in(client, "wrong").status_code

    with ThreadPoolExecutor(12) as threads:
        codes = list(threads.map(guess, range(12)))
    assert codes.count(401) == FREE_PER_NAME
    assert codes.count(429) == 12 - FREE_PER_NAME


def test_a_session_that_an_attacker_has_fixed_is_not_the_one_that_begins(
    url: str, site: Site
) -> None:
    name = cookie_name(site.console)
    for planted in ("chosen-by-the-attacker", session_of(site, UserRole.VIEWER)):
        with httpx.Client(base_url=url, cookies={name: planted}) as client:
            done = sign_in(client)
            key = done.cookies[name]
            assert key != planted
        with httpx.Client(base_url=url, cookies={name: planted}) as attacker:
            assert attacker.get("/").status_code == 303
        with httpx.Client(base_url=url, cookies={name: key}) as ours:
            assert "anna, reader" in ours.get("/").text


ELSEWHERE_ON_THE_NET = [
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/ /evil.example",
    "/studies\r\nSet-Cookie: a=b",
    "javascript:alert(1)",
    "evil.example",
    "",
]


@pytest.mark.parametrize("next", ELSEWHERE_ON_THE_NET, ids=repr)
def test_nobody_is_led_to_another_site(next: str) -> None:
    assert local_path(next) == "/"


def test_nobody_is_led_to_another_site_by_signing_in(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        for next in ELSEWHERE_ON_THE_NET:
            assert 'name="next" value="/"' in client.get("/login", params={"next": next}).text
        assert sign_in(client, next="//evil.example").headers["location"] == "/"
        assert client.get("/login?next=//evil.example").headers["location"] == "/"


def test_a_page_of_a_stranger_cannot_sign_us_in_as_somebody_else(url: str) -> None:
    with httpx.Client(base_url=url, headers={"Origin": "https://evil.example"}) as client:
        assert sign_in(client).status_code == 403
        assert client.post("/enter", data={"key": "x"}).status_code == 403


def test_a_link_signs_in_once_and_only_on_this_machine(url: str, site: Site) -> None:
    key = entrance(site, 60, "root").partition("#")[2]
    with httpx.Client(base_url=url) as client:
        for proxied in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host"):
            refused = client.post("/enter", data={"key": key}, headers={proxied: "127.0.0.1"})
            assert (refused.status_code, ELSEWHERE in refused.text) == (403, True)
        assert client.post("/enter", data={"key": "x"}).status_code == 403
        done = client.post("/enter", data={"key": key})
        assert (done.status_code, done.headers["location"]) == (303, "/")
        assert "root, administrator" in client.get("/").text
    with httpx.Client(base_url=url) as client:
        again = client.post("/enter", data={"key": key})
        assert again.status_code == 403
        assert NO_LINK.partition("`")[0] in again.text
    log = site.data / "logs" / "hilum.log"
    assert not log.exists() or key not in log.read_text()


def test_everybody_may_set_another_password_for_themselves(
    url: str, site: Site, everybody: Everybody
) -> None:
    other = everybody.sessions.begin(SignInWay.PASSWORD, "anna", UserRole.READER)
    with httpx.Client(base_url=url) as client:
        sign_in(client)

        def change(present: str, password: str, again: str) -> httpx.Response:
            token = form_token(client.cookies[cookie_name(site.console)])
            form = {"present": present, "password": password, "again": again, "form_token": token}
            return client.post("/account/password", data=form)

        assert "you may look, see patients, assess" in client.get("/account").text
        new = GOOD + " staple"
        for present, password, again, said in (
            ("wrong", new, new, "The password that you have now is another one."),
            (GOOD, new, new + "x", "the two passwords differ"),
            (GOOD, "short", "short", "a password has 12 to 1024 characters"),
        ):
            refused = change(present, password, again)
            assert (refused.status_code, said in refused.text) == (409, True)
        assert everybody.sessions.visitor(other)
        assert change(GOOD, new, new).status_code == 303
        assert client.get("/account").status_code == 200
    assert everybody.sessions.visitor(other) is None
    with httpx.Client(base_url=url) as client:
        assert sign_in(client, GOOD).status_code == 401
        assert sign_in(client, new).status_code == 303
    with httpx.Client(base_url=url) as client:  # who came by a link has none
        client.post("/enter", data={"key": entrance(site, 60, "anna").partition("#")[2]})
        assert "Change your password" not in client.get("/account").text
        assert change(new, GOOD, GOOD).status_code == 409
    assert getattr(everybody.sign_in("anna", new, "192.0.2.9"), "name", "") == "anna"


def test_a_page_that_renews_itself_keeps_nobody_signed_in(
    url: str, everybody: Everybody, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.people.sessions.NOTE_SECONDS", -1.0)  # each use is written down
    key = session_of(site)

    def used() -> float:
        with closing(sqlite3.connect(site.data / "people.db")) as database:
            rows = database.execute("SELECT used FROM session").fetchall()
        return float(rows[0][0])

    with httpx.Client(base_url=url, cookies={cookie_name(site.console): key}) as client:
        began = used()
        assert client.get("/studies", headers={"X-Hilum-Refresh": "1"}).status_code == 200
        with client.stream("GET", "/live", headers={"Accept": "text/event-stream"}) as answer:
            assert answer.status_code == 200
        assert used() == began
        assert client.get("/studies").status_code == 200
        assert used() > began


@pytest.mark.usefixtures("long_pauses")
def test_signing_in_is_on_record_and_what_is_typed_for_a_name_is_not(
    url: str, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with httpx.Client(base_url=url) as client:
        assert sign_in(client).status_code == 303
        assert sign_in(client, "wrong", GOOD).status_code == 401  # the password as the name
        for _ in range(FREE_PER_NAME):
            assert sign_in(client, "wrong").status_code == 401
        for _ in range(20):
            assert sign_in(client).status_code == 429
    with closing(AuditStore(site.data / "audit.db")) as store:
        found = [e for e in store.latest(AuditFilter(), 1000) if e.act is AuditedAct.LOGIN]
    assert [(e.person, e.outcome) for e in reversed(found)] == [
        ("anna", AuditOutcome.DONE),
        ("unknown", AuditOutcome.FAILED),
        *[("anna", AuditOutcome.FAILED)] * FREE_PER_NAME,
        ("anna", AuditOutcome.DENIED),  # and not twenty times: it would fill the disk
    ]
    assert "a wrong name or password came from 127.0.0.1" in caplog.text
    assert GOOD not in caplog.text


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_browser_by_link_and_by_password(url: str, site: Site, tmp_path: Path) -> None:
    with Reader(width=1200) as reader:
        page = reader.page
        key = entrance(site, 60, "root").partition("#")[2]
        page.goto(f"{url}/enter#{key}")
        page.wait_for_selector("text=root, administrator")
        assert key not in page.url
        page.go_back()
        assert key not in page.url
        page.goto(f"{url}/studies")
        page.goto(url)
        page.click("text=Sign out")
        page.wait_for_selector("h1:has-text('Sign in')")
        reader.screenshot(tmp_path / "sign-in.png")
        page.goto(f"{url}/studies?page=1")
        page.wait_for_selector("h1:has-text('Sign in')")
        page.keyboard.type("anna")  # the field of the name has the focus
        page.keyboard.press("Tab")
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"text={WRONG}")
        page.keyboard.type("anna")
        page.keyboard.press("Tab")
        page.keyboard.type(GOOD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{url}/studies?page=1")
        page.wait_for_selector("h1:has-text('Studies')")
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 320, "height": 800})
        page.context.clear_cookies()
        page.goto(f"{url}/login")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        reader.screenshot(tmp_path / "sign-in-dark.png")
        assert [e for e in reader.errors if "401" not in e] == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_an_open_page_says_that_it_renews_itself_and_leaves_when_signed_out(
    url: str, site: Site, everybody: Everybody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hilum.console.live.ALIVE_SECONDS", 0.5)
    key = everybody.sessions.begin(SignInWay.PASSWORD, "anna", UserRole.READER)
    with Reader(width=1200) as reader:
        page = reader.page
        cookie = {"name": cookie_name(site.console), "value": key, "url": url}
        page.context.add_cookies([cookie])
        page.goto(url)
        page.wait_for_selector("text=anna, reader")
        with page.expect_request(lambda request: "hx-request" in request.headers) as renewed:
            page.evaluate("document.body.dispatchEvent(new Event('changed'))")
        assert renewed.value.headers["x-hilum-refresh"] == "1"
        assert renewed.value.headers["x-hilum-token"] == form_token(key)
        everybody.accounts.disable("anna")
        page.wait_for_selector("h1:has-text('Sign in')")
        assert reader.errors == []
