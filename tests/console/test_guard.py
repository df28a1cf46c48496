"""Who gets in where: every endpoint in every role, and the ways to get in without right."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from hilum.config import parse
from hilum.config.site import Site
from hilum.console.app import LARGEST_BODY, application
from hilum.console.endpoints import PERMISSION, STREAMED, Endpoints, pages, resource
from hilum.console.guard import OUTDATED, UNKNOWN, GuardedRoute, OurVisitor, cookie_name
from hilum.console.protection import FOREIGN_NAME, FOREIGN_PAGE, HEADERS
from hilum.people.everybody import Everybody
from hilum.people.roles import MAY, Permission, UserRole
from hilum.people.sessions import form_token
from hilum.records import Records
from tests.drawn import every
from tests.signing_in import session_of, signed_in

from .serving import serving

NOT_OURS = {"/api/v1/openapi.json", "/static"}  # the description, and files: no answer of ours
EVERY_SAFE = "GET"
SOME = every(4)  # so many doors are one with each wrong key: one guard stands before all of them


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("guard")
    return parse({"data": str(folder), "receiver": {"low_water_mb": 0}})


@pytest.fixture(scope="module")
def records(site: Site) -> Iterator[Records]:
    with closing(Records(f"sqlite:///{site.data}/hilum.db")) as opened:
        yield opened


def for_each_permission() -> list[Endpoints]:
    """A page and a resource for each permission, to be changed or looked at."""
    shown, asked = pages(), resource()
    for endpoints, place in ((shown, "/try"), (asked, "/api/v1/try")):
        for permission in Permission:
            path = f"{place}/{permission.name.lower()}"
            endpoints.get(path, permission)(_nothing if permission is Permission.NONE else _name)
            endpoints.post(path, permission)(_nothing if permission is Permission.NONE else _name)
    return [shown, asked]


def _name(visitor: OurVisitor) -> dict[str, str]:
    return {"name": visitor.name}


def _nothing() -> None:
    """What is open knows nobody."""


@pytest.fixture(scope="module")
def url(site: Site, records: Records) -> Iterator[str]:
    with serving(site, records, for_each_permission()) as url:
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        yield client


@dataclass(frozen=True)
class Door:
    """One endpoint, and what it asks for."""

    method: str
    path: str
    permission: Permission
    streamed: bool

    def ask(self, client: httpx.Client, **options: Any) -> str:
        """Who is barred: "unknown", "lacks" the permission, shows an "outdated" form, or "" (in).

        "name" and "page" are those whose host or origin is another one.
        """
        client.cookies.clear()
        if self.streamed and (fields := options.pop("data", None)):
            options["files"] = {name: (None, value) for name, value in fields.items()}
        path = re.sub(r"{[^}]*}", "x", self.path)
        with client.stream(self.method, path, **options) as answer:
            if answer.headers.get("location", "").startswith("/login?next="):
                return "unknown"
            if answer.is_success:  # one may be a stream of events, which does not end
                return ""
            text = answer.read().decode()
        said = {
            UNKNOWN.text: "unknown",
            OUTDATED.text: "outdated",
            "and as such may not": "lacks",
            FOREIGN_NAME.strip(): "name",
            FOREIGN_PAGE.strip(): "page",
        }
        return next((word for sentence, word in said.items() if sentence in text), "")


def _door(method: str, route: APIRoute) -> Door:
    said = route.openapi_extra or {}
    return Door(method, route.path, Permission(said[PERMISSION]), STREAMED in said)


@pytest.fixture(scope="module")
def made(site: Site, records: Records) -> FastAPI:
    made = application(site, records)
    for endpoints in for_each_permission():
        endpoints.add_to(made.router)
    return made


@pytest.fixture(scope="module")
def doors(made: FastAPI) -> list[Door]:
    return [
        _door(method, route)
        for route in made.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def test_every_route_has_a_guard_and_the_description_says_the_same(
    made: FastAPI, doors: list[Door]
) -> None:
    paths = {getattr(r, "path", "") for r in made.routes if not isinstance(r, GuardedRoute)}
    assert paths == NOT_OURS
    described = {
        (method.upper(), path): facts
        for path, methods in made.openapi()["paths"].items()
        for method, facts in methods.items()
    }
    assert len(described) > 10
    asked_for = {(door.method, door.path): door.permission for door in doors}
    for door, facts in described.items():
        assert facts[PERMISSION] == asked_for[door]
        assert bool(facts["security"]) == (asked_for[door] is not Permission.NONE)


def test_no_endpoint_can_be_added_without_a_permission(site: Site, records: Records) -> None:
    made = application(site, records)
    with pytest.raises(KeyError, match=PERMISSION):
        made.get("/secret")(_nothing)


@pytest.mark.parametrize("role", UserRole)
def test_every_endpoint_in_every_role(
    role: UserRole, client: httpx.Client, site: Site, doors: list[Door]
) -> None:
    """Programs and browsers get in exactly where `MAY` lets their role in."""
    key = session_of(site, role)
    cookie = {"Cookie": f"{cookie_name(site.console)}={key}"}
    with signed_in(site, role) as program:
        bearer = {"Authorization": program.headers["Authorization"]}
    expected = {door: "" if door.permission in MAY[role] else "lacks" for door in doors}
    assert set(expected.values()) == {"", "lacks"}
    assert {door: door.ask(client, headers=bearer) for door in doors} == expected
    with_form = {**cookie, "X-Hilum-Token": form_token(key)}
    open_last = sorted(doors, key=lambda door: door.path == "/logout")  # it ends the session
    assert {door: door.ask(client, headers=with_form) for door in open_last} == expected


def test_an_ended_session_gets_in_nowhere(
    client: httpx.Client, site: Site, doors: list[Door]
) -> None:
    key = session_of(site)
    with_form = {
        "Cookie": f"{cookie_name(site.console)}={key}",
        "X-Hilum-Token": form_token(key),
    }
    (out,) = (door for door in doors if door.path == "/logout")
    assert out.ask(client, headers=with_form) == ""
    barred_everywhere(doors, client, "unknown", headers=with_form)


def barred_everywhere(doors: list[Door], client: httpx.Client, why: str, **options: Any) -> None:
    expected = {door: "" if door.permission is Permission.NONE else why for door in doors}
    assert {door: door.ask(client, **options) for door in doors} == expected


def test_nobody_gets_in_without_a_session_or_with_one_that_is_none(
    client: httpx.Client, site: Site, doors: list[Door]
) -> None:
    barred_everywhere(doors, client, "unknown")
    name = cookie_name(site.console)
    stale = session_of(site)
    with closing(Everybody(site.data, site.console)) as everybody:
        everybody.sessions.end(stale)
    for n, key in enumerate((stale, "", "x" * 4000, "'; drop table session; --")):
        headers = {"Cookie": f"{name}={key}"}
        barred_everywhere(doors[n::SOME], client, "unknown", headers=headers)
    for n, shown in enumerate(("Bearer nonsense", "Bearer hilum_", f"Bearer {stale}")):
        good = f"{name}={session_of(site)}"  # a token that is none is not made good by a cookie
        headers = {"Authorization": shown, "Cookie": good}
        barred_everywhere(doors[n::SOME], client, "unknown", headers=headers)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8040", "192.0.2.7", "", "@"],
)
def test_a_foreign_name_reaches_nothing(
    host: str, client: httpx.Client, site: Site, doors: list[Door]
) -> None:
    with signed_in(site) as program:
        headers = {"Authorization": program.headers["Authorization"], "Host": host}
    assert {door.ask(client, headers=headers) for door in doors} == {"name"}
    assert client.get("/static/hilum.css", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:99", "127.0.0.1", "[::1]:8040", "127.8.7.6"])
def test_names_of_our_own_are_answered(host: str, url: str) -> None:
    assert httpx.get(f"{url}/login", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},  # another program of this machine
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    ],
    ids=str,
)
def test_a_foreign_page_changes_nothing(
    headers: dict[str, str], client: httpx.Client, site: Site, doors: list[Door]
) -> None:
    key = session_of(site)
    ours = {"Cookie": f"{cookie_name(site.console)}={key}", "X-Hilum-Token": form_token(key)}
    changing = [door for door in doors if door.method != EVERY_SAFE]
    assert len(changing) > 10
    assert {door.ask(client, headers={**ours, **headers}) for door in changing} == {"page"}


def test_a_change_by_cookie_needs_the_token_of_its_session(
    client: httpx.Client, url: str, site: Site, doors: list[Door]
) -> None:
    key, other = session_of(site), session_of(site)
    cookie = {"Cookie": f"{cookie_name(site.console)}={key}", "Origin": url}
    asked = [door for door in doors if door.method != EVERY_SAFE and door.permission != "none"]
    may = [door for door in asked if door.permission in MAY[UserRole.ADMINISTRATOR]]
    for shown in ("", "x", form_token(other), key, "é"):
        fields = {"form_token": shown}
        assert {door.ask(client, headers=cookie, data=fields) for door in may} == {"outdated"}
    header = {**cookie, "X-Hilum-Token": form_token(other)}
    fields = {"form_token": form_token(key)}
    assert {door.ask(client, headers=header, data=fields) for door in may} == {"outdated"}
    assert {d.ask(client, headers=cookie, data=fields) for d in may if d.path != "/logout"} == {""}


def test_every_answer_tells_browsers_what_they_may_do(url: str, site: Site) -> None:
    with signed_in(site, url=url) as client:
        for path in ("/", "/login", "/nowhere", "/api/v1/studies", "/health", "/api/v1/studies/x"):
            answer = client.get(path)
            assert (
                HEADERS.items()
                <= dict((name, answer.headers.get(name.lower())) for name in HEADERS).items()
            ), path
    style = httpx.get(f"{url}/static/hilum.css")
    assert style.headers["x-content-type-options"] == "nosniff"
    assert "cache-control" not in style.headers
    assert "server" not in style.headers


def test_no_page_has_script_or_style_in_it() -> None:
    """The policy would not run it."""
    folder = Path(__file__).parents[2] / "src" / "hilum" / "console"
    found = [*folder.rglob("*.html")]
    assert found
    for page in found:
        text = page.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", text)


def test_a_request_has_a_largest_size(url: str, site: Site) -> None:
    with signed_in(site, url=url) as client:
        large = {"name": "x" * LARGEST_BODY}
        assert client.post("/login", data=large).status_code == 413
        pieces = (b"x" * 1024 for _ in range(1 + LARGEST_BODY // 1024))
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert client.post("/login", content=pieces, headers=form).status_code == 413
