"""Signing in at a provider of OpenID Connect, and what a lying one, or a stranger, gains there."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from hilum.audit import AuditedAct, AuditOutcome
from hilum.audit.store import AuditFilter, AuditStore
from hilum.config import parse
from hilum.config.console import RoleName
from hilum.config.site import Site
from hilum.console.guard import cookie_name
from hilum.console.pages.openid import NO_ROLE
from hilum.errors import ConfigurationError
from hilum.people.everybody import Everybody
from hilum.people.keys import kept
from hilum.people.roles import UserRole
from hilum.records import Records

from .provider import CLIENT, SECRET, Claims, SmallProvider, parameters_of, small_provider
from .serving import serving

ROLES = {"physicists": "operator", "radiology": "reader", "a.b": "viewer"}
LIES = "The provider does not answer as it should"


@pytest.fixture
def provider() -> Iterator[SmallProvider]:
    with small_provider() as running:
        running.person["groups"] = ["staff", "radiology"]
        yield running


def settings(folder: Path, issuer: str, **openid: Any) -> Site:
    secret = folder / "secret"
    secret.touch(0o600)
    secret.write_text(f"{SECRET}\n")
    named = {"issuer": issuer, "client_id": CLIENT, "client_secret_file": secret, "roles": ROLES}
    return parse({"data": str(folder / "data"), "console": {"openid": {**named, **openid}}})


@pytest.fixture
def site(tmp_path: Path, provider: SmallProvider) -> Site:
    return settings(tmp_path, provider.url)


@pytest.fixture
def url(site: Site, tmp_path: Path) -> Iterator[str]:
    with (
        closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records,
        serving(site, records) as url,
    ):
        yield url


@pytest.fixture
def browser(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        yield client


def way_back(browser: httpx.Client, next: str = "/") -> str:
    """The address of ours that the provider leads back to."""
    there = browser.get("/login/openid", params={"next": next}).headers["location"]
    return httpx.get(there).headers["location"]


def visitor(browser: httpx.Client, site: Site) -> str:
    """Who is signed in."""
    key = browser.cookies.get(cookie_name(site.console))
    with closing(Everybody(site.data, site.console)) as everybody:
        found = everybody.sessions.visitor(key or "")
    return f"{found.name}, {found.role}, {found.identity}" if found else ""


def test_roles_of_the_settings_are_the_roles_there_are() -> None:
    assert list(get_args(RoleName)) == list(UserRole)


def test_there_and_back(browser: httpx.Client, provider: SmallProvider, site: Site) -> None:
    assert "Sign in at 127.0.0.1" in browser.get("/login").text
    back = way_back(browser, "/studies?page=2")
    (asked,) = provider.asked
    assert asked["scope"] == "openid profile"
    secrets = browser.cookies.get(f"hilum-way-{site.console.port}")
    assert secrets and secrets.partition(".")[0] not in str(asked)
    done = browser.get(back)
    assert (done.status_code, done.headers["location"]) == (303, "/studies?page=2")
    assert visitor(browser, site) == f"anna, reader, openid {provider.url} 4711"
    assert f"hilum-way-{site.console.port}" not in browser.cookies
    assert "anna, reader" in browser.get("/").text
    assert browser.get(back).status_code == 502  # the way is used up
    with closing(Everybody(site.data, site.console)) as everybody:
        assert everybody.accounts.all() == []


@pytest.mark.parametrize(
    ("person", "role"),
    [
        ({"groups": "radiology"}, "reader"),
        ({"groups": ["radiology", "physicists"]}, "operator"),  # the first of the settings
        ({"groups": ["staff"]}, ""),
        ({"groups": []}, ""),
        ({"groups": [["radiology"], 7, None]}, ""),
        ({"groups": {"radiology": True}}, ""),
        ({"groups": "RADIOLOGY"}, ""),
        ({}, ""),
    ],
    ids=str,
)
def test_nobody_has_a_role_but_by_the_settings(
    person: Claims, role: str, browser: httpx.Client, provider: SmallProvider, site: Site
) -> None:
    provider.person = {"sub": "4711", **person}
    answer = browser.get(way_back(browser))
    if role:
        assert visitor(browser, site).startswith(f"4711, {role}, ")
    else:
        assert (answer.status_code, visitor(browser, site)) == (403, "")
        assert NO_ROLE in answer.text
        with closing(AuditStore(site.data / "audit.db")) as store:
            (entry,) = store.latest(AuditFilter(), 10)
        assert (entry.act, entry.outcome) == (AuditedAct.LOGIN, AuditOutcome.DENIED)


def test_a_role_may_stand_below_other_claims_or_apart_from_the_token(
    provider: SmallProvider, tmp_path: Path
) -> None:
    site = settings(tmp_path, provider.url, role_claim="realm_access.roles")
    with (
        closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records,
        serving(site, records) as url,
        httpx.Client(base_url=url) as browser,
    ):
        provider.person = {"sub": "4711", "realm_access": {"roles": ["radiology"]}}
        browser.get(way_back(browser))
        assert visitor(browser, site).startswith("4711, reader")
        browser.cookies.clear()
        provider.person = {"sub": "4711"}
        provider.info = {"sub": "4711", "realm_access": {"roles": ["physicists"]}}
        browser.get(way_back(browser))
        assert visitor(browser, site).startswith("4711, operator")
        browser.cookies.clear()
        provider.info = {"sub": "4712", "realm_access": {"roles": ["physicists"]}}
        assert LIES in browser.get(way_back(browser)).text


def test_a_name_of_the_provider_is_no_account_of_ours(
    browser: httpx.Client, provider: SmallProvider, site: Site
) -> None:
    """A provider's `anna` has not the role of our `anna`, and is not her."""
    with closing(Everybody(site.data, site.console)) as everybody:
        everybody.accounts.add("anna", UserRole.ADMINISTRATOR, "correct horse battery")
        browser.get(way_back(browser))
        assert visitor(browser, site).startswith("anna, reader, openid")
        everybody.accounts.add("bert", UserRole.ADMINISTRATOR, "correct horse battery")
        everybody.accounts.remove("anna")
    assert visitor(browser, site).startswith("anna, reader, openid")


