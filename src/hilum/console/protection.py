"""What keeps pages of strangers out of the console, whatever the address and whoever asks.

- The console answers only when it is called by a name of its own. Otherwise a page of a stranger
  whose name leads to our address (DNS rebinding) could read what it shows.
- What changes something comes from a page of ours (`Origin`, `Sec-Fetch-Site`), or from a program.
- Browsers are told to run and load only what is ours, to show it in no frame, and to keep nothing.
"""

import ipaddress
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.config.console import Console
from hilum.config.fields import is_loopback

SAFE = ("GET", "HEAD", "OPTIONS")  # RFC 9110 9.2.1
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
STATIC = "/static/"  # what names no patient, and browsers may keep
FOREIGN_NAME = "Hilum is not called by this name here; add it to console.names if it is right.\n"
FOREIGN_PAGE = "Hilum takes this from its own pages only.\n"


class Protection:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, console: Console) -> None:
        self._app = app
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer for the application, or let it answer and add headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope["path"])
            await send(message)

        refusal = self._refusal(scope, Headers(scope=scope))
        await (refusal or self._app)(scope, receive, protected)

    def _refusal(self, scope: Scope, headers: Headers) -> PlainTextResponse | None:
        server = scope.get("server") or ("", None)
        if not is_ours(host_of(headers.get("host", "")), self._console, server[0]):
            return PlainTextResponse(FOREIGN_NAME, HTTPStatus.MISDIRECTED_REQUEST)
        if scope["method"] not in SAFE and not self._is_from_us(headers):
            return PlainTextResponse(FOREIGN_PAGE, HTTPStatus.FORBIDDEN)
        return None

    def _is_from_us(self, headers: Headers) -> bool:
        """Whether a page of ours sent it, or no page at all: programs have no origin."""
        if site := headers.get("sec-fetch-site"):  # no page can change it (W3C Fetch Metadata)
            return site in ("same-origin", "none")
        origin = headers.get("origin")
        if origin is None:
            return True
        parts = urlsplit(origin)
        if parts.netloc == headers.get("host"):
            return True
        return self._console.behind_proxy and parts.hostname in self._console.names


def is_ours(host: str, console: Console, server: str) -> bool:
    """Whether `host` is a name or address of this console; `server` is where it was reached."""
    if host in console.names or is_loopback(host):
        return True
    return _is_address(host) and host in (server, console.host)


def host_of(netloc: str) -> str:
    """The host of `host:port`, "" if it is none."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:
        return ""


def is_from_this_machine(client: str, headers: Mapping[str, str]) -> bool:
    """Whether a browser of this machine asks, and not somebody through a proxy on it."""
    forwarded = any(name.startswith("x-forwarded") or name in PROXIED for name in headers)
    return is_loopback(client) and is_loopback(host_of(headers.get("host", ""))) and not forwarded


PROXIED = ("forwarded", "via", "x-real-ip")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _add_headers(headers: MutableHeaders, path: str) -> None:
    for name, value in HEADERS.items():
        if name != "Cache-Control" or not path.startswith(STATIC):
            headers.setdefault(name, value)
