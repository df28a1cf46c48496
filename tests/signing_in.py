"""Tests that ask the console as somebody: `signed_in` as a program, `browse_as` in a browser."""

import secrets
from contextlib import closing
from typing import TYPE_CHECKING

import httpx

from hilum.config.site import Site
from hilum.console.guard import cookie_name
from hilum.people.everybody import Everybody
from hilum.people.roles import UserRole
from hilum.people.sessions import SignInWay

if TYPE_CHECKING:
    from playwright.sync_api import Page


def signed_in(site: Site, role: UserRole = UserRole.ADMINISTRATOR, url: str = "") -> httpx.Client:
    """A client with a token for `role`; `url` where it is not that of the settings."""
    with closing(Everybody(site.data, site.console)) as everybody:
        token = everybody.tokens.add(f"test-{secrets.token_hex(4)}", role, days=1)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=url or site.console.address, headers=headers)


def asked(
    site: Site, path: str, role: UserRole = UserRole.ADMINISTRATOR, url: str = ""
) -> httpx.Response:
    """What the console answers to `role` at `path`."""
    with signed_in(site, role, url) as client:
        return client.get(path)


def session_of(site: Site, role: UserRole = UserRole.ADMINISTRATOR, name: str = "tester") -> str:
    """The key of a new session in `role`."""
    with closing(Everybody(site.data, site.console)) as everybody:
        return everybody.sessions.begin(SignInWay.LINK, name, role)


def browse_as(
    page: "Page", site: Site, role: UserRole = UserRole.ADMINISTRATOR, url: str = ""
) -> None:
    """Have the browser of `page` be signed in as `role`."""
    key = session_of(site, role)
    cookie = {"name": cookie_name(site.console), "value": key, "url": url or site.console.address}
    page.context.add_cookies([cookie])  # type: ignore[list-item]