def signed_by_somebody_else(claims: Claims, _key: RSAKey) -> str:
    other = RSAKey.generate_key(2048)
    return jwt.encode({"alg": "RS256"}, claims, other)


def signed_with_the_public_key(claims: Claims, key: RSAKey) -> str:
    """As if it were a secret: the old confusion of RS256 and HS256."""
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(key.as_pem(private=False)))


def not_signed(claims: Claims, key: RSAKey) -> str:
    text = jwt.encode({"alg": "RS256"}, claims, key)
    body = text.split(".")[1]
    return f"eyJhbGciOiJub25lIn0.{body}."


@pytest.mark.parametrize("sign", [signed_by_somebody_else, signed_with_the_public_key, not_signed])
@pytest.mark.filterwarnings("ignore")  # of the library, which we misuse here
def test_a_token_that_the_provider_has_not_signed_opens_nothing(
    sign: Callable[[Claims, RSAKey], str],
    browser: httpx.Client,
    provider: SmallProvider,
    site: Site,
) -> None:
    provider.sign = sign
    answer = browser.get(way_back(browser))
    assert (answer.status_code, visitor(browser, site)) == (502, "")
    assert LIES in answer.text


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "of-another-way"},
        {"nonce": None},
        {"aud": "another-program"},
        {"aud": ["another-program", "hilum"], "azp": "another-program"},
        {"iss": "https://evil.example"},
        {"exp": 1000},
        {"exp": None},
        {"iat": None},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_for_somebody_else_or_another_time_opens_nothing(
    changed: Claims, browser: httpx.Client, provider: SmallProvider, site: Site
) -> None:
    def bend(claims: Claims) -> Claims:
        bent = {**claims, **changed}
        return {name: value for name, value in bent.items() if value is not None}

    provider.bend = bend
    answer = browser.get(way_back(browser))
    assert (answer.status_code, visitor(browser, site)) == (502, "")


def test_a_stranger_cannot_finish_the_way_of_somebody_else(
    browser: httpx.Client, url: str, site: Site
) -> None:
    """Nor make somebody finish the stranger's, and work under a wrong name."""
    back = way_back(browser)
    with httpx.Client(base_url=url) as other:
        assert other.get(back).status_code == 502  # without a cookie
        way_back(other)
        assert other.get(back).status_code == 502  # with the cookie of another way
        known = {"state": kept("", "state"), "code": "code-1"}  # all that follows from no key
        other.cookies.clear()
        assert other.get("/login/openid/callback", params=known).status_code == 502
        assert visitor(other, site) == ""
    state = parameters_of(back)["state"]
    for broken in ({"state": state}, {"state": state, "error": "access_denied"}, {"code": "x"}):
        assert browser.get("/login/openid/callback", params=broken).status_code == 502
    mixed = {**parameters_of(back), "iss": "https://evil.example"}
    assert browser.get("/login/openid/callback", params=mixed).status_code == 502
    assert browser.get(back).status_code == 303
    assert visitor(browser, site)


@pytest.mark.parametrize(
    "described",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "http://login.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": ""},
    ],
    ids=str,
)
def test_a_provider_that_describes_itself_wrongly_is_not_used(
    described: Claims, browser: httpx.Client, provider: SmallProvider
) -> None:
    provider.described = described
    answer = browser.get("/login/openid")
    assert answer.status_code == 502
    assert LIES in answer.text


def test_where_it_goes_on_is_a_path_of_ours(browser: httpx.Client) -> None:
    done = browser.get(way_back(browser, "//evil.example"))
    assert done.headers["location"] == "/"


def test_a_provider_that_is_away_is_said(tmp_path: Path) -> None:
    with small_provider() as gone:
        site = settings(tmp_path, gone.url)
    with (
        closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records,
        serving(site, records) as url,
    ):
        answer = httpx.get(f"{url}/login/openid")
        assert (answer.status_code, LIES in answer.text) == (502, True)
        assert httpx.get(f"{url}/login").status_code == 200


def test_without_a_provider_there_is_no_way(tmp_path: Path) -> None:
    site = parse({"data": str(tmp_path)})
    with (
        closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records,
        serving(site, records) as url,
    ):
        assert httpx.get(f"{url}/login/openid").status_code == 404
        assert "/login/openid" not in httpx.get(f"{url}/login").text


@pytest.mark.parametrize(
    ("openid", "problem"),
    [
        ({"issuer": "http://login.example"}, "would be seen by others: write https"),
        ({"scope": "profile"}, "openid must be among the scopes"),
        ({"roles": {}}, "roles: it is empty"),
        ({"roles": {"staff": "boss"}}, "'viewer', 'reader', 'operator' or 'administrator'"),
    ],
    ids=str,
)
def test_settings_that_cannot_be(openid: Claims, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        settings(tmp_path, **{"issuer": "https://login.example", **openid})
