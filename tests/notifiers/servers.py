"""A program that takes web-hooks, and a mail server."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from hilum_lab.network.processes import available_port
from tests.answering import answering
from tests.certificates import SelfSigned


@dataclass
class Hook:
    """What came, and what is answered."""

    url: str = ""
    status: int = 204
    body: bytes = b""  # of the answer
    is_endless: bool = False  # more and more stands in it
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def web_hook(certificate: SelfSigned | None = None) -> Iterator[Hook]:
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(hook.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            with suppress(OSError):  # nobody reads it
                self.wfile.write(hook.body)
                while hook.is_endless:
                    self.wfile.write(b"more and more")

        def do_HEAD(self) -> None:
            self.send_response(405)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        server.socket = certificate.context.wrap_socket(server.socket, server_side=True)
    scheme = "https" if certificate else "http"
    with answering(server) as address:
        hook.url = f"{scheme}://{address}/hilum"
        yield hook


@dataclass
class Post:
    """A mail server: what it took, and from whom it takes mail."""

    port: int
    password: str = ""  # wanted, if there is one
    refused: str = ""  # a recipient that it does not know
    taken: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - the names are the library's
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: Any
    ) -> str:
        if address == self.refused:
            return "550 nobody is called so"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        content = envelope.original_content
        assert content is not None
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.taken.append(mail)
        return "250 OK"

    def login(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any
    ) -> AuthResult:
        good = isinstance(data, LoginPassword) and data.password == self.password.encode()
        return AuthResult(success=good, handled=False)


@contextmanager
def mail_server(
    certificate: SelfSigned | None = None, from_the_start: bool = False, password: str = ""
) -> Iterator[Post]:
    post = Post(available_port(), password)
    context = certificate.context if certificate else None
    controller = Controller(
        post,
        hostname="127.0.0.1",
        port=post.port,
        ssl_context=context if from_the_start else None,
        tls_context=None if from_the_start else context,
        require_starttls=context is not None and not from_the_start,
        auth_required=bool(password) and not from_the_start,
        auth_require_tls=not from_the_start,
        authenticator=post.login if password else None,
    )
    controller.start()
    try:
        yield post
    finally:
        controller.stop()
