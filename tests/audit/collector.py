"""A collector of audit messages: syslog over TLS, as RFC 5425 and RFC 5424 describe it."""

import re
import socketserver
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from hilum.config.audit import SyslogSettings
from hilum.config.tls import Tls
from tests.answering import answering
from tests.patience import PATIENCE

HEADER = re.compile(
    rb"<(?P<priority>\d{1,3})>1 "
    rb"(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)) "
    rb"(?P<host>[!-~]{1,255}) (?P<program>[!-~]{1,48}) (?P<process>[!-~]{1,128}) "
    rb"(?P<id>[!-~]{1,32}) - \xef\xbb\xbf(?P<text>.*)",
    re.DOTALL,
)


@dataclass
class Collector:
    """What came; `drops` connections are reset after the first message, without reading on."""

    port: int = 0
    drops: int = 0
    says_end: bool = True  # closes with a word of TLS
    connections: int = 0
    messages: list[dict[str, bytes]] = field(default_factory=list)

    def documents(self) -> list[ET.Element]:
        return [ET.fromstring(message["text"]) for message in self.messages]

    def acts(self) -> list[str]:
        """The words of ours that stand in the messages."""
        codes = [d.findall("EventIdentification/EventTypeCode") for d in self.documents()]
        return [found[-1].attrib["originalText"] for found in codes]


def frames(stream: Any) -> Iterator[dict[str, bytes]]:
    """The messages of a connection, until the other side ends it."""
    while True:
        length = b""
        while (digit := stream.read(1)) != b" ":
            if not digit:
                assert not length, "it broke off in a length"
                return
            length += digit
        assert re.fullmatch(rb"[1-9]\d*", length), length
        frame = stream.read(int(length))
        assert len(frame) == int(length)
        found = HEADER.fullmatch(frame)
        assert found, frame
        yield found.groupdict()


@contextmanager
def collector(context: ssl.SSLContext, port: int = 0) -> Iterator[Collector]:
    made = Collector()

    class Handler(socketserver.StreamRequestHandler):
        timeout = PATIENCE

        def handle(self) -> None:
            made.connections += 1
            got = frames(self.rfile)
            if made.drops:
                made.drops -= 1
                next(got)
                return  # what was not read becomes a reset
            made.messages += list(got)
            if made.says_end:
                self.request.unwrap()

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

        def get_request(self) -> Any:
            plain, address = super().get_request()
            return context.wrap_socket(
                plain, server_side=True, do_handshake_on_connect=False
            ), address

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # a handshake that fails, or a reset

    server = Server(("127.0.0.1", port), Handler)
    made.port = server.server_address[1]
    with answering(server):
        yield made


def settings_for(port: int, ca: Path, seconds: float = PATIENCE) -> SyslogSettings:
    """Those of a collector at `port`, for each of whose answers we wait so many `seconds`."""
    tls = Tls(ca_file=ca)
    return SyslogSettings(host="127.0.0.1", port=port, tls=tls, timeout_seconds=seconds)
