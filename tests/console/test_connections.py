"""Connections that send nothing, or half a request, keep nobody else from asking."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import httpx
import pytest

from hilum.config import parse
from hilum.console.connections import MOST
from hilum.records import Records
from tests.certificates import SelfSigned
from tests.patience import PATIENCE, until

from .serving import serving

HALF = 500  # connections
NOTHING = b""
HALF_A_HEAD = b"GET /login HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
HALF_A_BODY = (
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
)


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    site = parse({"data": str(tmp_path)})
    with (
        closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records,
        serving(site, records) as url,
    ):
        yield url


def address_of(url: str) -> tuple[str, int]:
    host, port = url.partition("//")[2].split(":")
    return host, int(port)


def opened(stack: ExitStack, url: str, sent: bytes) -> socket.socket:
    made = stack.enter_context(socket.create_connection(address_of(url), PATIENCE))
    made.sendall(sent)
    return made


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1000) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("sent", [NOTHING, HALF_A_HEAD, HALF_A_BODY], ids=["0", "head", "body"])
def test_500_half_open_connections_stop_nobody(sent: bytes, url: str) -> None:
    with ExitStack() as stack, httpx.Client(base_url=url) as person:
        assert person.get("/login").status_code == 200
        half = [opened(stack, url, sent) for _ in range(HALF)]
        for _ in range(3):
            assert person.get("/login").status_code == 200  # on the connection from before
            assert httpx.get(f"{url}/login").status_code == 200
        until(lambda: sum(map(is_closed, half)) >= HALF - MOST, "room for others")


def test_one_that_sends_nothing_is_closed(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.console.connections.HEAD_SECONDS", 0.5)
    monkeypatch.setattr("hilum.console.connections.PAUSE_SECONDS", 0.5)
    with ExitStack() as stack:
        half = [opened(stack, url, sent) for sent in (NOTHING, HALF_A_HEAD, HALF_A_BODY)]
        until(lambda: all(map(is_closed, half)), "their end")


def test_a_head_that_trickles_in_is_closed_and_a_body_is_not(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long upload goes on as long as something comes."""
    monkeypatch.setattr("hilum.console.connections.HEAD_SECONDS", 1.0)
    monkeypatch.setattr("hilum.console.connections.PAUSE_SECONDS", PATIENCE)
    with ExitStack() as stack:
        head, body = (opened(stack, url, sent) for sent in (HALF_A_HEAD, HALF_A_BODY))

        def trickled() -> bool:
            body.sendall(b"x")
            with suppress(OSError):
                head.sendall(b"x")
            return is_closed(head)

        until(trickled, "the end of the head", pause=0.1)
        assert not is_closed(body)


def test_a_slow_handshake_of_tls_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hilum.console.connections.HANDSHAKE_SECONDS", 0.5)
    made = SelfSigned.make(tmp_path)
    tls = {"certificate_file": made.certificate, "key_file": made.key}
    site = parse({"data": str(tmp_path), "console": {"tls": tls}})
    with (
        closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records,
        serving(site, records) as url,
        ExitStack() as stack,
    ):
        trust = ssl.create_default_context(cafile=made.certificate)
        half = [opened(stack, url, b"\x16\x03\x01") for _ in range(HALF)]
        assert httpx.get(f"{url}/login", verify=trust).status_code == 200
        until(lambda: all(map(is_closed, half)), "their end")
        assert httpx.get(f"{url}/login", verify=trust).status_code == 200


def test_a_head_has_a_largest_size(url: str) -> None:
    with ExitStack() as stack:
        large = opened(stack, url, HALF_A_HEAD)
        with pytest.raises(OSError):
            for _ in range(1000):
                large.sendall(b"x" * 10_000)
        assert httpx.get(f"{url}/login").status_code == 200
